"""`TableSource`: CSV and Parquet files and workbooks of a folder; how they are read is `Tabular`'s.

Which files are read, and how their letters and lines are written.
"""

import codecs
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import polars as pl

from dualgaf.errors import ConfigError, SourceError, check_whole, unknown_choice
from dualgaf.series.tables.columns import check_name
from dualgaf.series.tables.dialects.encodings import ENCODINGS
from dualgaf.series.tables.dialects.faultlog import FaultTable
from dualgaf.series.tables.dialects.layout import SEPARATORS
from dualgaf.series.tables.dialects.sheets import SHEETS
from dualgaf.series.tables.fault_files import read_fault_log
from dualgaf.series.tables.files import BROKEN, TEXTS, named_files, read_table
from dualgaf.series.tables.folder import FolderSource
from dualgaf.series.tables.needed import unread
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.table import NO_UNITS, Table

_PART_BYTES = 1 << 18


@dataclass(frozen=True)
class TableSource(FolderSource):
    """CSV or Parquet files in a folder; its further fields are those of `TableSettings`.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> source = TableSource("plant", working_column="is_working", max_gap="2h", label="file")
        >>> source.window_size, source.split.method
        (96, 'group')
    """

    encoding: str | None = field(default=None, kw_only=True)
    """How the letters of CSV files are written: utf-8, utf-16, cp1252 or another that Python knows;
    None = the one of these three that fits."""
    separator: str | None = field(default=None, kw_only=True)
    """What stands between two cells: comma, semicolon, tab, pipe; None = what cuts header and first
    rows alike."""
    header_line: int | None = field(default=None, kw_only=True)
    """The line of a CSV file, or the row of a sheet, that has the names of the columns; None = the
    first that has as many cells as those below it."""
    sheet: str | None = field(default=None, kw_only=True)
    """The sheet of each workbook; None = the one that has a table."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.sheet, int) and not isinstance(self.sheet, bool):
            object.__setattr__(self, "sheet", str(self.sheet))  # 2024 is a name
        check_name("data.sheet", self.sheet)
        if self.separator not in (None, *SEPARATORS):
            raise ConfigError(unknown_choice("data.separator", self.separator, SEPARATORS))
        if self.header_line is not None:
            check_whole("data.header_line", self.header_line, 1, 1)
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise ConfigError(unknown_choice("data.encoding", self.encoding, ENCODINGS))

    def tables(self, notes: Notes) -> Mapping[str, Table]:
        """The files by name, without the fault log."""
        return {file: TableFile(path, file, self) for file, path in self.paths(notes).items()}

    def fault_table(self, notes: Notes) -> FaultTable | None:
        """The fault log, read; ``data.sheet`` is of it where it has several."""
        path = self._log_path()
        if path is None:
            return None
        return read_fault_log(path, notes, self.separator, self.encoding, self.sheet)

    def paths(self, notes: Notes | None = None) -> dict[str, Path]:
        """The tables of the folder by name, without its fault log.

        Raises:
            SourceError: there is none, or a sheet is named and none is a workbook.
        """
        root, log = self._root, self._log_path()
        paths = named_files(root, self.pattern, notes)
        if self.sheet is not None and not any(
            str(path).lower().endswith(SHEETS) for path in (*paths.values(), log)
        ):
            raise SourceError(
                f"data.sheet={self.sheet}, and no file of {root} is a workbook "
                f"({', '.join(SHEETS)}); type data.sheet=null"
            )
        return self._without_log(paths)


@dataclass(frozen=True)
class TableFile:
    """A file that is not read yet.

    Example:
        >>> TableFile(Path("a.csv.gz"), "a.csv.gz", TableSource("a.csv.gz")).most_rows() is None
        True
    """

    path: Path
    """Where it is."""
    file: str
    """What messages call it."""
    settings: TableSource
    """How it is written."""

    named_units: ClassVar[Mapping[str, str]] = NO_UNITS

    @property
    def header_line(self) -> int | None:
        """As it was typed."""
        return self.settings.header_line

    def read(self, notes: Notes) -> pl.DataFrame:
        """See `read_table`; of a Parquet file the columns that something looks at."""

        def left_out(schema: Mapping[str, pl.DataType]) -> Collection[str]:
            return unread(schema, self.settings, self.file)

        told = self.settings
        how = (told.separator, told.header_line, told.encoding, notes, told.sheet)
        return read_table(self.path, self.file, *how, left_out)

    def most_rows(self) -> int | None:
        """A line of a text is at most one row; what is packed or a workbook is not counted."""
        name = self.path.name.lower()
        try:
            if name.endswith(".parquet"):
                rows = pl.scan_parquet(self.path, hive_partitioning=False).select(pl.len())
                return int(rows.collect().item())
            return _lines(self.path) if name.endswith(TEXTS) else None
        except BROKEN:
            return None  # reading it tells what is wrong


def _lines(path: Path) -> int:
    ends = {b"\n": 0, b"\r": 0}
    with path.open("rb") as file:
        while part := file.read(_PART_BYTES):
            for end in ends:
                ends[end] += part.count(end)
    return max(ends.values()) + 1


def _is_encoding(name: object) -> bool:
    try:
        return isinstance(name, str) and codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False
