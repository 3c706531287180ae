"""The numba kernel of `Renderer.bands`: the pixels of some diagonals, and no others.

A pixel is what `kernel.render` stores and `gather_kernel` reads, to the last bit. What a network
does to it first, less a centre and times a scale, is done here: it saves passes over memory.

It releases the GIL and is cached on disk.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from dualgaf.imaging.gather_kernel import _read
from dualgaf.imaging.kernel import _ROUND, _angles, _bits, halve
from dualgaf.imaging.windows import OK

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

_compiled: Callable[[F], F] = njit(nogil=True, cache=True)


@_compiled
def _stored(values: Array, n_levels: float | None) -> None:
    """Replace pixels (M,) float32 by what is read where they were stored; 0 = as float16."""
    if n_levels is None:
        return
    if n_levels > 0.0:
        gain = np.float32(n_levels)
        zero = _ROUND + (gain + np.float32(1.0))
        codes = np.empty(values.shape[0], np.uint16)
        for k in range(values.shape[0]):
            codes[k] = _bits(values[k] * gain + zero)
        _read(codes, n_levels, values)
    else:
        halves = np.empty(values.shape[0], np.uint16)
        halve(values, halves)
        _read(halves, n_levels, values)


@_compiled
def _diagonals(cosine: Array, sine: Array, lags: Array, fields: Array) -> None:
    """Both fields of one channel along each lag into ``fields`` (2, L, S), as they are drawn."""
    size = cosine.shape[0]
    for which in range(lags.shape[0]):
        lag = lags[which]
        first, n = lag // 2, size - lag
        if n <= 0:
            continue
        x, s, later_x, later_s = cosine[:n], sine[:n], cosine[lag:], sine[lag:]
        gasf, gadf = fields[0, which, first:], fields[1, which, first:]
        for k in range(n):
            gasf[k] = x[k] * later_x[k] - s[k] * later_s[k]
            gadf[k] = s[k] * later_x[k] - x[k] * later_s[k]


@_compiled
def bands(
    flat: Array,
    starts: Array,
    steps: int,
    edges: Array,
    limits: Array,
    how: Array,
    n_levels: float | None,
    lags: Array,
    centre: Array,
    scale: Array,
    out: Array,
) -> tuple[int, int, int]:
    """Diagonals of every window into ``out`` (N, G, S, M), time before field and lag.

    ``centre`` and ``scale`` are (M,). With G = 1, M is all channels' 2 L; with G = C each has its
    own row, and M is 2 L. Where a lag has no pixel at a time, 0 stands.

    Returns:
        (-1, -1, OK), or the window, the channel and the status of the first bad series.
    """
    size, n_lags = out.shape[2], lags.shape[0]
    each = 2 * n_lags
    cosine, sine = np.empty(size, np.float32), np.empty(size, np.float32)
    fields = np.zeros((2, n_lags, size), np.float32)
    for n in range(out.shape[0]):
        for c in range(flat.shape[0]):
            series = flat[c, starts[n] : starts[n] + steps]
            status = _angles(series, edges, limits[:, c], how, cosine, sine)
            if status != OK:
                return n, c, status
            _diagonals(cosine, sine, lags, fields)
            _stored(fields.reshape(-1), n_levels)
            row = 0 if out.shape[1] == 1 else c
            first = c * each if out.shape[1] == 1 else 0
            rows = fields.reshape(each, size)
            for which in range(each):
                lag = lags[which % n_lags]
                begins, ends = lag // 2, size - lag + lag // 2
                middle, gain = centre[first + which], scale[first + which]
                for t in range(size):
                    inside = begins <= t < ends
                    rows[which, t] = (rows[which, t] - middle) * gain if inside else np.float32(0.0)
            for t in range(size):
                into = out[n, row, t, first : first + each]
                for which in range(each):
                    into[which] = rows[which, t]
    return -1, -1, OK
