"""The kernels of `dualgaf.imaging.kernel` in plain NumPy, window by window.

Same functions, same arithmetic, same bytes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.imaging.paa import segment_means
from dualgaf.imaging.packing import encode, pack
from dualgaf.imaging.scaling import scale
from dualgaf.imaging.windows import NOT_FINITE, OK, OUT_OF_RANGE

Array = npt.NDArray[Any]


def widen(flat: Array, starts: Array, steps: int, edges: Array, bounds: Array) -> int:
    """Widen ``bounds`` (2, C) to hold every window after PAA; the first bad channel, or -1."""
    for start in starts:
        means = segment_means(flat[:, start : start + steps], edges)
        finite = np.isfinite(means).all(axis=1)
        if not finite.all():
            return int(np.argmin(finite))
        np.minimum(bounds[0], means.min(axis=1), out=bounds[0])
        np.maximum(bounds[1], means.max(axis=1), out=bounds[1])
    return -1


def polar(
    flat: Array, starts: Array, steps: int, edges: Array, bounds: Array, how: Array, out: Array
) -> tuple[int, int, int]:
    """Cosine and sine of every window and channel into ``out`` (N, 2, C, S) float32."""
    fitted, scaled = how[0] == 1.0, how[1] == 1.0
    for n, start in enumerate(starts):
        means = segment_means(flat[:, start : start + steps], edges)
        finite = np.isfinite(means).all(axis=1)
        if not finite.all():
            return n, int(np.argmin(finite)), NOT_FINITE
        low, high = means.min(axis=1), means.max(axis=1)
        if scaled:
            low, high = (bounds[0], bounds[1]) if fitted else (low, high)
            cosine = scale(means, low[:, None], high[:, None], (how[2], how[3]))
        else:
            outside = (low < -1.0) | (high > 1.0)
            if outside.any():
                return n, int(np.argmax(outside)), OUT_OF_RANGE
            cosine = means
        out[n, 0] = cosine
        out[n, 1] = np.sqrt(1.0 - cosine * cosine)
    return -1, -1, OK


def render(
    flat: Array,
    starts: Array,
    steps: int,
    edges: Array,
    bounds: Array,
    how: Array,
    n_levels: float | None,
    packed: bool,
    out: Array,
) -> tuple[int, int, int]:
    """Images of every window into ``out``, (N, 2, C, S, S) or, packed, (N, 1, C, S, S)."""
    angles = np.empty((1, 2, out.shape[2], out.shape[3]), dtype=np.float32)
    for n in range(len(out)):
        status = polar(flat, starts[n : n + 1], steps, edges, bounds, how, angles)
        if status[2] != OK:
            return n, status[1], status[2]
        x, s = angles[0]
        columns, sines = x[:, None, :], s[:, None, :]
        gasf = x[:, :, None] * columns - s[:, :, None] * sines
        gadf = s[:, :, None] * columns - x[:, :, None] * sines
        fields = np.stack([gasf, gadf])
        out[n] = encode(pack(fields)[None] if packed else fields, out.dtype.name)
    return -1, -1, OK


def halve(values: Array, out: Array) -> None:
    """Round (M,) float32 in [-1, 1] to the bits of float16 (M,) uint16, ties to even."""
    out[:] = values.astype(np.float16).view(np.uint16)
