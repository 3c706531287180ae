"""Statistics branch: what the images lose, taken from the window itself.

Scaling each window to [-1, 1] before imaging removes its level and amplitude. A few numbers a
signal bring them back; numbers of each pair of signals say how they move together, which images of
single signals do not show.

===================== ======================================= ==============================
kind                  of each signal                          of each pair of signals
===================== ======================================= ==============================
`basic`               mean, std, min, max, slope              -
`comprehensive`       these, median, skewness, kurtosis       correlation
`correlation_focused` mean, std, min, max, slope              correlation, greatest and mean
                                                              distance
===================== ======================================= ==============================

A signal that is constant has no shape: its skewness, kurtosis and correlations are zero, and so is
their gradient.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.imaging.scaling import rounding

STATISTICS = ("mean", "std", "min", "max", "slope")
"""The last axis of `basic_statistics`, in order."""
CONSTANT = 1e-6
"""A signal whose deviation is at most this has no shape. Series are standardised, so it is one
millionth of what the training split deviates."""
ROUNDING = rounding(1, "float32")
"""Nor has one whose range is at most this part of its largest absolute value."""


def basic_statistics(series: Tensor) -> Tensor:
    """Mean, deviation, minimum, maximum and slope of each window and signal.

    The deviation is that of the population (divided by T). The slope is that of the least-squares
    line, in units of the signal per whole window: a straight line from 0 to 3 has slope 3.

    Args:
        series: (B, C, T), any units.

    Returns:
        (B, C, 5), in the order of `STATISTICS`. For T = 1 deviation and slope are zero.

    Example:
        >>> basic_statistics(torch.tensor([[[0.0, 1.0, 2.0, 3.0]]]))
        tensor([[[1.5000, 1.1180, 0.0000, 3.0000, 3.0000]]])
    """
    mean = series.mean(dim=-1, keepdim=True)
    centred = series - mean
    time = torch.linspace(-0.5, 0.5, series.shape[-1], dtype=series.dtype, device=series.device)
    if series.shape[-1] == 1:
        time = torch.zeros_like(time)
    slope = (centred * time).sum(dim=-1) / time.square().sum().clamp(min=1e-12)
    return torch.stack(
        (mean[..., 0], _deviation(centred), series.amin(-1), series.amax(-1), slope), dim=-1
    )


def shape_statistics(series: Tensor) -> Tensor:
    """Median, skewness and excess kurtosis of each window and signal.

    The median of an even number of steps is the mean of the middle two. Moments are those of the
    population; a normal distribution has excess kurtosis 0.

    Args:
        series: (B, C, T), standardised.

    Returns:
        (B, C, 3).

    Example:
        >>> shape_statistics(torch.tensor([[[0.0, 0.0, 0.0, 4.0]]]))
        tensor([[[ 0.0000,  1.1547, -0.6667]]])
    """
    n_steps = series.shape[-1]
    ordered = series.sort(dim=-1).values
    median = ordered[..., (n_steps - 1) // 2 : n_steps // 2 + 1].mean(dim=-1)
    shape = _standardised(series)
    varies = shape.square().mean(dim=-1).round()  # 1, or 0 for a constant signal
    kurtosis = shape.pow(4).mean(dim=-1) - 3.0 * varies
    return torch.stack((median, shape.pow(3).mean(dim=-1), kurtosis), dim=-1)


def pair_correlations(series: Tensor) -> Tensor:
    """Pearson's correlation of each pair of signals of a window.

    Args:
        series: (B, C, T), standardised.

    Returns:
        (B, C (C - 1) / 2): pairs (0, 1), (0, 2), ..., (1, 2), ...

    Example:
        >>> pair_correlations(torch.tensor([[[1.0, -1.0, 1.0, -1.0], [2.0, 0.0, 2.0, 0.0]]]))
        tensor([[1.]])
    """
    shape = _standardised(series)
    matrix = shape @ shape.transpose(1, 2) / series.shape[-1]  # (B, C, C)
    first, second = _pairs(series)
    return matrix[:, first, second]


def pair_distances(series: Tensor) -> Tensor:
    """Greatest and mean absolute difference of each pair of signals of a window.

    Args:
        series: (B, C, T), standardised.

    Returns:
        (B, C (C - 1)): the greatest of all pairs, then the means, pairs as in `pair_correlations`.

    Example:
        >>> pair_distances(torch.tensor([[[0.0, 1.0, 2.0], [0.0, -1.0, -2.0]]]))
        tensor([[4., 2.]])
    """
    first, second = _pairs(series)
    apart = (series[:, first] - series[:, second]).abs()  # (B, pairs, T)
    return torch.cat((apart.amax(dim=-1), apart.mean(dim=-1)), dim=1)


def comprehensive_statistics(series: Tensor) -> Tensor:
    """Eight numbers of each signal and a correlation of each pair: (B, C, T) -> (B, n).

    Moments of the fourth order reach T where the others are about 1; ``asinh`` keeps small values
    as they are and large ones small.
    """
    each = torch.cat((basic_statistics(series), shape_statistics(series)), dim=-1)
    return torch.asinh(torch.cat((each.flatten(1), pair_correlations(series)), dim=1))


def correlation_focused_statistics(series: Tensor) -> Tensor:
    """Five numbers of each signal and three of each pair: (B, C, T) -> (B, n)."""
    each = basic_statistics(series).flatten(1)
    return torch.cat((each, pair_correlations(series), pair_distances(series)), dim=1)


def _flat_basic(series: Tensor) -> Tensor:
    return basic_statistics(series).flatten(1)


KINDS: dict[str, tuple[Callable[[Tensor], Tensor], int, int]] = {
    "basic": (_flat_basic, 5, 0),  # a function with a name, so that a network can be pickled
    "comprehensive": (comprehensive_statistics, 8, 1),
    "correlation_focused": (correlation_focused_statistics, 5, 3),
}
"""What ``statistics=`` may name: (B, C, T) -> (B, n), and how many numbers per signal and pair."""


class StatisticsBranch(nn.Module):
    """Raw windows (B, C, T) -> an embedding (B, width) of their statistics.

    Args:
        n_channels: signals C.
        width: length of the embedding.
        kind: which statistics, a name in `KINDS`.

    Raises:
        ConfigError: the kind is not in `KINDS`.

    Example:
        >>> StatisticsBranch(6, 32, "comprehensive")(torch.zeros(2, 6, 100)).shape
        torch.Size([2, 32])
    """

    def __init__(self, n_channels: int, width: int, kind: str = "basic") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ConfigError(unknown_choice("model.statistics", kind, KINDS))
        self.statistics, each, pair = KINDS[kind]
        n_numbers = each * n_channels + pair * n_channels * (n_channels - 1) // 2
        self.embed = nn.Sequential(nn.Linear(n_numbers, width), nn.GELU())

    def forward(self, series: Tensor) -> Tensor:
        """(B, C, T) -> (B, width)."""
        with torch.autocast(series.device.type, enabled=False):
            statistics = self.statistics(series.float())
        embedding: Tensor = self.embed(statistics)
        return embedding


def _pairs(series: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, T) -> the first and the second signal of each pair, (C (C - 1) / 2,) each."""
    n_channels = series.shape[1]
    first, second = torch.triu_indices(n_channels, n_channels, offset=1, device=series.device)
    return first, second


def _deviation(centred: Tensor) -> Tensor:
    """(B, C, T) without its mean -> (B, C), with gradient zero where it is zero, not infinite."""
    variance = centred.square().mean(dim=-1)
    spread = variance > 0
    return torch.where(spread, torch.where(spread, variance, 1.0).sqrt(), 0.0)


def _standardised(series: Tensor) -> Tensor:
    """(B, C, T) with mean 0 and deviation 1; zeros, without gradient, for a constant signal."""
    centred = series - series.mean(dim=-1, keepdim=True)
    deviation = _deviation(centred).unsqueeze(-1)
    # A mean is rounded, so a constant signal may seem to deviate; its range does not lie.
    low, high = series.amin(-1, keepdim=True), series.amax(-1, keepdim=True)
    same = high - low <= torch.maximum(low.abs(), high.abs()) * ROUNDING
    varies = (deviation > CONSTANT) & ~same
    return torch.where(varies, centred / torch.where(varies, deviation, 1.0), 0.0)
