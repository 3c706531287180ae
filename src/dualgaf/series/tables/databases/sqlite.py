"""SQLite through ADBC.

A column of SQLite has no type of its own: each cell has one. The driver takes that of the rows of
its first piece, so that a fraction after whole numbers, or a text after numbers, is an error in the
middle; a number among the first texts is written with seven digits. Where that is so, the rows are
asked which types they have, and the column is cast to the one that holds them all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.tables.databases.columns import (
    Connected,
    QueryColumn,
    failed,
    not_installed,
    quoted,
    selecting,
    with_alias,
)
from dualgaf.series.tables.databases.uri import DatabaseURI

PIECE = 1 << 14
"""Rows of a piece, and what the driver looks at. Of its own 1024 there are so many pieces that they
would be copied to join them, and beside a piece its driver holds half as much again."""
_ROWS_OF_A_PIECE = "adbc.sqlite.query.batch_rows"
_SEVEN_DIGITS = r"^-?\d\.\d{6}e[+-]\d+$"
_CLASSES = ("integer", "real", "text", "blob")
_MISMATCH = "Type mismatch"


@contextmanager
def opened(uri: DatabaseURI) -> Iterator["SQLite"]:
    """A file, opened for reading only.

    Raises:
        SourceError: the driver or the file is missing.
    """
    try:
        import adbc_driver_sqlite.dbapi as driver
    except ImportError:
        raise not_installed("adbc-driver-sqlite", "sqlite", uri.shown) from None
    try:
        connection = driver.connect(f"{uri.path.absolute().as_uri()}?mode=ro")
    except driver.Error as error:
        raise SourceError(f"{uri.shown} cannot be read: {_reason(error)}") from None
    with connection:
        yield SQLite(uri, connection, driver.Error)


class SQLite(Connected):
    """A `Database`."""

    def columns(self, query: str, probe: bool) -> list[QueryColumn]:
        """See `Database`."""
        top = self._frame(selecting(query, ["*"], f"LIMIT {PIECE if probe else 0}"))
        for name in top.columns:
            before = name.rpartition(":")[0]
            if before in top.columns:  # SQLite numbers the second of two equal names
                raise SourceError(
                    f"the query (data.query) has two columns {before!r}; rename one: AS"
                )
        known = probe and top.height > 0  # without a row all are whole numbers
        return [
            QueryColumn(name, "a column", dtype if known else pl.Null, quoted(name))
            for name, dtype in top.schema.items()
        ]

    def rows(self, query: str, columns: Sequence[QueryColumn]) -> pl.DataFrame:
        """See `Database`."""
        try:
            table = self._read(query, columns)
        except pl.exceptions.PolarsError as error:
            if _MISMATCH not in str(error):
                raise failed(self._uri.shown, _reason(error)) from None
            table = self._read_as(query, *self._types_of_all(query, columns))
        rounded = [
            name
            for name, column in table[:PIECE].to_dict().items()
            if column.dtype == pl.String and column.str.contains(_SEVEN_DIGITS).any()
        ]
        if rounded:
            exact = [replace(c, selected=_as_text(c.name)) for c in columns if c.name in rounded]
            table = table.with_columns(self._read_as(query, exact, ["''"] * len(exact)))
        return _checked_letters(table)

    def _read(self, query: str, columns: Sequence[QueryColumn]) -> pl.DataFrame:
        chosen = [with_alias(column.selected, column.name) for column in columns]
        return self._frame(selecting(query, chosen))

    def _read_as(
        self, query: str, columns: Sequence[QueryColumn], first: Sequence[str]
    ) -> pl.DataFrame:
        """Columns whose types the driver takes from a row of ours before all others."""
        types = [f"{cell} AS {quoted(c.name)}" for cell, c in zip(first, columns, strict=True)]
        chosen = [with_alias(column.selected, column.name) for column in columns]
        both = f"SELECT {', '.join(types)} UNION ALL {selecting(query, chosen)}"
        try:
            return self._frame(both)[1:]
        except pl.exceptions.PolarsError as error:
            raise failed(self._uri.shown, _reason(error)) from None

    def _frame(self, sql: str) -> pl.DataFrame:
        try:
            with self._connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{_ROWS_OF_A_PIECE: f"{PIECE}"})
                cursor.execute(sql)
                return pl.DataFrame(cursor.fetch_arrow())
        except self._error as error:
            raise failed(self._uri.shown, _reason(error)) from None

    def _types_of_all(
        self, query: str, columns: Sequence[QueryColumn]
    ) -> tuple[list[QueryColumn], list[str]]:
        """Columns as the type that holds all of their cells, and a cell of each."""
        asked = [
            f"max(typeof({quoted(column.name)}) = '{kind}') AS c{k}_{kind}"
            for k, column in enumerate(columns)
            for kind in _CLASSES
        ]
        there = self._frame(selecting(query, asked)).row(0, named=True)
        found, first = [], []
        for k, column in enumerate(columns):
            kinds = {kind for kind in _CLASSES if there[f"c{k}_{kind}"]}
            selected, cell = quoted(column.name), "0"
            if kinds & {"text", "blob"}:
                selected, cell = _as_text(column.name), "''"
            elif "real" in kinds:
                selected, cell = f"CAST({selected} AS REAL)", "0.0"
            found.append(replace(column, selected=selected))
            first.append(cell)
        return found, first


def _as_text(name: str) -> str:
    """Cells as texts, numbers with all digits that they have."""
    own = quoted(name)
    return (
        f"CASE typeof({own}) WHEN 'real' THEN printf('%!.17g', {own}) "
        f"WHEN 'blob' THEN hex({own}) ELSE CAST({own} AS TEXT) END"
    )


def _checked_letters(table: pl.DataFrame) -> pl.DataFrame:
    """The table, where all of its texts are UTF-8: SQLite keeps any bytes as a text."""
    for name, dtype in table.schema.items():
        if dtype != pl.String:
            continue
        texts = table[name].cast(pl.Binary)
        try:
            texts.cast(pl.String)
        except pl.exceptions.PolarsError:
            row = next(k for k, cell in enumerate(texts) if not _is_utf_8(cell))
            raise SourceError(
                f"the query (data.query), column {name!r}, data row {row + 1}: the text is no "
                f"UTF-8; in the query write hex({quoted(name)}) AS {quoted(name)}, or type "
                f"{typed_option('data.exclude', [name])}"
            ) from None
    return table


def _is_utf_8(cell: bytes | None) -> bool:
    try:
        (cell or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _reason(error: Exception) -> str:
    line = str(error).splitlines()[0]
    for start in ("got external error: ", "INVALID_ARGUMENT: ", "IO: ", "[SQLite] "):
        line = line.removeprefix(start)
    return line.removeprefix("Failed to prepare query: ").removeprefix("Failed to step query: ")
