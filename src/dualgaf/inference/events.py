"""Runs of one class joined into intervals, and a line a day for the screen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.inference.predictions import Prediction
from dualgaf.series.series import clock_text
from dualgaf.system.whole_file import write_csv

Array = npt.NDArray[Any]

COLUMNS = (
    *("window", "source", "group", "start", "end"),
    *("class", "probability", "windows", "unlike"),
)


@dataclass(frozen=True)
class Event:
    """Windows of one class that follow each other."""

    first: int
    """Number of its first window."""
    last: int
    """Number of its last window."""
    name: str
    """The class."""
    probability: float
    """Mean of the windows."""
    unlike: int
    """Windows that are unlike the training."""

    @property
    def windows(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


def events_of(found: Prediction, min_windows: int = 1) -> list[Event]:
    """Runs of one class, in the order of the windows.

    A run ends where the class changes, the file or the group ends, or more than the length of a
    window is not judged. Where a group is a calendar day it goes on over midnight.

    Args:
        found: a prediction.
        min_windows: runs of fewer windows are left out.

    Example:
        >>> found = Prediction.of_arrays(("a", "b"), np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]]),
        ...     group=("x",) * 3)
        >>> [(event.name, event.windows, round(event.probability, 2)) for event in events_of(found)]
        [('a', 2, 0.8), ('b', 1, 0.8)]
    """
    names, follows = found.classes, _follows(found)
    best = found.probabilities.max(axis=1, initial=0.0)
    breaks = [k for k in range(len(found)) if not follows[k] or names[k] != names[k - 1]]
    pairs = zip(breaks, [*breaks[1:], len(found)], strict=True)
    return [
        Event(
            first,
            after - 1,
            str(names[first]),
            float(best[first:after].mean()),
            sum(map(bool, found.unlike[first:after])),
        )
        for first, after in pairs
        if after - first >= min_windows
    ]


def write_events(path: Path, found: Prediction, events: Sequence[Event]) -> None:
    """Write a row an event; its columns are `COLUMNS`, ``window`` is the number of the first.

    Args:
        path: the CSV file to write; it is there whole, or not at all.
        found: the prediction.
        events: of `events_of`.
    """

    def time(value: Any) -> str:
        return clock_text(value) if found.has_times else ""

    rows = (
        [
            *(each.first, found.source[each.first], found.group[each.first]),
            *(time(found.start[each.first]), time(found.end[each.last])),
            *(each.name, f"{each.probability:.6f}", each.windows, each.unlike),
        ]
        for each in events
    )
    write_csv(path, COLUMNS, rows)


def covered(found: Prediction) -> tuple[Array, Array]:
    """From where to where each window stands in a timeline, each (N,) float64.

    Windows that overlap share their time: one stands until the next begins. In seconds since 1970
    where times are dates, in numbers of their column, or in windows where they are not known.

    Args:
        found: a prediction.
    """
    if not found.has_times:
        places = np.arange(len(found), dtype=np.float64)
        return places, places + 1
    start, end = (_numbers(times) for times in (found.start, found.end))
    right = end + found.row_step
    same = np.array([found.group[k] == found.group[k + 1] for k in range(len(found) - 1)], bool)
    after = same & (start[1:] > start[:-1])
    right[:-1] = np.where(after, np.minimum(right[:-1], start[1:]), right[:-1])
    return start, right


def day_lines(found: Prediction, events: Sequence[Event]) -> list[str]:
    """A line a day, or a line a group where times are no dates: classes, how long, since when.

    Args:
        found: a prediction.
        events: all of them, of `events_of`.
    """
    left, right = covered(found)
    names = found.classes.tolist()
    of_window = {k: event for event in events for k in range(event.first, event.last + 1)}
    lines = []
    for name, rows in _days(found):
        long: dict[str, float] = {}
        for k in rows:
            long[names[k]] = long.get(names[k], 0.0) + float(right[k] - left[k])
        shown = ", ".join(
            f"{label} {size / 3600:.1f} h" if found.dated else f"{label} {size:g}"
            for label, size in sorted(long.items(), key=lambda pair: -pair[1])
        )
        last = of_window[rows[-1]]
        since = f"; {last.name} since {_moment(found, last.first, name)}" if found.has_times else ""
        line = f"{name}  {shown}{since}, probability {last.probability:.2f}"
        unlike = [k for k in rows if found.unlike[k]]
        if unlike:
            line += f"; unlike the training in {len(unlike)} of {len(rows)} windows, first "
            line += found.unlike[unlike[0]].split("; ")[0]
        lines.append(line)
    return lines


def _days(found: Prediction) -> Iterator[tuple[str, list[int]]]:
    """Windows by day, or by group, in their order."""
    several = len({*found.source}) > 1
    rows: dict[str, list[int]] = {}
    dates = found.start.astype("datetime64[D]").astype(str).tolist() if found.dated else found.group
    for k, name in enumerate(dates):
        own = f"{found.source[k]} {name}" if several and found.dated else name
        rows.setdefault(own, []).append(k)
    yield from rows.items()


def _moment(found: Prediction, row: int, day: str) -> str:
    """When a window begins; the date is left out on its own day."""
    text = clock_text(found.start[row]).replace("T", " ")
    date, _, time = text.partition(" ")
    return time.removesuffix(":00") if time and day.endswith(date) else text.removesuffix(":00")


def _follows(found: Prediction) -> Array:
    """(N,) whether a window goes on where the one before it has ended."""
    n = len(found)
    follows = np.zeros(n, dtype=bool)
    same = np.array([found.group[k] == found.group[k - 1] for k in range(1, n)], dtype=bool)
    if found.by_day:
        same = np.array([found.source[k] == found.source[k - 1] for k in range(1, n)], dtype=bool)
    follows[1:] = same
    if found.has_times and n > 1:
        start, end = _numbers(found.start), _numbers(found.end)
        long = end - start + found.row_step
        apart = start[1:] - (end[:-1] + found.row_step)
        follows[1:] &= (start[1:] > start[:-1]) & (apart < long[:-1] * (1 - 1e-9))
    return follows


def _numbers(times: Array) -> Array:
    if times.dtype.kind == "M":
        return np.asarray(times.astype("datetime64[us]").astype(np.int64) / 1e6)
    return times.astype(np.float64)
