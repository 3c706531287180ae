"""Sheets of a workbook (.xlsx, .xlsm), each cell as the text that a CSV file of it would have.

The reader of sheets takes types from the first rows: a text far below becomes nothing, a number
among switches true. So every cell is read as a text here. What is left is what a spreadsheet does
not know: a date without a time of day is one at midnight, a time of day is a date of 1899 (1904 in
some workbooks), and so is a duration; a date that was added up is a part of a millisecond beside
its second.

A cell that holds an error (``#N/A``, ``#DIV/0!``) has no value, as one that is empty.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from dualgaf.errors import NoTableError, SourceError, typed_option
from dualgaf.series.tables.dialects.layout import is_data
from dualgaf.series.tables.dialects.sheettimes import ISO, as_csv
from dualgaf.series.tables.notes import Notes

if TYPE_CHECKING:
    from fastexcel import ExcelReader, ExcelSheet

SHEETS = (".xlsx", ".xlsm")
"""Endings of workbooks that are read."""
_TOP_ROWS = 60
_LAST_ROWS = 5


def read_sheet(
    path: Path, file: str, sheet: str | None, header_line: int | None, notes: Notes
) -> tuple[list[str], pl.DataFrame]:
    """The table of a workbook.

    Args:
        path: where it is.
        file: what messages call it.
        sheet: ``data.sheet``; None = the one that has a table.
        header_line: the row of the sheet that has the names, from 1; None = the first that has a
            name for each column.
        notes: what was found goes there.

    Returns:
        Names of columns as they are written, and the cells as texts, null where they have no value.

    Raises:
        SourceError: fastexcel is missing, the workbook is broken, has no such sheet, or more than
            one with a table; a row in the middle is empty.
        NoTableError: no sheet has a table.
    """
    book = _opened(path, file)
    names = list(book.sheet_names)
    if sheet is not None:
        if sheet not in names:
            raise SourceError(
                f"{file} has no sheet {sheet!r} (data.sheet); it has: {', '.join(names[:20])}; "
                f"type {typed_option('data.sheet', names[0])}"
            )
        return _table(_cells(book, sheet)[0], file, sheet, header_line, notes)
    sheets = {name: _cells(book, name) for name in names}
    shown = {name: grid for name, (grid, is_shown) in sheets.items() if is_shown}
    grids = {name: grid for name, grid in shown.items() if _has_table(grid)}
    if not grids:
        rows = [n for grid in shown.values() if (n := _rows_with_cells(grid))]
        if rows == [1]:
            raise SourceError(f"{file} has a header and no data row")
        told = "is empty" if not rows else "has no sheet with names above columns of numbers"
        raise NoTableError(
            f"{file} {told} (sheets: {', '.join(names[:20])}); needed: a header and data rows"
        )
    if len(grids) > 1:
        ways = [typed_option("data.sheet", name) for name in grids]
        raise SourceError(
            f"{file} has more than one sheet with a table: {', '.join(map(repr, grids))}; type "
            f"{' or '.join(ways[:4])}"
        )
    name, grid = next(iter(grids.items()))
    if len(names) > 1:
        others = ", ".join(other for other in names if other != name)
        notes.add(f"sheet {name!r} is read, others are left out ({others[:80]})", file)
    return _table(grid, file, name, header_line, notes)


def _opened(path: Path, file: str) -> "ExcelReader":
    try:
        import fastexcel
    except ImportError:
        raise SourceError(
            f"{file} is a workbook, which fastexcel reads, and that is not installed; type "
            'pip install "dualgaf[excel]", or save the sheet as CSV'
        ) from None
    try:
        return fastexcel.read_excel(path.read_bytes())
    except fastexcel.FastExcelError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{file} cannot be read: {reason}; save its sheet as CSV") from error


def _cells(book: "ExcelReader", name: str) -> tuple[pl.DataFrame, bool]:
    """All cells of a sheet from its first row on, without columns of nothing; whether it is shown.

    Rows of nothing above a table stay: a message names the row that the user sees.
    """

    def loaded(kind: Any, columns: list[int] | None = None) -> "ExcelSheet":
        return book.load_sheet(name, header_row=None, skip_rows=0, dtypes=kind, use_columns=columns)

    sheet = loaded("string")
    is_shown = sheet.visible == "visible"
    if not sheet.width or not sheet.height:
        return pl.DataFrame(), is_shown
    columns: dict[int, pl.Series] = {}
    for info, column in zip(sheet.selected_columns, sheet.to_polars(), strict=True):
        texts = column.set((column.str.strip_chars() == "").fill_null(False), None)
        if texts.null_count() < len(texts):
            columns[info.absolute_index] = texts
    dates = [place for place, column in columns.items() if column.str.contains(ISO).any()]
    if dates:
        serials = loaded("duration", dates).to_polars()
        for place, serial in zip(dates, serials, strict=True):
            columns[place] = as_csv(columns[place], serial.dt.total_milliseconds())
    return pl.DataFrame([c.alias(f"{place}") for place, c in columns.items()]), is_shown


def _rows_with_cells(grid: pl.DataFrame) -> int:
    if not grid.width:
        return 0
    return int(grid.select(pl.any_horizontal(pl.all().is_not_null())).to_series().sum())


def _header_row(grid: pl.DataFrame) -> int | None:
    """The first row of texts with a name above each column that has a value in most rows.

    The first of these columns need not have a name: pandas writes the number of a row there. Where
    the first row that has all is one of data, the header is the row of texts above it, if any.
    """
    if not grid.width:
        return None
    filled = grid.select(pl.all().is_not_null()).to_numpy()
    body = np.flatnonzero(filled.sum(axis=0) >= 0.5 * filled.any(axis=1).sum())
    needed = body[1:] if len(body) > 1 else body
    fits = filled[:_TOP_ROWS, needed].all(axis=1)
    fits &= filled[:_TOP_ROWS].sum(axis=1) >= min(2, grid.width)
    if not len(needed) or not fits.any():
        return None
    row = int(fits.argmax())
    is_above = row > 0 and filled[row - 1].sum() >= max(2, len(needed) / 2)
    return row - 1 if is_above and _is_data(grid, row) and not _is_data(grid, row - 1) else row


def _is_data(grid: pl.DataFrame, row: int) -> bool:
    return is_data([cell for cell in grid.row(row) if cell is not None])


def _has_table(grid: pl.DataFrame) -> bool:
    """Whether a header stands above a column of numbers or times."""
    row = _header_row(grid)
    if row is None:
        return False
    for column in grid.slice(row + 1, _TOP_ROWS):
        cells = column.drop_nulls().to_list()
        if cells and sum(is_data([cell]) for cell in cells) > len(cells) / 2:
            return True
    return False


def _table(
    grid: pl.DataFrame, file: str, sheet: str, header_line: int | None, notes: Notes
) -> tuple[list[str], pl.DataFrame]:
    row = _header_row(grid) if header_line is None else header_line - 1
    if row is None or not grid.width:
        raise SourceError(
            f"{file}, sheet {sheet!r} {'has no names above columns' if grid.width else 'is empty'};"
            " needed: a header and data rows"
        )
    if row >= grid.height:
        raise SourceError(
            f"{file}, sheet {sheet!r} has {grid.height} rows; data.header_line={row + 1} is beyond "
            "its end; type data.header_line=1"
        )
    if _rows_with_cells(grid.head(row)):
        notes.add(f"lines above the header are left out ({row})", file)
    names = [str(cell or "") for cell in grid.row(row)]
    table = _without_last_notes(grid.slice(row + 1), file, notes)
    named = [n for n, c in enumerate(table) if names[n] or c.null_count() < len(c)]
    table = table.select(table.columns[n] for n in named)
    empty = table.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if empty.any():
        at = row + 2 + int(empty.arg_true()[0])
        raise SourceError(
            f"{file}, sheet {sheet!r}: row {at} is empty, and more rows stand below it; remove "
            "that row, or what stands below it"
        )
    return [names[n] for n in named], table


def _without_last_notes(table: pl.DataFrame, file: str, notes: Notes) -> pl.DataFrame:
    """Without last rows that are empty, or have one text in a table of three columns or more."""
    left_out = 0
    while table.height:
        cells = [cell for cell in table.row(-1) if cell is not None]
        is_note = len(cells) == 1 and table.width > 2 and not is_data(cells)
        if cells and not (is_note and left_out < _LAST_ROWS):
            break
        if cells:
            notes.add(f"the last line has 1 of {table.width} cells and is left out", file)
            left_out += 1
        table = table.head(table.height - 1)
    return table
