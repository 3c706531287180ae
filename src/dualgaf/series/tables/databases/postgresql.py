"""PostgreSQL through ADBC.

What ADBC and polars make of a type that they do not share is never seen here: the server casts it
in the query. NUMERIC would be an extension type that is neither number nor text, MONEY a hundred
times its value, 24:00 null, a UUID bytes; an interval would end polars. Types are asked for by an
outer join with nothing, for which the server runs no row of the query.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
    "smallint": pl.Int16,
    "integer": pl.Int32,
    "bigint": pl.Int64,
    "real": pl.Float32,
    "double precision": pl.Float64,
    "boolean": pl.Boolean,
    "text": pl.String,
    "character varying": pl.String,
    "character": pl.String,
    "name": pl.String,
    "date": pl.Date,
    "timestamp without time zone": pl.Datetime,
    "timestamp with time zone": pl.Datetime,
}
_CAST: dict[str, tuple[str, type[pl.DataType]]] = {
    "numeric": ("double precision", pl.Float64),
    "uuid": ("text", pl.String),
    "time without time zone": ("text", pl.String),
}
_REFUSED = {
    "money": "CAST({} AS numeric)",
    "interval": "extract(epoch FROM {})",
    "time with time zone": "CAST({} AS time)",
}
_ONE_PIECE = {"adbc.postgresql.batch_size_hint_bytes": f"{1 << 40}"}
"""Columns in one piece are read where they lie; those of several would be copied first."""
_NOTHING = "(SELECT 1) AS one LEFT JOIN ({}) AS asked ON false"


@contextmanager
def opened(uri: DatabaseURI) -> Iterator["PostgreSQL"]:
    """A connection in one transaction that only reads: types and rows are of the same moment.

    Raises:
        SourceError: the driver is missing, or the server cannot be reached.
    """
    try:
        import adbc_driver_postgresql.dbapi as driver
    except ImportError:
        raise not_installed("adbc-driver-postgresql", "postgresql", uri.shown) from None
    try:
        connection = driver.connect(uri.text, autocommit=False)
    except driver.Error as error:
        # The chain of causes would show what is secret.
        raise SourceError(
            f"{uri.shown} cannot be reached: {uri.masked(_reason(error))}; start the server, or "
            "set host, port, database, user and password in data.uri"
        ) from None
    with connection:
        found = PostgreSQL(uri, connection, driver.Error)
        found.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found.zone = found.frame("SELECT current_setting('TimeZone') AS zone").item()
        yield found


class PostgreSQL(Connected):
    """A `Database`."""

    def execute(self, sql: str) -> None:
        """Run what gives no rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)

    def frame(self, sql: str) -> pl.DataFrame:
        """The rows of a query.

        Raises:
            SourceError: it fails.
        """
        try:
            with self._connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**_ONE_PIECE)
                cursor.execute(sql)
                return pl.DataFrame(cursor.fetch_arrow())
        except (self._error, pl.exceptions.PolarsError) as error:
            raise failed(self._uri.shown, self._uri.masked(_reason(error))) from None

    def columns(self, query: str, probe: bool) -> list[QueryColumn]:
        """See `Database`."""
        nothing = _NOTHING.format(query)
        row = f"(SELECT asked.* FROM {nothing}) AS row"
        names = self.frame(f"SELECT json_object_keys(row_to_json(row)) AS name FROM {row}")["name"]
        if names.is_duplicated().any():
            twice = names.filter(names.is_duplicated())[0]
            raise SourceError(f"the query (data.query) has two columns {twice!r}; rename one: AS")
        kind = (
            "(SELECT CASE typtype WHEN 'd' THEN typbasetype ELSE oid END::regtype::text "
            "FROM pg_type WHERE oid = pg_typeof(asked.{}))"
        )
        asked = ", ".join(f"{kind.format(quoted(name))} AS c{k}" for k, name in enumerate(names))
        types = self.frame(f"SELECT {asked} FROM {nothing}").row(0)
        return [_column(name, str(kind)) for name, kind in zip(names, types, strict=True)]

    def rows(self, query: str, columns: Sequence[QueryColumn]) -> pl.DataFrame:
        """See `Database`."""
        chosen = [with_alias(column.selected, column.name) for column in columns]
        return self.frame(selecting(query, chosen))


def _column(name: str, kind: str) -> QueryColumn:
    own = quoted(name)
    if kind in _PLAIN:
        return QueryColumn(name, kind, _PLAIN[kind], own)
    if kind in _CAST:
        to, dtype = _CAST[kind]
        return QueryColumn(name, kind, dtype, f"CAST({own} AS {to})")
    if kind in _REFUSED:
        instead = _REFUSED[kind].format(own)
        return QueryColumn(name, kind, pl.String, own, instead)
    # An enum, or a text of what cannot be compared: JSON, an array, bytes
    return QueryColumn(name, kind, pl.String, f"left(CAST({own} AS text), {LONGEST})")


def _reason(error: Exception) -> str:
    """What the server, or libpq, says: one line, and its hint."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = re.search(r"(?:ERROR|FATAL):\s+(.+)", text)
    told = found[1] if found else re.sub(r"^[A-Z_]+: (\[\w+\] )?", "", lines[0])
    hint = re.search(r"HINT:\s+(.+)", text)
    return f"{told} ({hint[1]})" if hint else told
