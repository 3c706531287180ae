"""The kernels of `dualgaf.imaging.gather_kernel` in plain NumPy, window by window.

Same functions, same arithmetic, same values.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _read(codes: Array, n_levels: float | None) -> Array:
    if n_levels is None:
        return codes
    if n_levels == 0.0:
        return codes.view(np.float16).astype(np.float32)
    n = np.float32(n_levels)
    return np.asarray((codes.astype(np.float32) - (n + np.float32(1.0))) / n)


def read_dual(stored: Array, rows: Array, n_levels: float | None, gasf: Array, gadf: Array) -> None:
    """Rows of ``stored`` (N, 2, M) into ``gasf`` and ``gadf``, (B, M) float32 each."""
    for b, row in enumerate(rows):
        gasf[b], gadf[b] = _read(stored[row], n_levels)


def read_packed(
    stored: Array, rows: Array, n_levels: float | None, gasf: Array, gadf: Array
) -> None:
    """Rows of ``stored`` (N, C, S, S), packed, into ``gasf`` and ``gadf``, (B, C, S, S) each."""
    above = np.triu(np.ones(gasf.shape[-2:], dtype=bool))
    diagonal = np.arange(gasf.shape[-1])
    for b, row in enumerate(rows):
        here = _read(stored[row], n_levels)
        there = here.swapaxes(-1, -2)
        gasf[b] = np.where(above, here, there)
        gadf[b] = np.where(above, np.float32(0.0) - there, here)
        gadf[b][:, diagonal, diagonal] = 0.0


def draw(angles: Array, gasf: Array, gadf: Array) -> None:
    """Images of ``angles`` (B, 2, C, S) float32, cosine and sine, into two (B, C, S, S) arrays."""
    for b, (x, s) in enumerate(angles):
        columns, sines = x[:, None, :], s[:, None, :]
        gasf[b] = x[:, :, None] * columns - s[:, :, None] * sines
        gadf[b] = s[:, :, None] * columns - x[:, :, None] * sines


def standardise(flat: Array, starts: Array, mean: Array, std: Array, out: Array) -> tuple[int, int]:
    """Windows of ``flat`` (C, L) from ``starts`` (B,) on into ``out`` (B, C, T) float32."""
    for b, start in enumerate(starts):
        series = flat[:, start : start + out.shape[2]]
        with np.errstate(over="ignore"):
            out[b] = (series - mean[:, None]) / std[:, None]
        finite = np.isfinite(out[b]).all(axis=1)
        if not finite.all():
            return b, int(np.argmin(finite))
    return -1, -1
