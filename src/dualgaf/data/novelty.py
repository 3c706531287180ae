"""`Novelty`: how many training windows look less strange than a window, kept in a checkpoint.

Two things make a window strange, and both are needed: a fault that was never learned may lie among
windows that were, where the network cannot decide, or far from all of them, where it may be sure.

1. It is far from the nearest training window, in numbers that the network reads anyway, in
   directions in which training windows vary as much in each. Source: Sun et al., "Out-of-
   distribution detection with deep nearest neighbors", ICML 2022, for features that were learned.
2. The network hesitates: the entropy of its probabilities.

Each counts as the share of training windows that have as much of it or more, as they look while
they are not learned: distances to windows of other groups (days, runs), and the hesitation of the
windows by which the network was calibrated. The logarithms of the two are added (Fisher's method),
so that much of one is enough. Novelty is the share of the latter windows that have less of that.
Without such windows the distance alone counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.data.training_limits import as_array

Array = npt.NDArray[Any]

DIRECTIONS = 64
"""The most that are kept: those in which training windows vary most."""
MOST_WINDOWS = 1000
"""Training windows that are measured; of more, evenly spaced ones."""
LEAST_STD = 0.01
"""A number that varies less over the training windows is not blown up to vary as others do."""
BLOCKS = 5
"""Parts in time of a class with one group alone."""
LEAST = 1e-300
"""The least share of training windows that look stranger, and the least probability."""
AT_A_TIME = 256
"""Windows whose distances are found together."""


@dataclass(frozen=True, eq=False)
class Novelty:
    """What windows are compared with.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 5))
        >>> found = Novelty.of(x, np.zeros(60, dtype=int), [f"day {k // 6}" for k in range(60)])
        >>> found.share(np.full((1, 5), 9.0), np.array([[0.5, 0.5]])).round(2).tolist()
        [1.0]
    """

    centre: Array
    """(F,) float32 what is taken from the numbers."""
    directions: Array
    """(F, D) float32 what they are multiplied by then."""
    references: Array
    """(N, D) float32 training windows, there."""
    far: Array
    """(N,) distance of each to the nearest of another group, ascending."""
    hesitant: Array
    """(H,) entropy of windows that were not learned, ascending; none where there were none."""
    both: Array
    """(H,) their two shares in one number, ascending."""

    @classmethod
    def of(
        cls,
        numbers: Array,
        labels: Array,
        groups: Sequence[Any],
        held_out: Array | None = None,
        probabilities: Array | None = None,
        parts: Sequence[int] = (),
    ) -> Self | None:
        """Measure training windows.

        Args:
            numbers: (N, F).
            labels: (N,) class of each, 0 to K - 1.
            groups: of each.
            held_out: (N,) with which others a window was held out when it was judged, from 0 on;
                -1 = it was not.
            probabilities: (N, K) what was said of it then.
            parts: how many numbers are of each kind; each kind counts as much as any other. () =
                they are of one.

        Returns:
            None where all are of one group, or no number varies.
        """
        fold = _folds(labels, groups)
        centre = numbers.mean(axis=0, dtype=np.float64)
        directions = _directions(numbers - centre, parts or (numbers.shape[1],))
        if not directions.size or len(np.unique(fold)) < 2:
            return None
        points = ((numbers - centre) @ directions).astype(np.float32)
        found = cls(
            centre.astype(np.float32),
            directions.astype(np.float32),
            points,
            np.sort(nearest(points, points, fold, fold)),
            np.empty(0),
            np.empty(0),
        )
        if held_out is None or probabilities is None or not (held_out >= 0).any():
            return found
        known = held_out >= 0
        others = fold if known.all() else held_out
        far = nearest(points[known], points, others[known], others)
        hesitant = entropy(probabilities[known])
        told = {**vars(found), "hesitant": np.sort(hesitant)}
        half = cls(**told)
        return cls(**{**told, "both": np.sort(half._added(far, hesitant))})

    def share(self, numbers: Array, probabilities: Array) -> Array:
        """(B,) the share of training windows that would look less strange, 0 to 1.

        Between two of them it rises evenly, so that windows can be sorted by it.

        Args:
            numbers: (B, F) as those of the training.
            probabilities: (B, K) of the windows.
        """
        far = nearest((numbers - self.centre) @ self.directions, self.references)
        if not len(self.hesitant):
            return level(self.far, far)
        return level(self.both, self._added(far, entropy(probabilities)))

    def _added(self, far: Array, hesitant: Array) -> Array:
        shares = level(self.far, far), level(self.hesitant, hesitant)
        return np.asarray(sum(-np.log(np.maximum(1 - share, LEAST)) for share in shares))

    def to_plain(self) -> dict[str, Any]:
        """Arrays."""
        return dict(vars(self))

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`; arrays may be tensors on the CPU."""
        return cls(**{field.name: as_array(told[field.name]) for field in fields(cls)})


def level(known: Array, values: Array) -> Array:
    """(B,) the share of known values that are smaller; beyond all of them nearer and nearer to 1.

    Args:
        known: (N,) ascending, 0 or more.
        values: (B,) likewise.

    Example:
        >>> level(np.array([1.0, 3.0, 4.0]), np.array([0.0, 1.0, 2.0, 4.0, 8.0])).tolist()
        [0.0, 0.25, 0.375, 0.75, 0.875]
    """
    n, most = len(known), known[-1]
    # Of equal ones the first counts: what looks as strange as many is not stranger than they.
    steps, first = np.unique(np.concatenate([[0.0], known]), return_index=True)
    found = np.interp(values, steps, first / (n + 1))
    beyond = values > most
    found[beyond] = 1 - most / values[beyond] / (n + 1)
    return np.asarray(found)


def entropy(probabilities: Array) -> Array:
    """(N, K) -> (N,) in nats.

    Example:
        >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(3).tolist()
        [0.0, 0.693]
    """
    p = np.maximum(probabilities.astype(np.float64), LEAST)
    return np.asarray(np.maximum(-(p * np.log(p)).sum(axis=1), 0))


def nearest(
    points: Array, references: Array, fold: Array | None = None, of_reference: Array | None = None
) -> Array:
    """(B,) distance of each point to the nearest reference, of another fold where folds are told.

    Example:
        >>> line = np.arange(4.0)[:, None]
        >>> nearest(line, line, np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])).tolist()
        [2.0, 1.0, 1.0, 2.0]
    """
    points, references = points.astype(np.float64), references.astype(np.float64)
    squares = np.square(references).sum(axis=1)
    found = np.empty(len(points))
    for first in range(0, len(points), AT_A_TIME):
        own = points[first : first + AT_A_TIME]
        apart = np.square(own).sum(axis=1)[:, None] + squares - 2 * own @ references.T
        if fold is not None and of_reference is not None:
            apart[fold[first : first + AT_A_TIME, None] == of_reference] = np.inf
        found[first : first + AT_A_TIME] = np.sqrt(np.maximum(apart.min(axis=1), 0))
    return found


def _directions(values: Array, parts: Sequence[int]) -> Array:
    """(F, D) of centred numbers: training windows vary by 1 in each direction."""
    spread = (values.std(axis=0) + LEAST_STD) * np.sqrt(np.repeat(parts, parts))
    scaled = values / spread
    is_tall = len(scaled) > scaled.shape[1]
    # Both products have the same sizes, and the smaller one is found in a second.
    square = scaled.T @ scaled if is_tall else scaled @ scaled.T
    squares, vectors = (each[..., ::-1][..., :DIRECTIONS] for each in np.linalg.eigh(square))
    sizes = np.sqrt(np.maximum(squares, 0))
    kept = sizes > 1e-6 * max(sizes[0], 1e-300)
    sizes, vectors = sizes[kept], vectors[:, kept]
    basis = vectors if is_tall else scaled.T @ vectors / sizes
    return np.asarray(basis / (sizes / np.sqrt(len(values))) / spread[:, None])


def _folds(label: Array, groups: Sequence[Any]) -> Array:
    """(N,) what is left out together: a group; a part in time of a class with one group alone."""
    _, fold = np.unique(np.array([str(group) for group in groups]), return_inverse=True)
    found = fold.copy()
    for one in np.unique(label):
        own = np.flatnonzero(label == one)
        if len(np.unique(fold[own])) == 1:
            blocks = np.arange(len(own)) * BLOCKS // len(own)
            found[own] = found.max() + 1 + blocks
    return np.asarray(found)
