"""The numba kernel of `MiniRocketFeatures`: shifts and adds of windows, and a sigmoid of its own.

A few windows at a time are laid side by side, step by step: (T, W), so that a step later is W
numbers further on, whatever the window. Then all that is done to them is one loop over memory that
the compiler turns into vector code:

1. the nine steps of each signal are added up, once a dilation;
2. a kernel adds up the few signals that it reads, and its response is three times the sum of three
   steps less the sum of nine;
3. ``sigmoid((response - bias) / width)`` is ``1 / (1 + 2^z)``: the whole part of z goes into the
   exponent's bits, a polynomial of degree 4 gives the rest (3e-6 of it), and two steps share a
   division.

It releases the GIL and is cached on disk. `features` says the same in torch, for what follows a
gradient or is exported.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

_compiled: Callable[[F], F] = njit(nogil=True, cache=True)
# Products and sums may be rounded together, and min and max need not look for NaN: there is none.
# Never "reassoc": it would take away what rounds to a whole number.
_fast: Callable[[F], F] = njit(
    nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz", "nnan"}
)

_AT_A_TIME = 4096
"""Steps of windows that lie side by side: what is made of them stays in the caches of a core. Of
1024 to 4096 the last was the fastest."""
_TOO_LARGE = np.float32(1e36)
"""From here on sums of nine steps may overflow; such a window has NaN for all its numbers."""
_ONE = np.float32(1.0)
_THREE = np.float32(3.0)
_NOTHING = np.float32(-1e30)
"""A response that is above no bias."""
_LOG2_E = np.float32(1.0 / np.log(2.0))
_FAR = np.float32(24.0)
"""2^24 and more give a fraction that float32 does not tell from 0, 2^-24 and less from 1."""
# Adding it rounds a small number to a whole one, see `dualgaf.imaging.kernel`.
_ROUND = np.float32(12582912.0)
# 2^f for f in [-1/2, 1/2], relative error 2.6e-6 at most (minimax).
_C0 = np.float32(0.99999926)
_C1 = np.float32(0.69312181)
_C2 = np.float32(0.24024745)
_C3 = np.float32(0.05591786)
_C4 = np.float32(0.0095701)


@intrinsic
def _scaled(context: Any, value: Any, rounded: Any) -> Any:
    """A float32 times 2^n, where ``rounded`` is n + `_ROUND`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        bits, n = (builder.bitcast(argument, word) for argument in arguments)
        moved = builder.add(bits, builder.shl(n, ir.Constant(word, 23)))
        return builder.bitcast(moved, ir.FloatType())

    return types.float32(types.float32, types.float32), generate


@_fast
def _one_and_power(z: Any) -> Any:
    """1 + 2^z, float32."""
    z = min(max(z, -_FAR), _FAR)
    rounded = z + _ROUND
    f = z - (rounded - _ROUND)
    return _ONE + _scaled((((_C4 * f + _C3) * f + _C2) * f + _C1) * f + _C0, rounded)


@_fast
def _above(early: Array, late: Array, slope: Any, offset: Any, out: Array) -> None:
    """How far responses (M,) are above a bias, the early and the late half added: (M,)."""
    for i in range(out.shape[0]):
        first = _one_and_power(offset - slope * early[i])
        second = _one_and_power(offset - slope * late[i])
        out[i] = (first + second) / (first * second)


@_fast
def _added(numbers: Array, others: Array) -> None:
    for i in range(numbers.shape[0]):
        numbers[i] += others[i]


@_fast
def _three(first: Array, second: Array, third: Array, out: Array) -> None:
    for i in range(out.shape[0]):
        out[i] = first[i] + second[i] + third[i]


@_compiled
def _nine(signal: Array, step: int, scratch: Array, out: Array) -> None:
    """Sums (M,) of nine steps, ``step`` numbers apart, of a signal (M + 8 step,)."""
    threes = scratch[: out.shape[0] + 6 * step]
    _three(signal, signal[step:], signal[2 * step :], threes)
    _three(threes, threes[3 * step :], threes[6 * step :], out)


@_fast
def _weighed_more(weight: Any, numbers: Array, out: Array) -> None:
    for i in range(out.shape[0]):
        out[i] += weight * numbers[i]


@_fast
def _responses(first: Array, second: Array, third: Array, nine: Array, out: Array) -> None:
    """Responses (M,) of a kernel, from the three steps that weigh 2 and the sum of nine."""
    for i in range(nine.shape[0]):
        out[i] = _THREE * (first[i] + second[i] + third[i]) - nine[i]


@_compiled
def _sum_of_steps(rows: Array, n_rows: int, n_windows: int) -> None:
    """Add up rows of ``n_windows`` numbers each: the sum is in the first."""
    while n_rows > 1:
        half = n_rows // 2
        kept = n_rows - half
        _added(rows[: half * n_windows], rows[kept * n_windows : n_rows * n_windows])
        n_rows = kept


@_compiled
def _laid_side_by_side(series: Array, reach: int, out: Array) -> bool:
    """(W, C, T) -> (C, (reach + T + reach) W), steps beyond the window 0; whether all are small."""
    n_windows, n_channels, n_steps = series.shape
    out[:] = np.float32(0.0)
    small = True
    for w in range(n_windows):
        for c in range(n_channels):
            signal, row = series[w, c], out[c]
            for t in range(n_steps):
                value = signal[t]
                if not abs(value) < _TOO_LARGE:
                    small = False
                row[(reach + t) * n_windows + w] = value
    return small


@_compiled
def _differences(laid: Array, reach: int, n_steps: int, n_windows: int, out: Array) -> None:
    """Each step less the one before; the first has none, and steps beyond the window are 0."""
    out[:] = np.float32(0.0)
    start, end = (reach + 1) * n_windows, (reach + n_steps) * n_windows
    for c in range(laid.shape[0]):
        row, found = laid[c], out[c]
        for i in range(start, end):
            found[i] = row[i] - row[i - n_windows]


@_compiled
def _mixed(laid: Array, weights: Array, start: int, end: int, read: Array) -> int:
    """The only signal whose weight is not 0: it is read where it lies.

    Of several, or none, -1: their weighed sum is then in ``read`` (P,), from ``start`` to ``end``.
    """
    only, n_read = -1, 0
    for c in range(len(weights)):
        if weights[c] != 0:
            only, n_read = c, n_read + 1
    if n_read == 1:
        return only
    read[start:end] = np.float32(0.0)
    for c in range(len(weights)):
        if weights[c] != 0:
            _weighed_more(weights[c], laid[c, start:end], read[start:end])
    return -1


@_compiled
def _read_dilation(
    laid: Array,
    n_windows: int,
    reach: int,
    dilation: int,
    twos: Array,
    weights: Array,
    bias: Array,
    width: Array,
    out: Array,
) -> None:
    """What the kernels of one dilation count in windows that lie side by side.

    Args:
        laid: (C, (reach + T + reach) W) of `_laid_side_by_side`.
        n_windows: W.
        reach: steps of 0 before and after the window.
        dilation: between the steps of a kernel.
        twos: (K, 3) which three of the nine steps weigh 2.
        weights: (K, C) of the signals that a kernel reads.
        bias: (K, Q).
        width: (K,).
        out: (W, Q, K), filled.
    """
    n_channels, length = laid.shape
    start, end, step = reach * n_windows, length - reach * n_windows, dilation * n_windows
    n_steps = (end - start) // n_windows
    nine = np.empty((n_channels, end - start), np.float32)
    scratch = np.empty(length, np.float32)
    for c in range(n_channels):
        _nine(laid[c, start - 4 * step :], step, scratch, nine[c])
    half = (n_steps + 1) // 2 * n_windows
    read, nine_read = np.zeros(length, np.float32), np.empty(end - start, np.float32)
    response, found = np.full(2 * half, _NOTHING), np.empty(half, np.float32)
    for kernel in range(len(twos)):
        only = _mixed(laid, weights[kernel], start, end, read)
        if only >= 0:
            signal, total, factor = laid[only], nine[only], weights[kernel, only]
        else:  # not the sum of nines: signals that cancel out would leave other noise
            signal, total, factor = read, nine_read, _ONE
            _nine(read[start - 4 * step :], step, scratch, total)
        places = start + (twos[kernel] - 4) * step
        _responses(signal[places[0] :], signal[places[1] :], signal[places[2] :], total, response)
        slope = _LOG2_E / width[kernel]
        for which in range(bias.shape[1]):
            offset = bias[kernel, which] * slope
            _above(response[:half], response[half:], factor * slope, offset, found)
            _sum_of_steps(found, half // n_windows, n_windows)
            for w in range(n_windows):
                out[w, which, kernel] = found[w] / np.float32(n_steps)


@_compiled
def fractions(
    series: Array,
    dilations: Array,
    differs: Array,
    twos: Array,
    mixture: Array,
    bias: Array,
    width: Array,
    out: Array,
) -> None:
    """How often responses are above biases, of each window.

    Args:
        series: (B, C, T) float32.
        dilations: (D,), rising.
        differs: (D,) whether kernels read the differences of neighbouring steps.
        twos: (K, 3) which three of the nine steps weigh 2.
        mixture: (D, K, C) float32, weights of the signals.
        bias: (D, K, Q) float32.
        width: (D, K) float32.
        out: (B, D, Q, K) float32, filled; NaN where a value of a window is not finite, or above
            1e36.
    """
    n_all, n_channels, n_steps = series.shape
    most = max(1, min(n_all, _AT_A_TIME // n_steps))
    reach = 4 * dilations[-1]
    for start in range(0, n_all, most):
        some = series[start : start + most]
        n_windows = some.shape[0]
        laid = np.empty((n_channels, (n_steps + 2 * reach) * n_windows), np.float32)
        steps = np.empty_like(laid) if differs.any() else laid
        is_small = _laid_side_by_side(some, reach, laid)
        if differs.any():
            _differences(laid, reach, n_steps, n_windows, steps)
        for at in range(len(dilations)):
            _read_dilation(
                steps if differs[at] else laid,
                n_windows,
                reach,
                dilations[at],
                twos,
                mixture[at],
                bias[at],
                width[at],
                out[start : start + most, at],
            )
        if not is_small:
            for w in range(n_windows):
                if not (np.abs(some[w]) < _TOO_LARGE).all():
                    out[start + w] = np.float32(np.nan)
