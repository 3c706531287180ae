"""`Table`, one table that is not read yet: a file, a frame."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import polars as pl

from dualgaf.series.tables.notes import Notes

NO_UNITS: Mapping[str, str] = MappingProxyType({})
"""Of tables whose names have none."""


class Table(Protocol):
    """Rows and named columns, wherever they lie.

    Example:
        >>> from pathlib import Path
        >>> from dualgaf.series.tables.source import TableFile, TableSource
        >>> table: Table = TableFile(Path("plant/ahu.csv"), "ahu.csv", TableSource("plant"))
        >>> table.header_line is None
        True
    """

    @property
    def header_line(self) -> int | None:
        """The line that has the names, where it was typed."""

    @property
    def named_units(self) -> Mapping[str, str]:
        """Units by column that the table itself names, known as soon as it is read."""

    def read(self, notes: Notes) -> pl.DataFrame:
        """All cells: as texts where there are no types; names without blanks around them.

        Args:
            notes: what was found out goes there.

        Raises:
            NoTableError: there is no table in it after all, and it can be left out.
            SourceError: it cannot be read.
        """

    def most_rows(self) -> int | None:
        """As many rows as there are at most, without understanding them; None where unknown."""
