"""Probabilities of windows that are in memory, by a network and what it was trained on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dualgaf.data.batch import Batch, PolarBatch, StoredBatch, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.window_digest import window_hashes
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.windows import Windows
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.eval_mode import eval_mode
from dualgaf.models.idle_threads import idle_threads_asleep

Array = npt.NDArray[Any]

AT_A_TIME = 64
"""Windows that are drawn and classified at a time."""


def window_probabilities(
    model: DualGAFClassifier,
    state: ImagingState,
    windows: Windows,
    on_device: bool,
    progress: Callable[[int], object] = int,
) -> Array:
    """Probabilities of each class for each window, on the device of the model.

    Args:
        model: the trained classifier.
        state: what its windows were.
        windows: N of them, of finite numbers; their type becomes that of the training.
        on_device: whether its images were drawn for each batch; else pixels are those of the store.
        progress: is told how many windows were classified, again and again.

    Returns:
        (N, K) float64; each row adds up to 1.

    Raises:
        SeriesError: a window cannot be drawn, as in training.
    """
    renderer = Renderer(state.recipe, state.window_size, state.bounds)
    flat = windows.flat.astype(state.dtype, copy=False)
    windows = Windows(flat, windows.starts, windows.window_size)
    total = len(windows)
    # A window's place in a batch changes its last digits. In an order of their own, a window's
    # probabilities do not follow from the order in which windows are given.
    order = np.argsort(window_hashes(windows, np.arange(total)), kind="stable")
    buffers, device = ImageBuffers(), model.device
    found = np.empty((total, len(state.class_names)))
    with eval_mode(model), torch.inference_mode(), idle_threads_asleep(device):
        for first in range(0, total, AT_A_TIME):
            rows = order[first : first + AT_A_TIME]
            series = torch.from_numpy(state.scaler.transform(windows.take(rows)))
            none = torch.zeros(len(rows), dtype=torch.int64)
            batch: Any
            if on_device:
                angles = torch.from_numpy(renderer.polar(windows, rows))
                batch = PolarBatch(angles.to(device), series.to(device), none)
            else:
                shape = (len(rows), *state.recipe.row_shape(windows.n_channels))
                fields = np.empty(shape, state.recipe.dtype)
                chosen = Windows(windows.flat, windows.starts[rows], windows.window_size)
                renderer.render(chosen, 0, len(rows), fields)
                pixels = torch.from_numpy(fields)
                batch = StoredBatch(pixels.to(device), series.to(device), none)
            made: Batch = to_images(batch, buffers)
            logits = model(made.gasf, made.gadf, made.series)
            found[rows] = torch.softmax(logits.double(), dim=1).cpu().numpy()
            progress(len(rows))
    return np.asarray(found / found.sum(axis=1, keepdims=True))
