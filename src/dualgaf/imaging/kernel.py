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
from numba import njit

Array = npt.NDArray[Any]

OK, NOT_FINITE, OUT_OF_RANGE = 0, 1, 2

# Adding and subtracting 1.5 * 2^23 rounds a small float32 to a whole number, ties to even, in two
# instructions that vectorise everywhere; np.rint does not on older processors.
_ROUND = np.float32(12582912.0)
# float32 times 2^-112 has float16's exponent bias; its upper bits are then the float16.
_HALF_BIAS = np.float32(2.0**-112)


@njit(nogil=True, cache=True)
def _angles(
    series: Array, edges: Array, bounds: Array, how: Array, cosine: Array, sine: Array
) -> int:
    """Fill ``cosine`` and ``sine`` (S,) float32 of one (T,) series; return a status.

    ``how`` is (4,) float64: fitted (0 or 1), scaled (0 or 1), r0, r1; ``bounds`` (2,) low and high.
    """
    size = cosine.shape[0]
    means = np.empty(size, np.float64)
    low, high = np.inf, -np.inf
    for k in range(size):
        total = 0.0
        for t in range(edges[k], edges[k + 1]):
            total += np.float64(series[t])
        mean = total / (edges[k + 1] - edges[k])
        if not np.isfinite(mean):
            return NOT_FINITE
        means[k] = mean
        low = min(low, mean)
        high = max(high, mean)
    gain, shift = 1.0, 0.0
    if how[1] == 1.0:
        if how[0] == 1.0:
            low, high = bounds[0], bounds[1]
        span = high - low
        if span < 10 * 2.220446049250313e-16:
            span = 1.0
        gain = (how[3] - how[2]) / span
        shift = how[2] - low * gain
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
            back = _ROUND - (gain + np.float32(1.0))
            for j in range(size):
                upper[j] = np.int32(((x * cosine[j] - s * sine[j]) * gain + _ROUND) - back)
                lower[j] = np.int32(((s * cosine[j] - x * sine[j]) * gain + _ROUND) - back)


@njit(nogil=True, cache=True)
def render_packed(cosine: Array, sine: Array, n_levels: float, out: Array) -> None:
    """Both fields of one channel into one (S, S) array: GASF where j >= i, GADF below."""
    size = cosine.shape[0]
    for i in range(size):
        x, s = cosine[i], sine[i]
        row = out[i]
        # A select per element instead of two triangular loops, which do not vectorise.
        if n_levels is None:
            for j in range(size):
                a = x if j >= i else s
                b = s if j >= i else x
                row[j] = a * cosine[j] - b * sine[j]
        else:
            gain = np.float32(n_levels)
            back = _ROUND - (gain + np.float32(1.0))
            for j in range(size):
                a = x if j >= i else s
                b = s if j >= i else x
                row[j] = np.int32(((a * cosine[j] - b * sine[j]) * gain + _ROUND) - back)


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
