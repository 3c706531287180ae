"""`DualGAFDataset`: the windows of one split, gathered a batch at a time.

`__getitems__` takes a whole batch out of the store in one gather (55 000 windows a second where a
loop over samples reaches 1 300), so a loader needs `collate` and no worker processes.
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from dualgaf.data.batch import AnyBatch, Batch, PolarBatch, StoredBatch, to_images
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.imaging.gaf import Renderer
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

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        """One window, decoded: gasf and gadf (C, S, S), series (C, T), label ()."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is outside {len(self)} windows")
        return Batch(*(tensor[0] for tensor in to_images(self.__getitems__([index]))))

    def __getitems__(self, indices: list[int]) -> StoredBatch | PolarBatch:
        """A whole batch, as small as it can be shipped."""
        chosen = np.asarray(indices, dtype=np.int64)
        rows = self.rows[chosen]
        series = torch.from_numpy(self.scaler.transform(self.windows.take(rows)))
        label = torch.from_numpy(self.labels[chosen])
        if isinstance(self.images, Renderer):
            angles = torch.from_numpy(self.images.polar(self.windows, rows))
            return PolarBatch(angles, series, label)
        store, store_rows = self.images
        return StoredBatch(torch.from_numpy(store.array[store_rows[chosen]]), series, label)


def collate(batch: Any) -> AnyBatch:
    """Pass on what `__getitems__` gathered: there is nothing left to stack."""
    return cast(AnyBatch, batch)


def collate_images(batch: Any) -> Batch:
    """As `collate`, with float32 images: for loops without a Trainer."""
    return to_images(batch)
