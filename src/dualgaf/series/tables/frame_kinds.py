"""Frames of any library as tables of polars, with the types that a Parquet file of them has.

pandas is read column by column, so that neither it nor pyarrow must be installed.
"""

from collections.abc import Hashable
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.given import is_absent, is_frame
from dualgaf.series.tables.columns import need_own_names

Frame = pl.DataFrame | pl.LazyFrame
INDEX = "index"
"""What an index of pandas without a name is called, unless it holds times."""
KINDS = (
    "a frame of pandas or polars, or anything that Arrow can stream (a table of pyarrow, a "
    "relation of DuckDB, a reader of ADBC)"
)


def is_tabular(given: Any) -> bool:
    """Whether `as_table` can read it.

    Example:
        >>> [is_tabular(given) for given in (pl.LazyFrame({"a": [1]}), {"a": [1]})]
        [True, False]
    """
    return (
        isinstance(given, pl.LazyFrame) or hasattr(given, "__arrow_c_stream__") or is_frame(given)
    )


def clock_name(time_column: object) -> str:
    """What an index of times without a name is called, by ``data.time_column``.

    Example:
        >>> clock_name("auto"), clock_name("stamp")
        ('time', 'stamp')
    """
    return time_column if isinstance(time_column, str) and time_column != "auto" else "time"


def as_table(frame: Any, name: str, clock: str = "time") -> Frame:
    """A frame as one of polars; a lazy one stays lazy.

    Args:
        frame: see `KINDS`; rows are times, columns have names. The index of a pandas frame is a
            column where it has a name, or holds times or texts.
        name: what messages call it.
        clock: what an index of times without a name is called.

    Raises:
        SourceError: it is no such frame, two columns have one name, or it cannot be read.

    Example:
        >>> import pandas as pd
        >>> times = pd.to_datetime(["2020-01-01 00:00", "2020-01-01 00:05"])
        >>> as_table(pd.DataFrame({"oat": [1.0, 2.0]}, index=times), "ahu").columns
        ['time', 'oat']
    """
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return frame
    if not is_tabular(frame):
        raise SourceError(f"{name} is a {type(frame).__name__}; allowed: {KINDS}")
    if hasattr(frame, "index") and hasattr(frame, "items"):
        return _of_pandas(frame, name, clock)
    try:
        return pl.DataFrame(frame)
    except (
        TypeError,
        ValueError,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{name} cannot be read: {reason}") from error


def _of_pandas(frame: Any, name: str, clock: str) -> pl.DataFrame:
    columns = [*_levels(frame.index, clock), *frame.items()]
    for title, _ in columns:
        if isinstance(title, tuple):
            raise SourceError(
                f"{name}: its columns have names of several levels, {title!r}; give each column "
                "one name: frame.columns = ['_'.join(map(str, c)) for c in frame.columns]"
            )
    need_own_names([str(title) for title, _ in columns], name)
    return pl.DataFrame([_as_series(str(title), column) for title, column in columns])


def _levels(index: Any, clock: str) -> list[tuple[Hashable, Any]]:
    """The levels of an index that are columns: not the row numbers that every frame has."""
    levels = [index.get_level_values(k) for k in range(index.nlevels)]
    found = []
    for level in levels:
        kind = _kind(level)
        if level.name is None and kind in "iu":
            continue
        title = level.name if level.name is not None else clock if kind == "M" else INDEX
        found.append((title, level.to_series().reset_index(drop=True)))
    return found


def _kind(level: Any) -> str:
    """M for times and periods, else what NumPy has for the type; O where it has none."""
    if hasattr(level, "to_timestamp") or hasattr(level, "tz"):
        return "M"
    return level.dtype.kind if isinstance(level.dtype, np.dtype) else "O"


def _as_series(title: str, column: Any) -> pl.Series:
    kind = column.dtype
    if str(kind).startswith("period"):
        column = column.dt.to_timestamp()
        kind = column.dtype
    if getattr(kind, "tz", None) is not None:
        return _zoned(title, column, str(kind.tz))
    if isinstance(kind, np.dtype) and kind.kind != "O":
        return pl.Series(title, column.to_numpy())
    if getattr(kind, "kind", "O") in "iuf":  # numbers that may be missing
        return pl.Series(title, column.to_numpy(dtype=np.float64, na_value=np.nan))
    cells = [None if is_absent(cell) else cell for cell in column.tolist()]
    try:
        return pl.Series(title, cells, strict=True)
    except (TypeError, pl.exceptions.PolarsError):  # of several types: as they would be written
        return pl.Series(title, [None if cell is None else str(cell) for cell in cells])


def _zoned(title: str, column: Any, zone: str) -> pl.Series:
    """Times with a zone, or, where it has no name, with the offset of each."""
    if zone not in available_timezones():
        return pl.Series(title, [None if is_absent(t) else t.isoformat(" ") for t in column])
    plain = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    return pl.Series(title, plain).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
