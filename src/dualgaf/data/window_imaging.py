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
from dualgaf.imaging.paa import paa_edges
from dualgaf.imaging.scaling import CONSTANT_BELOW


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

    def __init__(self, state: ImagingState) -> None:
        super().__init__()
        self.recipe = state.recipe
        edges = paa_edges(state.window_size, state.recipe.image_size)
        n_channels = len(state.channel_names)
        bounds = np.zeros((2, n_channels)) if state.bounds is None else state.bounds
        for name, values in (
            ("edges", edges[:-1]),
            ("lengths", np.diff(edges)),
            ("bounds", bounds[:, :, None]),
            ("mean", state.scaler.mean[:, None]),
            ("std", state.scaler.std[:, None]),
        ):
            self.register_buffer(name, torch.tensor(values))
        self.longest = int(np.diff(edges).max())

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, T) float64 -> gasf, gadf (B, C, S, S) and series (B, C, T), float32."""
        cosine = self.cosine(windows)
        angles = torch.stack((cosine, torch.sqrt(1.0 - cosine * cosine)), dim=1).float()
        gasf, gadf = draw_on_device(angles)
        return gasf, gadf, ((windows - self.mean) / self.std).float()

    def cosine(self, windows: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, S) float64, the series after PAA and scaling."""
        means = self._means(windows)
        if self.recipe.scaling == "none":
            return means
        if self.recipe.scaling == "train":
            low, high = self.bounds[0], self.bounds[1]
        else:
            low, high = means.amin(dim=-1, keepdim=True), means.amax(dim=-1, keepdim=True)
        first, last = self.recipe.feature_range
        span = high - low
        gain = (last - first) / torch.where(span < CONSTANT_BELOW, 1.0, span)
        return torch.clamp(means * gain + (first - low * gain), -1.0, 1.0)

    def _means(self, windows: Tensor) -> Tensor:
        sums = torch.zeros_like(windows[..., : len(self.edges)])
        for step in range(self.longest):
            inside = self.lengths > step
            # A step of the next segment, where this one has ended, is taken and not added.
            taken = windows[..., torch.where(inside, self.edges + step, self.edges)]
            sums = sums + torch.where(inside, taken, 0.0)
        return sums / self.lengths
