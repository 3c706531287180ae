"""The one runner of all suites: every side in turn, repeat after repeat.

1. Before a side, as much private memory as it needs is touched and freed. A virtual machine gives
   free memory back to its host after some seconds, and the first touch afterwards is several times
   slower; without this step whoever comes after a pause would pay for it.
2. Entering a side's block does the job and is timed; leaving it frees the result and is not.
3. Sides take turns, so that a noisy moment hits each of them. The first repeat is not counted: it
   compiles, imports and starts what is warm afterwards. What is shown are medians.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dualgaf.errors import ConfigError
from dualgaf.imaging.windows import Windows
from dualgaf.system.machine import memory_headroom

PAGE_BYTES = 4096

Work = Callable[[], AbstractContextManager[Mapping[str, float] | None]]


@dataclass(frozen=True)
class BenchSize:
    """The job to be timed.

    Raises:
        ConfigError: a number is too small.
    """

    n_windows: int = 4000
    """N."""
    n_channels: int = 20
    """C."""
    window_size: int = 96
    """T, and the side of the images."""
    repeats: int = 5
    """Repeats that count; one more is run before them."""

    def __post_init__(self) -> None:
        least = {"n_windows": 10, "n_channels": 1, "window_size": 2, "repeats": 1}
        for option, allowed in least.items():
            check_least(option, getattr(self, option), allowed)

    def __str__(self) -> str:
        return (
            f"{self.n_windows} windows of {self.window_size} steps, {self.n_channels} channels; "
            f"medians, repeats={self.repeats}"
        )


def check_least(option: str, value: int, allowed: int) -> None:
    """Refuse a number of a benchmark that is too small.

    Raises:
        ConfigError: it is below what is allowed.
    """
    if value < allowed:
        typed = f"--{option.replace('_', '-')}"
        raise ConfigError(f"{typed} {value} is too small; allowed: {allowed} and more")


@dataclass(frozen=True, eq=False)
class Side:
    """One way to do the job."""

    name: str
    """What the table calls it."""
    work: Work
    """Its block does the job when it is entered and frees the result when it is left. It may give
    figures of its own, such as ``peak_bytes``."""
    windows: int
    """Windows that it draws."""
    n_bytes: int
    """Bytes of images that it makes."""
    memory: str = ""
    """``private`` or ``shared``: the kind of memory it fills, where it has a limit to be compared
    with."""
    needs_bytes: int = 0
    """Memory it takes, where that is more than the images."""
    repeats: int | None = None
    """Repeats that count, where they are fewer than for the others."""


@dataclass
class Measured:
    """What the runner saw of a side."""

    seconds: list[float] = field(default_factory=list)
    """All repeats; the first one is not counted."""
    told: list[Mapping[str, float]] = field(default_factory=list)
    """Figures that the side gave itself, repeat by repeat."""

    @property
    def median_s(self) -> float:
        """Median of the repeats that count."""
        return statistics.median(self.seconds[1:])

    def median(self, figure: str) -> float:
        """Median of a figure that the side gave itself, over the repeats that count."""
        return statistics.median(told[figure] for told in self.told[1:])


@dataclass(frozen=True)
class Reading:
    """What the times of a suite say."""

    rows: Sequence[Mapping[str, Any]]
    """The table: a mapping per row, from column to text or number; all have the same columns."""
    ratios: Mapping[str, float]
    """What is compared with what; the higher the better."""
    notes: Sequence[str]
    """What to know about the rows, a sentence each."""


@dataclass(frozen=True)
class Suite:
    """Sides that run together, and how their times are read."""

    sides: Sequence[Side]
    """In the order in which they take turns; names differ."""
    read: Callable[[Mapping[str, Measured]], Reading]
    """From what was measured to rows and ratios."""


def run_sides(
    sides: Sequence[Side], repeats: int, progress: Callable[[str], None]
) -> dict[str, Measured]:
    """Time every side.

    Args:
        sides: who takes part, in this order; names differ.
        repeats: repeats that count.
        progress: called with a line before each repeat.

    Returns:
        What was measured, by name.

    Example:
        >>> from contextlib import nullcontext
        >>> side = Side("nothing", nullcontext, windows=10, n_bytes=0)
        >>> len(run_sides([side], 2, lambda line: None)["nothing"].seconds)
        3
    """
    found = {side.name: Measured() for side in sides}
    for repeat in range(repeats + 1):
        progress(f"repeat {repeat} of {repeats}" + ("" if repeat else " (not counted)"))
        for side in sides:
            if side.repeats is not None and repeat > side.repeats:
                continue
            touch_memory(max(side.n_bytes, side.needs_bytes))
            started = time.perf_counter()
            with side.work() as told:
                found[side.name].seconds.append(time.perf_counter() - started)
                found[side.name].told.append(told or {})
    return found


def touch_memory(n_bytes: int) -> None:
    """Touch and free private memory, at most half of what the machine leaves."""
    n_bytes = min(n_bytes, memory_headroom().bytes // 2)
    np.empty(n_bytes, dtype=np.uint8)[::PAGE_BYTES] = 1


def random_windows(n_windows: int, n_channels: int, window_size: int) -> Windows:
    """Windows of random walks, end to end: the time does not depend on the values."""
    steps = n_windows * window_size
    noise = np.random.default_rng(0).normal(size=(n_channels, steps))
    starts = np.arange(n_windows, dtype=np.int64) * window_size
    return Windows(noise.cumsum(axis=1), starts, window_size)
