"""Storage of pixels: the levels of the integer types, and the packed layout.

Levels. A pixel g in [-1, 1] is stored in an unsigned integer as ``round(g * n) + n + 1`` with
n = 127 (uint8) or 32767 (uint16), ties to even, and read back as ``(q - n - 1) / n``. The levels
lie symmetric about zero: 0 is exact, -g is ``2 (n + 1) - q``, so a stored GADF stays exactly
antisymmetric with a zero diagonal. Code 0 is never written. The largest error is 1 / (2 n).

Packing. GASF is symmetric, GADF antisymmetric with a zero diagonal. One (S, S) matrix holds both:
GASF in the upper triangle with the diagonal, GADF in the strict lower one.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError

Array = npt.NDArray[Any]

LEVELS = {"uint8": 127, "uint16": 32767}
"""n, the number of levels above zero, of each integer storage type."""


def encode(values: Array, storage: str) -> Array:
    """Store float32 pixels in [-1, 1] as ``storage``.

    Args:
        values: array of any shape.
        storage: ``uint8``, ``uint16``, ``float16`` or ``float32``.

    Returns:
        Array of the same shape in the storage type.

    Example:
        >>> encode(np.array([-1.0, 0.0, 1.0], dtype=np.float32), "uint8").tolist()
        [1, 128, 255]
    """
    if storage not in LEVELS:
        return values.astype(storage)
    n = LEVELS[storage]
    levels = np.rint(values.astype(np.float32) * np.float32(n)) + np.float32(n + 1)
    return np.asarray(levels.astype(storage))


def decode(stored: Array) -> Array:
    """Read stored pixels back as float32 in [-1, 1]; the inverse of `encode` up to its error.

    Example:
        >>> decode(np.array([1, 128, 255], dtype=np.uint8)).tolist()
        [-1.0, 0.0, 1.0]
    """
    n = LEVELS.get(stored.dtype.name)
    if n is None:
        return stored.astype(np.float32)
    return (stored.astype(np.float32) - np.float32(n + 1)) / np.float32(n)


def pack(fields: Array) -> Array:
    """Both fields in one matrix: (..., 2, C, S, S) -> (..., C, S, S), in the same type.

    Raises:
        SeriesError: the shape is not (..., 2, C, S, S).

    Example:
        >>> fields = np.zeros((5, 2, 3, 4, 4), dtype=np.float32)
        >>> pack(fields).shape
        (5, 3, 4, 4)
    """
    if fields.ndim < 4 or fields.shape[-4] != 2 or fields.shape[-1] != fields.shape[-2]:
        raise SeriesError(f"pack needs a (..., 2, C, S, S) array, got shape {fields.shape}")
    upper = np.triu(np.ones(fields.shape[-2:], dtype=bool))
    return np.where(upper, fields[..., 0, :, :, :], fields[..., 1, :, :, :])


def unpack(packed: Array) -> Array:
    """The inverse of `pack`: (..., C, S, S) -> (..., 2, C, S, S), in the same type.

    Example:
        >>> unpack(np.array([[[128, 255], [200, 1]]], dtype=np.uint8)).tolist()
        [[[[128, 255], [255, 1]]], [[[128, 56], [200, 128]]]]
    """
    n = LEVELS.get(packed.dtype.name)
    zero = packed.dtype.type(0 if n is None else n + 1)
    mirrored = np.swapaxes(packed, -1, -2)
    negated = -mirrored if n is None else (2 * (n + 1) - mirrored.astype(np.int32))
    above = np.triu(np.ones(packed.shape[-2:], dtype=bool))
    gasf = np.where(above, packed, mirrored)
    gadf = np.where(above, negated.astype(packed.dtype), packed)
    diagonal = np.arange(packed.shape[-1])
    gadf[..., diagonal, diagonal] = zero
    return np.stack([gasf, gadf], axis=-4)
