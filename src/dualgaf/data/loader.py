"""`ImageLoader`: a loader whose batches have float32 images, with and without loader workers.

Loader workers ship batches through /dev/shm. A container often has 64 MB there, or none, or not a
writable one; then a loader fails in the middle of an epoch with an error of torch or
multiprocessing. So `loader_workers` looks at it before:

1. without semaphores, which live in /dev/shm, there are no loader workers;
2. batches under way may take half of what is free: at first fewer are made in advance, then by
   fewer workers, then by none. The batches are the same.
"""

import multiprocessing
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Sampler

from dualgaf.data.batch import AnyBatch, Batch, to_images, unmark
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.dataset import DualGAFDataset
from dualgaf.errors import FallbackWarning
from dualgaf.system.machine import disk_free, format_bytes

PREFETCH = 2
"""Batches that a loader worker makes in advance, torch's own choice."""
_SHM = Path("/dev/shm")


class LateLoader(DataLoader[Batch]):
    """A loader whose workers begin when the first batch is asked for.

    Where a training goes on from a checkpoint, Lightning begins to iterate before it knows the
    epoch: workers that began then would make batches of another one.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Batches of one epoch."""
        return _Late(super().__iter__)


class _Late(Iterator[Batch]):
    def __init__(self, begin: Callable[[], Iterator[Batch]]) -> None:
        self._begin = begin
        self._batches: Iterator[Batch] | None = None

    def __next__(self) -> Batch:
        if self._batches is None:
            self._batches = self._begin()
        return next(self._batches)


class ImageLoader(LateLoader):
    """A loader over a `DualGAFDataset` that has buffers; takes what `DataLoader` takes.

    In process the dataset makes the images. Loader workers ship what they are made of, and they are
    made here.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Batches of one epoch."""
        buffers = cast(DualGAFDataset, self.dataset).buffers or ImageBuffers()
        # Not a generator, which would hold the batch before while the next one is made.
        return map(partial(to_images, buffers=buffers), super().__iter__())


def make_loader(
    dataset: DualGAFDataset,
    sampler: Sampler[int] | None,
    batch_size: int,
    num_workers: int,
    seed: int,
    *,
    pin_memory: bool,
) -> DataLoader[Batch]:
    """A loader over a dataset; with its images where the dataset has buffers for them.

    Args:
        dataset: of one split, or of two joined.
        sampler: the order of its windows; None as they are.
        batch_size: windows per batch.
        num_workers: loader processes that are asked for, see `loader_workers`.
        seed: for what loader workers draw.
        pin_memory: as of `DataLoader`.
    """
    workers, prefetch = loader_workers(num_workers, batch_size * dataset.shipped_bytes)
    kind: type[DataLoader[Batch]] = LateLoader if workers else DataLoader
    return (kind if dataset.buffers is None else ImageLoader)(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        # Else a loader takes a number from the generator of this process for its workers.
        generator=torch.Generator().manual_seed(seed),
        num_workers=workers,
        prefetch_factor=prefetch,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        collate_fn=collate,
    )


def collate(batch: Any) -> AnyBatch:
    """Pass on what ``__getitems__`` made: there is nothing left to stack."""
    return unmark(batch)


def loader_workers(asked: int, batch_bytes: int) -> tuple[int, int | None]:
    """Loader workers and batches that each makes in advance, at most as asked.

    Args:
        asked: ``num_workers``.
        batch_bytes: bytes of a batch as a loader worker ships it.

    Returns:
        Workers and prefetch factor, as `DataLoader` takes them; (0, None) where batches can only be
        made in this process. One `FallbackWarning` where it is less than asked.

    Example:
        >>> loader_workers(0, 1 << 40)
        (0, None)
    """
    if asked == 0:
        return 0, None
    try:
        multiprocessing.get_context("fork").Semaphore()
    except OSError as error:
        _warn(asked, 0, f"/dev/shm takes no semaphore ({error.strerror or error})")
        return 0, None
    if not _SHM.is_dir():
        return asked, PREFETCH  # another system, which ships batches in another way
    free = disk_free(_SHM)
    fits = free // 2 // max(1, batch_bytes)
    if fits >= asked * PREFETCH:
        return asked, PREFETCH
    workers = min(asked, fits)
    _warn(
        asked,
        workers,
        f"/dev/shm has {format_bytes(free)} free, and a batch takes {format_bytes(batch_bytes)}",
    )
    return workers, 1 if workers else None


def _warn(asked: int, workers: int, why: str) -> None:
    instead = (
        f"{workers} loader workers with one batch in advance each"
        if workers
        else ("this process makes the batches itself")
    )
    warnings.warn(
        f"num_workers={asked} is not served, {instead}: {why}; make /dev/shm larger (docker: "
        f"--shm-size=1g), take a smaller batch_size, or type num_workers={workers}",
        FallbackWarning,
        stacklevel=3,
    )
