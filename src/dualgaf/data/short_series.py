"""Series that are shorter than a window: left out before the split, and what is said of them."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError, SplitError
from dualgaf.series.doors import ARRAYS, door_of
from dualgaf.series.series import SeriesSet
from dualgaf.series.source import Source

Array = npt.NDArray[Any]

log = logging.getLogger(__name__)


def long_enough(series_set: SeriesSet, steps: int, source: Source) -> SeriesSet:
    """Without series that are shorter than a window: splits are dealt of what gives windows.

    Args:
        series_set: of ``source``.
        steps: of a window.
        source: how it is cut.

    Raises:
        SeriesError: no series is long enough.
        SplitError: none of a split that the source names is.
    """
    kept = [k for k, length in enumerate(series_set.lengths) if length >= steps]
    short = [length for length in series_set.lengths if length < steps]
    if not kept:
        raise SeriesError(_all_short(series_set, steps, source))
    if not short:
        return series_set
    found = series_set.take(kept)
    for name in ("train", "val", "test"):
        if name in series_set.official and name not in found.official:
            own = [k for k, mark in enumerate(series_set.official) if mark == name]
            raise SplitError(no_window(name, [series_set.lengths[k] for k in own], door_of(source)))
    log.warning(
        "%s: %d of %d series (%d rows) are shorter than a window of %d steps and are left out",
        series_set.name,
        len(short),
        len(series_set),
        sum(short),
        steps,
    )
    gone = set(series_set.class_names) - set(found.class_names)
    if gone:
        log.warning(
            "%s: no window is of class %s, whose series are all too short",
            series_set.name,
            ", ".join(map(repr, sorted(gone))),
        )
    return found


def _all_short(series_set: SeriesSet, steps: int, source: Source) -> str:
    """No series gives a window: what is the longest that would, and what cuts them."""
    door, longest = door_of(source), max(series_set.lengths)
    told = (
        f"{door}window_size={steps} is longer than every series (the longest of {len(series_set)} "
        f"has {longest} step{'s' * (longest > 1)})"
    )
    ways = [f"type {door}window_size={longest} or less"] if longest > 1 else []
    if _uncut(series_set) >= steps and getattr(source, "group_columns", None) is not None:
        # Within a file there is one group then, so only the time can divide it.
        typed = "data.group_columns=null data.split.method=within"
        told += f": it ends with its group, {series_set.groups[0]!r} and so on"
        ways.append(f"type {typed} where a series may go on over groups, such as days")
    if not ways:
        ways = ["a window needs 2 steps or more of one class and group that follow each other"]
    return f"{told}; {', or '.join(ways)}"


def _uncut(series_set: SeriesSet) -> int:
    """Steps of the longest series if only files and classes cut them."""
    rows = sorted(
        (
            (o.source, o.first_row, length, label)
            for o, length, label in zip(
                series_set.origins, series_set.lengths, series_set.labels, strict=True
            )
        ),
        key=lambda row: row[:2],
    )
    longest = run = 0
    before: tuple[str, int, str | None] | None = None
    for file, first, length, label in rows:
        run = run + length if before == (file, first, label) else length
        longest, before = max(longest, run), (file, first + length, label)
    return longest


def one_step(series_set: SeriesSet, door: str) -> str:
    """What is said where each series is a window, and has one step."""
    told = f"{series_set.name}: a series is a window here, and each has 1 step; needed: 2 or more"
    if door == ARRAYS:
        return f"{told} in (N, C, T), windows, channels, steps; for (N, T, C) type x.swapaxes(1, 2)"
    return f"{told}; type {door}window_size=96 where series have as many"


def no_window(split: str, lengths: Sequence[int], door: str) -> str:
    """What is said of a split whose series, of these lengths, give no window."""
    return (
        f"the {split} split has no window: its {len(lengths)} series have at most "
        f"{max(lengths)} steps; {_shorter(lengths, door)}"
    )


def _shorter(lengths: Sequence[int], door: str) -> str:
    """What to type so that the longest of these gives a window."""
    if max(lengths) < 2:
        return "a window has 2 steps or more; leave them out, or add longer ones"
    return f"type {door}window_size={max(lengths)} or less"


def check_classes(
    names: tuple[str, ...], labels: Array, train: SeriesSet, steps: int, door: str
) -> None:
    """Raise SplitError where a class has no training window, though it has training series.

    Args:
        names: of the classes.
        labels: codes of the training windows.
        train: series of the training split.
        steps: of a window.
        door: what messages put before an option.
    """
    without = sorted(set(range(len(names))) - set(np.unique(labels).tolist()))
    if without:
        name = names[without[0]]
        own = [n for n, label in zip(train.lengths, train.labels, strict=True) if label == name]
        raise SplitError(
            f"class {name!r} has no training window: its {len(own)} training series have at most "
            f"{max(own)} steps, a window has {steps}; {_shorter(own, door)}, or leave the class out"
        )
