"""Where the table of a CSV file begins and ends: separator, lines above the header, its last line.

The header is the first line that has as many cells as the lines below it. Lines above it are left
out where it cannot be anything else; a last line with fewer cells is one that was cut off.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dualgaf.errors import SourceError
from dualgaf.series.tables.notes import Notes

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_SAMPLE_LINES = 60
_LAST_LINES = 5
_MOST_TITLES = 20
_EXCEL_HINT = re.compile(rb'"?sep=.?"?\r?\n')
_DATUM = re.compile(
    r"\s*[+-]?[\d.,]*\d[\d.,]*([eE][+-]?\d+)?(\s*[^\d\s]{1,6})?\s*"  # 21.5, 45 %
    r"|\s*\d{1,4}[-/.]\d{1,2}[-/.]\d.*|.*\d:\d\d.*"  # dates and times of day
)


@dataclass(frozen=True)
class _Table:
    """A way to cut the first lines into cells."""

    mark: str
    line: int
    """Of the header, from 0."""
    width: int
    blank_ends: bool
    """Whether each row ends with a separator."""


def lay_out(
    raw: bytes, file: str, separator: str | None, header_line: int | None, notes: Notes
) -> tuple[bytes, str, list[str], str]:
    """The table of a CSV file without what stands around it.

    Args:
        raw: the file in UTF-8.
        file: its name, for messages.
        separator: a name of `SEPARATORS`; None = found out.
        header_line: the line with the names, from 1; None = found out.
        notes: what was found goes there.

    Returns:
        Bytes that begin with the header, the separator, the names as they are written (each row has
        as many cells), and the first line.

    Raises:
        SourceError: two separators fit alike, or the line is no header.
    """
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    raw = _without_blank_end(raw)
    if not raw or raw.isspace():
        raise SourceError(f"{file} is empty; needed: a header and data rows")
    first = 0 if header_line is None else header_line - 1
    if header_line is None and _EXCEL_HINT.match(raw):
        first = 1
    raw = _from_line(raw, first, file)
    top = list(_lines(raw, _SAMPLE_LINES))
    found = _found(top, file, separator, fixed=header_line is not None)
    if found.line:
        notes.add(f"lines above the header are left out ({found.line})", file)
        raw = _from_line(raw, found.line, file)
        top = top[found.line :]
    if top[0].startswith("#") and header_line is None and _is_comment_header(top, found.mark):
        notes.add("names of columns are those of the comment above the rows", file)
        raw, top[0] = raw[1:].lstrip(b" "), top[0][1:].lstrip(" ")
    names = next(csv.reader(top, delimiter=found.mark))
    if found.blank_ends and len(names) < found.width:
        end = raw.find(b"\n")
        head = raw[:end].rstrip(b"\r")
        raw = head + found.mark.encode() + raw[end:]
        names = [*names, ""]
    _check_header(names, top, found.mark, file, first + found.line + 1)
    raw = _without_cut_lines(raw, found.mark, names, file, notes)
    return raw, found.mark, names, top[0]


def check_rows(raw: bytes, names: list[str], mark: str, file: str) -> None:
    """Raise SourceError at the first row that has another number of cells than the header."""
    with io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8", errors="replace", newline="") as text:
        reader: Iterable[list[str]] = csv.reader(text, delimiter=mark)
        for number, row in enumerate(reader):
            if number and len(row) != len(names):
                raise SourceError(
                    f"{file}, data row {number} has {len(row)} cells, the header has {len(names)} "
                    f"names ({mark.join(row)[:60]!r}); mend or remove that row"
                )


def _without_blank_end(raw: bytes) -> bytes:
    """Without last lines that are empty, or have nothing but separators."""
    raw = raw.rstrip(b"\r\n")
    while (at := raw.rfind(b"\n")) >= 0 and not raw[at:].strip(b"\r\n ,;|\t"):
        raw = raw[:at].rstrip(b"\r\n")
    return raw


def _from_line(raw: bytes, first: int, file: str) -> bytes:
    start = 0
    for line in range(first):
        end = raw.find(b"\n", start)
        if end < 0:
            raise SourceError(
                f"{file} has {line + 1} lines; data.header_line={first + 1} is beyond its end; "
                "type data.header_line=1"
            )
        start = end + 1
    return raw[start:] if start else raw


def _lines(raw: bytes, n: int) -> Iterator[str]:
    with io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8", errors="replace") as text:
        for _, line in zip(range(n), text, strict=False):
            yield line.rstrip("\n")


def _found(top: list[str], file: str, separator: str | None, *, fixed: bool) -> _Table:
    """The separator that cuts the header and the rows below it into the same number of cells.

    Raises:
        SourceError: two marks do so alike.
    """
    marks = [separator] if separator else list(SEPARATORS)
    tables = {name: found for name in marks if (found := _cut(top, SEPARATORS[name], fixed))}
    if not tables and separator:
        _check_separator(top, file, separator, fixed)
    if not tables:
        several = (n for n in marks if len(next(csv.reader(top, delimiter=SEPARATORS[n]), "")) > 1)
        return _Table(SEPARATORS[next(several, marks[0])], 0, 0, blank_ends=False)
    least = min(table.line for table in tables.values())
    tables = {name: table for name, table in tables.items() if table.line == least}
    widest = max(table.width for table in tables.values())
    best = [name for name, table in tables.items() if table.width == widest]
    if len(best) > 1:
        raise SourceError(
            f"{file}: {best[0]} and {best[1]} both cut every line into {widest} cells; "
            f"type data.separator={best[0]} or data.separator={best[1]}"
        )
    return tables[best[0]]


def _check_separator(top: list[str], file: str, separator: str, fixed: bool) -> None:
    """Raise SourceError where the mark that was typed cuts nothing, and another does."""
    if any(SEPARATORS[separator] in line for line in top):
        return
    for other in SEPARATORS:
        if (found := _cut(top, SEPARATORS[other], fixed)) is not None:
            raise SourceError(
                f"{file}: data.separator={separator} cuts no line, and {other} cuts them into "
                f"{found.width} cells; type data.separator={other} or data.separator=null"
            )


def _cut(top: list[str], mark: str, fixed: bool) -> _Table | None:
    """The table that ``top`` ends with, if it is cut by this mark; None where it is not."""
    rows, starts, start = [], [], 0
    reader = csv.reader(top, delimiter=mark)
    for row in reader:
        rows.append(row)
        starts.append(start)
        start = reader.line_num
    if len(rows) > 2 and len(rows[-1]) < len(rows[-2]):
        rows.pop()  # the end of the sample, or a line that was cut off
    width = len(rows[-1]) if rows else 0
    first = len(rows)
    while first and len(rows[first - 1]) == width:
        first -= 1
    body = rows[first:]
    blank_ends = width > 1 and len(body) > 0 and all(not row[-1].strip() for row in body)
    if blank_ends and first and len(rows[first - 1]) == width - 1:
        first -= 1
        blank_ends = len(body) > 0
    else:
        blank_ends = False
    if width < 2 or (width == 2 and blank_ends) or (fixed and first):
        return None
    if not fixed:
        first = _below_titles(rows, first)
    while first + 1 < len(rows) and rows[first][0].startswith("#") and not fixed:
        if is_data(rows[first + 1]):
            break
        first += 1
    if first and not _is_header(rows[first], rows[first + 1 :]):
        return None
    return _Table(mark, starts[first], width, blank_ends)


def _below_titles(rows: list[list[str]], first: int) -> int:
    """The header below titles that a spreadsheet has filled up with separators, else ``first``."""
    for place in range(first, min(first + _MOST_TITLES, len(rows) - 1)):
        if 2 * sum(map(bool, map(str.strip, rows[place]))) > len(rows[place]):
            return place if _is_header(rows[place], rows[place + 1 :]) else first
    return first


def is_data(row: list[str]) -> bool:
    """Whether a cell is a number, one with a unit, or a time."""
    return any(_DATUM.fullmatch(cell) for cell in row)


def _is_header(names: list[str], below: list[list[str]]) -> bool:
    """Whether lines above may be left out: names above rows that have numbers."""
    named = all(names[1:-1]) and any(names)  # an index and a blank at the end have no name
    return named and not is_data(names) and any(map(is_data, below))


def _is_comment_header(top: list[str], mark: str) -> bool:
    rows = list(csv.reader(top[:2], delimiter=mark))
    return len(rows) == 2 and len(rows[0]) == len(rows[1]) > 1 and is_data(rows[1])


def _check_header(names: list[str], top: list[str], mark: str, file: str, line: int) -> None:
    """A first line that is no header: a comment, a title, or one name too few."""
    if len(top) < 2:
        return
    first = next(csv.reader(top[1:2], delimiter=mark))
    is_comment = top[0].lstrip().startswith("#")
    if is_comment or (len(names) == 1 < len(first)):
        raise SourceError(
            f"{file}, line {line} is {top[0][:60]!r}, which is no header of the {len(first)} cells "
            f"below it; type data.header_line={line + 1}, or the line of the file that has the "
            "names"
        )
    if len(first) == len(names) + 1:
        raise SourceError(
            f"{file}: the header has {len(names)} names and data row 1 has {len(first)} cells: the "
            "first cell of a row has no name (R writes row names so); type a name for it in front "
            f"of the header: row{mark}{mark.join(names[:3])}{mark + '...' if names[3:] else ''}; "
            "its column can be left out by data.exclude=[row]"
        )


def _without_cut_lines(raw: bytes, mark: str, names: list[str], file: str, notes: Notes) -> bytes:
    """Without a last line that was cut off, or some that are notes: those with fewer cells."""
    for _ in range(_LAST_LINES):
        at = raw.rfind(b"\n")
        last = raw[at + 1 :]
        if at < 0 or last.count(b'"') % 2 or raw.find(b"\n", 0, at) < 0:
            break
        cells = next(csv.reader([last.decode(errors="replace")], delimiter=mark), [])
        if not names[-1].strip() and len(cells) == len(names) - 1:
            return raw + mark.encode()  # all but the blank that ends the other lines
        filled = [cell for cell in cells if cell.strip()]
        if len(cells) == len(names) > 2 and len(filled) == 1 and cells[0].strip():
            cells = filled if not is_data(filled) else cells  # a note, and blanks beside it
        if not 0 < len(cells) < len(names):
            break
        notes.add(f"the last line has {len(cells)} of {len(names)} cells and is left out", file)
        raw = _without_blank_end(raw[:at])
    return raw
