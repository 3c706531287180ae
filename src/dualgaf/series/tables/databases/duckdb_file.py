"""Files of DuckDB, through the package duckdb.

What polars does not take as a number is cast in the query: DECIMAL, and the sums of whole numbers,
which are HUGEINT and arrive as a DECIMAL, too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.tables.databases.columns import (
    LONGEST,
    Connected,
    QueryColumn,
    failed,
    not_installed,
    quoted,
    selecting,
    with_alias,
)
from dualgaf.series.tables.databases.uri import DatabaseURI

_PLAIN: dict[str, type[pl.DataType]] = {
    "TINYINT": pl.Int8,
    "SMALLINT": pl.Int16,
    "INTEGER": pl.Int32,
    "BIGINT": pl.Int64,
    "UTINYINT": pl.UInt8,
    "USMALLINT": pl.UInt16,
    "UINTEGER": pl.UInt32,
    "UBIGINT": pl.UInt64,
    "FLOAT": pl.Float32,
    "DOUBLE": pl.Float64,
    "BOOLEAN": pl.Boolean,
    "VARCHAR": pl.String,
    "DATE": pl.Date,
    "TIMESTAMP": pl.Datetime,
    "TIMESTAMP_S": pl.Datetime,
    "TIMESTAMP_MS": pl.Datetime,
    "TIMESTAMP_NS": pl.Datetime,
    "TIMESTAMP WITH TIME ZONE": pl.Datetime,
}
_NUMBERS = ("DECIMAL", "HUGEINT", "UHUGEINT", "BIGNUM")
_TEXTS = ("ENUM", "UUID", "TIME")
_NOTHING_FETCHED: dict[str, Any] = {"autoinstall_known_extensions": False}
"""duckdb would fetch a part of itself from the network where a query needs it."""
_OF_SQLITE = b"SQLite format 3\0"
_REFUSED = {"INTERVAL": "epoch({})", "TIME WITH TIME ZONE": "CAST({} AS TIME)"}


@contextmanager
def opened(uri: DatabaseURI) -> Iterator["DuckDB"]:
    """A file, opened for reading only.

    Raises:
        SourceError: the package or the file is missing, it is no file of DuckDB, or is in use.
    """
    try:
        import duckdb
    except ImportError:
        raise not_installed("duckdb", "duckdb", uri.shown) from None
    path = uri.path
    with path.open("rb") as file:
        if file.read(len(_OF_SQLITE)) == _OF_SQLITE:
            raise SourceError(f"{path} is a file of SQLite; type data.uri=sqlite:///{path}")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_NOTHING_FETCHED)
    except duckdb.Error as error:
        raise SourceError(
            f"{uri.shown} cannot be opened: {_reason(error)}; where another connection writes it, "
            "close that one, or in Python give its rows: FrameSource(connection.sql(QUERY))"
        ) from None
    with connection:
        connection.execute("SET TimeZone = 'UTC'")  # it would be the zone of this machine
        yield DuckDB(uri, connection, duckdb.Error)


class DuckDB(Connected):
    """A `Database`."""

    def columns(self, query: str, probe: bool) -> list[QueryColumn]:
        """See `Database`."""
        try:
            if len(self._connection.extract_statements(query)) != 1:
                raise failed(self._uri.shown, "it is more than one query")
            asked = self._connection.sql(query)
        except self._error as error:
            raise failed(self._uri.shown, _reason(error)) from None
        names = list(asked.columns)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SourceError(f"the query (data.query) has two columns {twice!r}; rename one: AS")
        return [_column(name, str(kind)) for name, kind in zip(names, asked.types, strict=True)]

    def rows(self, query: str, columns: Sequence[QueryColumn]) -> pl.DataFrame:
        """See `Database`."""
        chosen = [with_alias(column.selected, column.name) for column in columns]
        try:
            return pl.DataFrame(self._connection.sql(selecting(query, chosen)))
        except (self._error, pl.exceptions.PolarsError) as error:
            raise failed(self._uri.shown, _reason(error)) from None


def _column(name: str, kind: str) -> QueryColumn:
    own = quoted(name)
    if kind in _PLAIN:
        return QueryColumn(name, kind, _PLAIN[kind], own)
    if kind in _REFUSED:
        instead = _REFUSED[kind].format(own)
        return QueryColumn(name, kind, pl.String, own, instead)
    if kind.partition("(")[0] in _NUMBERS:
        return QueryColumn(name, kind, pl.Float64, f"CAST({own} AS DOUBLE)")
    text = f"CAST({own} AS VARCHAR)"
    is_text = kind.partition("(")[0] in _TEXTS
    return QueryColumn(name, kind, pl.String, text if is_text else f"left({text}, {LONGEST})")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0]
