"""The numba kernels of `gather`: stored rows, or cosine and sine, to float32 images in one pass.

The two fields go into arrays of their own, each contiguous, so that a network reads them without
another copy. All kernels release the GIL and are cached on disk.

``n_levels`` says how a pixel is stored: n of an integer type, 0 for the bits of float16, None for
float32.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

_compiled: Callable[[F], F] = njit(nogil=True, cache=True)

# Halves that are read at a time: their scratch stays in the innermost cache.
_BLOCK = 2048
# The bits of a float16, moved to where a float32 has them, are its value times 2^-112.
_HALF_SCALE = np.float32(2.0**112)
_LARGEST = np.finfo(np.float32).max


@_compiled
def _widen(codes: Array, out: Array) -> None:
    """Bits of float16 (M,) to float32 (M,)."""
    bits = np.empty(_BLOCK, np.int32)
    values = bits.view(np.float32)
    for start in range(0, out.shape[0], _BLOCK):
        block, wide = codes[start : start + _BLOCK], out[start : start + _BLOCK]
        for k in range(wide.shape[0]):
            code = np.int32(block[k])
            bits[k] = ((code & 0x7FFF) << 13) | ((code & 0x8000) << 16)
        for k in range(wide.shape[0]):
            wide[k] = values[k] * _HALF_SCALE


@_compiled
def _read(codes: Array, n_levels: float | None, out: Array) -> None:
    """Pixels of (M,) codes into ``out`` (M,) float32."""
    if n_levels is None:
        for k in range(out.shape[0]):
            out[k] = codes[k]
    elif n_levels > 0.0:
        n = np.float32(n_levels)
        zero = n + np.float32(1.0)
        # Dividing, not multiplying by 1 / n: the ends must come out as exactly -1 and 1.
        for k in range(out.shape[0]):
            out[k] = (np.float32(codes[k]) - zero) / n
    else:
        _widen(codes, out)


@_compiled
def read_dual(stored: Array, rows: Array, n_levels: float | None, gasf: Array, gadf: Array) -> None:
    """Rows of ``stored`` (N, 2, M) into ``gasf`` and ``gadf``, (B, M) float32 each."""
    for b in range(rows.shape[0]):
        _read(stored[rows[b], 0], n_levels, gasf[b])
        _read(stored[rows[b], 1], n_levels, gadf[b])


@_compiled
def _unfold(codes: Array, n_levels: float | None, turned: Array, gasf: Array, gadf: Array) -> None:
    """Both fields of one packed channel; all arrays (S, S), ``turned`` is scratch of its type."""
    size = codes.shape[0]
    nothing = np.float32(0.0)
    for j in range(size):
        column = turned[j]
        for i in range(size):
            column[i] = codes[i, j]
    for i in range(size):
        own, mirrored, upper, lower = codes[i], turned[i], gasf[i], gadf[i]
        # Both pixels are read before the select: a load under a condition is not vectorised.
        if n_levels is None:
            for j in range(size):
                here, there = own[j], mirrored[j]
                upper[j] = here if j >= i else there
                lower[j] = here if j < i else nothing - there
        else:
            n = np.float32(n_levels)
            zero = n + np.float32(1.0)
            for j in range(size):
                here, there = (np.float32(own[j]) - zero) / n, (np.float32(mirrored[j]) - zero) / n
                upper[j] = here if j >= i else there
                lower[j] = here if j < i else nothing - there
        lower[i] = nothing


@_compiled
def read_packed(
    stored: Array, rows: Array, n_levels: float | None, gasf: Array, gadf: Array
) -> None:
    """Rows of ``stored`` (N, C, S, S), packed, into ``gasf`` and ``gadf``, (B, C, S, S) each."""
    size = gasf.shape[3]
    turned = np.empty((size, size), stored.dtype)
    wide = np.empty((size, size), np.float32)
    wide_turned = np.empty((size, size), np.float32)
    for b in range(rows.shape[0]):
        for c in range(gasf.shape[1]):
            codes = stored[rows[b], c]
            if n_levels is None or n_levels > 0.0:
                _unfold(codes, n_levels, turned, gasf[b, c], gadf[b, c])
            else:
                for i in range(size):
                    _widen(codes[i], wide[i])
                _unfold(wide, None, wide_turned, gasf[b, c], gadf[b, c])


@_compiled
def draw(angles: Array, gasf: Array, gadf: Array) -> None:
    """Images of ``angles`` (B, 2, C, S) float32, cosine and sine, into two (B, C, S, S) arrays."""
    size = gasf.shape[3]
    for b in range(angles.shape[0]):
        for c in range(angles.shape[2]):
            cosine, sine = angles[b, 0, c], angles[b, 1, c]
            for i in range(size):
                x, s = cosine[i], sine[i]
                upper, lower = gasf[b, c, i], gadf[b, c, i]
                for j in range(size):
                    upper[j] = x * cosine[j] - s * sine[j]
                    lower[j] = s * cosine[j] - x * sine[j]


@_compiled
def standardise(flat: Array, starts: Array, mean: Array, std: Array, out: Array) -> tuple[int, int]:
    """Windows of ``flat`` (C, L) from ``starts`` (B,) on into ``out`` (B, C, T) float32.

    Returns:
        The window and the channel of the first value that is not finite there, or (-1, -1).
    """
    steps = out.shape[2]
    for b in range(out.shape[0]):
        for c in range(out.shape[1]):
            series, row = flat[c, starts[b] : starts[b] + steps], out[b, c]
            centre, scale = mean[c], std[c]
            bad = False
            for t in range(steps):
                row[t] = (series[t] - centre) / scale
                bad |= not abs(row[t]) <= _LARGEST
            if bad:
                return b, c
    return -1, -1
