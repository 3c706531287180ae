"""`QuickForest`: the leaves that windows on the CPU come to, by a compiled kernel.

Torch works out all numbers of a window and puts all intervals in order for it; the kernel those
that a tree asks for. They come to the same leaves, see `dualgaf.models.forest.kernel`.
"""

from collections.abc import Iterable
from functools import cache
from types import ModuleType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dualgaf.imaging.compiled import load
from dualgaf.imaging.threads import share_out
from dualgaf.models.forest.quantiles import IntervalQuantiles, Intervals, View
from dualgaf.models.forest.trees import Trees

Array = npt.NDArray[Any]

WORTH_A_THREAD = 16
"""Windows that a second thread is started for; one needs about 1 ms for so many."""


@cache
def kernel() -> ModuleType:
    """`dualgaf.models.forest.kernel`, which numba compiles; loaded when it is first used.

    Raises:
        DependencyError: numba cannot be imported.
    """
    return load("dualgaf.models.forest.kernel")


class QuickForest:
    """Windows (B, C, T), and statistics of them -> the leaf of each tree.

    Args:
        quantiles: what the trees read.
        trees: float32, on the CPU.
        n_channels: signals C.
        n_statistics: numbers of a window that follow the quantiles.

    Example:
        >>> from sklearn.ensemble import ExtraTreesClassifier
        >>> read, series = IntervalQuantiles(1, 8), torch.randn(20, 1, 8)
        >>> forest = ExtraTreesClassifier(5).fit(read(series).numpy(), np.arange(20) % 2)
        >>> trees = Trees.learned(forest, 2)
        >>> leaves, is_sure = QuickForest(read, trees, 1, 0)(series)
        >>> torch.equal(leaves[is_sure], trees.leaves(read(series))[is_sure])
        True
    """

    def __init__(
        self, quantiles: IntervalQuantiles, trees: Trees, n_channels: int, n_statistics: int
    ) -> None:
        self._quantiles, self._n_trees = quantiles, len(trees.root)
        told = (trees.feature, trees.threshold, trees.left, trees.leaf)
        self._fixed = (
            *_table(quantiles, n_channels, n_statistics),
            *(tensor.numpy() for tensor in told),
        )

    def __call__(self, series: Tensor, *statistics: Tensor) -> tuple[Tensor, Tensor]:
        """Leaves (B, R), and which windows (B,) came to the same by torch, whatever it rounds.

        Args:
            series: (B, C, T) float32, on the CPU.
            statistics: (B, n) of them, as many numbers as were said.
        """
        views = [view.flatten(1) for view in self._quantiles.views_of(series)]
        read = torch.cat((*views, *statistics), dim=1).numpy()
        out = np.empty((len(read), self._n_trees), dtype=np.int64)
        is_sure = np.empty(len(read), dtype=np.bool_)

        def work(part: slice) -> None:
            kernel().leaves(read[part], *self._fixed, out[part], is_sure[part])

        few = len(read) < WORTH_A_THREAD
        share_out(work, len(read), 1 if few else torch.get_num_threads())
        return torch.from_numpy(out), torch.from_numpy(is_sure)


def _table(
    quantiles: IntervalQuantiles, n_channels: int, n_statistics: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Where the kernel finds each number: ``intervals`` to ``part`` of its arguments."""
    intervals, below, above, part = [], [np.zeros(1, int)], [np.zeros(1, int)], [np.zeros(1)]
    row, number, at = 0, 0, 1  # the first quantile is the value of a statistic
    for view in cast(Iterable[View], quantiles.views):
        for depth in cast(Iterable[Intervals], view.depths):
            starts, each = depth.places[:, 0].numpy(), len(depth.part)
            begins = (row + view.length * np.arange(n_channels)[:, None] + starts).ravel()
            firsts = number + each * np.arange(len(begins))
            intervals.append(_rows(begins, depth.places.shape[1], firsts, each, at))
            below.append(depth.below.numpy())
            above.append(depth.above.numpy())
            part.append(depth.part.numpy())
            number, at = number + each * len(begins), at + each
        row += view.length * n_channels
    own = np.arange(n_statistics)
    found = np.concatenate((*intervals, _rows(row + own, 1, number + own, 1, 0)))
    of_number = np.repeat(np.arange(len(found)), found[:, 3])
    joined = (np.concatenate(each) for each in (below, above))
    return found, of_number, *joined, np.concatenate(part).astype(np.float32)


def _rows(*columns: Array | int) -> Array:
    return np.stack(np.broadcast_arrays(*columns), axis=1)
