"""The tables of a folder, one after the other: a row a time, a column a sensor.

While one is worked on, the next is read.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from dualgaf.errors import NoTableError
from dualgaf.series.tables.columns import need_list
from dualgaf.series.tables.dialects.faultlog import check_no_log
from dualgaf.series.tables.dialects.hive import with_keys
from dualgaf.series.tables.dialects.long import FLUX, check_long, kept_beside, widened
from dualgaf.series.tables.dialects.units import take_units
from dualgaf.series.tables.files import read_table
from dualgaf.series.tables.needed import unread
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.timecolumn import joined

if TYPE_CHECKING:
    from dualgaf.series.tables.source import TableSource


def each_table(
    paths: dict[str, Path], source: "TableSource", notes: Notes
) -> Iterator[tuple[str, pl.DataFrame, dict[str, str]]]:
    """The name, the cells and the units of each file.

    Args:
        paths: by name; workbooks without a table are left out of them, too.
        source: the settings.
        notes: what was found out goes there, in the order of the files.

    Raises:
        SourceError: a file cannot be read.
    """

    def read(file: str, path: Path) -> tuple[pl.DataFrame, dict[str, str], Notes]:
        own = Notes()
        return *_cells(path, file, source, own), own

    files = list(paths.items())
    waiting: deque[Future[tuple[pl.DataFrame, dict[str, str], Notes]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="dualgaf-tables") as pool:
        waiting.append(pool.submit(read, *files[0]))
        for (file, _), following in zip(files, [*files[1:], None], strict=True):
            if following is not None:
                waiting.append(pool.submit(read, *following))
            try:
                table, units, own = waiting.popleft().result()
            except NoTableError:
                if len(paths) == 1:
                    raise
                notes.add("a workbook without a table is left out", file)
                del paths[file]
                continue
            notes.extend(own)
            yield file, table, units


def _cells(
    path: Path, file: str, source: "TableSource", notes: Notes
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table of one file, a row a time and a column a sensor, and the units it names."""
    table = read_table(
        path,
        file,
        source.separator,
        source.header_line,
        source.encoding,
        notes,
        source.sheet,
        unread=lambda schema: unread(schema, source, file),
    )
    check_no_log(table, source, file)
    table, units = take_units(table, file, source.null_values, source.header_line, notes)
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
