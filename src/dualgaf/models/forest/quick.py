"""`QuickForest`: the leaves that windows on the CPU come to, by a compiled kernel.

Torch puts all intervals of a window in order and works out all its numbers; the kernel those that
a tree asks for. They come to the same leaves, see `dualgaf.models.forest.kernel`. The spectrum is
torch's here, too: it is a product of matrices, and a last digit could move it by a whole `GRID`.
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
from dualgaf.models.forest.quantiles import GRID, SMOOTHED, IntervalQuantiles, Intervals, View
from dualgaf.models.forest.trees import Trees
from dualgaf.models.statistics import STATISTICS

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
    """Windows (B, C, T) -> the leaf of each tree.

    Args:
        quantiles: what the trees read.
        trees: float32, on the CPU.
        n_channels: signals C.
        use_statistics: whether those of `basic_statistics` follow the quantiles.

    Example:
        >>> from sklearn.ensemble import ExtraTreesClassifier
        >>> read, series = IntervalQuantiles(1, 8), torch.randn(20, 1, 8)
        >>> forest = ExtraTreesClassifier(5).fit(read(series).numpy(), np.arange(20) % 2)
        >>> trees = Trees.learned(forest, 2)
        >>> leaves, is_sure = QuickForest(read, trees, 1, False)(series)
        >>> torch.equal(leaves[is_sure], trees.leaves(read(series))[is_sure])
        True
    """

    def __init__(
        self, quantiles: IntervalQuantiles, trees: Trees, n_channels: int, use_statistics: bool
    ) -> None:
        self._quantiles, self._n_trees = quantiles, len(trees.root)
        told = (trees.feature, trees.threshold, trees.left, trees.leaf)
        self._fixed = (
            SMOOTHED,
            np.float32(GRID),
            *_table(quantiles, n_channels, use_statistics),
            *(tensor.numpy() for tensor in told),
        )

    def __call__(self, series: Tensor) -> tuple[Tensor, Tensor]:
        """Leaves (B, R), and which windows (B,) came to the same by torch, whatever it rounds.

        Args:
            series: (B, C, T) float32, on the CPU.
        """
        magnitudes = self._quantiles.spectrum(series).detach().numpy()
        read = series.detach().contiguous().numpy()
        out = np.empty((len(read), self._n_trees), dtype=np.int64)
        is_sure = np.empty(len(read), dtype=np.bool_)

        def work(part: slice) -> None:
            kernel().leaves(read[part], magnitudes[part], *self._fixed, out[part], is_sure[part])

        few = len(read) < WORTH_A_THREAD
        share_out(work, len(read), 1 if few else torch.get_num_threads())
        return torch.from_numpy(out), torch.from_numpy(is_sure)


def _table(
    quantiles: IntervalQuantiles, n_channels: int, use_statistics: bool
) -> tuple[Array, Array, Array, Array, Array]:
    """Where the kernel finds each number: ``intervals`` to ``part`` of its arguments.

    Numbers are in the order of `IntervalQuantiles`: view by view, depth by depth, signal by signal.
    """
    intervals: list[Array] = []
    quantile: list[tuple[Array, Array, Array]] = []
    row = number = at = 0
    views = list(cast(Iterable[View], quantiles.views))
    for view in views:
        for depth in cast(Iterable[Intervals], view.depths):
            starts, each = depth.places[:, 0].numpy(), len(depth.part)
            begins = (row + view.length * np.arange(n_channels)[:, None] + starts).ravel()
            firsts = number + each * np.arange(len(begins))
            intervals.append(_rows(begins, depth.places.shape[1], firsts, each, at))
            quantile.append((depth.below.numpy(), depth.above.numpy(), depth.part.numpy()))
            number, at = number + each * len(begins), at + each
        row += view.length * n_channels
    if use_statistics:
        each, steps = len(STATISTICS), views[0].length
        own = np.arange(n_channels)
        intervals.append(_rows(steps * own, steps, number + each * own, each, -1))
    found = np.concatenate(intervals)
    of_number = np.repeat(np.arange(len(found)), found[:, 3])
    below, above, part = (np.concatenate(each) for each in zip(*quantile, strict=True))
    return found, of_number, below, above, part


def _rows(*columns: Array | int) -> Array:
    return np.stack(np.broadcast_arrays(*columns), axis=1)
