"""One field of univariate series with the choices that pyts has: overlapping PAA, float sizes.

The arithmetic is that of `dualgaf.imaging.gaf`, and so is what counts as a constant. The segments
of PAA are those of pyts 0.14.1 in both of its ways.

Source: Faouzi and Janati, "pyts: A Python package for time series classification", JMLR 2020.
"""

from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import ConfigError, SeriesError, SettingTypeError, not_allowed, unknown_choice
from dualgaf.given import as_numpy
from dualgaf.imaging.compiled import kernel, preload
from dualgaf.imaging.reused import empty
from dualgaf.imaging.scaling import rounding
from dualgaf.imaging.windows import NOT_FINITE, OUT_OF_RANGE, TOO_SMALL
from dualgaf.not_numbers import is_time, wrong_with

Array = npt.NDArray[Any]

preload(kernel)

METHODS = ("summation", "s", "difference", "d")
MANY = 20
"""Columns or rows without numbers that a message names."""

_REASONS = {
    NOT_FINITE: "holds a NaN, an infinity or a masked value; fill its gaps, or leave such series "
    "out: type {x}[np.isfinite({x}).all(axis=1)]",
    OUT_OF_RANGE: "leaves [-1, 1], which sample_range=None does not allow; type "
    "sample_range=(-1, 1)",
    TOO_SMALL: "changes by less than float64 has digits for: all its values are below 2.2e-308; "
    "allowed: larger ones, or a constant; multiply it by 1e100",
}
_OVERFLOW = "has values whose sum overflows; type {x} / 1e10, which is drawn alike"


def one_field(
    x: Any,
    image_size: int | float,
    sample_range: tuple[float, float] | None,
    method: str,
    overlapping: bool,
) -> Array:
    """GASF or GADF of each series.

    Args:
        x: (N, T) finite numbers.
        image_size: S, or the part of T that S is, rounded up; 1 <= S <= T.
        sample_range: where each series is scaled to, inside [-1, 1]; None for values that are
            there already.
        method: ``summation`` or ``s``, ``difference`` or ``d``.
        overlapping: whether all segments of PAA have the same length, and overlap for it.

    Returns:
        (N, S, S) float32.

    Raises:
        SeriesError: ``x`` has the wrong shape, or a value that is not allowed.
        ConfigError: an option has a value that is not allowed.
        SettingTypeError: ``x`` is sparse, or an option is of a type that is not allowed.

    Example:
        >>> one_field([[0.0, 10.0, 1.0, 3.0]], 0.5, (-1, 1), "s", False).tolist()
        [[[1.0, -1.0], [-1.0, 1.0]]]
    """
    series = _series(x)
    size = _size(image_size, series.shape[1])
    _check_range(sample_range)
    if not isinstance(method, str) or method not in METHODS:
        raise ConfigError(unknown_choice("method", method, METHODS))
    begins, ends = segments(series.shape[1], size, overlapping)
    low, high = sample_range or (0.0, 0.0)
    part = rounding(int((ends - begins).max()), series.dtype)
    how = np.array([0.0, sample_range is not None, low, high, part])
    out = empty((len(series), size, size), np.float32)
    is_difference = method in ("difference", "d")
    row, status = kernel().render_one(series, begins, ends, how, is_difference, out)
    if row >= 0:
        overflows = status == NOT_FINITE and np.isfinite(series[row]).all()
        told = _OVERFLOW if overflows else _REASONS[status]
        raise SeriesError(f"series {row} {told.format(x=_as_floats(x))}")
    return out


def segments(steps: int, size: int, overlapping: bool) -> tuple[Array, Array]:
    """First step, and one past the last, of each segment of PAA.

    Args:
        steps: T.
        size: S, 1 <= S <= T.
        overlapping: see `one_field`.

    Returns:
        (S,) int64 twice.

    Example:
        >>> [part.tolist() for part in segments(10, 4, overlapping=False)]
        [[0, 2, 5, 7], [2, 5, 7, 10]]
        >>> [part.tolist() for part in segments(10, 4, overlapping=True)]
        [[0, 3, 5, 7], [3, 6, 8, 10]]
    """
    if size == steps:
        return np.arange(steps), np.arange(1, steps + 1)
    if not overlapping:
        edges = np.linspace(0, steps, size + 1).astype(np.int64)
        return edges[:-1], edges[1:]
    length = -(-steps // size)
    back = np.linspace(0, size * length - steps, size).astype(np.int64)
    begins = np.arange(size) * length - back
    return begins, begins + length


def _series(x: Any) -> Array:
    if hasattr(x, "tocsr"):
        raise SettingTypeError("X is sparse; needed: (N, T) numbers; type X.toarray()")
    array = as_numpy(x, "X")
    if array.dtype.kind == "c":
        raise SeriesError("X is complex; allowed: real numbers; type np.real(X) or np.abs(X)")
    if array.dtype.kind in "Mm":
        wrong = wrong_with(array, "X" if isinstance(x, np.ndarray) else "np.asarray(X)", x)
        raise SettingTypeError(f"X {wrong.told}; {wrong.how}")
    if array.dtype not in (np.float32, np.float64):
        try:
            array = array.astype(np.float64)
        except (ValueError, OverflowError, TypeError) as error:
            time = next((cell for cell in array.flat if is_time(cell)), None)
            what = error if time is None else f"times, {time} for one"
            told = f"X holds what is no number: {what}; its cells must be numbers{_without(array)}"
            kind = SettingTypeError if isinstance(error, TypeError) else SeriesError
            raise kind(told) from None
    if array.ndim != 2:
        floats = _as_floats(x)
        hint = {0: "[[...]]", 1: f"{floats}[None, :] for one series"}.get(
            array.ndim, f"{floats}[:, channel], or dualgaf.dual_gaf({floats}) for all channels"
        )
        raise SeriesError(f"X has shape {array.shape}; needed: (N, T), series, steps; type {hint}")
    if 0 in array.shape:
        raise SeriesError(f"X has shape {array.shape}; N and T must be at least 1")
    return np.ascontiguousarray(array)


def _as_floats(x: Any) -> str:
    """What to type for ``x`` as an array of numbers, with NaN where there is none."""
    if isinstance(x, np.ma.MaskedArray):
        return "X.astype(float).filled(np.nan)"
    is_plain = isinstance(x, np.ndarray) and x.dtype.kind in "fiu"
    return "X" if is_plain else "np.asarray(X, float)"


def _without(array: Array) -> str:
    """What to type to leave out the columns, else the rows, that hold what is no number."""
    for axis in (1, 0) if array.ndim == 2 else ():
        lines = np.moveaxis(array, axis, 0)
        bad = [index for index, line in enumerate(lines) if not _are_numbers(line)]
        if len(bad) <= min(len(lines) - 1, MANY):
            what = "rows" if axis == 0 else "columns"
            return f"; to leave such {what} out type np.delete(np.asarray(X), {bad}, axis={axis})"
    return ""


def _are_numbers(line: Array) -> bool:
    try:
        line.astype(np.float64)
    except (ValueError, OverflowError, TypeError):
        return False
    return True


def _size(image_size: Any, steps: int) -> int:
    number = isinstance(image_size, int | float | np.integer | np.floating)
    if isinstance(image_size, bool) or not number:
        allowed = f"whole numbers of 1 to {steps}, the steps, or the part of them, above 0 to 1.0"
        raise SettingTypeError(not_allowed("image_size", image_size, allowed, "image_size=1.0"))
    if isinstance(image_size, int | np.integer):
        if not 1 <= image_size <= steps:
            allowed = f"1 to {steps}, the steps of the series"
            raise ConfigError(not_allowed("image_size", image_size, allowed, f"image_size={steps}"))
        return int(image_size)
    if not 0 < image_size <= 1:
        allowed = "as a part of the steps, above 0 and at most 1.0"
        raise ConfigError(not_allowed("image_size", image_size, allowed, "image_size=1.0"))
    size: int = ceil(image_size * steps)
    return size


def _check_range(sample_range: Any) -> None:
    if sample_range is None:
        return
    allowed = "None, or a tuple of two numbers, -1 <= low < high <= 1"
    told = not_allowed("sample_range", sample_range, allowed, "sample_range=(-1, 1)")
    if not isinstance(sample_range, tuple):
        raise SettingTypeError(told)
    if len(sample_range) != 2:
        raise ConfigError(told)
    try:
        fits = bool(-1 <= sample_range[0] < sample_range[1] <= 1)
    except TypeError:
        raise SettingTypeError(told) from None
    if not fits:
        raise ConfigError(told)
