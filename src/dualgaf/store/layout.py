"""The bytes of a store: a header of 4 KiB, then the rows, one after the other.

    0     magic "dualgaf", format version, 16 random bytes (nonce), length of the JSON, the JSON
    4096  row 0, row 1, ...

The nonce tells two stores of equal layout apart, so that a handle never opens a stranger.
"""

import json
import math
import struct
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from dualgaf.errors import ConfigError, HandleError, not_allowed

HEADER_BYTES = 4096
FORMAT_VERSION = 1
_MAX_BYTES = (1 << 63) - 1
_MAGIC = b"dualgaf\0"
_PREFIX = struct.Struct("<8sI16sI")


@dataclass(frozen=True)
class StoreLayout:
    """How many rows of which shape and type.

    Raises:
        ConfigError: there is no row, or a side of a row is empty.

    Example:
        >>> layout = StoreLayout(10, (2, 3, 8, 8), "uint8")
        >>> layout.row_bytes, layout.total_bytes, layout.chunks(4)
        (384, 7936, [(0, 4), (4, 8), (8, 10)])
    """

    n_rows: int
    """N, rows."""
    row_shape: tuple[int, ...]
    """Shape of one row."""
    dtype: str
    """NumPy type of an element."""

    def __post_init__(self) -> None:
        if self.n_rows < 1 or min(self.row_shape, default=0) < 1:
            raise ConfigError(
                f"a store of {self.n_rows} rows of shape {self.row_shape} is empty; needed: at "
                "least one row and one element"
            )
        plain = isinstance(self.dtype, str) and self.dtype in np.sctypeDict
        if not plain or np.dtype(self.dtype).kind not in "buif":
            raise ConfigError(f"a store of {self.dtype!r} is not allowed; allowed: NumPy's numbers")
        if self.total_bytes > _MAX_BYTES:
            raise ConfigError(
                f"a store of {self.n_rows} rows of shape {self.row_shape} is larger than any file"
            )

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return math.prod(self.row_shape) * np.dtype(self.dtype).itemsize

    @property
    def data_bytes(self) -> int:
        """Bytes of all rows."""
        return self.n_rows * self.row_bytes

    @property
    def total_bytes(self) -> int:
        """Bytes of header and rows."""
        return HEADER_BYTES + self.data_bytes

    def offset(self, row: int) -> int:
        """Byte at which a row begins."""
        return HEADER_BYTES + row * self.row_bytes

    def chunks(self, chunk_rows: int) -> list[tuple[int, int]]:
        """(first, last) of each chunk of ``chunk_rows`` rows; the last one may be shorter."""
        if chunk_rows < 1:
            raise ConfigError(not_allowed("chunk_size", chunk_rows, "1 and more", "chunk_size=100"))
        starts = range(0, self.n_rows, chunk_rows)
        return [(first, min(first + chunk_rows, self.n_rows)) for first in starts]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for messages and the header."""
        return {"n_rows": self.n_rows, "row_shape": list(self.row_shape), "dtype": self.dtype}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        sides = tuple(int(side) for side in fields["row_shape"])
        return cls(int(fields["n_rows"]), sides, str(fields["dtype"]))

    def header(self, nonce: bytes) -> bytes:
        """The first 4096 bytes of a store."""
        text = json.dumps(self.to_json()).encode()
        head = _PREFIX.pack(_MAGIC, FORMAT_VERSION, nonce, len(text)) + text
        return head.ljust(HEADER_BYTES, b"\0")

    @classmethod
    def from_header(cls, head: bytes) -> tuple[Self, bytes]:
        """Layout and nonce from the first 4096 bytes.

        Raises:
            HandleError: these are not the first bytes of a store of this version.
        """
        if len(head) < _PREFIX.size or head[: len(_MAGIC)] != _MAGIC:
            raise HandleError("not a store of dualgaf: the magic bytes are missing")
        _, version, nonce, length = _PREFIX.unpack_from(head)
        if version != FORMAT_VERSION:
            raise HandleError(
                f"a store of format version {version}; this package reads {FORMAT_VERSION}"
            )
        text = head[_PREFIX.size : _PREFIX.size + length]
        try:
            return cls.from_json(json.loads(text)), nonce
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise HandleError(f"the header of the store is damaged: {error}") from error
