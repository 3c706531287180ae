"""`Trees`: decision trees as tensors, walked by gathers.

All trees go down one level at a time, all windows at once. The two children of a node lie side by
side, so a step down is ``left + (number > threshold)``. A leaf is its own left child and its
threshold is infinite, so who has arrived stays.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dualgaf.models.forest.constants import Constants

Array = npt.NDArray[Any]


class Trees(Constants):
    """Numbers (B, F) -> the mean of what the leaves say, (B, K).

    Args:
        state: `state` of other trees.
    """

    feature: Tensor
    """(M,) int32: which number a node reads; roots first, then level by level."""
    threshold: Tensor
    """(M,) float32: larger numbers go to the right child."""
    left: Tensor
    """(M,) int32: the left child; the right one follows it."""
    leaf: Tensor
    """(M,) int32: which row of ``probabilities`` a leaf says; 0 for other nodes."""
    probabilities: Tensor
    """(U, K) float32: rows that differ. Leaves of one class share a row."""
    root: Tensor
    """(R,) int64: 0 to R - 1."""
    depth: int
    """Steps from a root to the deepest leaf."""

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__()
        for name, value in state.items():
            setattr(self, name, value)
        self.root = torch.arange(state["n_trees"])

    @classmethod
    def learned(cls, forest: Any, n_classes: int) -> "Trees":
        """Those of a fitted ``sklearn.ensemble.ExtraTreesClassifier``.

        Args:
            forest: its classes are whole numbers below ``n_classes``; others have probability 0.
            n_classes: K.

        Example:
            >>> from sklearn.ensemble import ExtraTreesClassifier
            >>> x = np.array([[0.0], [1.0], [2.0]], dtype=np.float32)
            >>> forest = ExtraTreesClassifier(5, random_state=0).fit(x, [0, 1, 1])
            >>> Trees.learned(forest, 3)(torch.from_numpy(x)).tolist()
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
        """
        return cls(_state([tree.tree_ for tree in forest.estimators_], forest.classes_, n_classes))

    @property
    def state(self) -> dict[str, Any]:
        """Tensors and numbers that `Trees` are made of."""
        names = ("feature", "threshold", "left", "leaf", "probabilities", "depth")
        return {**{name: getattr(self, name) for name in names}, "n_trees": len(self.root)}

    def forward(self, numbers: Tensor) -> Tensor:
        """(B, F) float32 -> (B, K)."""
        return self.said(self.leaves(numbers))

    def said(self, leaves: Tensor) -> Tensor:
        """Leaves (B, R) -> (B, K)."""
        return self.probabilities[leaves].mean(dim=1)

    def leaves(self, numbers: Tensor) -> Tensor:
        """(B, F) float32 -> (B, R): the row of ``probabilities`` of each tree's leaf."""
        feature, left = self.feature.long(), self.left.long()
        node = self.root.expand(numbers.shape[0], -1)  # (B, R)
        for _ in range(self.depth):
            read = numbers.gather(1, feature[node])
            node = left[node] + (read > self.threshold[node])
        return self.leaf[node].long()


def _state(trees: Sequence[Any], classes: Array, n_classes: int) -> dict[str, Any]:
    """Trees of scikit-learn -> `Trees.state`."""
    first = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    pairs = list(zip(trees, first, strict=True))
    left = np.concatenate(
        [np.where(t.children_left < 0, -1, t.children_left + f) for t, f in pairs]
    )
    right = np.concatenate([t.children_right + f for t, f in pairs])
    levels, frontier = [], first
    while len(frontier):
        levels.append(frontier)
        inner = frontier[left[frontier] >= 0]
        frontier = np.stack((left[inner], right[inner]), axis=1).ravel()
    order = np.concatenate(levels)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    is_leaf = left[order] < 0
    own = np.concatenate([tree.value[:, 0] for tree in trees])[order[is_leaf]]
    rows = np.zeros((len(own), n_classes))
    rows[:, classes] = own / own.sum(axis=1, keepdims=True)
    rows, which = np.unique(rows, axis=0, return_inverse=True)
    leaf = np.zeros(len(order), dtype=np.int32)
    leaf[is_leaf] = which.ravel()
    feature = np.concatenate([tree.feature for tree in trees])[order]
    threshold = _float32_below(np.concatenate([tree.threshold for tree in trees])[order])
    stays = np.arange(len(order))
    arrays = {
        "feature": np.where(is_leaf, 0, feature).astype(np.int32),
        "threshold": np.where(is_leaf, np.inf, threshold).astype(np.float32),
        "left": np.where(is_leaf, stays, place[left[order]]).astype(np.int32),
        "leaf": leaf,
        "probabilities": rows.astype(np.float32),
    }
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return {**tensors, "depth": len(levels) - 1, "n_trees": len(trees)}


def _float32_below(thresholds: Array) -> Array:
    """The largest float32 that is not above each: float32 numbers go the same way by either."""
    nearest = thresholds.astype(np.float32)
    above = nearest.astype(np.float64) > thresholds
    return np.where(above, np.nextafter(nearest, np.float32(-np.inf)), nearest)
