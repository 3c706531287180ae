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
        drawn = self._drawn(series)
        if drawn is None:
            return gasf, gadf, series
        at, line = drawn
        # In bfloat16 the series of a training would have three digits, those of a test eight.
        with torch.autocast(series.device.type, enabled=False):
            over_image = interpolation(line, gasf.shape[-1]).unsqueeze(1)  # (b, 1, S, S)
            gasf, gadf = (
                image.index_copy(0, at, over_image @ image[at] @ over_image.mT)
                for image in (gasf, gadf)
            )
            return gasf, gadf, _warped_series(series, at, line)

    def of_pixels(
        self, gasf: Tensor, gadf: Tensor, series: Tensor, row: Tensor, column: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Some pixels of what `__call__` gives, by the same random numbers.

        Only these are interpolated, each between four pixels of the old image.

        Args:
            gasf: (B, C, S, S).
            gadf: (B, C, S, S).
            series: (B, C, T).
            row: of each pixel, any shape (...).
            column: likewise.

        Returns:
            The pixels of the two fields, (B, C, ...) each, and the series (B, C, T).

        Example:
            >>> image, series = torch.rand(2, 3, 24, 24), torch.rand(2, 3, 30)
            >>> step = torch.arange(24)
            >>> TimeWarp(0.3).of_pixels(image, image, series, step, step)[0].shape
            torch.Size([2, 3, 24])
        """
        side = int(gasf.shape[-1])
        pixel = (row * side + column).expand(len(gasf), *row.shape)
        picked = [_taken(image.flatten(2), pixel) for image in (gasf, gadf)]
        drawn = self._drawn(series)
        if drawn is None:
            return picked[0], picked[1], series
        at, line = drawn
        with torch.autocast(series.device.type, enabled=False):
            places = _sampled(line, side) * (side - 1)  # (b, S)
            rows, columns = places[:, row], places[:, column]
            gasf, gadf = (
                old.index_copy(0, at, _between(image.index_select(0, at), rows, columns))
                for old, image in zip(picked, (gasf, gadf), strict=True)
            )
            return gasf, gadf, _warped_series(series, at, line)

    def _drawn(self, series: Tensor) -> tuple[Tensor, Tensor] | None:
        """Which windows are changed, (b,), and their lines; None where none is."""
        if not self.changes:
            return None
        at = torch.nonzero(torch.rand(len(series), device=series.device) < self.p)[:, 0]
        return (at, self._line(len(at), series.device)) if len(at) else None

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


def _warped_series(series: Tensor, at: Tensor, line: Tensor) -> Tensor:
    warped = series[at] @ interpolation(line, series.shape[-1]).mT
    return series.index_copy(0, at, warped)


def _between(images: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Images (b, C, S, S) at places between their pixels, (b, ...) each: (b, C, ...), bilinear."""
    side = images.shape[-1]
    (up, down, below), (left, right, beside) = (
        (first, (first + 1).clamp(max=side - 1), place - first)
        for place in (row, column)
        for first in (place.long().clamp(max=side - 1),)
    )
    flat = images.flatten(2)

    def at(rows: Tensor, columns: Tensor) -> Tensor:
        return _taken(flat, rows * side + columns)

    beside, below = beside.unsqueeze(1), below.unsqueeze(1)
    above = torch.lerp(at(up, left), at(up, right), beside)
    return torch.lerp(above, torch.lerp(at(down, left), at(down, right), beside), below)


def _taken(numbers: Tensor, places: Tensor) -> Tensor:
    """Numbers (B, C, M) at places (B, ...) of the last axis: (B, C, ...)."""
    shape = (*numbers.shape[:2], *places.shape[1:])
    flat = places.flatten(1).unsqueeze(1).expand(-1, numbers.shape[1], -1)
    return numbers.gather(2, flat).view(shape)  # half the time of an index


def _sampled(line: Tensor, n: int) -> Tensor:
    """(B, m) -> (B, n), both from the first to the last, linear in between."""
    return F.interpolate(line.unsqueeze(1), n, mode="linear", align_corners=True)[:, 0]
