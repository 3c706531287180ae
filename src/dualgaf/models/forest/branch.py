"""`ForestBranch`: extra trees on quantiles of intervals and statistics of the window.

The branch follows no gradient: `ForestBranch.fit` learns it from the training windows, in seconds,
before the network learns. It is right where a level, a quantile or a short stretch of one signal
decides and cases are few, and its probabilities, the mean of what the leaves of all trees say, are
not too sure of themselves there.

Windows of several signals are learned with `COPIES` time-warped copies beside them. A tree draws
which numbers it looks at and where it cuts them, so nothing is chosen by cross-validation.

Source: Geurts, Ernst & Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006;
scikit-learn learns them.
"""

import io
from typing import Any

import torch
from torch import Tensor, nn

from dualgaf.models.forest.quantiles import IntervalQuantiles
from dualgaf.models.forest.quick import QuickForest
from dualgaf.models.forest.trees import Trees
from dualgaf.models.minirocket.branch import MOST_WINDOWS
from dualgaf.models.plain_tensors import is_plain
from dualgaf.models.random_steps import new_seed
from dualgaf.models.statistics import basic_statistics
from dualgaf.models.time_warp import TimeWarp

TREES = 100
"""Trees that are learned."""
TRIED, MOST_TRIED = 0.1, 256
"""Fraction of the numbers that a node tries, each at one threshold that is drawn, and the most of
them: of 10 000 numbers a tenth takes three times as long."""
COPIES = 3
"""Warped copies beside each training window of several signals."""
MOST_VALUES = 1 << 25
"""The most numbers of all windows and copies together, 128 MB; of many, fewer copies are made."""
WINDOWS_AT_A_TIME = 64
"""Windows that are read at a time in `ForestBranch.fit`."""


class ForestBranch(nn.Module):
    """Windows (B, C, T) -> logits (B, K), whose softmax is what the trees say.

    Args:
        n_channels: signals C.
        num_classes: classes K.
        use_statistics: read statistics of the window, too.

    Example:
        >>> branch = ForestBranch(1, 2)
        >>> low, high = torch.zeros(8, 1, 40), torch.ones(8, 1, 40)
        >>> series = torch.cat((low, high)) + 0.1 * torch.randn(16, 1, 40)
        >>> branch.fit(series, torch.arange(16) // 8)
        >>> branch(series).argmax(dim=1).tolist() == [0] * 8 + [1] * 8
        True
    """

    def __init__(self, n_channels: int, num_classes: int, use_statistics: bool = True) -> None:
        super().__init__()
        self.n_channels, self.num_classes = n_channels, num_classes
        self.use_statistics = use_statistics
        self.n_steps = 0
        self.ensemble_weight = 0.0  # before `fit` it does not count
        self.quantiles: IntervalQuantiles | None = None
        self.trees: Trees | None = None
        self._learned = torch.empty(0, dtype=torch.uint8)
        self._quick: QuickForest | None = None

    def forward(self, series: Tensor) -> Tensor:
        """(B, C, T) standardised -> (B, K)."""
        if self.trees is None:
            return series.new_zeros(series.shape[0], self.num_classes)
        # bfloat16 keeps three digits; thresholds differ by less.
        with torch.autocast(series.device.type, enabled=False):
            found = self.trees.said(self._leaves(self.trees, series.float()))
            return torch.log(found.clamp(min=1e-12))

    @torch.no_grad()
    def fit(
        self, series: Tensor, label: Tensor, warp: TimeWarp | None = None, others: int = 1
    ) -> None:
        """Learn the trees from the training windows.

        Args:
            series: (N, C, T) float32, standardised, on the CPU.
            label: (N,) classes 0 to K - 1.
            warp: for the copies; None, or one that changes nothing, makes none.
            others: members of the ensemble beside this one; each counts as much as any other.
        """
        from sklearn.ensemble import ExtraTreesClassifier  # it takes a second to load

        if len(series) > MOST_WINDOWS:
            drawn = torch.randperm(len(series))[:MOST_WINDOWS].sort().values
            series, label = series[drawn], label[drawn]
        self.n_steps = series.shape[-1]
        self.quantiles = IntervalQuantiles(self.n_channels, self.n_steps)
        has_copies = warp is not None and warp.changes and self.n_channels > 1
        rows = [self._in_parts(series)]
        most = min(MOST_WINDOWS // len(series), MOST_VALUES // rows[0].numel()) - 1
        for _ in range(min(COPIES, most) if has_copies else 0):
            assert warp is not None
            rows.append(self._in_parts(warp.of_series(series)))
        numbers = torch.cat(rows).numpy()
        tried = max(1, min(MOST_TRIED, int(TRIED * numbers.shape[1])))
        forest = ExtraTreesClassifier(
            TREES,
            criterion="entropy",
            max_features=tried,
            n_jobs=torch.get_num_threads(),  # trees have seeds of their own: they are the same
            random_state=new_seed(),
        )
        forest.fit(numbers, label.repeat(len(rows)).numpy())
        told = {"n_steps": self.n_steps, "ensemble_weight": 1 / (1 + others)}
        trees = Trees.learned(forest, self.num_classes)
        self.set_extra_state(_packed({**told, "trees": trees.state}))

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made of the rest when it is first asked for."""
        return {**vars(self), "_quick": None}

    def get_extra_state(self) -> Tensor:
        """What a checkpoint holds of the branch: uint8 (n,), n = 0 before `fit`.

        One tensor, as all of a ``state_dict`` are, whatever number of trees and nodes is in it.
        """
        return self._learned

    def set_extra_state(self, state: Tensor) -> None:
        """Take what `get_extra_state` gave."""
        self._learned = state.cpu()
        self.quantiles = self.trees = self._quick = None
        self.n_steps, self.ensemble_weight = 0, 0.0
        if len(state):
            found = _unpacked(self._learned)
            self.n_steps, self.ensemble_weight = found["n_steps"], found["ensemble_weight"]
            self.quantiles = IntervalQuantiles(self.n_channels, self.n_steps)
            self.trees = Trees(found["trees"])

    def _leaves(self, trees: Trees, series: Tensor) -> Tensor:
        """(B, C, T) -> (B, R), by the compiled kernel where it can."""
        if not is_plain(series, trees.threshold):
            return trees.leaves(self._numbers(series))
        if self._quick is None:
            assert self.quantiles is not None
            self._quick = QuickForest(self.quantiles, trees, self.n_channels, self.use_statistics)
        found, is_sure = self._quick(series)
        if not is_sure.all():
            found[~is_sure] = trees.leaves(self._numbers(series[~is_sure]))
        return found

    def _in_parts(self, series: Tensor) -> Tensor:
        """(N, C, T) -> (N, F), a few windows at a time."""
        return torch.cat([self._numbers(some) for some in torch.split(series, WINDOWS_AT_A_TIME)])

    def _numbers(self, series: Tensor) -> Tensor:
        """(N, C, T) -> (N, F)."""
        assert self.quantiles is not None
        found: Tensor = self.quantiles(series)
        if self.use_statistics:
            found = torch.cat((found, basic_statistics(series).flatten(1)), dim=1)
        return found


def _packed(state: dict[str, Any]) -> Tensor:
    """Tensors and numbers -> uint8 (n,)."""
    file = io.BytesIO()
    torch.save(state, file)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)


def _unpacked(packed: Tensor) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(io.BytesIO(packed.numpy().tobytes()), weights_only=True)
    return found
