"""Which columns of a Parquet file are read: those of numbers that mean nothing here are not.

The name of each stays, for messages; so does every column of texts or times, which may be the clock
or the classes.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from dualgaf.series.tables.columns import GROUP_NAMES, LABEL_NAMES, TIME_NAMES
from dualgaf.series.tables.dialects.hive import keys_of
from dualgaf.series.tables.dialects.long import FLUX

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular

_ROLES = {*TIME_NAMES, *LABEL_NAMES, *GROUP_NAMES}


def with_all_names(table: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """A table with these columns in order; those that were not read have no cell.

    Example:
        >>> with_all_names(pl.DataFrame({"b": [1]}), ["a", "b"]).dtypes
        [Null, Int64]
    """
    names = list(names)
    empty = [pl.lit(None, dtype=pl.Null).alias(name) for name in names if name not in table.columns]
    return table.with_columns(empty).select(names)


def unread(schema: Mapping[str, pl.DataType], source: "Tabular", file: str) -> set[str]:
    """Columns of numbers whose cells nothing looks at.

    Args:
        schema: types by name, as they are in the file.
        source: the settings.
        file: its name.

    Example:
        >>> from dualgaf import TableSource
        >>> schema = {"time": pl.Int64(), "sat": pl.Float32(), "oat": pl.Float32()}
        >>> sorted(unread(schema, TableSource("plant", exclude=["oat"]), "a.parquet"))
        ['oat']
        >>> sorted(unread(schema, TableSource("plant", channels=["oat"]), "a.parquet"))
        ['sat']
    """
    names = {column: column.strip() for column in schema}
    if source.long is not None or set(FLUX) <= set(names.values()):
        return set()
    given = source.time_column
    has_clock = given != "auto" or any(name.lower() in TIME_NAMES for name in names.values())
    kept: set[str | None] = {*keys_of(file), *(source.group_columns or ())}
    kept |= {*given} if isinstance(given, tuple) else {given}
    named = (source.label_column, source.split_column, source.working_column, source.plant_column)
    kept |= {*named}
    chosen = None if source.channels is None else {*source.channels} - {*source.exclude}
    out = set()
    for column, dtype in schema.items():
        name = names[column]
        if name in kept or name.lower() in _ROLES or not dtype.is_numeric():
            continue
        # Where there is no clock by name, a column of numbers may be one.
        if (chosen is not None and name not in chosen and has_clock) or name in source.exclude:
            out.add(column)
    return out
