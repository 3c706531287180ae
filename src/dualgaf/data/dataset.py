"""`DualGAFDataset`: the windows of one split, gathered a batch at a time.

`__getitems__` makes a whole batch at once, so a loader has nothing left to stack and needs no
worker processes. Where the model is on the CPU the batch leaves with its float32 images, which one
pass writes into recycled memory. Elsewhere, and out of a loader worker, it leaves as the smallest
thing that can be shipped.
"""

import copy
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, get_worker_info

from dualgaf.data.batch import AnyBatch, Batch, PolarBatch, StoredBatch, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.on_cpu import read_rows
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.gather import gather_series
from dualgaf.imaging.windows import Windows
from dualgaf.store.store import Store

Array = npt.NDArray[Any]


class DualGAFDataset(Dataset[Batch]):
    """Windows of one split with their images, series and labels.

    Args:
        windows: all windows of the source.
        rows: (N,) indices of this split's windows.
        labels: (N,) class of each, -1 without.
        scaler: of the series, fitted on the training split.
        images: the renderer (drawn per batch), or the store with (N,) its row of each window.
    """

    def __init__(
        self,
        windows: Windows,
        rows: Array,
        labels: Array,
        scaler: SeriesScaler,
        images: Renderer | tuple[Store, Array],
    ) -> None:
        self.windows = windows
        self.rows = rows
        self.labels = labels
        self.scaler = scaler
        self.images = images
        self.buffers: ImageBuffers | None = None

    def with_images_in(self, buffers: ImageBuffers) -> Self:
        """The same windows, whose batches are made with float32 images in these buffers."""
        dataset = copy.copy(self)
        dataset.buffers = buffers
        return dataset

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        """One window, decoded: gasf and gadf (C, S, S), series (C, T), label ()."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is outside {len(self)} windows")
        batch = to_images(self.__getitems__([index]), self.buffers or ImageBuffers())
        return Batch(*(tensor[0] for tensor in batch))

    def __getitems__(self, indices: list[int]) -> AnyBatch:
        """A whole batch: with images where there are buffers for them, else what they are made of.

        A loader worker makes no images: they would be copied into shared memory once more.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        rows = self.rows[chosen]
        mean, deviation = self.scaler.mean, self.scaler.deviation
        series = torch.from_numpy(gather_series(self.windows, rows, mean, deviation))
        label = torch.from_numpy(self.labels[chosen])
        buffers = self.buffers if get_worker_info() is None else None
        if isinstance(self.images, Renderer):
            angles = torch.from_numpy(self.images.polar(self.windows, rows))
            polar = PolarBatch(angles, series, label)
            return polar if buffers is None else to_images(polar, buffers)
        store, store_rows = self.images
        picked = store_rows[chosen]
        if buffers is None:
            return StoredBatch(torch.from_numpy(store.array[picked]), series, label)
        return Batch(*read_rows(store.array, picked, buffers), series, label)
