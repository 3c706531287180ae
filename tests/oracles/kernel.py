"""The kernels of `dualgaf.imaging.kernel` in plain NumPy, window by window.

Same functions, same arithmetic, same bytes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.imaging.packing import encode, pack
from dualgaf.imaging.scaling import LEAST, are_constant, shift_of
from dualgaf.imaging.windows import NOT_FINITE, OK, OUT_OF_RANGE, TOO_SMALL

Array = npt.NDArray[Any]


def segment_means(x: Array, edges: Array) -> Array:
    """Means of the S segments along the last axis, (..., T) to (..., S) float64.

    The steps of a segment are added in their order, so that the sums are the kernel's to the bit.
    """
    x = x.astype(np.float64)
    lengths = np.diff(edges)
    with np.errstate(invalid="ignore"):
        largest = abs(x).max(axis=-1, keepdims=True)
    factor = np.where(np.isfinite(largest), shift_of(np.maximum(largest, 1.0)), 1.0)
    sums = np.zeros((*x.shape[:-1], len(lengths)))
    with np.errstate(invalid="ignore"):  # infinities of both signs
        for step in range(int(lengths.max())):
            inside = lengths > step
            sums[..., inside] += x[..., edges[:-1][inside] + step] * factor
        means = np.asarray(sums / lengths / factor)
    most = np.finfo(np.float64).max
    return np.where(np.isfinite(largest), np.clip(means, -most, most), np.nan)


def scale(
    means: Array, low: Array, high: Array, feature_range: tuple[float, float], part: float
) -> Array:
    """[low, high] to ``feature_range``, clipped to [-1, 1]; the arithmetic of scikit-learn.

    means: (..., S) float64; low, high: (..., 1); part: of `rounding`. Returns the cosines, NaN
    where the values are too small.
    """
    first, last = feature_range
    largest = np.maximum(abs(low), abs(high))
    constant = are_constant(low, high, largest, part)
    factor = np.where(constant, 1.0, shift_of(largest))
    with np.errstate(over="ignore", invalid="ignore"):  # values far outside of the bounds
        apart = np.where(abs(means - low) <= largest * part, 0.0, means - low)
        span = np.where(constant, 1.0, high * factor - low * factor)
        gain = (last - first) / span
        drawn = means * factor * gain + (first - low * factor * gain)
        x = np.where(constant, apart * (last - first) + first, drawn)
    x = np.where(~constant & (largest < LEAST), np.nan, x)
    return np.asarray(np.clip(x, -1.0, 1.0))


def widen(
    flat: Array, starts: Array, steps: int, edges: Array, bounds: Array, largest: Array
) -> int:
    """Widen ``bounds`` (2, C) to hold every window after PAA, ``largest`` (C,) before it."""
    for start in starts:
        series = flat[:, start : start + steps]
        means = segment_means(series, edges)
        finite = np.isfinite(means).all(axis=1)
        if not finite.all():
            return int(np.argmin(finite))
        np.minimum(bounds[0], means.min(axis=1), out=bounds[0])
        np.maximum(bounds[1], means.max(axis=1), out=bounds[1])
        np.maximum(largest, abs(series).max(axis=1), out=largest)
    return -1


def polar(
    flat: Array, starts: Array, steps: int, edges: Array, bounds: Array, how: Array, out: Array
) -> tuple[int, int, int]:
    """Cosine and sine of every window and channel into ``out`` (N, 2, C, S) float32."""
    fitted, scaled = how[0] == 1.0, how[1] == 1.0
    for n, start in enumerate(starts):
        series = flat[:, start : start + steps]
        means = segment_means(series, edges)
        finite = np.isfinite(means).all(axis=1)
        if not finite.all():
            return n, int(np.argmin(finite)), NOT_FINITE
        low, high = means.min(axis=1, keepdims=True), means.max(axis=1, keepdims=True)
        largest = abs(series.astype(np.float64)).max(axis=1, keepdims=True)
        constant = are_constant(low, high, largest, how[4])
        with np.errstate(over="ignore"):
            middle = np.where(constant, low + (high - low) / 2, low)
        means = np.where(constant, middle, means)
        if scaled:
            low, high = (bounds[0], bounds[1]) if fitted else (means.min(axis=1), means.max(axis=1))
            cosine = scale(means, low[:, None], high[:, None], (how[2], how[3]), how[4])
            small = np.isnan(cosine).any(axis=1)
            if small.any():
                return n, int(np.argmax(small)), TOO_SMALL
        else:
            outside = (abs(means) > 1.0).any(axis=1)
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
