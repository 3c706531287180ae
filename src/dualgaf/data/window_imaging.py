"""`WindowImaging`: raw windows to what a network takes, by operations of torch alone.

1. PAA to S means, the steps of a segment added in their order.
2. Scaling by the bounds of the training split, by the window, or not at all; then the angle. All in
   float64, operation by operation as in `dualgaf.imaging`.
3. Both fields in float32; the series standardised by the training split.
"""

import numpy as np
import torch
from torch import Tensor, nn

from dualgaf.data.batch import draw_on_device
from dualgaf.data.imaging_state import ImagingState
from dualgaf.imaging.paa import longest_segment, paa_edges
from dualgaf.imaging.scaling import LARGE, LEAST, SHIFT, SMALL, rounding


class WindowImaging(nn.Module):
    """Raw windows -> what a network takes, by operations of torch alone.

    Args:
        state: what was fitted on the training split.

    Example:
        >>> from dualgaf.data.series_scaler import SeriesScaler
        >>> from dualgaf.imaging.recipe import ImagingRecipe
        >>> scaler = SeriesScaler(np.zeros(1), np.ones(1))
        >>> state = ImagingState(ImagingRecipe(2), 4, None, scaler, ("sat",), ("a", "b"), "")
        >>> gasf, gadf, series = WindowImaging(state)(torch.tensor([[[0.0, 2.0, 4.0, 6.0]]]).double())
        >>> gasf.tolist(), series.dtype
        ([[[[1.0, -1.0], [-1.0, 1.0]]]], torch.float32)
    """  # noqa: E501

    edges: Tensor
    lengths: Tensor
    bounds: Tensor
    mean: Tensor
    std: Tensor
    first: Tensor
    span: Tensor
    shift: Tensor
    large: Tensor
    small: Tensor
    least: Tensor
    most: Tensor

    def __init__(self, state: ImagingState) -> None:
        super().__init__()
        self.recipe = state.recipe
        first, last = map(float, state.recipe.feature_range)
        edges = paa_edges(state.window_size, state.recipe.image_size)
        n_channels = len(state.channel_names)
        bounds = np.zeros((2, n_channels)) if state.bounds is None else state.bounds
        for name, values in (
            ("edges", edges[:-1]),
            ("lengths", np.diff(edges)),
            ("bounds", bounds[:, :, None]),
            ("mean", state.scaler.mean[:, None]),
            ("std", state.scaler.std[:, None]),
            # Not in the code below: torch's exporter to ONNX makes float32 of numbers there, so
            # infinity of a large one, and zero of a small one.
            ("first", np.array(first)),
            ("span", np.array(last - first)),
            ("shift", np.array(SHIFT)),
            ("large", np.array(LARGE)),
            ("small", np.array(SMALL)),
            ("least", np.array(LEAST)),
            ("most", np.array(np.finfo(np.float64).max)),
        ):
            self.register_buffer(name, torch.tensor(values))
        self.longest = longest_segment(edges)
        self.rounding = rounding(self.longest, state.dtype)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, T) float64 -> gasf, gadf (B, C, S, S) and series (B, C, T), float32."""
        gasf, gadf, series, _ = self.checked(windows)
        return gasf, gadf, series

    def checked(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `forward`, and whether training would have taken each window, (B,)."""
        cosine = self.cosine(windows)  # NaN where values are too small
        angles = torch.stack((cosine, torch.sqrt(1.0 - cosine * cosine)), dim=1).float()
        gasf, gadf = draw_on_device(angles)
        series = ((windows - self.mean) / self.std).float()
        held = torch.isfinite(windows).all(dim=-1) & torch.isfinite(series).all(dim=-1)
        usable = (held & (cosine.abs() <= 1.0).all(dim=-1)).all(dim=1)
        return gasf, gadf, series, usable

    def cosine(self, windows: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, S) float64, the series after PAA and scaling."""
        means = self._means(windows)
        low, high = means.amin(dim=-1, keepdim=True), means.amax(dim=-1, keepdim=True)
        constant = high - low <= windows.abs().amax(dim=-1, keepdim=True) * self.rounding
        means = torch.where(constant, low + (high - low) / 2, means)
        if self.recipe.scaling == "none":
            return means
        if self.recipe.scaling == "train":
            low, high = self.bounds[0], self.bounds[1]
        else:
            low, high = means.amin(dim=-1, keepdim=True), means.amax(dim=-1, keepdim=True)
        return self._stretched(means, low, high)

    def _stretched(self, means: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """`means` with [low, high] mapped to the range, clipped to [-1, 1]; NaN if too small."""
        first, span = self.first, self.span
        largest = torch.maximum(low.abs(), high.abs())
        near = largest * self.rounding
        constant = high - low <= near
        factor = self._shift_of(largest)
        low_here, high_here = low * factor, high * factor
        gain = span / torch.where(constant, 1.0, high_here - low_here)
        drawn = means * factor * gain + (first - low_here * gain)
        apart = means - low
        at_constant = torch.where(apart.abs() <= near, 0.0, apart) * span + first
        x = torch.clamp(torch.where(constant, at_constant, drawn), -1.0, 1.0)
        return torch.where(~constant & (largest < self.least), torch.nan, x)

    def _means(self, windows: Tensor) -> Tensor:
        # So that no sum overflows.
        factor = self._shift_of(windows.abs().amax(dim=-1, keepdim=True).clamp(min=1.0))
        sums = torch.zeros_like(windows[..., : len(self.edges)])
        for step in range(self.longest):
            inside = self.lengths > step
            # A step of the next segment, where this one has ended, is taken and not added.
            taken = windows[..., torch.where(inside, self.edges + step, self.edges)]
            sums = sums + torch.where(inside, taken, 0.0) * factor
        return (sums / self.lengths / factor).clamp(-self.most, self.most)

    def _shift_of(self, largest: Tensor) -> Tensor:
        """`dualgaf.imaging.scaling.shift_of`, by operations of torch."""
        up = torch.where(largest < self.small, self.shift, torch.ones_like(largest))
        return torch.where(largest > self.large, 1 / self.shift, up)
