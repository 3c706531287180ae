"""Hashes that tell whether data have the windows that a network has learned; see docs/design/0014.

Two windows are told apart by whatever a network may see of them: the course of each signal, by a
part in 2^24 of what it spans in the window, however high its level; and its level. The last digits
of float64 are not hashed: another processor may compute them otherwise. Nor is the order of the
windows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from dualgaf.imaging.windows import Windows

Array = npt.NDArray[Any]

FORMAT = "2"
"""Stands before a digest. One without it is of version 1, `float32_digest`."""
BITS = 24
"""Of a signal's course in its window, and of a window's level among the others; as float32 has."""
AT_A_TIME = 256
"""Windows that are hashed at a time."""


def window_hashes(windows: Windows, rows: Array) -> Array:
    """A hash of each of these windows.

    Args:
        windows: where they are.
        rows: (N,) which of them; levels are told apart as finely as these need.

    Returns:
        (N,) uint64.

    Example:
        >>> high = np.array([[0.0, 1, 2, 3, 2, 1]]) + 1e9
        >>> one, other = window_hashes(Windows(high, np.array([0, 3]), 3), np.arange(2))
        >>> bool(one == other)
        False
    """
    if not len(rows):
        return np.zeros(0, dtype="<u8")
    with np.errstate(over="ignore", invalid="ignore"):
        lows = np.concatenate([some.min(axis=2) for some in _in_parts(windows, rows)])
        steps, scale = _in_steps(lows, axis=0)
        # Rounded as they are, too: one far outlier makes parts of their span coarse.
        levels = [steps, np.broadcast_to(scale, steps.shape), lows.astype("<f4").view("<i4")]
        found = [
            xxhash.xxh3_64_intdigest(np.concatenate([course, level]).data)
            for course, level in zip(
                _courses(windows, rows), np.concatenate(levels, axis=1), strict=True
            )
        ]
    return np.array(found, dtype="<u8")


def digest_of(hashes: Mapping[str, Array]) -> str:
    """One text for the windows of some splits, whatever their order.

    Args:
        hashes: split -> `window_hashes`.

    Example:
        >>> one, other = np.array([1, 2], dtype="<u8"), np.array([2, 1], dtype="<u8")
        >>> digest_of({"train": one}) == digest_of({"train": other})
        True
    """
    parts = [xxhash.xxh3_64_hexdigest(np.sort(own).data) for own in hashes.values()]
    return "-".join([FORMAT, *parts])


def labels_digest(hashes: Array, labels: Array, class_names: Sequence[str]) -> str:
    """A hash of which window is of which class.

    Args:
        hashes: (N,) `window_hashes`.
        labels: (N,) classes of the windows.
        class_names: K names.
    """
    pairs = sorted(zip(hashes.tolist(), (class_names[k] for k in labels), strict=True))
    return xxhash.xxh3_64_hexdigest(repr(pairs).encode())


def float32_digest(windows: Windows, splits: Mapping[str, Array]) -> str:
    """The digest of version 1, of windows that are rounded to float32, in their order.

    Args:
        windows: where they are.
        splits: split -> rows.
    """
    found = xxhash.xxh3_128()
    with np.errstate(over="ignore"):
        for name, rows in splits.items():
            found.update(f"{name} {len(rows)} ".encode())
            for first in range(0, len(rows), AT_A_TIME):
                some = windows.take(rows[first : first + AT_A_TIME])
                found.update(some.astype(np.float32, order="C").data)
    return found.hexdigest()


def float32_tells_apart(windows: Windows, rows: Array) -> bool:
    """Whether windows that differ still do when they are rounded to float32.

    Example:
        >>> near = np.array([[0.0, 1, 2, 3]])
        >>> made = [Windows(level + near, np.array([0, 2]), 2) for level in (0, 1e9)]
        >>> [float32_tells_apart(windows, np.arange(2)) for windows in made]
        [True, False]
    """
    rounded: set[int] = set()
    with np.errstate(over="ignore"):
        for some in _in_parts(windows, rows):
            rounded |= {xxhash.xxh3_64_intdigest(x.data) for x in some.astype(np.float32)}
    return len(rounded) == len(np.unique(window_hashes(windows, rows)))


def _in_parts(windows: Windows, rows: Array) -> Iterator[Array]:
    for first in range(0, len(rows), AT_A_TIME):
        yield windows.take(rows[first : first + AT_A_TIME]).astype(np.float64, order="C")


def _courses(windows: Windows, rows: Array) -> Iterator[Array]:
    """Each window as (C T + C,) whole numbers: its signals in steps, and how large those are."""
    for some in _in_parts(windows, rows):
        yield from np.concatenate(_in_steps(some, axis=2), axis=2).reshape(len(some), -1)


def _in_steps(values: Array, axis: int) -> tuple[Array, Array]:
    """How far each value is above the least, in 2^24 parts, and the exponent of two of the span."""
    above = values - values.min(axis=axis, keepdims=True)
    _, exponent = np.frexp(above.max(axis=axis, keepdims=True))
    steps = np.rint(np.ldexp(above, BITS - exponent))
    return steps.astype("<i4"), exponent.astype("<i4")
