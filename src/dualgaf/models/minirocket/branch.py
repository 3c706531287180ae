"""`MiniRocketBranch`: a ridge regression on MiniRocket features and statistics of the window.

The branch follows no gradient: `MiniRocketBranch.fit` solves it from the training windows, in
seconds, before the network learns. Each class is a target that is 1 for its windows and 0 for
others; beside each window up to `COPIES` time-warped copies are learned. Cross-validation over
groups of training windows (days, runs; each window where it is its own group) chooses

1. how strong that warp is, for the pace of a heartbeat tells something and that of a gesture not;
2. how much the statistics of each signal count beside the kernels, which do not see its level;
3. alpha, the ridge parameter;
4. the inverse temperature of the softmax over the predictions (temperature scaling).

Its probabilities are a member of the ensemble of `DualGAFNet.contributions`. No gradient flows
from the branch, so what the images say by themselves is what they would say without it.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.models.minirocket.features import N_FEATURES, MiniRocketFeatures
from dualgaf.models.minirocket.ridge import RidgeSolution, solve_ridge
from dualgaf.models.statistics import STATISTICS, basic_statistics
from dualgaf.models.time_warp import TimeWarp

COPIES = 4
"""Warped copies beside each training window."""
WARPS = (0.0, 0.5, 1.0)
"""How strong the warp of the copies may be, in parts of that of the training."""
STATISTICS_FRACTIONS = (0.1, 0.5, 0.0)
"""What statistics of the window may vary, of what they and the kernels vary together."""
MOST_WINDOWS = 3072
"""The most windows and copies that are learned; of more, as many are drawn (50 MB of features)."""
MOST_STEPS = 1 << 20
"""The most steps of windows and copies; of long windows fewer copies are made, for they take time
(measured: about 16 s for so many steps, one thread)."""
FOLDS = 5
"""Of the cross-validation."""
ALPHAS = (0.01, 0.1, 1.0)
"""Ridge parameters to choose from, for numbers whose variances add up to 1."""
INVERSE_TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Factors to choose from, between predictions and logits."""
STEPS_AT_A_TIME = 1 << 13
"""Steps of windows that are read at a time in `MiniRocketBranch.fit`."""
LEAST_STD = 0.01
"""A number that varies less over the training windows is not blown up to vary as others do."""
ENSEMBLE_WEIGHT = 0.5
"""What the branch's probabilities count, beside those of the images: the same."""


class MiniRocketBranch(nn.Module):
    """Windows (B, C, T) -> logits (B, K) that were solved, not learned step by step.

    Args:
        n_channels: signals C.
        num_classes: classes K.
        use_statistics: regress on statistics of the window, too.

    Example:
        >>> branch = MiniRocketBranch(1, 2)
        >>> flat, wavy = torch.zeros(8, 1, 40), torch.arange(40.0).sin().expand(8, 1, 40)
        >>> series = torch.cat((flat, wavy)) + 0.1 * torch.randn(16, 1, 40)
        >>> branch.fit(series, torch.arange(16) // 8)
        >>> branch(series).argmax(dim=1).tolist() == [0] * 8 + [1] * 8
        True
    """

    centre: Tensor
    gain: Tensor
    weight: Tensor
    offset: Tensor
    inverse_temperature: Tensor
    ensemble_weight: Tensor

    def __init__(self, n_channels: int, num_classes: int, use_statistics: bool = True) -> None:
        super().__init__()
        self.features = MiniRocketFeatures(n_channels)
        self.use_statistics = use_statistics
        n_numbers = N_FEATURES + (n_channels * len(STATISTICS) if use_statistics else 0)
        self.register_buffer("centre", torch.zeros(n_numbers))
        self.register_buffer("gain", torch.ones(n_numbers))
        self.register_buffer("weight", torch.zeros(n_numbers, num_classes))
        self.register_buffer("offset", torch.zeros(num_classes))
        self.register_buffer("inverse_temperature", torch.ones(()))
        self.register_buffer("ensemble_weight", torch.zeros(()))  # before `fit` it does not count

    def forward(self, series: Tensor) -> Tensor:
        """(B, C, T) standardised -> (B, K)."""
        # bfloat16 keeps three digits; features differ by less.
        with torch.autocast(series.device.type, enabled=False):
            standardised = (self._numbers(series.float()) - self.centre) * self.gain
            logits: Tensor = self.inverse_temperature * (standardised @ self.weight + self.offset)
        return logits

    @torch.no_grad()
    def fit(
        self,
        series: Tensor,
        label: Tensor,
        group: Tensor | None = None,
        warp: TimeWarp | None = None,
    ) -> None:
        """Solve the branch from the training windows.

        Args:
            series: (N, C, T) float32, standardised.
            label: (N,) classes 0 to K - 1.
            group: (N,) whole numbers; windows of one group are in one fold, and in the order of
                time. None = each its own.
            warp: the strongest for the copies; None, or one that changes nothing, makes none.
        """
        if len(series) > MOST_WINDOWS:
            drawn = torch.randperm(len(series))[:MOST_WINDOWS].sort().values
            series, label = series[drawn], label[drawn]
            group = None if group is None else group[drawn]
        self.features.fit(series)
        targets = F.one_hot(label, len(self.offset)).to(series)
        folds = _folds(group, label)
        first, *others = STATISTICS_FRACTIONS if self.use_statistics else (0.0,)
        warped = (_Numbers(each) for each in self._with_copies(series, warp))
        numbers, chosen = min(
            ((each, each.solved(first, targets, folds)) for each in warped),
            key=lambda pair: pair[1].error,
        )
        gain = numbers.gain(first)
        for fraction in others:
            solution = numbers.solved(fraction, targets, folds)
            if solution.error < chosen.error:
                chosen, gain = solution, numbers.gain(fraction)
        self.centre.copy_(numbers.centre)
        self.gain.copy_(gain)
        self.weight.copy_(chosen.weight)
        self.offset.copy_(chosen.offset)
        losses = [
            float(F.cross_entropy(s * chosen.out_of_fold, targets)) for s in INVERSE_TEMPERATURES
        ]
        self.inverse_temperature.fill_(INVERSE_TEMPERATURES[losses.index(min(losses))])
        self.ensemble_weight.fill_(ENSEMBLE_WEIGHT)

    def _with_copies(self, series: Tensor, warp: TimeWarp | None) -> Iterator[Tensor]:
        """(1 + n, N, F) numbers of windows and of their copies, for each strength of the warp."""
        own, steps = self._in_parts(series), len(series) * series.shape[-1]
        n_copies = min(COPIES, MOST_WINDOWS // len(series) - 1, MOST_STEPS // steps - 1)
        for strength in _strengths(warp) if n_copies > 0 else [TimeWarp()]:
            warped = [strength] * n_copies if strength.changes else []
            yield torch.stack([own, *(self._in_parts(each.of_series(series)) for each in warped)])

    def _in_parts(self, series: Tensor) -> Tensor:
        """(N, C, T) -> (N, F), a few windows at a time."""
        few = max(1, STEPS_AT_A_TIME // series.shape[-1])
        return torch.cat([self._numbers(some) for some in torch.split(series, few)])

    def _numbers(self, series: Tensor) -> Tensor:
        """(N, C, T) -> (N, F): what the kernels count, and the statistics of each signal."""
        counted: Tensor = self.features(series)
        if self.use_statistics:
            counted = torch.cat((counted, basic_statistics(series).flatten(1)), dim=1)
        return counted


class _Numbers:
    """Numbers of windows and copies, weighed so that statistics have a fraction of the variance.

    Args:
        numbers: (1 + n, N, F), `N_FEATURES` of kernels first; they are changed.
    """

    def __init__(self, numbers: Tensor) -> None:
        self.centre = numbers.mean(dim=(0, 1))
        self._spread = numbers.std(dim=(0, 1), correction=0) + LEAST_STD
        self._rows = numbers.sub_(self.centre)
        self._applied = torch.ones_like(self.centre)

    def gain(self, fraction: float) -> Tensor:
        """(F,) what to multiply centred numbers by."""
        n_others = len(self._spread) - N_FEATURES
        parts = torch.full_like(self._spread, math.sqrt((1 - fraction) / N_FEATURES))
        parts[N_FEATURES:] = math.sqrt(fraction / max(1, n_others))
        return parts / self._spread

    def solved(self, fraction: float, targets: Tensor, folds: Tensor) -> RidgeSolution:
        """The regression on them; a fraction of 0 is the last that can be asked for."""
        gain = self.gain(fraction)
        self._rows.mul_(gain / self._applied)  # in place: they may take 50 MB
        self._applied = gain
        return solve_ridge(self._rows, targets, folds, ALPHAS)


def _strengths(warp: TimeWarp | None) -> list[TimeWarp]:
    """The warps of copies to choose from; the first changes nothing."""
    if warp is None or not warp.changes:
        return [TimeWarp()]
    return [TimeWarp(part * warp.speed, part * warp.crop) for part in WARPS]


def _folds(group: Tensor | None, label: Tensor) -> Tensor:
    """(N,) the fold of each window, 0 to `FOLDS` - 1; a group is in one of them.

    A class with a single group would be known by no other fold: its windows, which are in the order
    of time, are cut into one piece for each fold instead.
    """
    if group is None:
        group = torch.arange(len(label), device=label.device)
    names, of_window = torch.unique(group, return_inverse=True)
    folds = (torch.randperm(len(names), device=label.device) % FOLDS)[of_window]
    for one in range(int(label.max()) + 1):
        (own,) = torch.nonzero(label == one, as_tuple=True)
        if len(own) > 1 and (of_window[own] == of_window[own[0]]).all():
            folds[own] = torch.arange(len(own), device=label.device) * FOLDS // len(own)
    return folds
