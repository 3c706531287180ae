"""What the memory allows: bare writes of as many bytes, into fresh memory, by as many workers.

The page fault is the wall, not the arithmetic: fresh memory must be found and zeroed by the kernel
before it can be written. So each kind of memory has its own limit.

* private: ``memset`` over a new array, mapped as NumPy maps it (huge pages where allowed);
* shared: ``memset`` through a map of one new memfd. This is the limit that a shared store is
  compared with; it can be passed, because
* shared by ``pwrite``: writing a block that stays in the processor's cache into one memfd a worker
  takes no page faults.
"""

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.bench.runner import Side
from dualgaf.pool.chunk import BLOCK_BYTES

Array = npt.NDArray[Any]

MEMSET = {
    "private": "limit: memset, private memory",
    "shared": "limit: memset, one shared memfd",
}
"""The limit of each kind of memory."""
PWRITE = "limit: pwrite of a cached block, a memfd a worker"


def limit_sides(windows: int, n_bytes: int, workers: int) -> list[Side]:
    """The three limits.

    Args:
        windows: N, for the rate in windows.
        n_bytes: bytes to write.
        workers: threads that write.
    """
    work = {MEMSET["private"]: _private, MEMSET["shared"]: _shared, PWRITE: _by_pwrite}
    return [
        Side(name, partial(write, n_bytes, workers), windows, n_bytes)
        for name, write in work.items()
    ]


@contextlib.contextmanager
def _private(n_bytes: int, workers: int) -> Iterator[None]:
    memory = np.empty(n_bytes, dtype=np.uint8)
    _memset(memory, workers)
    yield


@contextlib.contextmanager
def _shared(n_bytes: int, workers: int) -> Iterator[None]:
    with _memfd() as descriptor:
        os.ftruncate(descriptor, n_bytes)
        memory = np.frombuffer(mmap.mmap(descriptor, n_bytes), dtype=np.uint8)
        _memset(memory, workers)
        yield


@contextlib.contextmanager
def _by_pwrite(n_bytes: int, workers: int) -> Iterator[None]:
    block = memoryview(bytes(BLOCK_BYTES))
    edges = [n_bytes * worker // workers for worker in range(workers + 1)]
    sizes = np.diff(edges).tolist()
    with contextlib.ExitStack() as files, ThreadPoolExecutor(workers) as threads:
        descriptors = [files.enter_context(_memfd()) for _ in sizes]
        list(threads.map(partial(_fill_file, block), descriptors, sizes))
        yield


def _memset(memory: Array, workers: int) -> None:
    def zero(part: Array) -> None:
        ctypes.memset(part.ctypes.data, 0, part.nbytes)  # releases the GIL

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(zero, np.array_split(memory, workers)))


def _fill_file(block: memoryview, descriptor: int, n_bytes: int) -> None:
    for offset in range(0, n_bytes, len(block)):
        os.pwrite(descriptor, block[: n_bytes - offset], offset)


@contextlib.contextmanager
def _memfd() -> Iterator[int]:
    descriptor = os.memfd_create("dualgaf-bench", os.MFD_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
