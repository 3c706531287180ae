"""`ImageLoader`: a loader whose batches have float32 images, with and without loader workers."""

from collections.abc import Iterator
from functools import partial
from typing import Any, cast

from torch.utils.data import DataLoader

from dualgaf.data.batch import AnyBatch, Batch, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.dataset import DualGAFDataset


class ImageLoader(DataLoader[Batch]):
    """A loader over a `DualGAFDataset` that has buffers; takes what `DataLoader` takes.

    In process the dataset makes the images. Loader workers ship what they are made of, and they are
    made here.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Batches of one epoch."""
        buffers = cast(DualGAFDataset, self.dataset).buffers or ImageBuffers()
        # Not a generator, which would hold the batch before while the next one is made.
        return map(partial(to_images, buffers=buffers), super().__iter__())


def collate(batch: Any) -> AnyBatch:
    """Pass on what ``__getitems__`` made: there is nothing left to stack."""
    return cast(AnyBatch, batch)
