"""`Segments`: the bytes of one store in several files without a name, side by side.

    file 0                file 1                file 2
    [0 ......... a)       [a ......... b)       [b ......... total)      a, b: whole huge pages

The kernel lets one writer at a time into a file (its inode lock), so one file takes 2.7 GB/s
however many workers write, and two files take 5.5. A store therefore has a file for each worker.
Readers see nothing of it: the files are mapped one behind the other into one range of addresses.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

MIN_SEGMENT_BYTES = 16 << 20
"""Below this a second file costs more than it gains."""
MAX_SEGMENTS = 16
"""More files would take many descriptors; the memory is saturated before."""
SEAL_WAIT_S = 2.0
"""The kernel refuses a seal (EBUSY) also while it has a page in hand itself, to move it to another
place for instance: seen in one of many runs of all tests. It lets go of it soon."""

# Without it the kernel refuses to map a disk file larger than the memory as private and writable.
# Python names it from 3.13 on; this is its value on Linux.
_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
_MAP_FIXED = 0x10
_HUGE_PAGE = 2 << 20
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def segment_count(total_bytes: int, workers: int) -> int:
    """How many files a store of this size has where so many workers fill it.

    Example:
        >>> segment_count(1 << 20, 8), segment_count(1 << 30, 8)
        (1, 8)
    """
    return max(1, min(workers, MAX_SEGMENTS, total_bytes // MIN_SEGMENT_BYTES))


@dataclass(frozen=True)
class Segments:
    """Open files that hold the bytes 0..total_bytes-1, in equal parts of whole pages.

    Example:
        >>> files = Segments.create(lambda: os.memfd_create("dualgaf-doctest"), 10_000, 2)
        >>> files.starts, files.write(b"ab", 4095), bytes(files.map()[4095:4097])
        ((0, 4096), None, b'ab')
        >>> files.close()
    """

    descriptors: tuple[int, ...]
    """The open files, in their order."""
    total_bytes: int
    """Bytes of all together."""

    @classmethod
    def create(cls, new_file: Callable[[], int], total_bytes: int, count: int) -> Self:
        """New empty files of the right sizes; sparse, so they take no memory yet.

        Raises:
            OSError: the system refuses a file; none is left open.
        """
        opened: list[int] = []
        try:
            opened.extend(new_file() for _ in range(count))
            files = cls(tuple(opened), total_bytes)
            for descriptor, size in zip(opened, files.sizes, strict=True):
                os.ftruncate(descriptor, size)
        except BaseException:
            for descriptor in opened:
                os.close(descriptor)
            raise
        return files

    @property
    def starts(self) -> tuple[int, ...]:
        """First byte of each file."""
        count = len(self.descriptors)
        small = self.total_bytes < 2 * count * _HUGE_PAGE
        page = mmap.PAGESIZE if small else _HUGE_PAGE  # huge pages, where there are any, stay whole
        return tuple(k * (self.total_bytes // page) // count * page for k in range(count))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of each file."""
        ends = (*self.starts[1:], self.total_bytes)
        return tuple(end - start for start, end in zip(self.starts, ends, strict=True))

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Copy bytes to where they belong, across the seams.

        Raises:
            OSError: a file is full.
        """
        view = memoryview(data)
        starts, ends = self.starts, (*self.starts[1:], self.total_bytes)
        for descriptor, start, end in zip(self.descriptors, starts, ends, strict=True):
            while len(view) and start <= offset < end:
                written = os.pwrite(descriptor, view[: end - offset], offset - start)
                view, offset = view[written:], offset + written

    def map(self) -> mmap.mmap:
        """All bytes as one private map: reading copies nothing, writing copies a page.

        Raises:
            OSError: the system has no room for the map.
        """
        try:
            return self._map(mmap.MAP_PRIVATE | _MAP_NORESERVE, mmap.PROT_READ | mmap.PROT_WRITE)
        except OSError:
            # RLIMIT_DATA bounds private writable maps only; a read-only one is better than none.
            return self._map(mmap.MAP_SHARED, mmap.PROT_READ)

    def allocated_bytes(self) -> int:
        """Bytes that the files have taken so far."""
        return sum(os.fstat(descriptor).st_blocks * 512 for descriptor in self.descriptors)

    def seal(self) -> None:
        """Nobody can change the bytes or the sizes from now on; memfds only.

        Raises:
            OSError: a writable map exists, and is there for longer than `SEAL_WAIT_S`.
        """
        for descriptor in self.descriptors:
            last = time.monotonic() + SEAL_WAIT_S
            while True:
                try:
                    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
                    break
                except OSError as error:
                    if error.errno != errno.EBUSY or time.monotonic() > last:
                        raise
                    time.sleep(0.01)

    def close(self) -> None:
        """Close the files; what is mapped stays."""
        for descriptor in self.descriptors:
            os.close(descriptor)

    def _map(self, flags: int, prot: int) -> mmap.mmap:
        if len(self.descriptors) == 1:
            return mmap.mmap(self.descriptors[0], self.total_bytes, flags=flags, prot=prot)
        # The whole range is reserved, then each file is laid over its part. Python frees the range
        # when the last array over it is gone, and the files' maps with it.
        own = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        whole = mmap.mmap(-1, self.total_bytes, flags=own, prot=prot)
        address = np.frombuffer(whole, dtype=np.uint8).ctypes.data
        for descriptor, start, size in zip(self.descriptors, self.starts, self.sizes, strict=True):
            _lay_over(address + start, size, prot, flags | _MAP_FIXED, descriptor)
        return whole


def _lay_over(address: int, size: int, prot: int, flags: int, descriptor: int) -> None:
    """mmap(2) at an address, which Python's own mmap cannot ask for."""
    call = ctypes.CDLL(None, use_errno=True).mmap
    call.restype = ctypes.c_void_p
    call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    if call(address, size, prot, flags, descriptor, 0) != address:
        error = ctypes.get_errno()
        raise OSError(error, f"a segment of the store cannot be mapped: {os.strerror(error)}")
