"""Probabilities of windows that are in memory, by a network and what it was trained on."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dualgaf.data.batch import Batch, PolarBatch, StoredBatch, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.imaging_state import ImagingState
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.windows import Windows
from dualgaf.inference.fused import FusedNet, reads_only_diagonals
from dualgaf.inference.parts import in_parts
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.eval_mode import eval_mode
from dualgaf.models.idle_threads import idle_threads_asleep, one_thread_for_few

Array = npt.NDArray[Any]


class WindowClassifier:
    """Windows -> probabilities, on the device of the model.

    Where the network reads a few diagonals only these are drawn (`FusedNet`), else whole images.

    Args:
        model: the trained classifier. Its weights are those of now.
        state: what its windows were.
        on_device: whether its images were drawn for each batch; else pixels are those of the store.
    """

    def __init__(self, model: DualGAFClassifier, state: ImagingState, on_device: bool) -> None:
        self._model, self._state = model, state
        self._logits: Callable[[Windows, Array, Tensor], Tensor]
        if reads_only_diagonals(model, state):
            self._logits = FusedNet(model.net, state, on_device)
            self._part: torch.nn.Module = model.net
        else:
            self._logits = _ImageNet(model, state, on_device)
            self._part = model
        self._modules = tuple(self._part.modules())

    def __call__(self, windows: Windows, progress: Callable[[int], object] = int) -> Array:
        """Probabilities of each class for each window.

        Args:
            windows: N of them, of finite numbers; their type becomes that of the training.
            progress: is told how many windows were classified, again and again.

        Returns:
            (N, K) float64; each row adds up to 1.

        Raises:
            SeriesError: a window cannot be drawn, as in training.
        """
        state, device = self._state, self._model.device
        flat = windows.flat.astype(state.dtype, copy=False)
        windows = Windows(flat, windows.starts, windows.window_size)
        total = len(windows)
        found = np.empty((total, len(state.class_names)))
        is_ready = not any(module.training for module in self._modules)
        with (
            torch.inference_mode(),
            nullcontext() if is_ready else eval_mode(self._part),
            one_thread_for_few(total) if device.type == "cpu" else nullcontext(),
            idle_threads_asleep(device),
        ):
            for rows in in_parts(windows):
                series = torch.from_numpy(state.scaler.transform(windows.take(rows)))
                logits = self._logits(windows, rows, series).double() / state.temperature
                found[rows] = torch.softmax(logits, dim=1).cpu().numpy()
                progress(len(rows))
        return np.asarray(found / found.sum(axis=1, keepdims=True))


class _ImageNet:
    """A classifier that is given whole images."""

    def __init__(self, model: DualGAFClassifier, state: ImagingState, on_device: bool) -> None:
        self._model, self._on_device = model, on_device
        self._renderer = Renderer(state.recipe, state.window_size, state.bounds)
        self._buffers = ImageBuffers()

    def __call__(self, windows: Windows, rows: Array, series: Tensor) -> Tensor:
        device, recipe = self._model.device, self._renderer.recipe
        none = torch.zeros(len(rows), dtype=torch.int64)
        batch: Any
        if self._on_device:
            angles = torch.from_numpy(self._renderer.polar(windows, rows))
            batch = PolarBatch(angles.to(device), series.to(device), none)
        else:
            fields = np.empty((len(rows), *recipe.row_shape(windows.n_channels)), recipe.dtype)
            self._renderer.render_rows(windows, rows, fields)
            batch = StoredBatch(torch.from_numpy(fields).to(device), series.to(device), none)
        made: Batch = to_images(batch, self._buffers)
        logits: Tensor = self._model(made.gasf, made.gadf, made.series)
        return logits
