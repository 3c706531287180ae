"""`Limits`: from which values on a window is unlike all that a network has learned.

Chosen on training windows alone, channel by channel, by leaving groups out. A group (a day, a run)
leaves the range of all others by so much; what is new may leave the range of all of them by
`OUTSIDE` times the most of that, or by `MARGIN` of the range where that is more. The same holds for
the medians of windows, which a drop-out does not move. A window is flat where it moves by less than
`FLAT` of the least that a training window has moved.

How often a good group is flagged follows in the same way: each is left out once, limits come from
the others, and its windows are counted (`Limits.flagged`). Where that is more than `MOST_FLAGGED`,
margins are made wider, and what is flat narrower. A group with a class that no other has is not
counted: it may be unlike.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

OUTSIDE = 2.0
"""Times the most that a group leaves the range of the others."""
MARGIN = 0.25
"""Of the range of a channel; its least margin."""
WIDER = (1, 2, 4)
"""Times the margins, the first that does; else the first with the fewest flags."""
MOST_FLAGGED = 0.02
"""Fraction of windows of good groups."""
FLAT = 0.2
"""Of the least movement of a training window."""
MOST_FOLDS = 64
"""Of more groups, several are left out together."""
FEW_FLAT = 0.005
"""Where more training windows are constant in a channel, a constant one is nothing special."""
ROUNDING = 1e-6
"""Of a value: what is nearer to a limit is inside."""
LIKE, VALUE, MIDDLE, STILL = range(4)
"""What a channel of a window is: as in training; a value outside; its median outside; flat."""


_ANY_SIZE = np.errstate(over="ignore", invalid="ignore")  # a margin beyond 1.8e308 has no end


class WindowStats(NamedTuple):
    """What limits look at, each (N, C) float64."""

    low: Array
    """Least value of a window."""
    high: Array
    """Largest value."""
    middle: Array
    """Median."""

    @classmethod
    @_ANY_SIZE
    def of(cls, block: Array) -> Self:
        """Of windows (N, C, T)."""
        values = block.astype(np.float64)
        low, high = values.min(axis=2), values.max(axis=2)
        return cls(low, high, np.clip(np.median(values, axis=2), low, high))

    @property
    @_ANY_SIZE
    def move(self) -> Array:
        """From the least to the largest value."""
        return np.asarray(np.minimum(self.high - self.low, np.finfo(np.float64).max))

    @classmethod
    def joined(cls, parts: Sequence["WindowStats"]) -> Self:
        """Of the windows of all parts."""
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def take(self, rows: Array | Sequence[int]) -> "WindowStats":
        """Of these windows."""
        return WindowStats(*(column[rows] for column in self))


@dataclass(frozen=True, eq=False)
class Limits:
    """From where on a channel of a window is unlike the training.

    Example:
        >>> days = np.arange(40.0).reshape(4, 1, 10) % 11
        >>> limits = Limits.of(WindowStats.of(days), np.arange(4))
        >>> limits.compare(WindowStats.of(days * 1.05)).any(), limits.values[:, 0].round(1).tolist()
        (np.False_, [-2.5, 12.5])
        >>> limits.compare(WindowStats.of(days * 100)).tolist()
        [[1], [1], [1], [1]]
    """

    values: Array
    """(2, C) least and largest value that is like the training."""
    middle: Array
    """(2, C) likewise for medians of windows."""
    medians: Array
    """(2, C) least and largest median of a training window."""
    least_move: Array
    """(C,) a window that moves by so much or less is flat; NaN where flat ones were learned."""
    moved: Array
    """(C,) least movement of a training window."""
    flagged: float
    """Fraction of the windows of good groups that are unlike those of all other groups; NaN where
    no group has the classes of others."""

    @classmethod
    @_ANY_SIZE
    def of(
        cls,
        stats: WindowStats,
        fold: Array,
        labels: Array | None = None,
        ends: tuple[Array, Array] | None = None,
    ) -> "Limits":
        """Choose limits.

        Args:
            stats: of training windows.
            fold: (N,) number of the group of each, from 0.
            labels: (N,) class of each; None = all are of one.
            ends: (F, C) least and largest value of each group, where there are windows that
                ``stats`` has not.
        """
        n_folds = int(fold.max()) + 1 if ends is None else len(ends[0])
        low, high = ends or _by_fold(stats.low, stats.high, fold, n_folds)
        # No drop-out widens it, as it does not move a median.
        spread = np.quantile(stats.high, 0.95, axis=0) - np.quantile(stats.low, 0.05, axis=0)
        m_low, m_high = _by_fold(stats.middle, stats.middle, fold, n_folds)
        moves = stats.move
        moved, _ = _by_fold(moves, moves, fold, n_folds)
        flat_usual = (moves == 0).mean(axis=0) > FEW_FLAT
        every, good = np.arange(n_folds), _good(fold, labels)

        def chosen(kept: Array, wider: int, flagged: float = np.nan) -> "Limits":
            move = moved[kept].min(axis=0)
            return cls(
                values=_with_margin(low[kept], high[kept], wider),
                middle=_with_margin(m_low[kept], m_high[kept], wider, spread),
                medians=np.stack([m_low[kept].min(axis=0), m_high[kept].max(axis=0)]),
                least_move=np.where(flat_usual, np.nan, FLAT / wider * move),
                moved=move,
                flagged=flagged,
            )

        def flagged(wider: int) -> float:
            found: list[Array] = [
                (chosen(every != k, wider).compare(stats.take(fold == k)) != LIKE).any(axis=1)
                for k in good
            ]
            return float(np.concatenate(found).mean())

        if not good:
            return chosen(every, WIDER[0])
        rates: dict[int, float] = {}
        for wider in WIDER:
            rates[wider] = flagged(wider)
            if rates[wider] <= MOST_FLAGGED:
                break
        wider = min(rates, key=lambda times: rates[times])  # the first of equal ones
        return chosen(every, wider, rates[wider])

    @_ANY_SIZE
    def compare(self, stats: WindowStats) -> Array:
        """(N, C) int8: `LIKE`, `VALUE`, `MIDDLE` or `STILL` for each channel of each window."""
        found = np.full(stats.low.shape, LIKE, dtype=np.int8)
        near = ROUNDING * np.maximum(abs(stats.low), abs(stats.high))
        found[stats.move <= self.least_move] = STILL
        for limits, low, high, code in (
            (self.middle, stats.middle, stats.middle, MIDDLE),
            (self.values, stats.low, stats.high, VALUE),
        ):
            found[(low < limits[0] - near) | (high > limits[1] + near)] = code
        return found

    def to_plain(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return dict(vars(self))

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`; arrays may be tensors on the CPU, or lists of numbers."""
        arrays: dict[str, Any] = {field.name: as_array(told[field.name]) for field in fields(cls)}
        return cls(**{**arrays, "flagged": float(told["flagged"])})


def as_array(values: Any) -> Array:
    """An array, of a tensor on the CPU, or float64 of lists of numbers.

    Args:
        values: in a list, what is not finite may be a text, as in JSON.

    Example:
        >>> as_array([[1, "nan"], ["inf", 2.5]]).tolist()
        [[1.0, nan], [inf, 2.5]]
    """
    return np.array(values, np.float64) if isinstance(values, list) else np.asarray(values)


def folds_of(groups: Sequence[str]) -> Array:
    """(N,) a number for the group of each window, below `MOST_FOLDS`.

    Example:
        >>> folds_of(["b", "a", "b"]).tolist()
        [0, 1, 0]
    """
    numbers = {name: k % MOST_FOLDS for k, name in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[name] for name in groups], dtype=np.int64)


def _good(fold: Array, labels: Array | None) -> list[int]:
    """Groups whose classes all are in some other group, too."""
    numbers = np.unique(fold).tolist()
    if labels is None:
        return numbers if len(numbers) > 1 else []
    classes = {k: {*labels[fold == k].tolist()} for k in numbers}
    others = Counter(label for own in classes.values() for label in own)
    return [k for k, own in classes.items() if all(others[label] > 1 for label in own)]


def _by_fold(low: Array, high: Array, fold: Array, n_folds: int) -> tuple[Array, Array]:
    """(F, C) least and largest of each group; where a group has none, none."""
    least = np.full((n_folds, low.shape[1]), np.inf)
    largest = np.full((n_folds, low.shape[1]), -np.inf)
    np.minimum.at(least, fold, low)
    np.maximum.at(largest, fold, high)
    return least, largest


def _with_margin(low: Array, high: Array, wider: int, spread: Array | None = None) -> Array:
    """(2, C): the range of F groups, and beyond it what a further one may need."""
    there = np.isfinite(low[:, 0])
    low, high = low[there], high[there]
    least, largest = low.min(axis=0), high.max(axis=0)
    margin = MARGIN * (largest - least if spread is None else spread)
    if len(low) > 1:
        below = _second(low) - least
        above = largest - -_second(-high)
        margin = np.maximum(margin, OUTSIDE * np.maximum(below, above))
    return np.stack([least - wider * margin, largest + wider * margin])


def _second(values: Array) -> Array:
    """(C,) the second smallest of each column: the least of the others, for the least."""
    return np.asarray(np.partition(values, 1, axis=0)[1])
