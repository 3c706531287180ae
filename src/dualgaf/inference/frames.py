"""Frames of pandas, polars and pyarrow as tables that are read like files."""

from typing import Any

import polars as pl


def as_table(frame: Any, clock: str) -> pl.DataFrame:
    """A frame as one of polars; the index of a pandas frame is a column where it holds times.

    Args:
        frame: rows are times, columns have names.
        clock: what an index of times without a name is called.

    Example:
        >>> import pandas as pd
        >>> times = pd.to_datetime(["2020-01-01 00:00", "2020-01-01 00:05"])
        >>> as_table(pd.DataFrame({"oat": [1.0, 2.0]}, index=times), "time").columns
        ['time', 'oat']
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if hasattr(frame, "column_names"):
        columns = zip(frame.column_names, frame.columns, strict=True)
        return pl.DataFrame({name: column.to_pylist() for name, column in columns})
    index = frame.index
    named = {str(name): column for name, column in frame.items()}
    if hasattr(index, "tz") or index.name is not None:
        named = {str(index.name or clock): index.to_series(), **named}
    return pl.DataFrame({name: _as_column(column) for name, column in named.items()})


def _as_column(column: Any) -> pl.Series:
    if getattr(getattr(column, "dt", None), "tz", None) is not None:
        column = column.dt.tz_localize(None)  # the local time that is written there
    values = column.to_numpy()
    return pl.Series(values.tolist(), strict=False) if values.dtype == object else pl.Series(values)
