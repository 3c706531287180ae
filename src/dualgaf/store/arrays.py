"""`SharedArrays`: arrays that another process of this machine maps instead of getting a copy.

    0 .. 63   array 0, array 1, ... each from a multiple of 64 bytes on, as the rows of one `Store`

The first pickling copies them into sealed memory without a name; what is pickled is its handle and
where each array begins. Whoever unpickles that maps the memory privately: reading copies nothing, a
change made in place is his own. The memory lives as long as a process has it.
"""

from collections.abc import Callable, Mapping
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

_ALIGN = 64
_PLACES = ("memfd", "file")


@dataclass(frozen=True)
class _Place:
    """Where an array lies."""

    name: str
    """Its name."""
    dtype: str
    """NumPy type of an element."""
    shape: tuple[int, ...]
    """Its shape."""
    first: int
    """Its first byte."""

    def of(self, data: Array) -> Array:
        """The array, over the (bytes, 1) rows of a store."""
        last = self.first + int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize
        return data.reshape(-1)[self.first : last].view(self.dtype).reshape(self.shape)


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
        self._shared: tuple[Store, tuple[_Place, ...]] | None = None

    @classmethod
    def _attached(cls, store: Store, places: tuple[_Place, ...]) -> Self:
        shared = cls({})
        shared._map(store, places)
        return shared

    def _map(self, store: Store, places: tuple[_Place, ...]) -> None:
        self.arrays = {place.name: place.of(store.array) for place in places}
        self._shared = store, places

    def holds(self, arrays: Mapping[str, Array]) -> bool:
        """Whether these are arrays of the same names, types and values."""
        return self.arrays.keys() == arrays.keys() and all(
            own is other or (own.dtype == other.dtype and np.array_equal(own, other))
            for own, other in ((self.arrays[name], arrays[name]) for name in arrays)
        )

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Store, tuple[_Place, ...]]]:
        """Raises StoreFullError where no place takes the arrays."""
        shared = self._shared
        if shared is None:
            shared = _share(self.arrays)
            self._map(*shared)
        return type(self)._attached, shared


def _share(arrays: Mapping[str, Array]) -> tuple[Store, tuple[_Place, ...]]:
    places: list[_Place] = []
    end = 0
    for name, array in arrays.items():
        places.append(_Place(name, array.dtype.str, array.shape, end))
        end += array.nbytes + -array.nbytes % _ALIGN
    try:
        with open_writer(StoreLayout(max(1, end), (1,), "uint8"), _PLACES) as writer:
            for place in places:
                _write(writer, place.first, arrays[place.name])
            return writer.seal(), tuple(places)
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
