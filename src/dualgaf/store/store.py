"""`Store`: sealed rows that many processes read, and how another process comes to them.

Every reader maps the bytes privately and writable: reading copies nothing, and a change made in
place lands in a page of that reader alone. What is pickled is a handle of some hundred bytes;
unpickling maps the same memory again.
"""

import weakref
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import HandleError
from dualgaf.store.handle import StoreHandle, open_handle
from dualgaf.store.layout import HEADER_BYTES, StoreLayout
from dualgaf.store.segments import Segments

Array = npt.NDArray[Any]


class Store:
    """N rows, read-only for everybody once built.

    Made by `StoreWriter.seal` and `attach`. Arrays taken from it stay valid after `close`.

    Args:
        layout: N, the shape and the type of a row.
        backing: ``memfd``, ``file``, ``cache`` or ``private``.
        array: (N, *row_shape) over the bytes.
        nonce: bytes in the header that tell this store from another at the same place.
    """

    def __init__(self, layout: StoreLayout, backing: str, array: Array, nonce: bytes) -> None:
        self.layout = layout
        self.backing = backing
        self.array = array
        """(N, *row_shape); changing it in place changes this process' view only."""
        self._nonce = nonce
        self._segments: Segments | None = None
        self._closers: list[weakref.finalize[..., Any]] = []

    @classmethod
    def from_segments(
        cls, layout: StoreLayout, backing: str, segments: Segments, nonce: bytes
    ) -> Self:
        """Map open files that hold a header and rows; the store owns them."""
        try:
            mapped = segments.map()
        except BaseException:
            segments.close()
            raise
        # frombuffer holds the map open for as long as any array of it lives.
        flat = np.frombuffer(mapped, dtype=layout.dtype, offset=HEADER_BYTES)
        store = cls(layout, backing, flat.reshape(layout.n_rows, *layout.row_shape), nonce)
        store._segments = segments
        store.when_closed(segments.close)
        return store

    @classmethod
    def from_array(cls, layout: StoreLayout, rows: Array) -> Self:
        """A store in private memory of this process."""
        return cls(layout, "private", rows, b"")

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return self.layout.data_bytes

    @property
    def handle(self) -> StoreHandle:
        """What another process on this machine needs to map the store.

        Raises:
            HandleError: the store is in private memory, or closed.
        """
        if self._segments is None:
            raise HandleError(
                "a store in private memory cannot be sent to another process, as num_workers > 0 "
                "with spawn or forkserver needs; type parallel.shm=true, or num_workers=0"
                if self.backing == "private"
                else "the store is closed"
            )
        return StoreHandle.of(self._segments, self._nonce, self.layout, self.backing)

    def when_closed(self, call: Callable[..., object], *arguments: object) -> None:
        """Have this called when the store is closed, dropped, or this process ends."""
        self._closers.append(weakref.finalize(self, call, *arguments))

    def close(self) -> None:
        """Give the descriptor back; memory is freed when the last array is gone. May come twice."""
        for closer in reversed(self._closers):
            closer()
        self._segments = None
        self.array = np.empty((0, *self.layout.row_shape), dtype=self.layout.dtype)

    def __reduce__(self) -> tuple[Any, tuple[StoreHandle]]:
        return attach, (self.handle,)


def attach(handle: StoreHandle) -> Store:
    """Map the store that a handle names.

    Raises:
        HandleError: the owner is gone, or what is there is another file.
    """
    segments = open_handle(handle)
    return Store.from_segments(handle.layout, handle.backing, segments, handle.nonce)
