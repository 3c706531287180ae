"""The numba kernel of `QuickForest`: walks trees, and works out what they read when they read it.

A window goes down 100 trees of about 8 steps, so of 10 000 numbers that it has, few hundred are
asked for. What an interval gives is worked out once, when the first of its numbers is.

Which way a window goes must not follow from how numbers are rounded. The values of an interval are
those of torch to the bit; means, and what lies between two values, may differ in the last digits.
Where such a number is that near to a threshold, the kernel does not decide: it says so, and torch
reads the window.

It releases the GIL and is cached on disk.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

_compiled: Callable[[F], F] = njit(nogil=True, cache=True, error_model="numpy")
_fast: Callable[[F], F] = njit(nogil=True, cache=True, error_model="numpy", fastmath={"nnan"})

_FEW, _MANY = 16, 512
"""So few numbers are put in order one by one. Up to so many their places are counted, which is a
square of steps, but of eight numbers each and without a branch."""
_AT_A_TIME = 32
"""Numbers that a step of a loop of the compiler takes."""
_ROUNDING = np.float32(2.0**-19)
"""What a mean or a number between two others may be off by, of the largest of its interval: 16
times the distance of two neighbours in float32."""
_OF_STATISTICS = np.float32(2.0**-16)
"""Likewise of a statistic; of them the slope is off by most."""
_TOO_LARGE = np.float32(1e30)
"""From here on sums may overflow, or not, by their order."""
_INFINITY = np.float32(np.inf)


@_fast
def _n_below(values: Array, end: int, limit: Any) -> Any:
    found = np.int32(0)
    for i in range(end):
        found += np.int32(1) if values[i] < limit else np.int32(0)
    return found


@_compiled
def _by_counting(values: Array, n: int, out: Array) -> None:
    """The first ``n`` values in order: each goes where it belongs by how many are below it."""
    end = (n + _AT_A_TIME - 1) // _AT_A_TIME * _AT_A_TIME
    for i in range(n, end):
        values[i] = _INFINITY
    for i in range(n):
        out[i] = -_INFINITY
    for i in range(n):
        out[_n_below(values, end, values[i])] = values[i]
    for i in range(1, n):  # of values that are the same one is there, and then gaps
        out[i] = max(out[i], out[i - 1])


@_compiled
def _by_inserting(values: Array, n: int, out: Array) -> None:
    for i in range(n):
        place = i
        while place > 0 and out[place - 1] > values[i]:
            out[place] = out[place - 1]
            place -= 1
        out[place] = values[i]


@_compiled
def _put_in_order(values: Array, n: int, out: Array) -> None:
    """The first ``n`` values; there is room for `_AT_A_TIME` more."""
    if n <= _FEW:
        _by_inserting(values, n, out)
    elif n <= _MANY:
        _by_counting(values, n, out)
    else:
        out[:n] = values[:n]
        out[:n].sort()


@_compiled
def _read(
    row: Array,
    interval: Array,
    which: int,
    below: Array,
    above: Array,
    part: Array,
    numbers: Array,
    values: Array,
    ordered: Array,
) -> Any:
    """Quantiles of an interval; every second one less the mean.

    Slices of arrays would take as long as all of it.

    Args:
        row: (V,) of `fill_row`.
        interval: (I, 5) see `leaves`.
        which: of the intervals.
        below: (P,) see `leaves`.
        above: (P,) likewise.
        part: (P,) likewise.
        numbers: (F,) those of the interval are filled.
        values: room for as many as the longest interval has, and `_AT_A_TIME` more.
        ordered: likewise.

    Returns:
        What they may be off by; infinity where a value is none, or too large.
    """
    start, n, first = interval[which, 0], interval[which, 1], interval[which, 2]
    if interval[which, 4] < 0:
        return _statistics(row, start, n, numbers, first)
    if n == 1:
        numbers[first] = row[start]
        return np.float32(0.0) if abs(row[start]) < _TOO_LARGE else _INFINITY
    total = 0.0
    for i in range(n):
        value = row[start + i]
        if not abs(value) < _TOO_LARGE:
            return _INFINITY
        total += value
        values[i] = value
    _put_in_order(values, n, ordered)
    level, at = np.float32(total / n), interval[which, 4]
    for k in range(interval[which, 3]):
        low, high = ordered[below[at + k]], ordered[above[at + k]]
        number = low + part[at + k] * (high - low)
        numbers[first + k] = number - level if k % 2 else number
    return _ROUNDING * max(abs(ordered[0]), abs(ordered[n - 1]))


@_compiled
def _statistics(row: Array, start: int, n: int, numbers: Array, first: int) -> Any:
    """Mean, deviation, least, largest value and slope of a signal: `basic_statistics`.

    Returns:
        As `_read`.
    """
    total, least, largest = 0.0, row[start], row[start]
    for i in range(start, start + n):
        if not abs(row[i]) < _TOO_LARGE:
            return _INFINITY
        total += row[i]
        least, largest = min(least, row[i]), max(largest, row[i])
    mean, squares, moment, of_time = total / n, 0.0, 0.0, 0.0
    for i in range(n):
        centred, time = row[start + i] - mean, i / (n - 1) - 0.5
        squares += centred * centred
        moment += centred * time
        of_time += time * time
    numbers[first], numbers[first + 1] = mean, np.sqrt(squares / n)
    numbers[first + 2], numbers[first + 3] = least, largest
    numbers[first + 4] = moment / of_time
    return _OF_STATISTICS * max(abs(least), abs(largest))


@_compiled
def _rounded(number: Any, grid: Any) -> Any:
    return np.rint(number / grid) * grid


@_compiled
def fill_row(signals: Array, magnitudes: Array, smoothed: int, grid: Any, row: Array) -> None:
    """The four views of a window, each with all its signals.

    Sums are in the order of torch's, so that they are its own to the bit.

    Args:
        signals: (C, T) float32.
        magnitudes: (C, F) float32, of the spectrum.
        smoothed: first differences that are averaged; an odd number.
        grid: float32, what all but the window itself is rounded to; a power of 2.
        row: (V,) float32, filled.
    """
    n_channels, n_steps = signals.shape
    n_first, reach = n_steps - 1, smoothed // 2
    at = n_channels * n_steps
    seconds = at + n_channels * n_first
    spectrum = seconds + n_channels * (n_first - 1)
    first = np.empty(n_first, np.float32)
    for c in range(n_channels):
        for t in range(n_steps):
            row[c * n_steps + t] = signals[c, t]
        for t in range(n_first):
            first[t] = signals[c, t + 1] - signals[c, t]
        for t in range(n_first):
            total = first[max(0, t - reach)]
            for beside in range(1 - reach, reach + 1):
                total += first[min(n_first - 1, max(0, t + beside))]
            row[at + c * n_first + t] = _rounded(total / np.float32(smoothed), grid)
        for t in range(n_first - 1):
            row[seconds + c * (n_first - 1) + t] = _rounded(first[t + 1] - first[t], grid)
        n_frequencies = magnitudes.shape[1]
        for k in range(n_frequencies):
            row[spectrum + c * n_frequencies + k] = _rounded(magnitudes[c, k], grid)


@_compiled
def leaves(
    series: Array,
    magnitudes: Array,
    smoothed: int,
    grid: Any,
    intervals: Array,
    of_number: Array,
    below: Array,
    above: Array,
    part: Array,
    feature: Array,
    threshold: Array,
    left: Array,
    leaf: Array,
    out: Array,
    is_sure: Array,
) -> None:
    """Which leaf of each tree each window comes to.

    Args:
        series: (B, C, T) float32.
        magnitudes: (B, C, F) float32, of the spectrum.
        smoothed: see `fill_row`.
        grid: likewise.
        intervals: (I, 5): where each begins in the row of `fill_row`, how many values it has, which
            is the first of its numbers, how many they are, and where their quantiles are in
            ``part``; -1 where it is a signal whose statistics are asked for.
        of_number: (F,) the interval of each number.
        below: (P,) quantiles of all lengths of intervals, see `_read`.
        above: (P,) likewise.
        part: (P,) float32, likewise.
        feature: (M,) which number a node reads; roots first.
        threshold: (M,) float32: larger numbers go right.
        left: (M,) the left child, which the right one follows; a leaf is its own.
        leaf: (M,) what a leaf is called.
        out: (B, R), filled: ``leaf`` of each tree.
        is_sure: (B,) bool, filled: whether no number was as near to a threshold as rounding is, and
            each that was read is finite.
    """
    row = np.empty(series.shape[1] * (3 * series.shape[2] - 3 + magnitudes.shape[2]), np.float32)
    numbers, slack = np.empty(len(of_number), np.float32), np.empty(len(intervals), np.float32)
    reader = np.full(len(intervals), -1)  # the window whose numbers are there
    most = intervals[:, 1].max() + _AT_A_TIME
    values, ordered = np.empty(most, np.float32), np.empty(most, np.float32)
    for w in range(len(out)):
        fill_row(series[w], magnitudes[w], smoothed, grid, row)
        sure = True
        for tree in range(out.shape[1]):
            node = tree
            while sure and left[node] != node:
                which = of_number[feature[node]]
                if reader[which] != w:
                    slack[which] = _read(
                        row, intervals, which, below, above, part, numbers, values, ordered
                    )
                    reader[which] = w
                above_it = numbers[feature[node]] - threshold[node]
                sure = slack[which] == 0 or abs(above_it) > slack[which]
                node = left[node] + (above_it > 0)
            out[w, tree] = leaf[node]
        is_sure[w] = sure
