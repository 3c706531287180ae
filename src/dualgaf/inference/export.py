"""A trained network with its imaging, as one program for raw windows.

`RawWindowClassifier` takes (B, C, T) float64 and gives probabilities (B, K): the imaging of
`dualgaf.data.window_imaging`, the network, and softmax. `export_program` writes it for torch,
`dualgaf.inference.onnx_file` as ONNX.

Fields are drawn, not read from a store: where training stored them as uint8, a pixel here differs
by up to 3.9e-3 from the one that the network was trained on, as it does with ``storage=float32``.

A window that training would have refused (a NaN or an infinity in it, outside [-1, 1] for
``scaling=none``, too small or too far from the training split to be drawn or standardised) gets NaN
as each of its probabilities; the other windows of its batch are not touched.

Whole numbers, such as the readings of a meter, become float64 before anything is done with them.
float32 is refused: of 1e10 it keeps steps of 1024. A network that was trained on float32 takes it.
`torch.autocast` changes nothing.

To load a program and call it, dualgaf is not needed, only torch:

    import torch
    classify = torch.export.load("model.pt2").module()
    probabilities = classify(windows)  # (B, C, T) float64 -> (B, K)
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.window_imaging import WindowImaging
from dualgaf.errors import ConfigError
from dualgaf.inference.metadata import ABOUT, about_text
from dualgaf.models.eval_mode import eval_mode
from dualgaf.system.whole_file import whole_file

PROBE = 2**24 + 1
"""The first whole number that float32 does not hold."""
WRONG_TYPE = (
    "windows are no float64, and what float32 rounds away is lost; type "
    "torch.as_tensor(readings, dtype=torch.float64)"
)


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

    one: Tensor

    def __init__(self, net: nn.Module, state: ImagingState) -> None:
        super().__init__()
        self.imaging = WindowImaging(state)
        self.net = net
        self.register_buffer("one", torch.ones(1, dtype=torch.float64))
        self.takes_float32 = state.dtype == "float32"
        self.temperature = state.temperature

    def forward(self, windows: Tensor) -> Tensor:
        """(B, C, T) float64 -> (B, K) float32."""
        with torch.autocast(windows.device.type, enabled=False):
            windows = self._as_float64(windows)
            *images, series, usable = self.imaging.checked(windows)
            logits = self.net(*images, series)
            if self.temperature != 1:
                logits = logits / self.temperature
            probabilities = torch.softmax(logits, dim=1)
            return torch.where(usable[:, None], probabilities, torch.nan)

    def _as_float64(self, windows: Tensor) -> Tensor:
        # A program holds operations and asks for no type: `double()` would be left out of it, or
        # refuse whole numbers. A product with a tensor of float64 is float64, whatever comes.
        if not self.takes_float32:
            odd = torch.ones_like(windows[:, 0, 0]) * PROBE * self.one
            torch._assert_async((odd.remainder(2) == 1).all(), WRONG_TYPE)
        return windows * self.one


def export_program(net: nn.Module, state: ImagingState, path: Path) -> None:
    """Write a network with its imaging as a `torch.export` program.

    Args:
        net: the trained network, ``classifier.net``. It is left as it was.
        state: the imaging that it was trained with, `Checkpoint.imaging`.
        path: the ``.pt2`` file to write. Its extra file `ABOUT` says what it takes and gives.

    Raises:
        ConfigError: the name of the file has another ending.

    Example:
        >>> import json, tempfile
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
    program = traced(net, state)
    with whole_file(path) as draft, draft.open("wb") as file:
        torch.export.save(program, file, extra_files={ABOUT: about_text(state)})


def traced(net: nn.Module, state: ImagingState) -> torch.export.ExportedProgram:
    """A network with its imaging as a program of torch, for any batch size.

    Raises:
        ConfigError: torch cannot make one of it, say of an extractor whose way depends on values.
    """
    windows = torch.zeros(2, len(state.channel_names), state.window_size, dtype=torch.float64)
    with eval_mode(net):
        try:
            return torch.export.export(
                RawWindowClassifier(net, state).eval(),
                (windows,),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
        except Exception as error:  # its errors have no common ancestor
            why = (str(error).strip() or repr(error)).splitlines()[0]
            raise ConfigError(
                f"torch.export cannot make a program of the network: {type(error).__name__}: "
                f"{why}; write it another way in an extractor of your own"
            ) from error
