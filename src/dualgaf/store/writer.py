"""Filling a store: `write_rows` copies finished rows to where they belong; `seal` ends it.

Files are filled by ``pwrite`` from a block that is still in the processor's cache, not by
writing into a mapping. So a full disk or a full tmpfs is an error and never a SIGBUS; no writable
mapping exists, so the store can be sealed; and workers take no page faults. There is no reservation
either: reserving tmpfs beyond a cgroup's limit makes the kernel kill the process instead of
refusing. `check_headroom` is called between chunks and stops while there is still room.
"""

import contextlib
import errno
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import StoreFullError
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import Segments
from dualgaf.store.store import Store
from dualgaf.system.machine import format_bytes, memory_headroom

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

    def check_headroom(self) -> None:  # noqa: B027  # only shared memory has something to check
        """Stop before memory is short; called between chunks.

        Raises:
            StoreFullError: the next `CHECK_BYTES` would use up what is kept in reserve.
        """

    def has_rows(self, first: int, last: int) -> bool:
        """Whether rows first..last-1 are there from a build that was cut off (cache only)."""
        return False

    def rows_are_there(self, first: int, last: int) -> None:  # noqa: B027  # the cache keeps a journal
        """Told by the building thread when rows first..last-1 are written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()


# The methods of the two writers below are documented by StoreWriter.
# ruff: noqa: D102


class SegmentWriter(StoreWriter):
    """Rows in memfds, anonymous files or a file of the cache.

    Args:
        layout: of the rows.
        place: ``memfd``, ``file`` or ``cache``.
        segments: the open files, which it owns from now on.
        nonce: of the header.
        reserve: bytes of memory that must stay free while rows are written.
    """

    def __init__(
        self, layout: StoreLayout, place: str, segments: Segments, nonce: bytes, reserve: int = 0
    ) -> None:
        self.layout = layout
        self.place = place
        self.segments: Segments | None = segments
        self._nonce = nonce
        self._reserve = reserve
        self._checked_at = 0

    @classmethod
    def begin(
        cls, layout: StoreLayout, place: str, new_file: Callable[[], int], count: int = 1
    ) -> Self:
        """A writer over ``count`` new empty files, which it owns from now on.

        Raises:
            OSError: the system refuses a file.
            StoreFullError: there is no room for the header.
        """
        # Half of the reserve that was there at the start may go to the workers that fill the store.
        nonce, reserve = secrets.token_bytes(16), memory_reserve() // 2
        writer = cls(
            layout, place, Segments.create(new_file, layout.total_bytes, count), nonce, reserve
        )
        try:
            writer._write(layout.header(nonce), 0)
        except BaseException:
            writer.abort()
            raise
        return writer

    def write_rows(self, first: int, rows: Array) -> None:
        rows = checked_rows(self.layout, first, rows)
        self._write(rows.reshape(-1).view(np.uint8).data, self.layout.offset(first))

    def allocated_bytes(self) -> int:
        if self.place != "memfd" or self.segments is None:
            return 0
        return self.segments.allocated_bytes()

    def check_headroom(self) -> None:
        taken = self.allocated_bytes()
        if self.place != "memfd" or taken < self._checked_at + CHECK_BYTES:
            return
        self._checked_at = taken
        headroom, missing = memory_headroom(), max(0, self.layout.total_bytes - taken)
        if headroom.bytes - min(missing, CHECK_BYTES) < self._reserve:
            raise StoreFullError(
                errno.ENOMEM,
                f"memory became short while building: {format_bytes(headroom.bytes)} are left "
                f"({headroom.limited_by}), {format_bytes(missing)} are still to be written and "
                f"{format_bytes(self._reserve)} stay in reserve; free memory, or type "
                "layout=packed, a smaller image_size or images=on_device",
            )

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


class PrivateWriter(StoreWriter):
    """Rows in memory of this process."""

    def __init__(self, layout: StoreLayout) -> None:
        self.layout = layout
        self.place = "private"
        self.segments = None
        self._rows: Array | None = None
        with contextlib.suppress(MemoryError):
            self._rows = np.empty((layout.n_rows, *layout.row_shape), dtype=layout.dtype)
        if self._rows is None:
            raise StoreFullError(errno.ENOMEM, "the system refuses that much memory")

    def rows(self, first: int, last: int) -> Array:
        """A view of these rows, to draw into without a copy."""
        assert self._rows is not None
        return self._rows[first:last]

    def write_rows(self, first: int, rows: Array) -> None:
        self.rows(first, first + len(rows))[:] = checked_rows(self.layout, first, rows)

    def allocated_bytes(self) -> int:
        return 0  # private memory of this process is counted by the meter itself

    def seal(self) -> Store:
        assert self._rows is not None
        rows, self._rows = self._rows, None
        return Store.from_array(self.layout, rows)

    def abort(self) -> None:
        self._rows = None
