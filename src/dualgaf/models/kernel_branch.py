"""What the kernels of `dualgaf.models.kernels` say of a window, by a ridge regression.

The branch follows no gradient: `KernelBranch.fit` solves it from the training windows, in seconds,
before the network learns. Each class is a column that is 1 for its windows and 0 for others; beside
each window up to `COPIES` time-warped copies are learned. Cross-validation over groups of training
windows (days, runs; each window where it is its own group) chooses the ridge parameter, and how
steep the probabilities are that become of the regression's answers.

Its probabilities and those of the images count half each. The network alone learns by them not at
all, so what the images say by themselves is what they would say without the branch.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.models.kernels import N_FEATURES, KernelFeatures
from dualgaf.models.time_warp import TimeWarp

COPIES = 4
"""Warped copies beside each training window."""
MOST_WINDOWS = 4096
"""The most windows and copies that are learned; of more, as many are drawn (33 MB of features)."""
FOLDS = 5
"""Of the cross-validation."""
RIDGES = (0.01, 0.1, 1.0)
"""Ridge parameters to choose from, for features of variance 1 / `N_FEATURES`."""
STEEPNESS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Factors to choose from, between answers and logits."""
STEPS_AT_A_TIME = 1 << 13
"""Steps of windows that are read at a time in `KernelBranch.fit`."""
LEAST_DEVIATION = 0.01
"""A feature that varies less over the training windows is not blown up to vary as others do."""
SHARE = 0.5
"""What the branch's probabilities count, beside those of the images."""


class KernelBranch(nn.Module):
    """Windows (B, C, T) -> logits (B, K) that were solved, not learned step by step.

    Args:
        n_channels: signals C.
        num_classes: classes K.

    Example:
        >>> branch = KernelBranch(1, 2)
        >>> flat, wavy = torch.zeros(8, 1, 40), torch.arange(40.0).sin().expand(8, 1, 40)
        >>> series = torch.cat((flat, wavy)) + 0.1 * torch.randn(16, 1, 40)
        >>> branch.fit(series, torch.arange(16) // 8)
        >>> branch(series).argmax(dim=1).tolist() == [0] * 8 + [1] * 8
        True
    """

    centre: Tensor
    deviation: Tensor
    weight: Tensor
    offset: Tensor
    steepness: Tensor
    share: Tensor

    def __init__(self, n_channels: int, num_classes: int) -> None:
        super().__init__()
        self.features = KernelFeatures(n_channels)
        self.register_buffer("centre", torch.zeros(N_FEATURES))
        self.register_buffer("deviation", torch.ones(N_FEATURES))
        self.register_buffer("weight", torch.zeros(N_FEATURES, num_classes))
        self.register_buffer("offset", torch.zeros(num_classes))
        self.register_buffer("steepness", torch.ones(()))
        self.register_buffer("share", torch.zeros(()))  # before `fit` it has no say

    def forward(self, series: Tensor) -> Tensor:
        """(B, C, T) standardised -> (B, K)."""
        # bfloat16 keeps three digits; the shares that are weighed differ by less.
        with torch.autocast(series.device.type, enabled=False):
            standardised = self._standardised(self.features(series.float()))
            return self.steepness * (standardised @ self.weight + self.offset)

    def joined(self, logits: Tensor, series: Tensor) -> Tensor:
        """Logits (B, K) of the images, and windows (B, C, T) -> logits (B, K) of both.

        Probabilities are added, not logits: one that is sure and wrong cannot outshout the other.
        """
        images = torch.softmax(logits.float(), dim=1)
        kernels = torch.softmax(self(series), dim=1)
        return torch.log(torch.lerp(images, kernels, self.share).clamp(min=1e-12))

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
            group: (N,) whole numbers; windows of one group are in one fold. None = each its own.
            warp: of the copies; None, or one that changes nothing, makes none.
        """
        if len(series) > MOST_WINDOWS:
            drawn = torch.randperm(len(series))[:MOST_WINDOWS]
            series, label = series[drawn], label[drawn]
            group = None if group is None else group[drawn]
        self.features.fit(series)
        changes = warp is not None and (warp.speed > 0 or warp.crop > 0)
        n_copies = min(COPIES, MOST_WINDOWS // len(series) - 1) if changes else 0
        copies = [series, *(warped(series, warp) for _ in range(n_copies) if warp)]
        shares = torch.stack([self._features(windows) for windows in copies])  # (1 + n, N, F)
        self.centre.copy_(shares.flatten(0, 1).mean(dim=0))
        spread = shares.flatten(0, 1).std(dim=0, correction=0)
        self.deviation.copy_((spread + LEAST_DEVIATION) * math.sqrt(N_FEATURES))
        found = self._standardised(shares)
        wanted = F.one_hot(label, len(self.offset)).to(found)
        ridge, steepness = _chosen(found, wanted, _folds(group, len(label), label.device))
        ((weight, offset),) = _solved(found, wanted, (ridge,))
        self.weight.copy_(weight)
        self.offset.copy_(offset)
        self.steepness.fill_(steepness)
        self.share.fill_(SHARE)

    def _features(self, series: Tensor) -> Tensor:
        """(N, C, T) -> (N, N_FEATURES), a few windows at a time."""
        few = max(1, STEPS_AT_A_TIME // series.shape[-1])
        return torch.cat([self.features(some) for some in torch.split(series, few)])

    def _standardised(self, features: Tensor) -> Tensor:
        return (features - self.centre) / self.deviation


def warped(series: Tensor, warp: TimeWarp) -> Tensor:
    """A changed copy of each window (N, C, T)."""
    return TimeWarp(warp.speed, warp.crop, share=1.0).of_series(series)


def _folds(group: Tensor | None, n_windows: int, device: torch.device) -> Tensor:
    """(N,) the fold of each window, 0 to `FOLDS` - 1; a group is in one of them."""
    if group is None:
        group = torch.arange(n_windows, device=device)
    names, of_window = torch.unique(group, return_inverse=True)
    if len(names) == 1:  # nothing to hold out as a whole
        names = of_window = torch.arange(n_windows, device=device)
    return (torch.randperm(len(names), device=device) % FOLDS)[of_window]


def _chosen(found: Tensor, wanted: Tensor, folds: Tensor) -> tuple[float, float]:
    """Ridge parameter with the least squared error, and steepness with the least log loss."""
    answered = [torch.zeros_like(wanted) for _ in RIDGES]
    for fold in range(FOLDS):
        held = folds == fold
        if held.all() or not held.any():
            continue
        solutions = _solved(found[:, ~held], wanted[~held], RIDGES)
        for answers, (weight, offset) in zip(answered, solutions, strict=True):
            answers[held] = found[0, held] @ weight + offset
    best = (math.inf, RIDGES[0], STEEPNESS[0])
    for ridge, answers in zip(RIDGES, answered, strict=True):
        error = float((answers - wanted).square().mean())
        losses = [float(F.cross_entropy(s * answers, wanted)) for s in STEEPNESS]
        best = min(best, (error, ridge, STEEPNESS[losses.index(min(losses))]))
    return best[1], best[2]


def _solved(found: Tensor, wanted: Tensor, ridges: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
    """Weights (F, K) and offsets (K,) of a ridge regression, for each ridge parameter.

    Args:
        found: (copies, N, F).
        wanted: (N, K), the same for all copies of a window.
        ridges: what is added to the diagonal.
    """
    rows, targets = found.flatten(0, 1), wanted.repeat(len(found), 1)
    mean, level = rows.mean(dim=0), targets.mean(dim=0)
    rows, targets = (rows - mean).double(), (targets - level).double()
    # Of the two equal forms, the one with the smaller matrix.
    is_wide = len(rows) < rows.shape[1]
    square = rows @ rows.T if is_wide else rows.T @ rows
    answer = targets if is_wide else rows.T @ targets
    solutions = []
    for ridge in ridges:
        raised = square.clone()
        raised.diagonal().add_(ridge)
        weight = torch.linalg.solve(raised, answer)
        weight = (rows.T @ weight if is_wide else weight).to(found.dtype)
        solutions.append((weight, level - mean @ weight))
    return solutions
