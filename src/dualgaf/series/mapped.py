"""Where the numbers of series lie that one array holds: in memory, or mapped from a disk."""

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from dualgaf.series.arrays import Array

_disk: ContextVar[tuple[float, Path | None]] = ContextVar("disk", default=(math.inf, None))
"""See `on_disk_above`."""


@contextmanager
def on_disk_above(most_bytes: float, folder: Path) -> Iterator[None]:
    """A block in which numbers that take more memory lie in a file of this folder, mapped.

    The system writes back what it needs the memory of, and the file has no name: it is gone with
    the series. Where the folder has no room for it, they are in memory all the same.

    Args:
        most_bytes: that all files together may take in memory.
        folder: on a disk.

    Example:
        >>> with on_disk_above(100, Path(tempfile.gettempdir())):
        ...     [numbers_for(size, np.dtype(np.float32))[1] for size in (25, 26)]
        [False, True]
    """
    token = _disk.set((most_bytes, folder))
    try:
        yield
    finally:
        _disk.reset(token)


def numbers_for(size: int, dtype: np.dtype[Any]) -> tuple[Array, bool]:
    """So many numbers, not set; and whether they lie on a disk, see `on_disk_above`.

    Args:
        size: how many.
        dtype: of each.
    """
    n_bytes, (most_bytes, folder) = size * dtype.itemsize, _disk.get()
    if folder is None or n_bytes <= most_bytes:
        return np.empty(size, dtype=dtype), False
    try:
        with tempfile.TemporaryFile(prefix="dualgaf-", dir=folder) as file:
            # Taken at once: a disk that became full would end the process in the middle of a write.
            os.posix_fallocate(file.fileno(), 0, n_bytes)
            mapped = np.memmap(file, dtype=dtype, mode="r+", shape=(size,))
            return mapped.view(np.ndarray), True
    except (OSError, AttributeError):  # a system without it keeps them in memory
        return np.empty(size, dtype=dtype), False
