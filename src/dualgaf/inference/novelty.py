"""Numbers that a network reads of a window anyway, and how new the window is by them.

They are what the kernels of the MiniRocket branch count, and statistics of each signal. They follow
no gradient, so that windows that were learned are no nearer to each other than others are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dualgaf.data.imaging_state import ImagingState
from dualgaf.imaging.windows import Windows
from dualgaf.inference.parts import in_parts
from dualgaf.models.eval_mode import eval_mode
from dualgaf.models.minirocket.branch import MiniRocketBranch
from dualgaf.models.minirocket.features import N_FEATURES
from dualgaf.models.statistics import STATISTICS, basic_statistics

Array = npt.NDArray[Any]
Progress = Callable[[int], object]

AT_A_TIME = 64
"""Windows whose numbers are read together."""


def numbers_of(net: nn.Module, series: Tensor, device: torch.device) -> Array:
    """(N, C, T) float32, standardised -> (N, F) float32; the network is on that device."""
    found = []
    with torch.inference_mode(), eval_mode(net):
        for part in torch.split(series, AT_A_TIME):
            own = part.to(device)
            kernels = _kernels(net)
            counted = own.new_empty(len(own), 0) if kernels is None else kernels(own)
            found.append(_joined(counted, own))
    return np.concatenate(found)


class NoveltyReader:
    """Judges windows, and says how new each is; what the kernels count is read in passing.

    Args:
        net: the trained network.
        state: of its checkpoint, with `ImagingState.novelty`.
        device: of the network.
    """

    def __init__(self, net: nn.Module, state: ImagingState, device: torch.device) -> None:
        assert state.novelty is not None
        self._device = device
        self._net, self._state, self._novelty = net, state, state.novelty

    def __call__(
        self, classify: Callable[[Windows, Progress], Array], windows: Windows, progress: Progress
    ) -> tuple[Array, Array]:
        """Probabilities (N, K), and (N,) the share of training windows that look less strange."""
        seen: list[Tensor] = []
        kernels = _kernels(self._net)
        hook = None
        if kernels is not None:
            hook = kernels.register_forward_hook(lambda *given: seen.append(given[2]))
        try:
            probabilities = classify(windows, progress)
        finally:
            if hook is not None:
                hook.remove()
        found = np.empty(len(windows))
        parts = in_parts(windows)
        for number, rows in enumerate(parts):
            values = windows.take(rows).astype(self._state.dtype, copy=False)
            series = torch.from_numpy(self._state.scaler.transform(values))
            if kernels is not None and len(seen) == len(parts):
                numbers = _joined(seen[number].cpu(), series)
            else:
                numbers = numbers_of(self._net, series, self._device)
            found[rows] = self._novelty.share(numbers, probabilities[rows])
        return probabilities, found


def kinds_of(net: nn.Module, n_channels: int) -> tuple[int, ...]:
    """How many of these numbers are of each kind."""
    statistics = n_channels * len(STATISTICS)
    return (statistics,) if _kernels(net) is None else (N_FEATURES, statistics)


def _kernels(net: nn.Module) -> nn.Module | None:
    branch = getattr(net, "minirocket", None)
    return branch.features if isinstance(branch, MiniRocketBranch) else None


def _joined(counted: Tensor, series: Tensor) -> Array:
    numbers = torch.cat((counted, basic_statistics(series).flatten(1).to(counted)), dim=1)
    return np.asarray(numbers.cpu().numpy())
