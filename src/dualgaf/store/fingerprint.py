"""`StoreKey`: what the bytes of a store depend on, part by part, and nothing else.

Values, window starts, recipe, fitted bounds and the version of the format enter. Names, paths,
times, chunk size, workers and the place of the store do not: they change no byte of the images.
The parts are kept in the cache, so that a miss can say which of them changed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import xxhash

FORMAT_VERSION = 2
"""Raised when the same input would give other bytes, or the same bytes in another order. 2: what is
constant up to rounding is drawn as a constant."""

Array = npt.NDArray[Any]

_HASH = "xxh3:"


@dataclass(frozen=True)
class StoreKey:
    """The parts of a key, by name.

    Example:
        >>> a = StoreKey.of({"values": np.zeros(3)}, {"image_size": 8})
        >>> b = StoreKey.of({"values": np.ones(3)}, {"image_size": 9})
        >>> a.name == b.name, b.changes(a)
        (False, ['image_size=8 (now 9)', 'other values'])
    """

    parts: Mapping[str, Any]
    """A plain JSON value, or ``xxh3:`` and a hash of contents; None where a part does not apply."""

    @classmethod
    def of(cls, arrays: Mapping[str, Array | str | None], settings: Mapping[str, Any]) -> Self:
        """The key of these contents.

        Args:
            arrays: by name, or their `content_hash` where that is known already; None where an
                array does not apply. Type, shape and bytes count.
            settings: plain JSON values by name.
        """
        hashes = {
            name: content_hash(array) if isinstance(array, np.ndarray) else array
            for name, array in arrays.items()
        }
        parts = {"format": FORMAT_VERSION, **settings, **hashes}
        return cls(json.loads(json.dumps(parts)))  # equal to what comes back from a file

    @property
    def name(self) -> str:
        """32 hexadecimal digits: XXH3 of 128 bits over the parts, whatever their order."""
        text = json.dumps(dict(self.parts), sort_keys=True)
        return xxhash.xxh3_128_hexdigest(text.encode())

    @property
    def settings(self) -> str:
        """The parts that are plain values, as ``name=value``."""
        plain = {name: part for name, part in self.parts.items() if not _is_hash(part)}
        return " ".join(f"{name}={part}" for name, part in plain.items() if part is not None)

    def equal_parts(self, other: "StoreKey") -> int:
        """How many parts another key has in common with this one."""
        return sum(
            name in other.parts and other.parts[name] == part for name, part in self.parts.items()
        )

    def changes(self, other: "StoreKey") -> list[str]:
        """What another key has else, each in a few words; settings first, then contents."""
        settings, contents = [], []
        for name in sorted({*self.parts, *other.parts}):
            now, then = self.parts.get(name), other.parts.get(name)
            if now == then and (name in self.parts) == (name in other.parts):
                continue
            if _is_hash(now) or _is_hash(then):
                contents.append(f"other {name}")
            else:
                settings.append(f"{name}={then} (now {now})")
        return settings + contents


def content_hash(array: Array) -> str:
    """XXH3 of 128 bits: 30 GB/s, so that a hit costs what reading the input costs.

    It tells contents apart; it does not withstand somebody who forges them on purpose.

    Example:
        >>> content_hash(np.zeros(2)) == content_hash(np.zeros(3))
        False
    """
    digest = xxhash.xxh3_128(f"{array.dtype.str}{array.shape};".encode())
    digest.update(np.ascontiguousarray(array).data)
    return _HASH + digest.hexdigest()


def _is_hash(part: object) -> bool:
    return isinstance(part, str) and part.startswith(_HASH)
