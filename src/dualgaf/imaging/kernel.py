"""The numba kernels: one window and channel at a time, both fields in one pass.

For each window and channel

1. PAA and scaling in float64 (the order and arithmetic of `paa` and `scaling`);
2. cosine x and sine s = sqrt(1 - x^2) in float64, then both to float32;
3. for each row i, in one loop over j that the compiler turns into vector code,
   GASF[i, j] = x_i x_j - s_i s_j  and  GADF[i, j] = s_i x_j - x_i s_j, written in storage type.

Two rounded products and a subtraction, never a fused one: ``fastmath`` stays off, so that GADF is
exactly antisymmetric and every backend gives the same bytes. Nothing exploits the symmetry: a
mirrored store is strided and four times slower than computing the value again.

All kernels release the GIL and are cached on disk.

Source: Wang and Oates, "Imaging time-series to improve classification and imputation", IJCAI 2015.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from dualgaf.imaging.scaling import LARGE, LEAST, SHIFT, SMALL
from dualgaf.imaging.windows import NOT_FINITE, OK, OUT_OF_RANGE, TOO_SMALL

Array = npt.NDArray[Any]

_LARGEST = np.finfo(np.float64).max

# A float32 near 1.5 * 2^23 has steps of one: adding this rounds a small number to a whole one, ties
# to even, and the low bits of the sum are that number. It saves the conversion, which is half of
# the time, and vectorises everywhere, which np.rint does not on older processors.
_ROUND = np.float32(12582912.0)
# float32 times 2^-112 has float16's exponent bias; its upper bits are then the float16.
_HALF_BIAS = np.float32(2.0**-112)


@intrinsic
def _bits(context: Any, value: Any) -> Any:
    """The 32 bits of a float32 as an int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), generate


@njit(nogil=True, cache=True)
def _means(series: Array, edges: Array, means: Array) -> float:
    """PAA of one (T,) series into ``means`` (S,) float64.

    Returns:
        The largest absolute value of the series; -1 where one is not finite.
    """
    size = means.shape[0]
    if size == series.shape[0]:  # nothing to average; without the inner loop this vectorises
        for k in range(size):
            means[k] = series[k]
    else:
        for k in range(size):
            total = 0.0
            for t in range(edges[k], edges[k + 1]):
                total += np.float64(series[t])
            means[k] = total / (edges[k + 1] - edges[k])
    bad = False
    for k in range(size):
        bad |= not abs(means[k]) <= _LARGEST
    if bad and not _means_of_large(series, edges, means):
        return -1.0
    largest: float = _largest(series)
    return largest


@njit(nogil=True, cache=True)
def _means_of_large(series: Array, edges: Array, means: Array) -> bool:
    """`_means` where a sum overflows; False where a value is not finite."""
    for t in range(series.shape[0]):
        if not abs(series[t]) <= _LARGEST:
            return False
    for k in range(means.shape[0]):
        total = 0.0
        for t in range(edges[k], edges[k + 1]):
            total += np.float64(series[t]) / SHIFT
        mean = total / (edges[k + 1] - edges[k]) * SHIFT
        means[k] = min(_LARGEST, max(-_LARGEST, mean))
    return True


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _largest(series: Array) -> float:
    """Largest absolute value of finite numbers; the flags let the comparison vectorise."""
    found = abs(series[0])
    for t in range(series.shape[0]):
        found = max(found, abs(series[t]))
    return np.float64(found)


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _extremes(means: Array) -> tuple[float, float]:
    """Minimum and maximum of finite numbers; the flags let the comparison vectorise."""
    low, high = means[0], means[0]
    for k in range(means.shape[0]):
        low = min(low, means[k])
        high = max(high, means[k])
    return low, high


@njit(nogil=True, cache=True)
def widen(
    flat: Array, starts: Array, steps: int, edges: Array, bounds: Array, largest: Array
) -> int:
    """Widen ``bounds`` (2, C) to hold every window after PAA, ``largest`` (C,) before it.

    Returns:
        The first channel with a value that is not finite, or -1.
    """
    means = np.empty(edges.shape[0] - 1, np.float64)
    for start in starts:
        for c in range(flat.shape[0]):
            most = _means(flat[c, start : start + steps], edges, means)
            if most < 0.0:
                return c
            low, high = _extremes(means)
            bounds[0, c] = min(bounds[0, c], low)
            bounds[1, c] = max(bounds[1, c], high)
            largest[c] = max(largest[c], most)
    return -1


@njit(nogil=True, cache=True)
def _stretch(means: Array, low: float, high: float, how: Array) -> tuple[float, float, int]:
    """Gain and shift that map [low, high] to [r0, r1], and a status; ``means`` may be rescaled."""
    largest = max(abs(low), abs(high))
    if high - low <= largest * how[4]:  # constant: what lies at it, up to rounding, is r0
        for k in range(means.shape[0]):
            apart = means[k] - low
            means[k] = 0.0 if abs(apart) <= largest * how[4] else apart
        return how[3] - how[2], how[2], OK
    if largest < LEAST:
        return 1.0, 0.0, TOO_SMALL
    if largest > LARGE or largest < SMALL:
        factor = SHIFT if largest < SMALL else 1.0 / SHIFT
        low, high = low * factor, high * factor
        for k in range(means.shape[0]):
            means[k] *= factor
    gain = (how[3] - how[2]) / (high - low)
    return gain, how[2] - low * gain, OK


@njit(nogil=True, cache=True)
def _angles(
    series: Array, edges: Array, bounds: Array, how: Array, cosine: Array, sine: Array
) -> int:
    """Fill ``cosine`` and ``sine`` (S,) float32 of one (T,) series; return a status.

    ``how`` is (5,) float64: fitted (0 or 1), scaled (0 or 1), r0, r1, and the `rounding` of values,
    as a fraction of the largest; ``bounds`` (2,) low and high.
    """
    means = np.empty(cosine.shape[0], np.float64)
    largest = _means(series, edges, means)
    if largest < 0.0:
        return NOT_FINITE
    status: int = _angles_of(means, largest, bounds, how, cosine, sine)
    return status


@njit(nogil=True, cache=True)
def _angles_of(
    means: Array, largest: float, bounds: Array, how: Array, cosine: Array, sine: Array
) -> int:
    """`_angles` of (S,) means, which are changed; ``largest`` is that of what they are means of."""
    size = means.shape[0]
    low, high = _extremes(means)
    if high - low <= largest * how[4]:
        low += (high - low) / 2
        high = low
        for k in range(size):
            means[k] = low
    gain, shift = 1.0, 0.0
    if how[1] == 1.0:
        if how[0] == 1.0:
            low, high = bounds[0], bounds[1]
        gain, shift, status = _stretch(means, low, high, how)
        if status != OK:
            return TOO_SMALL
    elif low < -1.0 or high > 1.0:
        return OUT_OF_RANGE
    for k in range(size):
        x = means[k] * gain + shift
        x = min(1.0, max(-1.0, x))
        cosine[k] = x
        sine[k] = np.sqrt(1.0 - x * x)
    return OK


@njit(nogil=True, cache=True)
def polar(
    flat: Array, starts: Array, steps: int, edges: Array, bounds: Array, how: Array, out: Array
) -> tuple[int, int, int]:
    """Cosine and sine of every window and channel into ``out`` (N, 2, C, S) float32."""
    for n in range(out.shape[0]):
        for c in range(out.shape[2]):
            series = flat[c, starts[n] : starts[n] + steps]
            status = _angles(series, edges, bounds[:, c], how, out[n, 0, c], out[n, 1, c])
            if status != OK:
                return n, c, status
    return -1, -1, OK


@njit(nogil=True, cache=True)
def render_dual(cosine: Array, sine: Array, n_levels: float, gasf: Array, gadf: Array) -> None:
    """Both fields of one channel into two (S, S) arrays; ``n_levels`` None stores floats."""
    size = cosine.shape[0]
    for i in range(size):
        x, s = cosine[i], sine[i]
        upper, lower = gasf[i], gadf[i]
        if n_levels is None:
            for j in range(size):
                upper[j] = x * cosine[j] - s * sine[j]
                lower[j] = s * cosine[j] - x * sine[j]
        else:
            gain = np.float32(n_levels)
            zero = _ROUND + (gain + np.float32(1.0))
            for j in range(size):
                upper[j] = _bits((x * cosine[j] - s * sine[j]) * gain + zero)
                lower[j] = _bits((s * cosine[j] - x * sine[j]) * gain + zero)


@njit(nogil=True, cache=True)
def render_packed(cosine: Array, sine: Array, n_levels: float, out: Array) -> None:
    """Both fields of one channel into one (S, S) array: GASF where j >= i, GADF below."""
    size = cosine.shape[0]
    for i in range(size):
        x, s = cosine[i], sine[i]
        row = out[i]
        # The row is drawn as GASF, then its first i pixels as GADF: half more arithmetic, but no
        # choice inside a loop, which is faster than a select for each pixel.
        if n_levels is None:
            for j in range(size):
                row[j] = x * cosine[j] - s * sine[j]
            for j in range(i):
                row[j] = s * cosine[j] - x * sine[j]
        else:
            gain = np.float32(n_levels)
            zero = _ROUND + (gain + np.float32(1.0))
            for j in range(size):
                row[j] = _bits((x * cosine[j] - s * sine[j]) * gain + zero)
            for j in range(i):
                row[j] = _bits((s * cosine[j] - x * sine[j]) * gain + zero)


@njit(nogil=True, cache=True)
def halve(values: Array, out: Array) -> None:
    """Round (M,) float32 in [-1, 1] to the bits of float16 (M,) uint16, ties to even."""
    scratch = np.empty(values.shape[0], np.float32)
    for k in range(values.shape[0]):
        scratch[k] = values[k] * _HALF_BIAS
    bits = scratch.view(np.int32)
    for k in range(values.shape[0]):
        magnitude = bits[k] & 0x7FFFFFFF
        rounded = (magnitude + 0xFFF + ((magnitude >> 13) & 1)) >> 13
        out[k] = rounded | ((bits[k] >> 16) & 0x8000)


@njit(nogil=True, cache=True)
def render(
    flat: Array,
    starts: Array,
    steps: int,
    edges: Array,
    bounds: Array,
    how: Array,
    n_levels: float,
    packed: bool,
    out: Array,
) -> tuple[int, int, int]:
    """Images of every window into ``out``, (N, 2, C, S, S) or, packed, (N, 1, C, S, S).

    Returns:
        (-1, -1, OK), or the window, the channel and the status of the first bad series.
    """
    size = out.shape[4]
    cosine = np.empty(size, np.float32)
    sine = np.empty(size, np.float32)
    for n in range(out.shape[0]):
        for c in range(out.shape[2]):
            series = flat[c, starts[n] : starts[n] + steps]
            status = _angles(series, edges, bounds[:, c], how, cosine, sine)
            if status != OK:
                return n, c, status
            if packed:
                render_packed(cosine, sine, n_levels, out[n, 0, c])
            else:
                render_dual(cosine, sine, n_levels, out[n, 0, c], out[n, 1, c])
    return -1, -1, OK


@njit(nogil=True, cache=True)
def render_one(
    series: Array, begins: Array, ends: Array, how: Array, is_difference: bool, out: Array
) -> tuple[int, int]:
    """One field of (N, T) series into ``out`` (N, S, S), as pyts has it: segments may overlap.

    Segment k is ``begins[k] .. ends[k] - 1``. A sum that overflows is no finite number here.

    Returns:
        (-1, OK), or the first bad series and its status.
    """
    size = out.shape[2]
    means = np.empty(size, np.float64)
    cosine = np.empty(size, np.float32)
    sine = np.empty(size, np.float32)
    none = np.zeros(2)
    for n in range(out.shape[0]):
        for k in range(size):
            total = 0.0
            for t in range(begins[k], ends[k]):
                total += np.float64(series[n, t])
            means[k] = total / (ends[k] - begins[k])
            if not abs(means[k]) <= _LARGEST:
                return n, NOT_FINITE
        status = _angles_of(means, _largest(series[n]), none, how, cosine, sine)
        if status != OK:
            return n, status
        for i in range(size):
            x, s = cosine[i], sine[i]
            row = out[n, i]
            if is_difference:
                for j in range(size):
                    row[j] = s * cosine[j] - x * sine[j]
            else:
                for j in range(size):
                    row[j] = x * cosine[j] - s * sine[j]
    return -1, OK
