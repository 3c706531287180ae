"""Named arrays in one buffer: to loader workers, to pool workers, and in the cache of windows.

    first .. first + 63   array 0, array 1, ... each from a multiple of 64 bytes on

`lay_out` says where each array lies, `parts` gives the bytes in their order, `Place.of` finds an
array again, without a copy.

`SharedArrays` is such a bundle that another process of this machine maps instead of getting a copy:
the first pickling copies the arrays into sealed memory without a name, the rows of a `Store`; what
is pickled is its handle and where each array lies. Whoever unpickles that maps the memory
privately: reading copies nothing, a change made in place is his own. The memory lives as long as a
process has it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import StoreFullError
from dualgaf.store.backing import open_writer
from dualgaf.store.layout import StoreLayout
from dualgaf.store.store import Store
from dualgaf.store.writer import CHECK_BYTES, StoreWriter

Array = npt.NDArray[Any]

ALIGN = 64
"""Every array begins at a multiple of so many bytes."""
_BACKINGS = ("memfd", "file")


@dataclass(frozen=True)
class Place:
    """Where an array lies."""

    name: str
    """Its name."""
    dtype: str
    """NumPy type of an element."""
    shape: tuple[int, ...]
    """Its shape."""
    first: int
    """Its first byte."""

    @property
    def end(self) -> int:
        """One past its last byte."""
        return self.first + int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def of(self, buffer: Any) -> Array:
        """The array, over a buffer that holds the bundle.

        Raises:
            ValueError: the buffer is too short.
        """
        count = int(np.prod(self.shape))
        return np.frombuffer(buffer, self.dtype, count, self.first).reshape(self.shape)


def lay_out(kinds: Iterable[tuple[str, str, Sequence[int]]], first: int = 0) -> tuple[Place, ...]:
    """Where arrays lie.

    Args:
        kinds: name, NumPy type and shape of each, in their order.
        first: byte from which on there is room.

    Example:
        >>> [place.first for place in lay_out([("a", "<f8", (3,)), ("b", "<i8", (2,))], first=10)]
        [64, 128]
    """
    places, at = [], first
    for name, dtype, shape in kinds:
        at += -at % ALIGN
        places.append(Place(name, dtype, tuple(shape), at))
        at = places[-1].end
    return tuple(places)


def kinds_of(arrays: Mapping[str, Array]) -> list[tuple[str, str, tuple[int, ...]]]:
    """Name, type and shape of arrays, for `lay_out`."""
    return [(name, array.dtype.str, array.shape) for name, array in arrays.items()]


def parts(
    arrays: Mapping[str, Array], places: Sequence[Place], first: int = 0
) -> Iterator[bytes | memoryview]:
    """Bytes of arrays and of the gaps between them, from ``first`` on."""
    at = first
    for place in places:
        yield bytes(place.first - at)
        yield np.ascontiguousarray(arrays[place.name]).data
        at = place.end


class SharedArrays:
    """Named arrays, pickled as a handle.

    Args:
        arrays: name -> array of plain values (no objects).

    Example:
        >>> import pickle
        >>> shared = SharedArrays({"starts": np.arange(100_000)})
        >>> data = pickle.dumps(shared)
        >>> len(data) < 2000, int(pickle.loads(data).arrays["starts"][-1])
        (True, 99999)
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = dict(arrays)
        """The arrays; once they were pickled, those in shared memory."""
        self._shared: tuple[Store, tuple[Place, ...]] | None = None

    @classmethod
    def _attached(cls, store: Store, places: tuple[Place, ...]) -> Self:
        shared = cls({})
        shared._map(store, places)
        return shared

    def _map(self, store: Store, places: tuple[Place, ...]) -> None:
        self.arrays = {place.name: place.of(store.array) for place in places}
        self._shared = store, places

    def holds(self, arrays: Mapping[str, Array]) -> bool:
        """Whether these are arrays of the same names, types and values."""
        return self.arrays.keys() == arrays.keys() and all(
            own is other or (own.dtype == other.dtype and np.array_equal(own, other))
            for own, other in ((self.arrays[name], arrays[name]) for name in arrays)
        )

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Store, tuple[Place, ...]]]:
        """Raises StoreFullError where no place takes the arrays."""
        shared = self._shared
        if shared is None:
            shared = _share(self.arrays)
            self._map(*shared)
        return type(self)._attached, shared


def _share(arrays: Mapping[str, Array]) -> tuple[Store, tuple[Place, ...]]:
    places = lay_out(kinds_of(arrays))
    n_bytes = max((place.end for place in places), default=0)
    try:
        with open_writer(StoreLayout(max(1, n_bytes), (1,), "uint8"), _BACKINGS) as writer:
            for place in places:
                _write(writer, place.first, arrays[place.name])
            return writer.seal(), places
    except StoreFullError as error:
        raise StoreFullError(
            f"the arrays of a dataset cannot be given to loader workers: {error}; "
            "type num_workers=0"
        ) from error


def _write(writer: StoreWriter, first: int, array: Array) -> None:
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for at in range(0, len(data), CHECK_BYTES):
        writer.check_headroom()
        writer.write_rows(first + at, data[at : at + CHECK_BYTES, None])
