"""Arrays as they are given: of NumPy, torch, pandas, polars, pyarrow, or lists.

What is missing there, by whatever sign, is NaN here: a masked value, None, ``pandas.NA``, NaT. In a
frame rows are times and columns are channels, so it is turned.
"""

import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError, SeriesWarning
from dualgaf.not_numbers import Wrong, is_time, wrong_with

Array = npt.NDArray[Any]

NUMBERS = (int, float, np.number, np.bool_, Decimal, Fraction)
"""Decimals come from databases."""
FAR_ABOVE = 3
"""With so many times more channels than steps, the two may have changed places."""


def is_absent(value: Any) -> bool:
    """Whether one value is missing: None, NaN, NaT, ``pandas.NA`` or masked.

    Example:
        >>> [is_absent(value) for value in (None, float("nan"), np.ma.masked, 0, "nan")]
        [True, True, True, False, False]
    """
    if value is None or value is np.ma.masked or type(value).__name__ == "NAType":
        return True
    try:
        return bool(value != value)  # NaN and NaT are not equal to themselves
    except (TypeError, ValueError, RuntimeError):
        return False  # an array, say


def as_numpy(values: Any, what: str) -> Array:
    """A NumPy array of whatever array, list or tensor, also of one that has a gradient or a mask.

    Args:
        values: anything that NumPy can read; a torch tensor is detached and brought to the CPU
            (by its own methods: torch is not imported here).
        what: name for the message.

    Returns:
        The array; it shares its memory with ``values`` where it can. Masked numbers are NaN, what
        else is masked is None.

    Raises:
        SeriesError: NumPy cannot read it, e.g. a list of lists of unequal length.

    Example:
        >>> as_numpy(np.ma.masked_equal([[1, 2]], 2), "x").tolist()
        [[1.0, nan]]
    """
    try:
        if hasattr(values, "detach") and hasattr(values, "cpu"):
            values = values.detach().cpu()
        return np.asarray(_unmasked(values))
    except (TypeError, ValueError, RuntimeError) as error:
        raise SeriesError(f"{what} cannot be read as an array: {error}") from error


def as_numbers(
    values: Any,
    what: str,
    given: Any = None,
    name: str = "x",
    how: Callable[[Wrong], str] = lambda wrong: wrong.how,
) -> Array:
    """`as_numpy`, numbers only; of an array of objects those that are missing are NaN.

    Args:
        values: as for `as_numpy`.
        what: name for the message.
        given: what the user has given, where ``values`` were made of it.
        name: how that is called in what is to be typed.
        how: what to do, where it is another thing than with an array of this name.

    Raises:
        SeriesError: there is something else in it: texts, times.

    Example:
        >>> as_numbers([[1, None]], "x").tolist()
        [[1.0, nan]]
    """
    array = as_numpy(values, what)
    if array.dtype.kind in "fiub":
        return array
    given = values if given is None else given
    if array.dtype.kind != "O":
        wrong = wrong_with(array, name, given)
        raise SeriesError(f"{what} {wrong.told}; {how(wrong)}")
    numbers = np.empty(array.shape)
    strays = np.zeros(array.shape, dtype=bool)
    for index, value in enumerate(array.flat):
        if is_absent(value):
            numbers.flat[index] = np.nan
        elif isinstance(value, NUMBERS) and not isinstance(value, complex) and not is_time(value):
            numbers.flat[index] = value
        elif hasattr(value, "__len__") and not isinstance(value, str | bytes):
            raise SeriesError(
                f"{what} has a {type(value).__name__} in each cell; needed: one number a cell; "
                "type np.stack([np.stack(row) for row in frame.to_numpy()]) for a frame of series"
            )
        else:
            strays.flat[index] = True
    if strays.any():
        wrong = wrong_with(array, name, given, strays)
        raise SeriesError(f"{what} {wrong.told}; {how(wrong)}")
    return numbers


def is_frame(values: Any) -> bool:
    """Whether it is a table with named columns: a frame of pandas or polars, a table of pyarrow."""
    return hasattr(values, "column_names") or (
        hasattr(values, "to_numpy") and hasattr(values, "columns")
    )


def frame_channels(frame: Any, what: str) -> tuple[Array, tuple[str, ...] | None]:
    """The columns of a frame as channels.

    Args:
        frame: rows are times, columns are channels; see `is_frame`.
        what: name for the message.

    Returns:
        (C, T) numbers, and C names; None where the columns are numbered, not named.

    Raises:
        SeriesError: a column holds no numbers, or columns are numbered and there are more of them
            than rows, so that they may well be the times.

    Example:
        >>> import polars as pl
        >>> frame_channels(pl.DataFrame({"temp": [1.0, 2.0], "flow": [3.0, None]}), "x")
        (array([[ 1.,  2.],
               [ 3., nan]]), ('temp', 'flow'))
    """
    if hasattr(frame, "column_names"):
        columns = list(zip(frame.column_names, frame.columns, strict=True))
    elif hasattr(frame, "items"):
        columns = list(frame.items())
    else:
        columns = [(column.name, column) for column in frame]
    names = [name for name, _ in columns]
    is_named = names != list(range(len(names)))
    n_steps = len(columns[0][1]) if columns else 0
    if not is_named and n_steps < len(names):
        raise SeriesError(
            f"{what} is a frame of {n_steps} rows and {len(names)} columns without names; in a "
            "frame rows are times and columns are channels; type frame.T if columns are times, or "
            "frame.add_prefix('channel_') if they are channels"
        )
    read = [_column(frame, name, column, what) for name, column in columns]
    if any(column.ndim != 1 for column in read) or not read:
        raise SeriesError(
            f"{what} is a frame whose columns are no plain columns of numbers; needed: rows are "
            "times, columns are channels; type [frame.to_numpy().T for frame in x]"
        )
    return np.stack(read), tuple(str(name) for name in names) if is_named else None


def _column(frame: Any, name: Any, column: Any, what: str) -> Array:
    """One column of a frame; what to type for it depends on the package."""
    if hasattr(frame, "iloc"):
        cast, without = f"frame.astype({{{name!r}: float}})", f"frame.drop(columns=[{name!r}])"
    elif hasattr(frame, "column_names"):
        cast, without = "", f"frame.drop_columns([{name!r}])"
    else:
        cast, without = f"frame.cast({{{name!r}: float}})", f"frame.drop({name!r})"

    def how(wrong: Wrong) -> str:
        return (
            f"to read it type {cast}"
            if wrong.is_text and cast
            else f"to leave it out type {without}"
        )

    return as_numbers(column, f"{what}, column {name!r},", how=how)


def refuse_one_frame(values: Any, what: str) -> None:
    """Raise SeriesError where a frame stands for all windows: nothing says what its rows are."""
    if is_frame(values):
        rows, columns = values.shape
        told = f"{what} is one frame of {rows} rows and {columns} columns"
        if getattr(getattr(values, "index", None), "nlevels", 1) > 1:
            raise SeriesError(
                f"{told}, with series by the first level of its index; needed: (N, C, T), or a "
                "list of frames; type [part for _, part in frame.groupby(level=0)]"
            )
        first = values.to_numpy().flat[0] if hasattr(values, "to_numpy") and rows * columns else 0
        if hasattr(first, "__len__") and not isinstance(first, str | bytes):
            raise SeriesError(
                f"{told}, with a series in each cell; needed: (N, C, T); type "
                "np.stack([np.stack(row) for row in frame.to_numpy()])"
            )
        raise SeriesError(
            f"{told}; needed: (N, C, T), or a "
            "list of frames, each with rows as times and columns as channels; type [frame] for one "
            "series, or frame.to_numpy()[:, None, :] if each row is a univariate series"
        )


def tell_order(n_channels: int, n_steps: int, what: str, typed: str) -> None:
    """Warn where there are so many more channels than steps that they may be the other way.

    Args:
        n_channels: C, as it was understood.
        n_steps: T, likewise.
        what: name for the message.
        typed: what to type for the other way.

    Example:
        >>> tell_order(6, 48, "x", "np.swapaxes(x, 1, 2)")
    """
    if n_channels >= FAR_ABOVE * n_steps:
        warnings.warn(
            f"{what} was read as (N, C, T): windows of {n_channels} channels and {n_steps} steps; "
            f"if it is {n_steps} channels and {n_channels} steps, type {typed}",
            SeriesWarning,
            stacklevel=3,
        )


def _unmasked(values: Any) -> Any:
    """The same without masks; lists are looked into, since NumPy drops a mask inside them."""
    if isinstance(values, np.ma.MaskedArray):
        if not np.ma.is_masked(values):
            return values.data
        kind = values.dtype.kind
        filling = np.nan if kind in "fiubc" else None
        dtype: Any = values.dtype if kind in "fc" else np.float64 if kind in "iub" else object
        plain = np.array(values.data, dtype=dtype)
        plain[values.mask] = filling
        return plain
    if isinstance(values, list | tuple) and _has_mask(values):
        return [_unmasked(value) for value in values]
    return values


def _has_mask(values: list[Any] | tuple[Any, ...]) -> bool:
    return any(
        isinstance(value, np.ma.MaskedArray)
        or (isinstance(value, list | tuple) and _has_mask(value))
        for value in values
    )
