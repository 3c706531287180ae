"""`FusedNet`: a network that reads diagonals, from raw windows on, drawing nothing else.

Pixels are those that the network was trained on, rounded as they were stored. Probabilities are
those of the whole images to float32's rounding, see `dualgaf.models.extractors.folded`. Each branch
is the network's own: a further one of `DualGAFNet.ensemble` needs nothing here.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dualgaf.data.imaging_state import ImagingState
from dualgaf.imaging.bands import BandRenderer
from dualgaf.imaging.windows import Windows
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.extractors.diagonals import LAGS, DiagonalExtractor
from dualgaf.models.extractors.folded import FoldedDiagonals
from dualgaf.models.net import DualGAFNet

Array = npt.NDArray[Any]

_LAGS = np.array(LAGS)


class FusedNet:
    """Raw windows -> logits (B, K), on the CPU.

    Args:
        net: one that `reads_only_diagonals`. What it does beside its extractor follows it; the
            extractor's weights are copied now.
        state: what its windows were.
        on_device: whether its images were drawn for each batch, and never rounded.
    """

    def __init__(self, net: DualGAFNet, state: ImagingState, on_device: bool) -> None:
        assert isinstance(net.joint_extractor, DiagonalExtractor)
        self.net = net
        self._read = FoldedDiagonals(net.joint_extractor)
        self._renderer = BandRenderer(state.recipe, state.window_size, state.bounds)
        self._stored = not on_device
        is_stacked = net.settings["arrangement"] == "stacked"
        self._vectors = 1 if is_stacked else len(state.channel_names)

    def __call__(self, windows: Windows, rows: Array, series: Tensor) -> Tensor:
        """Logits of the windows of ``rows`` (B,), and series (B, C, T) float32, standardised.

        Raises:
            SeriesError: a window cannot be drawn.
        """
        shape = (len(rows), self._vectors, self._renderer.recipe.image_size, len(self._read.scale))
        pixels = np.empty(shape, dtype=np.float32)
        self._renderer.bands(
            windows,
            rows,
            _LAGS,
            self._read.centre,
            self._read.scale,
            pixels,
            stored=self._stored,
            threads=torch.get_num_threads(),
        )
        features = self._read(torch.from_numpy(pixels).flatten(0, 1))  # (B V, W)
        logits = self.net.of_features(features.view(len(rows), self._vectors, -1), series)
        return self.net.ensemble(logits, series)


def reads_only_diagonals(model: DualGAFClassifier, state: ImagingState) -> bool:
    """Whether a `FusedNet` can stand for a classifier: no part is somebody's own, nor on a GPU."""
    net: Any = model.net
    if type(net) is not DualGAFNet or type(model).forward is not DualGAFClassifier.forward:
        return False
    own = type(net.joint_extractor) is DiagonalExtractor
    plain = all(
        tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in net.parameters()
    )
    return own and plain and net.reads_diagonals(state.recipe.image_size)
