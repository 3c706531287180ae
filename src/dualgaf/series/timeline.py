"""Where the series of a source lie when they are drawn side by side: over time, or end to end."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dualgaf.series.arrays import Array
from dualgaf.series.series import SeriesSet, clock_text

NOT_USED = "not used"
"""Stands for a split where a source could not be split."""
WIDEST_GAP = 0.03
"""A longer gap is drawn so wide, as a fraction of what was measured."""


class Span(NamedTuple):
    """One series in a picture: where it lies and what it is."""

    x: Array
    """(L,) float64, rising."""
    values: Array
    """(C, L)."""
    label: str | None
    """Its class."""
    split: str
    """train, val, test, predict, or `NOT_USED`."""
    start: str
    """Time of its first step, or its file and row."""


def spans_of(parts: Mapping[str, SeriesSet]) -> list[Span]:
    """The series of all splits, in turn.

    Over time where all times are known and no two series overlap; long gaps are shortened. Else end
    to end, in the order of the source.

    Args:
        parts: by split.

    Example:
        >>> part = SeriesSet.from_arrays(np.zeros((2, 1, 3)), ["a", "b"])
        >>> [(span.x.tolist(), span.label) for span in spans_of({"train": part})]
        [([0.0, 1.0, 2.0], 'a'), ([3.0, 4.0, 5.0], 'b')]
    """
    found = [(part, k, name) for name, part in parts.items() for k in range(len(part))]
    found.sort(key=lambda own: (own[0].origins[own[1]].source, own[0].origins[own[1]].first_row))
    clocks = [_seconds(part.times[k]) for part, k, _ in found]
    known = [clock for clock in clocks if clock is not None]
    if len(known) == len(clocks) and (order := _in_turn(known)) is not None:
        found = [found[k] for k in order]
        places = _shortened([known[k] for k in order])
    else:
        ends = np.cumsum([part.lengths[k] for part, k, _ in found])
        places = [
            np.arange(end - part.lengths[k], end, dtype=np.float64)
            for end, (part, k, _) in zip(ends, found, strict=True)
        ]
    return [
        Span(x, part.values[k], part.labels[k], name, _start(part, k))
        for x, (part, k, name) in zip(places, found, strict=True)
    ]


def _start(part: SeriesSet, index: int) -> str:
    time = part.times[index]
    if isinstance(time, np.ndarray) and time.dtype.kind == "M":
        return clock_text(time[0]).replace("T", " ").removesuffix(":00")
    origin = part.origins[index]
    return f"{origin.source}, row {origin.first_row}"


def _seconds(time: Array | None) -> Array | None:
    """Seconds of dates; None for others: steps of a run begin anew in each run."""
    if time is None or time.dtype.kind != "M":
        return None
    return np.asarray(time.astype("datetime64[us]").astype(np.float64) / 1e6)


def _in_turn(clocks: Sequence[Array]) -> list[int] | None:
    """The order of time; None where a series begins before another has ended."""
    order = sorted(range(len(clocks)), key=lambda k: float(clocks[k][0]))
    apart = all(clocks[a][-1] < clocks[b][0] for a, b in pairwise(order))
    return order if apart else None


def _shortened(clocks: Sequence[Array]) -> list[Array]:
    measured = sum(float(clock[-1] - clock[0]) for clock in clocks) or 1.0
    places, at, before = [], 0.0, None
    for clock in clocks:
        if before is not None:
            at += min(float(clock[0]) - before, WIDEST_GAP * measured)
        places.append(clock - clock[0] + at)
        at, before = float(places[-1][-1]), float(clock[-1])
    return places
