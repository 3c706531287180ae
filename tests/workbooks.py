"""Workbooks for the tests: cells go in by their types, as a program of spreadsheets writes them."""

import io
from datetime import date, datetime, time, timedelta

import xlsxwriter

_FORMATS = (
    (datetime, "yyyy-mm-dd hh:mm:ss"),
    (date, "dd/mm/yyyy"),
    (time, "hh:mm"),
    (timedelta, "[h]:mm:ss"),
)


class Error(str):
    """A cell that holds an error, ``#N/A`` for instance."""

    __slots__ = ()


def workbook(sheets, first=(0, 0), hidden=(), **options):
    """The bytes of a workbook.

    Args:
        sheets: rows of cells by the name of the sheet.
        first: row and column of the first cell.
        hidden: names of sheets that are not shown.
        options: of xlsxwriter.
    """
    raw = io.BytesIO()
    with xlsxwriter.Workbook(raw, options) as book:
        formats = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS}
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for r, row in enumerate(rows, first[0]):
                for c, cell in enumerate(row, first[1]):
                    _write(sheet, r, c, cell, formats)
    return raw.getvalue()


def _write(sheet, r, c, cell, formats):
    kind = next((kind for kind in formats if isinstance(cell, kind)), None)
    if isinstance(cell, Error):
        sheet.write_formula(r, c, "=A1", None, str(cell))
    elif kind is not None:
        sheet.write_datetime(r, c, cell, formats[kind])
    elif cell is not None:
        sheet.write(r, c, cell)
