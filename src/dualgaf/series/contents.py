"""What a source's windows depend on, as one hash: so that a later run need not read and cut again.

The bytes of arrays or files enter, their names within the source (labels may come from them), and
the settings of the source; the folder they lie in and their times do not.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from dualgaf.series.arrays import as_numpy

_PART_BYTES = 16 << 20


class Contents:
    """A hash of settings, arrays and files that grows.

    Args:
        source: a frozen dataclass, the source.
        leave_out: fields that hold or locate the data; all others are settings.

    Example:
        >>> from dualgaf.series.simulate import SimulatedSource
        >>> a, b = (Contents(SimulatedSource(seed=k)).hexdigest() for k in (1, 2))
        >>> a == b
        False
    """

    def __init__(self, source: Any, leave_out: Iterable[str] = ()) -> None:
        names = [field.name for field in fields(source) if field.name not in leave_out]
        settings = {name: getattr(source, name) for name in names}
        self._hash = xxhash.xxh3_128(type(source).__name__.encode())
        self._add("settings", json.dumps(settings, default=_plain, sort_keys=True).encode())

    def add_series(self, name: str, x: Any) -> None:
        """Series as `SeriesSet.from_arrays` takes them: one (N, C, T) block, or a list."""
        for item in x if isinstance(x, list | tuple) else [x]:
            array = as_numpy(item, name)
            what = f"{name} {array.dtype.str} {array.shape}"
            if array.dtype.kind in "fiub" and array.size:
                self._add(what, np.ascontiguousarray(array).data)
            else:  # bytes of objects are addresses; other types are refused when they are read
                self._add(what, repr(array.tolist()).encode("utf-8", "backslashreplace"))

    def add_labels(self, name: str, y: Any) -> None:
        """Labels: what counts is their text."""
        texts = [str(label) for label in as_numpy(y, name).ravel().tolist()]
        self._add(name, json.dumps(texts).encode())

    def add_file(self, name: str, path: Path) -> None:
        """All bytes of a file."""
        self._add(name, str(path.stat().st_size).encode())
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                self._hash.update(part)

    def hexdigest(self) -> str:
        """XXH3 of 128 bits, 32 hexadecimal digits."""
        return self._hash.hexdigest()

    def _add(self, name: str, data: Any) -> None:
        # Names and sizes keep two neighbours from being taken for one.
        self._hash.update(json.dumps([name, len(memoryview(data).cast("B"))]).encode())
        self._hash.update(data)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.tolist() if isinstance(value, np.generic) else str(value)
