"""The tables of a folder, one after the other: a row a time, a column a sensor.

While one is worked on, the next is read.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import polars as pl

from dualgaf.errors import NoTableError
from dualgaf.series.tables.columns import need_list
from dualgaf.series.tables.dialects.faultlog import check_no_log
from dualgaf.series.tables.dialects.hive import with_keys
from dualgaf.series.tables.dialects.long import FLUX, check_long, kept_beside, widened
from dualgaf.series.tables.dialects.units import take_units
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.table import Table
from dualgaf.series.tables.timecolumn import joined

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular


def each_table(
    tables: Mapping[str, Table], source: "Tabular", notes: Notes
) -> Iterator[tuple[str, pl.DataFrame, dict[str, str]]]:
    """The name, the cells and the units of each; what has no table after all is left out.

    Args:
        tables: by name.
        source: the settings.
        notes: what was found out goes there, in the order of the files.

    Raises:
        SourceError: a file cannot be read.
    """

    def read(file: str, table: Table) -> tuple[pl.DataFrame, dict[str, str], Notes]:
        own = Notes()
        return *_cells(table, file, source, own), own

    files = list(tables.items())
    waiting: deque[Future[tuple[pl.DataFrame, dict[str, str], Notes]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="dualgaf-tables") as pool:
        waiting.append(pool.submit(read, *files[0]))
        for (file, _), following in zip(files, [*files[1:], None], strict=True):
            if following is not None:
                waiting.append(pool.submit(read, *following))
            try:
                ready = [waiting.popleft().result()]
            except NoTableError:
                if len(tables) == 1:
                    raise
                notes.add("a workbook without a table is left out", file)
                continue
            notes.extend(ready[0][2])
            yield file, *ready.pop()[:2]  # from here on, who is given a table can free it


def _cells(
    one: Table, file: str, source: "Tabular", notes: Notes
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The cells of one table, a row a time and a column a sensor, and the units it names."""
    table = one.read(notes)
    check_no_log(table, source, file)
    table, units = take_units(table, file, source.null_values, one.header_line, notes)
    units |= one.named_units
    long = source.long
    if long is None and set(FLUX) <= set(table.columns):
        long = FLUX
    if long is None:
        check_long(table, source, file)
    else:
        if len(long) == 4:
            need_list(table.columns, long, "data.long", file)
            table, column = joined(table, long[0], long[1])
            long = (f"{column.name}", *long[2:])
        table = widened(table, long, kept_beside(table.columns, source), file, notes)
        units = {}
    return with_keys(table, file), units
