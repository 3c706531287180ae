"""What a source's windows depend on, as one hash: so that a later run need not read and cut again.

The values of arrays, the bytes of files, their names within the source (labels may come from them),
labels as they are read, and the settings of the source; the folder files lie in and their times do
not. Two sources that give other windows have other hashes, so every value enters with its type.
"""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import xxhash

from dualgaf.series.arrays import Array, read_series
from dualgaf.series.labels import text_labels

_PART_BYTES = 16 << 20


class Contents:
    """A hash of settings, arrays and files that grows.

    Args:
        source: a frozen dataclass, the source.
        leave_out: fields that hold or locate the data; all others are settings.

    Raises:
        TypeError: a setting is of a type that `tagged` does not know.

    Example:
        >>> from dualgaf.series.simulate import SimulatedSource
        >>> a, b = (Contents(SimulatedSource(seed=k)).hexdigest() for k in (1, 2))
        >>> a == b
        False
    """

    def __init__(self, source: Any, leave_out: Iterable[str] = ()) -> None:
        names = [field.name for field in fields(source) if field.name not in leave_out]
        settings = {name: getattr(source, name) for name in names}
        self._hash = xxhash.xxh3_128(_type_name(source).encode())
        self._add("settings", json.dumps(tagged(settings)).encode())

    def add_series(self, name: str, x: Any) -> None:
        """Series as `SeriesSet.from_arrays` takes them: their names, types, shapes and values.

        Raises:
            SeriesError: they cannot be read.
        """
        series, channel_names = read_series(x, name)
        kinds = [(array.dtype.str, array.shape) for array in series]
        self._add(name, json.dumps([kinds, channel_names]).encode())
        for array in series:
            self._hash.update(np.ascontiguousarray(array).data)

    def add_labels(self, name: str, y: Any) -> None:
        """Labels as they are read: texts, or missing.

        Raises:
            SeriesError: they cannot be read.
        """
        self._add(name, json.dumps(text_labels(y, name)).encode())

    def add_file(self, name: str, path: Path) -> None:
        """All bytes of a file."""
        self._add(name, str(path.stat().st_size).encode())
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                self._hash.update(part)

    def add_frame(self, name: str, frame: Any) -> None:
        """All cells of a frame of polars, with their names and types."""
        self._add(name, json.dumps([frame.height, frame.width]).encode())
        frame.rechunk().write_ipc(_Hashed(self._hash), compression="uncompressed")

    def hexdigest(self) -> str:
        """XXH3 of 128 bits, 32 hexadecimal digits."""
        return self._hash.hexdigest()

    def _add(self, name: str, data: bytes) -> None:
        # Names and sizes keep two neighbours from being taken for one.
        self._hash.update(json.dumps([name, len(data)]).encode())
        self._hash.update(data)


class _Hashed(io.RawIOBase):
    """What is written here enters a hash."""

    def __init__(self, found: Any) -> None:
        self._hash = found
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._hash.update(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size


def tagged(value: Any) -> Any:
    """A value as JSON that no other value has: where JSON has no type for it, its type is said.

    Raises:
        TypeError: its type is not known here, so that its text may not tell it from another.

    Example:
        >>> [tagged(value) for value in (1, True, "1", None, "None", b"1", (1, "1"))]
        [1, True, '1', None, 'None', ['bytes', '31'], ['list', 1, '1']]
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return ["array", value.dtype.str, *map(tagged, (value.shape, _plain(value)))]
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, complex):
        return ["complex", value.real, value.imag]
    if isinstance(value, PurePath):
        return ["path", str(value)]
    if isinstance(value, Mapping):
        pairs = [[tagged(key), tagged(item)] for key, item in value.items()]
        return ["mapping", *sorted(pairs, key=json.dumps)]
    if isinstance(value, set | frozenset):
        return ["set", *sorted(map(tagged, value), key=json.dumps)]
    if isinstance(value, Sequence):
        return ["list", *map(tagged, value)]
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: getattr(value, field.name) for field in fields(value)}
        return [_type_name(value), tagged(own)]
    raise TypeError(f"a {_type_name(value)} is not known by its value")


def _plain(array: Array) -> Any:
    if array.dtype.kind in "biufOSU":
        return array.tolist()
    raise TypeError(f"an array of {array.dtype} is not known by its value")


def _type_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
