"""`SpeedSize`: the job that the suites of this folder time."""

from dataclasses import dataclass

from dualgaf.bench.runner import BenchSize, check_least
from dualgaf.system.machine import parse_bytes


@dataclass(frozen=True)
class SpeedSize(BenchSize):
    """`BenchSize`, and what only these suites need.

    Raises:
        ConfigError: a number is too small, or ``memory`` is not a size.
    """

    earlier_repeats: int | None = None
    """Fewer repeats of the earlier system, which takes half a minute each; 0 leaves it out."""
    memory: str = "4GiB"
    """Largest store of the scaling suite."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.earlier_repeats is not None:
            check_least("earlier_repeats", self.earlier_repeats, 0)
        parse_bytes(self.memory)
