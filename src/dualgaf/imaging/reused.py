"""Memory of large images that are gone, for the next ones.

To draw into new memory takes about twice as long as into memory that is there: the system fills
each page with zeros first, and takes it back with the array. Here the memory of the last array that
is gone is kept, but marked (``MADV_FREE``), so that the system takes its pages, without writing
them anywhere, as soon as it is short of memory; they are new then.
"""

import mmap
from collections import deque
from math import prod
from typing import Any
from weakref import finalize

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LARGE_BYTES = 1 << 22
"""Smaller arrays are not given back to the system by every C library."""
FITS = 2
"""A kept block may be so many times as large as what is asked for."""

# One that is larger or smaller than what comes next is let go. A deque needs no lock, which a
# finalizer that runs in the middle of `empty` would wait for.
_kept: deque[mmap.mmap] = deque(maxlen=1)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """As `numpy.empty`, in the memory of an earlier array of about this size, if it is gone.

    Args:
        shape: of the array.
        dtype: likewise.

    Example:
        >>> first = empty((2, 1 << 22), "uint8")
        >>> first[:] = 7
        >>> empty((2, 1 << 22), "uint8").max() >= 0, first.min()  # the first one is not touched
        (np.True_, np.uint8(7))
    """
    kind = np.dtype(dtype)
    n_bytes = prod(shape) * kind.itemsize
    if n_bytes < LARGE_BYTES or not hasattr(mmap, "MADV_FREE"):
        return np.empty(shape, kind)
    try:
        block = _block(n_bytes)
    except OSError:  # a limit of the process, say; NumPy has the words for it
        return np.empty(shape, kind)
    owner = _Owner(block, shape, kind)
    finalize(owner, _keep, block).atexit = False
    return np.asarray(owner)


class _Owner:
    """What an array and all of its views hold: it is gone when they are."""

    def __init__(self, block: mmap.mmap, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        address = np.frombuffer(block, np.uint8).ctypes.data
        self.__array_interface__ = {
            "version": 3, "data": (address, False), "shape": shape, "typestr": dtype.str,
        }  # fmt: skip


def _block(n_bytes: int) -> mmap.mmap:
    try:
        block = _kept.pop()
    except IndexError:
        block = None
    if block is not None and n_bytes <= len(block) <= FITS * n_bytes:
        return block
    block = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


def _keep(block: mmap.mmap) -> None:
    block.madvise(mmap.MADV_FREE)
    _kept.append(block)
