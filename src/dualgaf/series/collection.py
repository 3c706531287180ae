"""What estimators are given: arrays, frames of sktime, lists of series of unequal length.

* an array (N, C, T), or (N, T) for one channel; a plain frame is (N, T), a row a series;
* a frame whose index has two levels: series by the first, times by the second, a column a channel;
* a frame with a series in each cell: a row a series, a column a channel;
* a list of (C, L_i) or (L_i,) arrays, or of frames whose rows are times.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError
from dualgaf.given import as_numbers, as_numpy, frame_channels, is_frame
from dualgaf.series.lengths import equalise
from dualgaf.series.series import SeriesSet

Array = npt.NDArray[Any]

LEVELS = 2
"""Levels of the index of a frame with a row for each series and time."""


def read_collection(x: Any) -> tuple[Any, tuple[str, ...] | None]:
    """Series as one array, or as a list where their lengths differ.

    Args:
        x: see the module.

    Returns:
        A list of N (C, L_i) arrays, or what scikit-learn reads as an array; and the names of the
        channels, where there are any.

    Raises:
        SeriesError: a value is masked, or series do not have the same channels.

    Example:
        >>> series, names = read_collection([np.zeros(3), np.zeros(4)])
        >>> [one.shape for one in series], names
        ([(1, 3), (1, 4)], None)
    """
    _refuse_masked(x)
    if is_frame(x):
        return _read_frame(x)
    if isinstance(x, list | tuple):
        return _read_list(x)
    return (as_numpy(x, "X"), None) if hasattr(x, "detach") else (x, None)


def one_length(series: Sequence[Array], rule: str, steps: int | None) -> Array:
    """Series of unequal length, without gaps (see `check_finite`), as one array.

    Args:
        series: N (C, L_i) arrays.
        rule: ``resample``, ``pad``, ``truncate`` or ``error``, see `dualgaf.series.lengths`.
        steps: T; None = that of the longest.

    Returns:
        (N, C, T).

    Raises:
        SeriesError: lengths differ, and the rule does not take it.
        ConfigError: the rule is unknown.

    Example:
        >>> one_length([np.array([[0.0, 2.0]]), np.array([[0.0, 1.0, 4.0]])], "resample", None)
        array([[[0., 1., 2.]],
        <BLANKLINE>
               [[0., 1., 4.]]])
    """
    longest = max(one.shape[1] for one in series)
    made = equalise(SeriesSet.from_arrays(list(series)), rule, steps or longest, door="")
    return np.stack(made.values)


def check_finite(series: Sequence[Array] | Array, names: Sequence[str] | None, x: Any) -> None:
    """Refuse a value that is missing or infinite, by its series and channel.

    Args:
        series: N (C, L_i) arrays.
        names: of the channels.
        x: what was given, to say how series are left out of it.

    Raises:
        SeriesError: there is one.
    """
    for index, one in enumerate(series):
        if one.dtype.kind == "f" and not np.isfinite(one).all():
            channel, step = np.argwhere(~np.isfinite(one))[0]
            name = channel if names is None else repr(names[channel])
            kind = "NaN" if np.isnan(one[channel, step]) else "infinity (inf)"
            raise SeriesError(
                f"X holds {kind}: series {index}, channel {name}, step {step}; fill its gaps, or "
                f"leave such series out: type {_finite_ones(x)}"
            )


def _finite_ones(x: Any) -> str:
    """What to type for the series without gaps."""
    if isinstance(x, list | tuple):
        return "[one for one in X if np.isfinite(one).all(axis=None)]"
    if getattr(getattr(x, "index", None), "nlevels", 1) == LEVELS:
        return "X.groupby(level=0).filter(lambda one: np.isfinite(one).all(axis=None))"
    if is_frame(x):
        return "X[X.map(lambda cell: np.isfinite(cell).all()).all(axis=1)]"
    return "X[[bool(np.isfinite(one).all()) for one in X]]"


def _refuse_masked(x: Any) -> None:
    parts = x if isinstance(x, list | tuple) else [x]
    masked = [part for part in parts if isinstance(part, np.ma.MaskedArray)]
    n_masked = sum(int(np.count_nonzero(part.mask)) for part in masked)
    if n_masked:
        typed = "np.ma.filled(X.astype(float), np.nan)"
        if parts is x:
            typed = "[np.ma.filled(one.astype(float), np.nan) for one in X]"
        raise SeriesError(
            f"X is a masked array, and {n_masked} of its values are masked; they are missing; fill "
            f"them, or type {typed} and leave such series out"
        )


def _read_frame(frame: Any) -> tuple[Any, tuple[str, ...] | None]:
    index = getattr(frame, "index", None)
    n_levels = getattr(index, "nlevels", 1)
    if n_levels > LEVELS:
        levels = [*range(n_levels - 1)]
        raise SeriesError(
            f"X has an index of {n_levels} levels; needed: two, series and time; for a series of "
            f"all levels but the last type [one.droplevel({levels}) for _, one in "
            f"X.groupby(level={levels}, sort=False)]"
        )
    if n_levels == LEVELS:
        groups = [part.droplevel(0) for _, part in frame.groupby(level=0, sort=False)]
        return _read_list(groups)
    rows, columns = frame.shape
    values = frame.to_numpy() if rows and columns and hasattr(frame, "to_numpy") else None
    if values is None or not _is_series(values.flat[0]):
        return frame, None
    series = []
    for row, cells in enumerate(values):
        channels = [as_numbers(cell, f"X, row {row}", name="cell") for cell in cells]
        if any(one.ndim != 1 or len(one) != len(channels[0]) for one in channels):
            raise SeriesError(
                f"X, row {row}: its cells have {', '.join(str(one.shape) for one in channels)} "
                "values; needed: series of the same length in all columns of a row"
            )
        series.append(np.stack(channels))
    return _stacked(series), tuple(str(name) for name in frame.columns)


def _read_list(items: Sequence[Any]) -> tuple[Any, tuple[str, ...] | None]:
    if items and all(is_frame(item) for item in items):
        read = [frame_channels(item, f"X, series {index}") for index, item in enumerate(items)]
        names = read[0][1]
        for index, (_, own) in enumerate(read):
            if own != names:
                raise SeriesError(
                    f"X, series {index} has the columns {own}, series 0 has {names}; needed: the "
                    "same in the same order"
                )
        return _stacked([values for values, _ in read]), names
    if not items or not all(_is_series(item) for item in items):
        return items, None
    series = [
        as_numbers(item, f"X, series {index}", name="series") for index, item in enumerate(items)
    ]
    shapes = {one.shape for one in series}
    if len(shapes) == 1:
        return np.stack(series), None
    if {one.ndim for one in series} == {1}:
        return [one[None] for one in series], None
    return _stacked(series), None


def _stacked(series: list[Array]) -> list[Array] | Array:
    n_channels = series[0].shape[0]
    for index, one in enumerate(series):
        if one.ndim != 2 or one.shape[0] != n_channels or one.shape[1] == 0:
            raise SeriesError(
                f"X, series {index} has shape {one.shape}; needed: ({n_channels}, steps), as "
                "series 0 has"
            )
    return np.stack(series) if len({one.shape for one in series}) == 1 else series


def _is_series(item: Any) -> bool:
    return hasattr(item, "__len__") and not isinstance(item, str | bytes)
