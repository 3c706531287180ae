"""Filling a store: `write_rows` copies finished rows to where they belong; `seal` ends it.

Files are filled by ``pwrite`` from a block that is still in the processor's cache, not by
writing into a mapping. So a full disk or a full tmpfs is an error and never a SIGBUS; no writable
mapping exists, so the store can be sealed; and workers take no page faults. There is no reservation
either: reserving tmpfs beyond a cgroup's limit makes the kernel kill the process instead of
refusing. Memory is read while rows are drawn (`pool.memory_watch`), and the build leaves this place
while there is still room.
"""

import errno
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import StoreFullError
from dualgaf.store.journal import Coverage
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import Segments
from dualgaf.store.store import Store
from dualgaf.system.machine import Headroom, format_bytes, memory_headroom

Array = npt.NDArray[Any]

CHECK_BYTES = 64 << 20
"""Headroom is read again each time this much was written."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM}


def checked_rows(layout: StoreLayout, first: int, rows: Array) -> Array:
    """The rows, C-contiguous; a row of another size or type would spoil all that follow.

    Raises:
        ValueError: they are not rows of this layout.
    """
    fits = first >= 0 and first + len(rows) <= layout.n_rows
    if not fits or rows.shape[1:] != layout.row_shape or rows.dtype != np.dtype(layout.dtype):
        raise ValueError(
            f"{len(rows)} rows of {rows.dtype} {rows.shape[1:]} from row {first} on do not fit a "
            f"store of {layout.n_rows} rows of {layout.dtype} {layout.row_shape}"
        )
    return np.ascontiguousarray(rows)


def memory_reserve() -> int:
    """Bytes that a build leaves to the rest of the machine: 1 GiB or a tenth, at most half."""
    headroom = memory_headroom().bytes
    return min(max(1 << 30, headroom // 10), headroom // 2)


def filling_reserve() -> int:
    """What of it stays while a store is filled: half may go to the workers that fill it."""
    return memory_reserve() // 2


class StoreWriter(ABC):
    """A store that is being filled. Leaving its ``with`` block unsealed frees it."""

    layout: StoreLayout
    """Rows, shape, type."""
    place: str
    """``memfd``, ``file`` or ``private``."""
    segments: Segments | None
    """The open files that hold the rows; None for private memory."""
    refused: tuple[str, ...] = ()
    """Why places that were tried before did not take the store."""
    in_memory: bool
    """Whether the rows take memory that the kernel cannot take back: not those on a disk."""

    def __init__(self, layout: StoreLayout, place: str, *, in_memory: bool, reserve: int) -> None:
        self.layout, self.place, self.in_memory = layout, place, in_memory
        self._reserve = reserve
        self._checked_at = 0
        self._done: list[tuple[int, int]] = []

    @abstractmethod
    def write_rows(self, first: int, rows: Array) -> None:
        """Put rows first, first + 1, ... in their place.

        Raises:
            StoreFullError: the place is full.
        """

    @abstractmethod
    def allocated_bytes(self) -> int:
        """Bytes of memory that the store has taken so far; 0 for a disk file."""

    @abstractmethod
    def seal(self) -> Store:
        """End the filling; the store can only be read from now on."""

    @abstractmethod
    def abort(self) -> None:
        """Free everything. Does nothing after `seal`."""

    @abstractmethod
    def read_rows(self, first: int, last: int) -> Array:
        """Rows first..last-1, which were written."""

    @abstractmethod
    def drop_rows(self, first: int) -> None:
        """Free what rows first, first + 1, ... to the end take; nobody writes or needs them."""

    def missing_bytes(self) -> int:
        """Bytes that are still to be written."""
        return max(0, self.layout.total_bytes - self.allocated_bytes())

    def check_headroom(self) -> None:
        """Stop before memory is short; called between parts of what one process writes.

        Raises:
            StoreFullError: the next `CHECK_BYTES` would use up what is kept in reserve.
        """
        taken = self.allocated_bytes()
        if not self.in_memory or taken < self._checked_at + CHECK_BYTES:
            return
        self._checked_at = taken
        spare, headroom = self.spare_bytes()
        if spare < min(self.missing_bytes(), CHECK_BYTES):
            raise self.shortage(headroom)

    def spare_bytes(self) -> tuple[int, Headroom]:
        """What may be written beside the reserve, below 0 where that is touched; and of what."""
        headroom = memory_headroom()
        return headroom.bytes - self._reserve, headroom

    def shortage(self, headroom: Headroom) -> StoreFullError:
        """The error of a place in memory that cannot go on."""
        return StoreFullError(
            errno.ENOMEM,
            f"memory became short while building: {format_bytes(headroom.bytes)} are left "
            f"({headroom.limited_by}), {format_bytes(self.missing_bytes())} are still to be "
            f"written and {format_bytes(self._reserve)} stay in reserve; free memory, or type "
            "layout=packed, a smaller image_size or images=on_device",
        )

    @property
    def there(self) -> Coverage:
        """Rows that are written; in the cache also those of a build that was cut off."""
        return Coverage(self._done)

    def rows_are_there(self, first: int, last: int) -> None:
        """Told by the building thread when rows first..last-1 are written."""
        self._done.append((first, last))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


# The methods of the writer below are documented by StoreWriter.
# ruff: noqa: D102


class SegmentWriter(StoreWriter):
    """Rows in memfds, anonymous files or a file of the cache.

    Args:
        layout: of the rows.
        place: ``memfd``, ``file`` or ``cache``.
        segments: the open files, which it owns from now on.
        nonce: of the header.
        in_memory: whether the files take memory, as memfds and those of a tmpfs do.
        reserve: bytes of memory that must stay free while rows are written.
    """

    def __init__(
        self,
        layout: StoreLayout,
        place: str,
        segments: Segments,
        nonce: bytes,
        *,
        in_memory: bool,
        reserve: int = 0,
    ) -> None:
        super().__init__(layout, place, in_memory=in_memory, reserve=reserve)
        self.segments: Segments | None = segments
        self._nonce = nonce

    @classmethod
    def begin(
        cls,
        layout: StoreLayout,
        place: str,
        new_file: Callable[[], int],
        count: int = 1,
        *,
        in_memory: bool,
    ) -> Self:
        """A writer over ``count`` new empty files, which it owns from now on.

        Raises:
            OSError: the system refuses a file.
            StoreFullError: there is no room for the header.
        """
        reserve, nonce = filling_reserve(), secrets.token_bytes(16)
        files = Segments.create(new_file, layout.total_bytes, count)
        writer = cls(layout, place, files, nonce, in_memory=in_memory, reserve=reserve)
        try:
            writer._write(layout.header(nonce), 0)
        except BaseException:
            writer.abort()
            raise
        return writer

    def write_rows(self, first: int, rows: Array) -> None:
        rows = checked_rows(self.layout, first, rows)
        self._write(rows.reshape(-1).view(np.uint8).data, self.layout.offset(first))

    def read_rows(self, first: int, last: int) -> Array:
        assert self.segments is not None
        rows = np.empty((last - first, *self.layout.row_shape), dtype=self.layout.dtype)
        self.segments.read(rows.reshape(-1).view(np.uint8).data, self.layout.offset(first))
        return rows

    def drop_rows(self, first: int) -> None:
        assert self.segments is not None
        self.segments.cut(self.layout.offset(first))

    def allocated_bytes(self) -> int:
        if not self.in_memory or self.segments is None:
            return 0
        return self.segments.allocated_bytes()

    def seal(self) -> Store:
        if self.segments is None:
            raise ValueError("the store was sealed or freed before")
        if self.place == "memfd":
            self.segments.seal()
        segments, self.segments = self.segments, None
        return Store.from_segments(self.layout, self.place, segments, self._nonce)

    def abort(self) -> None:
        if self.segments is not None:
            self.segments.close()
            self.segments = None

    def _write(self, data: bytes | memoryview, offset: int) -> None:
        assert self.segments is not None
        try:
            self.segments.write(data, offset)
        except OSError as error:
            if error.errno in _FULL:
                taken = format_bytes(self.segments.allocated_bytes())
                raise StoreFullError(
                    error.errno, f"{self.place} is full after {taken}: {error.strerror}"
                ) from error
            raise
