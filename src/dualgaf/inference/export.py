"""A trained network with its imaging, as one program for raw windows.

`RawWindowClassifier` takes (B, C, T) float64 and gives probabilities (B, K): the imaging of
`dualgaf.data.window_imaging`, the network, and softmax.

Fields are drawn, not read from a store: where training stored them as uint8, a pixel here differs
by up to 3.9e-3 from the one that the network was trained on, as it does with ``storage=float32``.

A window that training would have refused (a NaN or an infinity in it, outside [-1, 1] for
``scaling=none``, too small or too far from the training split to be drawn or standardised) gets NaN
as each of its probabilities; the other windows of its batch are not touched.

To load a program and call it, dualgaf is not needed, only torch:

    import torch
    classify = torch.export.load("model.pt2").module()
    probabilities = classify(windows)  # (B, C, T) float64 -> (B, K)
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.window_imaging import WindowImaging
from dualgaf.errors import ConfigError
from dualgaf.models.eval_mode import eval_mode

ABOUT = "dualgaf.json"
"""Name of the file in the archive that says what the program takes and gives."""


class RawWindowClassifier(nn.Module):
    """Raw windows -> probabilities, with the imaging inside.

    Args:
        net: (gasf, gadf, series) -> logits, such as `DualGAFNet`.
        state: the imaging that it was trained with.

    Example:
        >>> import numpy as np
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
        usable = self.imaging.usable(windows)
        return torch.where(usable[:, None], probabilities, torch.nan)


def export_program(net: nn.Module, state: ImagingState, path: Path) -> None:
    """Write a network with its imaging as a `torch.export` program.

    Args:
        net: the trained network, ``classifier.net``. It is left as it was.
        state: the imaging that it was trained with, `Checkpoint.imaging`.
        path: the ``.pt2`` file to write. Its extra file `ABOUT` has the names of classes and
            channels, T, and the recipe.

    Raises:
        ConfigError: the name of the file has another ending.

    Example:
        >>> import tempfile
        >>> import numpy as np
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
    with eval_mode(net):
        program = torch.export.export(
            RawWindowClassifier(net, state).eval(),
            (torch.zeros(2, len(state.channel_names), state.window_size, dtype=torch.float64),),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, path, extra_files={ABOUT: json.dumps(about(state), indent=2)})


def about(state: ImagingState) -> dict[str, Any]:
    """What a program of this imaging takes and gives, in plain values."""
    inside = ("bounds", "mean", "std", "digest", "dtype", "facts", "plants")
    kept = {key: value for key, value in state.to_plain().items() if key not in inside}
    raw = "raw windows"
    if state.plants is not None:
        raw += ", of each value (value - mean) / std of its channel and its plant, see plants"
        kept["plants"] = {
            name: {"mean": own.mean.tolist(), "std": own.std.tolist()}
            for name, own in state.plants.items()
        }
    return {
        **kept,
        "takes": f"(B, {len(state.channel_names)}, {state.window_size}) float64, {raw}",
        "gives": f"(B, {len(state.class_names)}) float32, probabilities",
    }
