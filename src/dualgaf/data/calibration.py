"""`Calibration`: how far the probabilities of a network can be believed, kept in its checkpoint.

Measured on windows that it has not learned, whole groups of them (days, runs, subjects; windows of
one day resemble each other). They give

1. a temperature: probabilities become p^(1/T), divided by their sum. The class that is the most
   probable stays so. Source: Guo et al., "On calibration of modern neural networks", ICML 2017;
   what a window counts against being sure of all follows Platt, "Probabilistic outputs for support
   vector machines", 1999. Where a temperature of other groups does not help a group that is left
   out, T is 1.
2. what a class must have to stand in a set. With n groups, each window of a group of N counts
   1 / ((n + 1) N), and 1 / (n + 1) counts for all that was never seen. A set has each class whose
   1 - p is at most the quantile of that. Of a new group like these n, a window that is drawn at
   random has its class in the set with the probability that was asked for, or more. Source: Lee,
   Barber & Willett, "Distribution-free inference with hierarchical data", 2023.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.data.training_limits import as_array

Array = npt.NDArray[Any]

BINS = 15
"""Of equal width, of the expected calibration error; as many as Guo et al. have."""
HOTTEST = 20.0
"""The temperature is between 1 / `HOTTEST` and this."""
LEAST_WINDOWS, LEAST_GROUPS = 5, 2
"""Fewer say nothing of a temperature."""
MOST_FOLDS = 10
"""Of more groups, several are left out together."""
MOST_SCORES = 2000
"""What is kept for sets; of more windows, some stand for those with a lower score, too."""
TINY = 1e-45
"""The least probability that counts; the least of float32."""
ROUNDING = 1e-12
"""Sums of weights are off by so much."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What windows tell that were not learned.

    Example:
        >>> sure = np.array([[0.9, 0.1]] * 7 + [[0.4, 0.6]] * 3)
        >>> found = Calibration.of(sure, np.array([0] * 10), [f"day {k}" for k in range(10)])
        >>> found.n_groups, round(found.most_coverage, 3), found.sets(sure, 0.5)[:1].tolist()
        (10, 0.909, [[True, False]])
    """

    temperature: float = 1.0
    """T; 1 changes nothing."""
    scores: Array | None = None
    """(M,) 1 - p of the class of each window, ascending."""
    weights: Array | None = None
    """(M,) what windows with such a score or a lower one count together."""
    n_groups: int = 0
    """Groups that were held out."""
    held_out: str = ""
    """Where they come from: ``val``, ``folds``; empty where there were none."""

    @classmethod
    def of(
        cls, probabilities: Array, labels: Array, groups: Sequence[str], held_out: str = "val"
    ) -> Self:
        """Measure.

        Args:
            probabilities: (N, K) of windows that the network has not learned.
            labels: (N,) class of each; windows without one, -1, do not count.
            groups: name of the group of each.
            held_out: where the windows come from.
        """
        known = np.flatnonzero(labels >= 0)
        if not len(known):
            return cls()
        p, label = probabilities[known], labels[known]
        _, group = np.unique([groups[row] for row in known], return_inverse=True)
        n_groups = int(group.max()) + 1
        temperature = _helpful_temperature(p, label, group)
        own = 1 - tempered(p, temperature)[np.arange(len(p)), label]
        order = np.argsort(own, kind="stable")
        counts = np.bincount(group)[group]
        weights = np.cumsum((1 / ((n_groups + 1) * counts))[order])
        kept = np.unique(np.linspace(0, len(own) - 1, MOST_SCORES).round().astype(int))
        return cls(temperature, own[order][kept], weights[kept], n_groups, held_out)

    @property
    def most_coverage(self) -> float:
        """The highest that so many groups can give: n / (n + 1)."""
        return self.n_groups / (self.n_groups + 1)

    def gives(self, coverage: float) -> bool:
        """Whether sets of that coverage can be given: ceil((n + 1) coverage) is at most n."""
        return coverage <= self.most_coverage + ROUNDING and self.n_groups > 0

    def sets(self, probabilities: Array, coverage: float) -> Array:
        """Which classes cannot be excluded, (N, K) bool; the most probable is one of them always.

        Args:
            probabilities: (N, K), as a network with this calibration gives them.
            coverage: one that it `gives`.
        """
        assert self.scores is not None
        assert self.weights is not None
        assert self.gives(coverage)
        place = np.searchsorted(self.weights, coverage - ROUNDING)
        limit = self.scores[min(int(place), len(self.scores) - 1)]
        found = 1 - probabilities <= limit + ROUNDING
        found[np.arange(len(found)), probabilities.argmax(axis=1)] = True
        return np.asarray(found)

    def to_plain(self) -> dict[str, Any]:
        """Plain values and arrays."""
        return dict(vars(self))

    @classmethod
    def from_plain(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`; arrays may be tensors on the CPU, or lists of numbers."""
        arrays = {
            name: None if told[name] is None else as_array(told[name])
            for name in ("scores", "weights")
        }
        return cls(
            float(told["temperature"]),
            n_groups=int(told["n_groups"]),
            held_out=str(told["held_out"]),
            **arrays,
        )


def groups_needed(coverage: float) -> int:
    """The fewest groups that give a coverage.

    Example:
        >>> [groups_needed(coverage) for coverage in (0.5, 0.9, 0.95)]
        [1, 9, 19]
    """
    return max(1, math.ceil(coverage / (1 - coverage) - 1e-9))


def tempered(probabilities: Array, temperature: float) -> Array:
    """(N, K) p^(1/T), divided by their sum.

    Example:
        >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
        [[0.667, 0.333]]
    """
    if temperature == 1:
        return probabilities
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY)) / temperature
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fitted_temperature(probabilities: Array, labels: Array) -> float:
    """The temperature with the least negative log-likelihood of the classes.

    One window more, of no class, counts beside the N: it keeps a network that is right in all of
    them from being sure beyond what N windows can tell.

    Args:
        probabilities: (N, K).
        labels: (N,) classes.

    Example:
        >>> p = np.array([[0.9, 0.1]] * 100)
        >>> round(fitted_temperature(p, np.array([0] * 70 + [1] * 30)), 1)
        2.6
    """
    logs = np.log(np.maximum(probabilities, TINY))
    n, n_classes = logs.shape
    own = logs[np.arange(n), labels]
    # Each window is of its class by n / (n + 1), and of any class by 1 / (n + 1).
    aim = (n * own + logs.mean(axis=1)) / (n + 1)

    def excess(inverse: float) -> float:
        """Slope of the likelihood in 1 / T; it rises."""
        raised = np.exp(inverse * (logs - logs.max(axis=1, keepdims=True)))
        raised /= raised.sum(axis=1, keepdims=True)
        return float(((raised * logs).sum(axis=1) - aim).mean())

    low, high = 1 / HOTTEST, HOTTEST
    if n_classes < 2 or excess(low) >= 0:
        return HOTTEST if n_classes > 1 else 1.0
    if excess(high) <= 0:
        return 1 / HOTTEST
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return 1 / math.sqrt(low * high)


def calibration_error(probabilities: Array, labels: Array, bins: int = BINS) -> float:
    """Expected calibration error: how far being right is from being sure, over bins of the latter.

    Args:
        probabilities: (N, K).
        labels: (N,) classes.
        bins: of equal width.

    Example:
        >>> round(calibration_error(np.array([[0.9, 0.1]] * 4), np.array([0, 0, 0, 1])), 3)
        0.15
    """
    _, sure, right, count = reliability(probabilities, labels, bins)
    return float((count * abs(sure - right)).sum() / max(1, count.sum()))


def reliability(
    probabilities: Array, labels: Array, bins: int = BINS
) -> tuple[Array, Array, Array, Array]:
    """How sure a network is and how often it is right, bin by bin of how sure it is.

    Returns:
        (B,) the left edge of each bin, the mean probability of the predicted classes in it, the
        fraction that is right, and the number of windows; 0 where there are none.
    """
    best = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    of = np.minimum((best * bins).astype(int), bins - 1)
    count = np.bincount(of, minlength=bins)
    some = np.maximum(count, 1)
    sure = np.bincount(of, best, bins) / some
    return np.arange(bins) / bins, sure, np.bincount(of, is_right, bins) / some, count


def likelihood(probabilities: Array, labels: Array) -> Array:
    """(N,) negative log-likelihood of the class of each window."""
    own = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(own, TINY)))


def _helpful_temperature(p: Array, label: Array, group: Array) -> float:
    """The temperature, where those of other groups help groups that are left out; else 1."""
    n_groups = int(group.max()) + 1
    if len(p) < LEAST_WINDOWS or n_groups < LEAST_GROUPS:
        return 1.0
    fold = group % MOST_FOLDS
    gained = 0.0
    for one in range(int(fold.max()) + 1):
        out = fold == one
        left_out = tempered(p[out], fitted_temperature(p[~out], label[~out]))
        gained += float((likelihood(p[out], label[out]) - likelihood(left_out, label[out])).sum())
    return fitted_temperature(p, label) if gained > 0 else 1.0
