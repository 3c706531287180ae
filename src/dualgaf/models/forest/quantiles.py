"""What the trees read: quantiles of nested intervals of each signal, in four views of it.

The views are the signal itself, its smoothed first difference, its second difference and the
magnitudes of its spectrum. At depth d a view of n numbers is read in 2^(d+1) - 1 intervals of
n / 2^d numbers: 2^d side by side, and between them as many less one that begin half an interval
later. Of an interval of m numbers 1 + (m - 1) // `A_QUANTILE_EACH` quantiles are taken, evenly from
the least to the largest; from every second one the mean of the interval is taken off, so that it
tells a shape and not a level. A single one is the median.

All intervals of a depth have the same length, so one sort is enough for them. Quantiles are places
in sorted numbers, and the spectrum is a product with a matrix: torch's ``quantile`` and ``fft``
have no counterpart in every format of exported programs.

Source: Dempster, Schmidt & Webb, "QUANT: a minimalist interval method for time series
classification", Data Mining and Knowledge Discovery 38, 2024. Lengths and places of intervals, the
rounding and the limits are ours.
"""

import math
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from dualgaf.models.forest.constants import Constants
from dualgaf.models.plain_tensors import is_plain

DEPTHS = 6
"""Depths of intervals, at most: the shortest are 1/32 of a view."""
A_QUANTILE_EACH = 4
"""Numbers of an interval for each of its quantiles."""
SMOOTHED = 5
"""First differences that are averaged."""
MOST_FREQUENCIES = 512
"""The most magnitudes of the spectrum, slow ones first."""
MOST_NUMBERS = 1 << 14
"""The most numbers of a window; of many signals fewer depths are read, one at the least."""
GRID = 2.0**-12
"""What differences and magnitudes are rounded to. What rounding leaves of a level in them depends
on how many windows are read at a time, and must decide nothing."""


class IntervalQuantiles(nn.Module):
    """Windows (B, C, T) -> (B, F) numbers.

    Args:
        n_channels: signals C.
        n_steps: T, 2 or more.

    Example:
        >>> read = IntervalQuantiles(1, 4)
        >>> read(torch.tensor([[[3.0, 1.0, 2.0, 4.0]]]))[0, :4].tolist()
        [2.5, 2.0, 1.5, 3.0]
    """

    def __init__(self, n_channels: int, n_steps: int) -> None:
        super().__init__()
        self.spectrum = _Spectrum(n_steps)
        lengths = [n_steps, n_steps - 1, n_steps - 2, self.spectrum.n_frequencies]
        for depths in range(DEPTHS, 0, -1):
            views = [View(length, depths) for length in lengths if length > 0]
            if n_channels * sum(view.n_numbers for view in views) <= MOST_NUMBERS:
                break
        self.views = nn.ModuleList(views)

    def forward(self, series: Tensor) -> Tensor:
        """(B, C, T) -> (B, F)."""
        there = self.views_of(series)
        found = [read(view) for read, view in zip(self.views, there, strict=True)]
        return torch.cat(found, dim=1)

    def views_of(self, series: Tensor) -> list[Tensor]:
        """(B, C, T) -> (B, C, n) of each view; n is that of `View.length`."""
        first = torch.diff(series)
        views = [series, _smoothed(first), torch.diff(first), self.spectrum(series)]
        views[1:] = [torch.round(view / GRID) * GRID for view in views[1:]]
        return [view for view in views if view.shape[-1] > 0]


class View(nn.Module):
    """Numbers (B, C, n) -> the quantiles of all their intervals, (B, F)."""

    def __init__(self, length: int, depths: int) -> None:
        super().__init__()
        self.length = length
        """n."""
        depths = min(depths, length.bit_length())
        self.depths = nn.ModuleList(Intervals(length, depth) for depth in range(depths))

    @property
    def n_numbers(self) -> int:
        """F of one signal."""
        return sum(cast(Intervals, depth).n_numbers for depth in self.depths)

    def forward(self, view: Tensor) -> Tensor:
        """(B, C, n) -> (B, F)."""
        return torch.cat([depth(view) for depth in self.depths], dim=1)


class Intervals(Constants):
    """The intervals of one depth, and their quantiles."""

    def __init__(self, length: int, depth: int) -> None:
        super().__init__()
        own = math.ceil(length / 2**depth)
        starts = np.linspace(0, length - own, 2 ** (depth + 1) - 1).round().astype(np.int64)
        starts = np.unique(starts)  # short views have the same interval twice
        n_quantiles = 1 + (own - 1) // A_QUANTILE_EACH
        at = np.linspace(0, own - 1, n_quantiles) if n_quantiles > 1 else np.array([(own - 1) / 2])
        below = np.floor(at).astype(np.int64)
        self.places = torch.from_numpy(starts[:, None] + np.arange(own))  # (I, m), one by one
        self.below = torch.from_numpy(below)  # (Q,) places in the sorted numbers of an interval
        self.above = torch.from_numpy(np.minimum(below + 1, own - 1))
        self.part = torch.from_numpy((at - below).astype(np.float32))  # of the way between both
        self.is_between = bool((at > below).any())
        self.centred = torch.from_numpy((np.arange(n_quantiles) % 2).astype(np.float32))
        self.n_numbers = len(starts) * n_quantiles

    def forward(self, view: Tensor) -> Tensor:
        """(B, C, n) -> (B, F of this depth)."""
        # What would change nothing is left out, so that an exported program is shorter.
        values = view[..., self.places]  # (B, C, I, m)
        if self.places.shape[1] == 1:
            return values.flatten(1)
        ordered = _sorted(values)
        found = ordered[..., self.below]
        if self.is_between:
            found = torch.lerp(found, ordered[..., self.above], self.part)
        if len(self.part) > 1:
            found = found - values.mean(dim=-1, keepdim=True) * self.centred
        return found.flatten(1)


class _Spectrum(Constants):
    """Magnitudes of frequencies 1 to F, of half a unit for a wave of deviation 1 over T steps."""

    def __init__(self, n_steps: int) -> None:
        super().__init__()
        self.n_frequencies = min(n_steps // 2, MOST_FREQUENCIES)
        turns = np.outer(np.arange(n_steps), np.arange(1, self.n_frequencies + 1)) / n_steps
        waves = np.concatenate((np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)), axis=1)
        self.waves = torch.from_numpy((waves / math.sqrt(n_steps)).astype(np.float32))  # (T, 2 F)

    def forward(self, series: Tensor) -> Tensor:
        centred = series - series.mean(dim=-1, keepdim=True)
        cosine, sine = (centred @ self.waves).chunk(2, dim=-1)
        return (cosine.square() + sine.square()).sqrt()


def _smoothed(numbers: Tensor) -> Tensor:
    """Means of `SMOOTHED` neighbours; the first and the last number go on beyond the ends."""
    reach, n = SMOOTHED // 2, numbers.shape[-1]
    ends = (numbers[..., :1],) * reach, (numbers[..., -1:],) * reach
    longer = torch.cat((*ends[0], numbers, *ends[1]), dim=-1)
    total = longer[..., :n]
    for later in range(1, SMOOTHED):
        total = total + longer[..., later : later + n]
    return total / SMOOTHED


def _sorted(values: Tensor) -> Tensor:
    """Along the last axis; NumPy sorts short rows in a fraction of the time that torch takes."""
    if not is_plain(values):
        return values.sort(dim=-1).values
    return torch.from_numpy(np.sort(values.numpy()))
