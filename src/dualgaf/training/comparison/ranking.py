"""Which method is ahead over all sets: mean ranks, wins, and Wilcoxon's test.

p is two-sided and not corrected, of scipy. That of aeon's picture is one-sided in the direction
that is seen, and 1 wherever Friedman's test finds nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata, wilcoxon

Scores = npt.NDArray[np.float64]

DIGITS = 3
"""Means are ranked as tables show them; equal ones share a rank."""


@dataclass(frozen=True)
class Standing:
    """A method beside the others, over all sets."""

    method: str
    rank: float
    """Mean over the sets, 1 is the best."""
    above: int = 0
    """Sets in which the reference has more."""
    same: int = 0
    """Sets in which both have the same."""
    below: int = 0
    """Sets in which the reference has less."""
    p: float | None = None
    """Of Wilcoxon's signed-rank test against the reference; None where they never differ."""


def ranks(scores: Scores) -> Scores:
    """(sets, methods) scores -> (sets, methods) ranks, 1 is the highest.

    Example:
        >>> ranks(np.array([[0.9, 0.8, 0.7], [0.5, 0.5, 0.1]])).tolist()
        [[1.0, 2.0, 3.0], [1.5, 1.5, 3.0]]
    """
    return np.asarray(rankdata(-np.round(scores, DIGITS), axis=1), dtype=np.float64)


def standings(methods: Sequence[str], scores: Scores, reference: str) -> list[Standing]:
    """Methods in the order of their mean ranks.

    Args:
        methods: M names.
        scores: (sets, M); the higher, the better.
        reference: the method that the others are tested against.

    Example:
        >>> scores = np.array([[0.9, 0.8], [0.7, 0.7], [0.6, 0.5]])
        >>> [(one.method, round(one.rank, 2)) for one in standings(["a", "b"], scores, "a")]
        [('a', 1.17), ('b', 1.83)]
        >>> other = standings(["a", "b"], scores, "a")[1]
        >>> (other.above, other.same, other.below, other.p)
        (2, 1, 0, 0.5)
    """
    rounded = np.round(scores, DIGITS)
    own, found = rounded[:, methods.index(reference)], []
    mean = ranks(scores).mean(axis=0).tolist()
    for method, rank, other in zip(methods, mean, rounded.T, strict=True):
        if method == reference:
            found.append(Standing(method, rank))
            continue
        above, same, below = (int(n.sum()) for n in (own > other, own == other, own < other))
        p = float(wilcoxon(own, other).pvalue) if (own != other).any() else None
        found.append(Standing(method, rank, above, same, below, p))
    return sorted(found, key=lambda one: (one.rank, one.method))
