"""How many loader workers the machine can serve: torch ships their batches through /dev/shm.

A container often has 64 MB there, or none, or not a writable one. Then a loader fails in the middle
of an epoch with an error of torch or multiprocessing, so it is looked at before:

1. without semaphores, which live in /dev/shm, there are no loader workers;
2. batches under way may take half of what is free: at first fewer are made in advance, then by
   fewer workers, then by none. The batches are the same.
"""

import multiprocessing
import warnings
from pathlib import Path

from dualgaf.errors import LadderWarning
from dualgaf.machine import disk_free, format_bytes

PREFETCH = 2
"""Batches that a loader worker makes in advance, torch's own choice."""
_SHM = Path("/dev/shm")


def loader_workers(asked: int, batch_bytes: int) -> tuple[int, int | None]:
    """Loader workers and batches that each makes in advance, at most as asked.

    Args:
        asked: ``num_workers``.
        batch_bytes: bytes of a batch as a loader worker ships it.

    Returns:
        Workers and prefetch factor, as `DataLoader` takes them; (0, None) where batches can only be
        made in this process. One `LadderWarning` where it is less than asked.

    Example:
        >>> loader_workers(0, 1 << 40), loader_workers(1, 1)
        ((0, None), (1, 2))
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
        LadderWarning,
        stacklevel=3,
    )
