"""`PoolSettings`: what a user may ask of the pool."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from dualgaf.errors import ConfigError, not_allowed, unknown_choice

Backend = Literal["auto", "process", "thread", "serial"]
ChunkSize = int | Literal["auto"]


@dataclass(frozen=True)
class PoolSettings:
    """Who fills the store, and in what portions.

    Raises:
        ConfigError: a field has a value that is not allowed.

    Example:
        >>> PoolSettings(n_jobs=2, chunk_size=50).backend
        'auto'
    """

    enabled: bool = True
    """False: everything in this process and thread, for a debugger."""
    backend: Backend = "auto"
    """``process``, ``thread``, ``serial``; ``auto`` takes what suits the size."""
    shm: bool = True
    """True: shared memory that other processes can map; False: private memory, threads only."""
    n_jobs: int = -1
    """Workers; -1 = all CPUs of this process. Never more than there are CPUs."""
    chunk_size: ChunkSize = "auto"
    """Windows per task; a number is never replaced by another, ``auto`` is measured by the plan."""
    chunk_timeout_s: float = 60.0
    """A worker that takes longer for one chunk is ended, and the chunk given to another."""

    def __post_init__(self) -> None:
        if self.backend not in get_args(Backend):
            raise ConfigError(unknown_choice("parallel.backend", self.backend, get_args(Backend)))
        _check_whole("n_jobs", self.n_jobs, "-1 (all CPUs) or 1 and more", "-1", minus_one=True)
        if self.chunk_size != "auto":
            _check_whole("chunk_size", self.chunk_size, "1 and more, or auto", "auto")
        for option in ("enabled", "shm"):
            if not isinstance(getattr(self, option), bool):
                raise ConfigError(
                    not_allowed(
                        f"parallel.{option}",
                        getattr(self, option),
                        "true, false",
                        f"parallel.{option}=true",
                    )
                )
        seconds = self.chunk_timeout_s
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise ConfigError(
                not_allowed(
                    "parallel.chunk_timeout_s",
                    seconds,
                    "above 0 seconds",
                    "parallel.chunk_timeout_s=60",
                )
            )

    @property
    def chunk_rows(self) -> int:
        """``chunk_size`` as a number.

        Raises:
            ConfigError: it is ``auto`` still; the settings of a plan have a number.
        """
        if self.chunk_size == "auto":
            raise ConfigError(
                "parallel.chunk_size=auto is measured by dualgaf.plan.make_plan; use the settings "
                "of its plan, or type parallel.chunk_size=100"
            )
        return self.chunk_size

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Settings from a mapping with some of the field names.

        Raises:
            ConfigError: a key is not a setting, or a value is not allowed.
        """
        known = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in known:
                raise ConfigError(
                    unknown_choice("key of parallel", key, known, instead="one of the allowed keys")
                )
        return cls(**mapping)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)


def _check_whole(
    option: str, value: object, allowed: str, typed: str, *, minus_one: bool = False
) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or (int(str(value)) < 1 and not (minus_one and value == -1)):
        raise ConfigError(
            not_allowed(
                f"parallel.{option}",
                value,
                f"whole numbers, {allowed}",
                f"parallel.{option}={typed}",
            )
        )
