"""`SQLSource`: the rows of a query, read as the same table in a file would be."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import polars as pl

from dualgaf.errors import ConfigError, SourceError, unknown_choice
from dualgaf.series.contents import Contents
from dualgaf.series.tables.classes import BY_FILE
from dualgaf.series.tables.columns import TIME_NAMES
from dualgaf.series.tables.databases import duckdb_file, postgresql, sqlite
from dualgaf.series.tables.databases.columns import Opened, QueryColumn, checked_query
from dualgaf.series.tables.databases.uri import DatabaseURI
from dualgaf.series.tables.dialects.faultlog import FaultTable
from dualgaf.series.tables.fault_files import fault_file, read_fault_log
from dualgaf.series.tables.needed import unread, with_all_names
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.table import NO_UNITS, Table
from dualgaf.series.tables.tabular import Tabular

QUERY = "query"
"""What messages call the table."""
_OPEN: Mapping[str, Callable[[DatabaseURI], Opened]] = {
    "postgresql": postgresql.opened,
    "sqlite": sqlite.opened,
    "duckdb": duckdb_file.opened,
}
_IN_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""Years 1 to 9999, in days since 1970: an infinite time of a database is far outside."""


@dataclass(frozen=True)
class SQLSource(Tabular):
    """The rows of a query; its further fields are those of `TableSettings`.

    Rows are times and columns have names, as in a file. Of the columns only those that are needed
    travel. Nothing is written: the connection is read-only.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> import os
        >>> os.environ["PLANT_URI"] = "postgresql://plant:s3cret@localhost:5432/ahu"
        >>> source = SQLSource(os.environ["PLANT_URI"], "SELECT time, sat, fault FROM readings")
        >>> source.place, "s3cret" in repr(source)
        ('postgresql://localhost:5432/ahu', False)
    """

    uri: str = field(repr=False)
    """``postgresql://USER:PASSWORD@HOST:5432/DATABASE``, ``sqlite:///FILE`` or ``duckdb:///FILE``;
    it is shown without user and password, and not kept."""
    query: str
    """One SELECT, or a file ``FILE.sql`` that has it."""

    kind: ClassVar[str] = "queries"
    is_ordered: ClassVar[bool] = False

    def __post_init__(self) -> None:
        DatabaseURI.of(self.uri)
        if not isinstance(self.query, str) or not self.query.strip():
            raise ConfigError(
                "data.query is empty; type 'data.query=\"SELECT * FROM TABLE\"', or a file: "
                "data.query=FILE.sql"
            )
        super().__post_init__()
        if self.label in BY_FILE:
            raise ConfigError(unknown_choice("data.label", self.label, ("column", "auto")))
        _ = self.statement

    @property
    def statement(self) -> str:
        """The query itself.

        Raises:
            ConfigError: it does not read, or its file is not there.
        """
        text = self.query.strip()
        if re.fullmatch(r"[^\n;]+\.sql", text) and not re.match(r"(?i)(select|with)\s", text):
            path = Path(text).expanduser()
            if not path.is_file():
                raise ConfigError(f"there is no file {path}; type data.query=FILE.sql")
            text = path.read_text(encoding="utf-8")
        return checked_query(text)

    def contents(self) -> str:
        """Hash of the rows and the settings; the query is run for it."""
        found = Contents(self, leave_out=("uri", "query", "fault_log"))
        found.add_frame(QUERY, QueryTable(self).read(Notes()))
        if (log := fault_file(self.fault_log, Path())) is not None:
            found.add_file("fault_log", log)
        return found.hexdigest()

    @property
    def place(self) -> str:
        """The database, without user and password."""
        return DatabaseURI.of(self.uri).shown

    @property
    def set_name(self) -> str:
        """The name of the database, or of its file."""
        return DatabaseURI.of(self.uri).name

    @property
    def log_name(self) -> str | None:
        """The name of the fault log's file."""
        return None if self.fault_log is None else Path(self.fault_log).name

    @property
    def names_tell(self) -> bool:
        """No: a query has no name."""
        return False

    def tables(self, notes: Notes) -> Mapping[str, Table]:
        """One: the rows of the query."""
        return {QUERY: QueryTable(self)}

    def fault_table(self, notes: Notes) -> FaultTable | None:
        """The fault log, a file; one in the database is joined by the query."""
        path = fault_file(self.fault_log, Path())
        return None if path is None else read_fault_log(path, notes)


class QueryTable:
    """The rows of a query that is not run yet.

    Args:
        source: where and what, and which columns are needed.
    """

    header_line: int | None = None
    named_units: ClassVar[Mapping[str, str]] = NO_UNITS

    def __init__(self, source: SQLSource) -> None:
        self._source = source
        self._found: tuple[pl.DataFrame, Notes] | None = None

    def most_rows(self) -> int | None:
        """The rows that it gives: to count them takes as long as to read them, so they are read."""
        self._found = self._found or self._run()
        return self._found[0].height

    def read(self, notes: Notes) -> pl.DataFrame:
        """The columns that something looks at; of the others the names."""
        table, found = self._found or self._run()
        self._found = None  # whoever reads them frees them
        notes.extend(found)
        return table

    def _run(self) -> tuple[pl.DataFrame, Notes]:
        source, notes = self._source, Notes()
        uri, query = DatabaseURI.of(source.uri), source.statement
        with _OPEN[uri.kind](uri) as database:
            chosen = source.channels is not None or source.exclude != ()
            columns = database.columns(query, probe=chosen)
            out = unread({column.name: _type(column) for column in columns}, source, QUERY)
            out |= {c.name for c in columns if c.instead is not None and not _is_wanted(c, source)}
            needed = [column for column in columns if column.name not in out]
            for column in needed:
                if column.instead is not None:
                    raise column.refused(f"the {QUERY} (data.query)")
            table = _with_own_times(database.rows(query, needed or columns))
            zone = database.zone
        if table.height == 0:
            raise SourceError(f"the {QUERY} (data.query) gives no row in {uri.shown}")
        table = with_all_names(table, (column.name for column in columns))
        table = _in_zone(_without_infinity(table, source, notes), zone, notes)
        stripped = {name: name.strip() for name in table.columns}
        return table.rename(stripped), notes


def _with_own_times(table: pl.DataFrame) -> pl.DataFrame:
    """With times copied: they stay, and what a driver hands over is freed as a whole."""
    return table.with_columns(
        pl.concat([column[:1], column[1:]], rechunk=True)
        for column in table.get_columns()
        if column.dtype.is_temporal()
    )


def _type(column: QueryColumn) -> pl.DataType:
    return column.dtype() if isinstance(column.dtype, type) else column.dtype


def _is_wanted(column: QueryColumn, source: SQLSource) -> bool:
    """Whether a column that cannot be read would have to be."""
    if column.name in source.exclude:
        return False
    chosen = source.channels
    return chosen is None or column.name in chosen


def _without_infinity(table: pl.DataFrame, source: SQLSource, notes: Notes) -> pl.DataFrame:
    """Times beyond the years 1 to 9999 are none; as a clock they are refused.

    Raises:
        SourceError: the column of times has one.
    """
    for name, dtype in table.schema.items():
        if not isinstance(dtype, pl.Date | pl.Datetime):
            continue
        column = table[name]
        a_day = 1 if isinstance(dtype, pl.Date) else _IN_A_DAY[dtype.time_unit]
        number = column.to_physical().cast(pl.Int64)
        bounded = number.is_between(_FIRST_DAY * a_day, (_LAST_DAY + 1) * a_day - 1)
        if bounded.all():
            continue
        row = int((~bounded).fill_null(False).arg_true()[0])
        if source.time_column == name or (
            source.time_column == "auto" and name.lower() in TIME_NAMES
        ):
            raise SourceError(
                f"the {QUERY} (data.query), column {name!r}, data row {row + 1}: the time is "
                "infinite, or beyond the year 9999; in the query leave such rows out: WHERE "
                f"{name} < '9999-01-01'"
            )
        n = int((~bounded).sum())
        notes.add(f"column {name!r}: {n} times are infinite, and taken as missing")
        table = table.with_columns(column.set(~bounded.fill_null(True), None))
    return table


def _in_zone(table: pl.DataFrame, zone: str, notes: Notes) -> pl.DataFrame:
    """Times with a zone as the database shows them."""
    zoned = [
        name
        for name, dtype in table.schema.items()
        if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
    ]
    for name in zoned:
        try:
            table = table.with_columns(pl.col(name).dt.convert_time_zone(zone))
        except pl.exceptions.PolarsError:
            zone = "UTC"  # an offset that has no name
        notes.add(f"column {name!r} has times with a zone, read as those of {zone}")
    return table
