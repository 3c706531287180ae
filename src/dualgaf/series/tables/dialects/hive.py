"""Folders that are called ``key=value``: the key is a column of the files below them."""

from pathlib import PurePosixPath
from urllib.parse import unquote

import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.tables.cells import label_texts

_NONE = "__HIVE_DEFAULT_PARTITION__"


def keys_of(file: str) -> dict[str, str | None]:
    """Keys and values of the folders that a file lies in; None where a value is missing.

    Example:
        >>> keys_of("plant=7/fault=valve%20stuck/a.csv")
        {'plant': '7', 'fault': 'valve stuck'}
    """
    pairs = (part.partition("=") for part in PurePosixPath(file).parts[:-1])
    return {
        unquote(key): None if value == _NONE else unquote(value)
        for key, mark, value in pairs
        if mark and key
    }


def with_keys(table: pl.DataFrame, file: str) -> pl.DataFrame:
    """The table with a column of texts for each key.

    Raises:
        SourceError: the file has that column itself, with other values.
    """
    for key, value in keys_of(file).items():
        column = pl.Series(key, [value], dtype=pl.String).new_from_index(0, table.height)
        if key in table.columns:
            own, told = label_texts(table[key]), label_texts(column)
            differ = own.ne_missing(told)
            if differ.any():
                row = int(differ.arg_true()[0])
                raise SourceError(
                    f"{file}, column {key!r}, data row {row + 1} is {own[row]!r}, and its folder "
                    f"says {told[row]!r}; rename the folder or the column"
                )
        table = table.with_columns(column)
    return table
