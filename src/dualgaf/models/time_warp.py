"""Training windows whose time axis is changed a little: cut at the ends, faster here, slower there.

The place in the old window of each step of the new one is a rising line u_1 <= ... <= u_T, the same
for all signals. Values between steps are interpolated linearly, by a matrix W (T, T) with two
entries a row. For cosine x and sine s of a series

    W (x x' - s s') W' = (W x) (W x)' - (W s) (W s)'

so the image that is interpolated along both axes is the field of the interpolated cosine and sine:
a time warp needs no series, and works on stored images as well as on those drawn per batch.

Sources: Um et al., "Data augmentation of wearable sensor data", ICMI 2017 (time warping); Le
Guennec et al., "Data augmentation for time series classification using convolutional neural
networks", 2016 (cropping, there called window slicing).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dualgaf.errors import check_number

KNOTS = 6
"""Speeds that are drawn for each window; between them the logarithm of the speed is linear."""
FINE = 128
"""Steps by which speeds are added up."""


@dataclass(frozen=True)
class TimeWarp:
    """How far the time axis of training windows is changed; 0 leaves a part out.

    Args:
        speed: deviation of the logarithm of the speed, drawn at `KNOTS` places of each window.
        crop: largest fraction of a window that is cut off, at both ends together, below 1.
        p: probability that a window is changed at all. What a class is told apart by may lie in
            a time of the day or in the pace of a heartbeat: windows as they are keep it.

    Raises:
        ConfigError: a number is out of range.

    Example:
        >>> image, series = torch.rand(2, 3, 24, 24), torch.rand(2, 3, 30)
        >>> [tensor.shape for tensor in TimeWarp(0.3, 0.1)(image, image, series)]
        [torch.Size([2, 3, 24, 24]), torch.Size([2, 3, 24, 24]), torch.Size([2, 3, 30])]
    """

    speed: float = 0.0
    crop: float = 0.0
    p: float = 0.5

    def __post_init__(self) -> None:
        check_number("classifier.time_warp", self.speed, lambda s: s >= 0, "0 or more", 0.4)
        check_number("classifier.crop", self.crop, lambda c: 0 <= c < 1, "0 to below 1", 0.2)
        check_number("p", self.p, lambda p: 0 <= p <= 1, "0 to 1", 0.5)

    @property
    def changes(self) -> bool:
        """Whether it changes any window."""
        return self.speed > 0 or self.crop > 0

    def __call__(self, gasf: Tensor, gadf: Tensor, series: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Changed copies of windows; random numbers come from torch's generator of their device.

        Args:
            gasf: (B, C, S, S).
            gadf: (B, C, S, S).
            series: (B, C, T).

        Returns:
            The three, each changed by the same line.
        """
        if not self.changes:
            return gasf, gadf, series
        at = torch.nonzero(torch.rand(len(series), device=series.device) < self.p)[:, 0]
        if not len(at):
            return gasf, gadf, series
        line = self._line(len(at), series.device)
        # In bfloat16 the series of a training would have three digits, those of a test eight.
        with torch.autocast(series.device.type, enabled=False):
            over_image = interpolation(line, gasf.shape[-1]).unsqueeze(1)  # (b, 1, S, S)
            gasf, gadf = (
                image.index_copy(0, at, over_image @ image[at] @ over_image.mT)
                for image in (gasf, gadf)
            )
            warped = series[at] @ interpolation(line, series.shape[-1]).mT
            return gasf, gadf, series.index_copy(0, at, warped)

    def of_series(self, series: Tensor) -> Tensor:
        """A changed copy of each window (N, C, T), without images and without matrices."""
        n_steps = series.shape[-1]
        places = _sampled(self._line(len(series), series.device), n_steps) * (n_steps - 1)
        before = places.long().clamp(max=n_steps - 1)
        after = (before + 1).clamp(max=n_steps - 1)
        first, second = (
            series.gather(2, at.unsqueeze(1).expand_as(series)) for at in (before, after)
        )
        return torch.lerp(first, second, (places - before).unsqueeze(1))

    def _line(self, batch: int, device: torch.device) -> Tensor:
        """(B, FINE) rising from 0 or more to 1 or less."""
        speed = torch.randn(batch, KNOTS, device=device) * self.speed
        travelled = _sampled(speed, FINE).exp().cumsum(dim=1)
        travelled = travelled - travelled[:, :1]
        kept = 1.0 - self.crop * torch.rand(batch, 1, device=device)
        first = (1.0 - kept) * torch.rand(batch, 1, device=device)
        return first + kept * travelled / travelled[:, -1:]


def interpolation(line: Tensor, n: int) -> Tensor:
    """The matrix W that interpolates n steps linearly at the places of a line.

    Args:
        line: (B, m) in [0, 1], 0 the first step and 1 the last; itself interpolated to n places.
        n: steps, 1 or more.

    Returns:
        (B, n, n): row i holds what each old step gives to the new step i.

    Example:
        >>> W = interpolation(torch.tensor([[0.0, 0.5, 0.75]]), 3)[0]
        >>> W.tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]
        >>> (W @ torch.tensor([0.0, 10.0, 30.0])).tolist()
        [0.0, 10.0, 20.0]
    """
    places = _sampled(line, n) * (n - 1)
    steps = torch.arange(n, dtype=line.dtype, device=line.device)
    return (1.0 - (places.unsqueeze(-1) - steps).abs()).clamp(min=0.0)


def _sampled(line: Tensor, n: int) -> Tensor:
    """(B, m) -> (B, n), both from the first to the last, linear in between."""
    return F.interpolate(line.unsqueeze(1), n, mode="linear", align_corners=True)[:, 0]
