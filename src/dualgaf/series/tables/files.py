"""The files of a folder, and reading one of them: its header, and its cells as they are written.

Cells of a CSV file stay texts here: what a cell means must not depend on what else is in its file.
Messages count lines from 1 with the header, and data rows from 1 without it.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.tables.columns import need_own_names
from dualgaf.series.tables.dialects.encodings import as_utf8
from dualgaf.series.tables.dialects.layout import check_rows, lay_out
from dualgaf.series.tables.dialects.long import is_flux, read_flux
from dualgaf.series.tables.dialects.sheets import SHEETS, read_sheet
from dualgaf.series.tables.needed import with_all_names
from dualgaf.series.tables.notes import Notes

TEXTS = (".csv", ".tsv", ".txt")
"""Endings of files whose rows are lines."""
ENDINGS = (*TEXTS, *(f"{ending}.gz" for ending in TEXTS), ".parquet", *SHEETS)
_ALLOWED = ".csv, .tsv, .txt (also with .gz), .parquet and .xlsx"
_OTHER_SHEETS = (".xls", ".xlsb", ".ods")
_KINDS = (
    (b"PK\x03\x04", "a workbook, or another archive,", "with .xlsx"),
    (b"\x1f\x8b", "packed by gzip", "with .csv.gz"),
    (b"PAR1", "a Parquet file", "with .parquet"),
)
"""First bytes of files that are no texts."""
BROKEN = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    csv.Error,
    zlib.error,
    OSError,
    EOFError,
)
"""What readers raise where a file is not what its name says; a panic is none of the others."""


def list_files(root: Path, pattern: str | None, notes: Notes | None = None) -> list[Path]:
    """The files of a folder that are read, sorted by name; a file stands for itself.

    Names that begin with ``.`` or ``_`` are those of unfinished writes and of systems, and ``~$``
    is a workbook that is open: they are left out. Texts that end with .txt are read where there is
    no other table.

    Args:
        root: folder or file.
        pattern: glob below the folder; None = every table directly in it, or in its folders that
            are called ``key=value``.
        notes: what is left out goes there.

    Returns:
        At least one path.

    Raises:
        SourceError: nothing is there, or nothing that fits; lists what is there.
    """
    notes = notes or Notes()
    if not root.exists():
        raise SourceError(f"there is no folder or file {root}; type data.root=FOLDER")
    if root.is_file():
        files = [root]
    elif pattern is None:
        files = _tables(root, notes)
    else:
        files = without_hidden(root, (p for p in root.glob(pattern) if p.is_file()), pattern, notes)
    if not files:
        present = sorted(path.name for path in root.iterdir())
        if not present:
            raise SourceError(f"folder {root} is empty; needed: {_ALLOWED} files in it")
        listed = ", ".join(present[:10]) + (", ..." if len(present) > 10 else "")
        if pattern is None and (below := _tables_below(root)):
            raise SourceError(
                f"folder {root} has no table, and its folders have {', '.join(below[:3])} and so "
                f"on; type {typed_option('data.pattern', '**/*' + Path(below[0]).suffix)} "
                "data.label=folder if a folder is a class, or without it if a column has them"
            )
        wanted = f"file that fits data.pattern={pattern}" if pattern else "table"
        raise SourceError(
            f"folder {root} has no {wanted}; it has: {listed}; allowed: {_ALLOWED}; "
            f'type data.pattern="*.csv" or data.root=FOLDER{_as_sheet(*present)}'
        )
    for path in files:
        if not path.name.lower().endswith(ENDINGS):
            raise SourceError(
                f"{path.name} is of an unknown kind; allowed: {_ALLOWED}; "
                f'type data.pattern="*.csv"{_as_sheet(path.name)}'
            )
    return files


def named_files(root: Path, pattern: str | None, notes: Notes | None = None) -> dict[str, Path]:
    """`list_files` by their names in the folder."""
    folder = root if root.is_dir() else root.parent
    return {path.relative_to(folder).as_posix(): path for path in list_files(root, pattern, notes)}


def stem(file: str) -> str:
    """A file's name without folder and ending.

    Example:
        >>> stem("2017/oa_stuck.v2.csv.gz")
        'oa_stuck.v2'
    """
    name = Path(file).name
    ends = sorted(ENDINGS, key=len, reverse=True)
    return next((name[: -len(end)] for end in ends if name.lower().endswith(end)), name)


def read_table(
    path: Path,
    file: str,
    separator: str | None = None,
    header_line: int | None = None,
    encoding: str | None = None,
    notes: Notes | None = None,
    sheet: str | None = None,
    unread: Callable[[Mapping[str, pl.DataType]], Collection[str]] | None = None,
) -> pl.DataFrame:
    """One file as a table; blanks around the names of columns are removed.

    Args:
        path: where it is.
        file: what messages call it.
        separator: a name of `SEPARATORS`; None = the one that the header is written with.
        header_line: the line of a CSV file, or the row of a sheet, that has the names, from 1;
            those above are left out; None = found out.
        encoding: how the letters of a CSV file are written; None = found out.
        notes: what was found out goes there.
        sheet: of a workbook; None = the one that has a table.
        unread: called with the types of a Parquet file: columns whose cells are not needed. They
            come back without any cell.

    Returns:
        All cells of a CSV file and of a sheet as texts, null where they are empty; of a Parquet
        file by its types.

    Raises:
        NoTableError: no sheet of a workbook has a table.
        SourceError: the file is empty or broken, two columns have one name, or a row has another
            number of cells than the header.
    """
    notes = notes or Notes()
    try:
        if path.name.lower().endswith(".parquet"):
            table = _read_parquet(path, unread)
            names = table.columns
        elif path.name.lower().endswith(SHEETS):
            names, table = read_sheet(path, file, sheet, header_line, notes)
        else:
            names, table = _read_text(path, file, separator, header_line, encoding, notes)
    except pl.exceptions.NoDataError:
        raise SourceError(f"{file} is empty; needed: a header and data rows") from None
    except BROKEN as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{file} cannot be read: {reason}") from error
    names = [name.strip() for name in names]
    if len(names) > 1 and not names[-1] and table.to_series(-1).null_count() == table.height:
        notes.add("a blank cell at the end of each line is left out", file)
        table, names = table.drop(table.columns[-1]), names[:-1]
    need_own_names(names, file)
    if table.height == 0:
        raise SourceError(f"{file} has a header and no data row")
    table.columns = names
    return table


def _read_text(
    path: Path,
    file: str,
    separator: str | None,
    header_line: int | None,
    encoding: str | None,
    notes: Notes,
) -> tuple[list[str], pl.DataFrame]:
    raw = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        raw = gzip.decompress(raw)
    _check_text(raw, file)
    raw = as_utf8(raw, file, encoding, notes)
    if is_flux(raw):
        table = read_flux(raw, file, notes)
        return table.columns, table
    return _read_csv(raw, file, separator, header_line, notes)


def _read_parquet(
    path: Path, unread: Callable[[Mapping[str, pl.DataType]], Collection[str]] | None
) -> pl.DataFrame:
    schema = pl.read_parquet_schema(path)
    out = set() if unread is None else set(unread(schema))
    if not out:
        return pl.read_parquet(path)
    kept = [name for name in schema if name not in out]
    if not kept:
        return pl.read_parquet(path)  # for its number of rows
    table = pl.read_parquet(path, columns=kept)
    return with_all_names(table, schema)


def _tables(root: Path, notes: Notes) -> list[Path]:
    """Every table of a folder, and of its folders that are called ``key=value``."""
    found = [path for path in root.iterdir() if path.is_file()]
    for folder in root.iterdir():
        if folder.is_dir() and "=" in folder.name[1:]:
            found += [path for path in folder.rglob("*") if path.is_file()]
    found = [path for path in found if path.name.lower().endswith(ENDINGS)]
    found = without_hidden(root, found, "", notes)
    others = [path for path in found if not path.name.lower().endswith((".txt", ".txt.gz"))]
    if others and len(others) < len(found):
        for path in set(found) - set(others):
            notes.add("texts beside tables are left out (data.pattern reads them)", path.name)
        return others
    return found


def _tables_below(root: Path) -> list[str]:
    """Names of tables in folders of any name."""
    found = (p.relative_to(root) for p in root.glob("*/*") if p.name.lower().endswith(ENDINGS))
    return sorted(path.as_posix() for path in found)


def without_hidden(
    root: Path, paths: Iterable[Path], pattern: str, notes: Notes | None = None
) -> list[Path]:
    """Sorted, without names that begin with ``.`` or ``_``, unless the pattern asks for them."""
    found, notes = [], notes or Notes()
    for path in sorted(paths):
        parts = path.relative_to(root).parts
        if parts[-1].startswith("~$"):
            notes.add("a workbook is open elsewhere, and its mark is left out", parts[-1])
            continue
        hidden = next((part for part in parts if part.startswith((".", "_"))), None)
        if hidden is None or any(part.startswith((".", "_")) for part in pattern.split("/")):
            found.append(path)
        else:
            notes.add("names that begin with . or _ are left out", hidden)
    return found


def _check_text(raw: bytes, file: str) -> None:
    """Raise SourceError where a file that is called a text is something else by its first bytes."""
    for mark, kind, ending in _KINDS:
        if raw.startswith(mark):
            raise SourceError(f"{file} is {kind} and no text; give it the name that ends {ending}")


def _as_sheet(*names: str) -> str:
    if any(name.lower().endswith(_OTHER_SHEETS) for name in names):
        return "; save a spreadsheet as .xlsx or as CSV"
    return ""


def _read_csv(
    raw: bytes, file: str, separator: str | None, header_line: int | None, notes: Notes
) -> tuple[list[str], pl.DataFrame]:
    """The names as they are written, and the cells.

    polars would give the second of two equal names another one, and fill a row that has too few
    cells.
    """
    raw, mark, names, first = lay_out(raw, file, separator, header_line, notes)
    try:
        table = pl.read_csv(raw, separator=mark, infer_schema=False)
    except pl.exceptions.ComputeError:
        check_rows(raw, names, mark, file)
        raise
    if table.width != len(names) or _count_is_odd(raw, table, mark):
        check_rows(raw, names, mark, file)
    if table.width != len(names):
        raise SourceError(
            f"{file}: its quotes do not pair up: the header has {len(names)} names or "
            f"{table.width}, by where quotes end ({first[:60]!r}); mend the quotes"
        )
    return names, table


def _count_is_odd(raw: bytes, table: pl.DataFrame, mark: str) -> bool:
    """Whether rows may have too few cells, from the number of separators alone."""
    if table.width == 1 or not table[table.columns[-1]].has_nulls():
        return False  # what is missing in a row is null in its last column
    if b'"' in raw:
        return True
    return raw.count(mark.encode()) != (table.width - 1) * (table.height + 1)
