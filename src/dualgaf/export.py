"""A trained network with its imaging, as one program for raw windows.

`RawWindowClassifier` takes (B, C, T) float64 and gives probabilities (B, K):

1. PAA to S means, the steps of a segment added in their order.
2. Scaling by the bounds of the training split, by the window, or not at all; then the angle. All in
   float64, operation by operation as in `dualgaf.imaging`.
3. Both fields in float32; the series standardised by the training split.
4. The network, and softmax.

Fields are drawn, not read from a store: where training stored them as uint8, a pixel here differs
by up to 3.9e-3 from the one that the network was trained on, as it does with ``storage=float32``.

A window that training would have refused, with a NaN or an infinity in it, or outside [-1, 1] for
``scaling=none``, gets NaN as each of its probabilities; the other windows of its batch are not
touched.

To load a program and call it, dualgaf is not needed, only torch:

    import torch
    classify = torch.export.load("model.pt2").module()
    probabilities = classify(windows)  # (B, C, T) float64 -> (B, K)
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.on_device import draw
from dualgaf.errors import ConfigError
from dualgaf.imaging.paa import paa_edges
from dualgaf.imaging.scaling import CONSTANT_BELOW
from dualgaf.models.evaluating import evaluating

ABOUT = "dualgaf.json"
"""Name of the file in the archive that says what the program takes and gives."""


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
    deviation: Tensor

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
            ("deviation", state.scaler.deviation[:, None]),
        ):
            self.register_buffer(name, torch.tensor(values))
        self.longest = int(np.diff(edges).max())

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, T) float64 -> gasf, gadf (B, C, S, S) and series (B, C, T), float32."""
        cosine = self.cosine(windows)
        angles = torch.stack((cosine, torch.sqrt(1.0 - cosine * cosine)), dim=1).float()
        gasf, gadf = draw(angles)
        return gasf, gadf, ((windows - self.mean) / self.deviation).float()

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


class RawWindowClassifier(nn.Module):
    """Raw windows -> probabilities, with the imaging inside.

    Args:
        net: (gasf, gadf, series) -> logits, such as `DualGAFNet`.
        state: the imaging that it was trained with.

    Example:
        >>> from dualgaf.data.series_scaler import SeriesScaler
        >>> from dualgaf.imaging.recipe import ImagingRecipe
        >>> from dualgaf.models.net import DualGAFNet
        >>> scaler = SeriesScaler(np.zeros(1), np.ones(1))
        >>> state = ImagingState(ImagingRecipe(8), 24, None, scaler, ("sat",), ("a", "b"), "")
        >>> classify = RawWindowClassifier(DualGAFNet(1, 2), state).eval()
        >>> classify(torch.rand(5, 1, 24).double()).shape
        torch.Size([5, 2])
    """

    def __init__(self, net: nn.Module, state: ImagingState) -> None:
        super().__init__()
        self.imaging = WindowImaging(state)
        self.net = net

    def forward(self, windows: Tensor) -> Tensor:
        """(B, C, T) float64 -> (B, K) float32."""
        probabilities = torch.softmax(self.net(*self.imaging(windows)), dim=1)
        usable = torch.isfinite(windows).flatten(1).all(dim=1)
        if self.imaging.recipe.scaling == "none":
            usable = usable & (self.imaging.cosine(windows).abs() <= 1.0).flatten(1).all(dim=1)
        return torch.where(usable[:, None], probabilities, torch.nan)


def export_program(net: nn.Module, state: ImagingState, path: Path) -> None:
    """Write a network with its imaging as a `torch.export` program.

    Args:
        net: the trained network, ``classifier.net``. It is left as it was.
        state: the imaging that it was trained with, from `dualgaf.trained.read_imaging`.
        path: the ``.pt2`` file to write. Its extra file `ABOUT` has the names of classes and
            channels, T, and the recipe.

    Raises:
        ConfigError: the name of the file has another ending.

    Example:
        >>> import tempfile
        >>> from dualgaf.data.series_scaler import SeriesScaler
        >>> from dualgaf.imaging.recipe import ImagingRecipe
        >>> from dualgaf.models.net import DualGAFNet
        >>> scaler = SeriesScaler(np.zeros(1), np.ones(1))
        >>> state = ImagingState(ImagingRecipe(8), 24, None, scaler, ("sat",), ("a", "b"), "")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "model.pt2")
        ...     export_program(DualGAFNet(1, 2), state, file)
        ...     about = {ABOUT: ""}
        ...     classify = torch.export.load(file, extra_files=about).module()
        >>> classify(torch.rand(3, 1, 24).double()).shape, json.loads(about[ABOUT])["class_names"]
        (torch.Size([3, 2]), ['a', 'b'])
    """
    if path.suffix != ".pt2":
        raise ConfigError(
            f"--output {path} is no program of torch; type --output {path.with_suffix('.pt2')}"
        )
    with evaluating(net):
        program = torch.export.export(
            RawWindowClassifier(net, state).eval(),
            (torch.zeros(2, len(state.channel_names), state.window_size, dtype=torch.float64),),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, path, extra_files={ABOUT: json.dumps(about(state), indent=2)})


def about(state: ImagingState) -> dict[str, Any]:
    """What a program of this imaging takes and gives, in plain values."""
    inside = ("bounds", "mean", "deviation", "digest")
    kept = {key: value for key, value in state.to_plain().items() if key not in inside}
    return {
        **kept,
        "takes": f"(B, {len(state.channel_names)}, {state.window_size}) float64, raw windows",
        "gives": f"(B, {len(state.class_names)}) float32, probabilities",
    }
