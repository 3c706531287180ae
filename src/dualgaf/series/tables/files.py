"""Reading one file of a folder: its header, and its cells as they are written.

Cells of a CSV file stay texts here: what a cell means must not depend on what else is in its file.
Messages count lines from 1 with the header, and data rows from 1 without it.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from dualgaf.errors import SourceError

ENDINGS = (".csv", ".csv.gz", ".parquet")
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_SAMPLE_LINES = 20
_BROKEN = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    csv.Error,
    zlib.error,
    OSError,
    EOFError,
)


def list_files(root: Path, pattern: str | None) -> list[Path]:
    """The files of a folder that are read, sorted by name; a file stands for itself.

    Args:
        root: folder or file.
        pattern: glob below the folder; None = every .csv, .csv.gz and .parquet directly in it.

    Returns:
        At least one path.

    Raises:
        SourceError: nothing is there, or nothing that fits; lists what is there.
    """
    if not root.exists():
        raise SourceError(f"there is no folder or file {root}; type data.root=FOLDER")
    if root.is_file():
        files = [root]
    elif pattern is None:
        files = sorted(path for path in root.iterdir() if path.name.endswith(ENDINGS))
    else:
        files = sorted(path for path in root.glob(pattern) if path.is_file())
    if not files:
        present = sorted(path.name for path in root.iterdir())
        if not present:
            raise SourceError(f"folder {root} is empty; needed: {', '.join(ENDINGS)} files in it")
        listed = ", ".join(present[:10]) + (", ..." if len(present) > 10 else "")
        wanted = f"file that fits data.pattern={pattern}" if pattern else "table"
        raise SourceError(
            f"folder {root} has no {wanted}; it has: {listed}; allowed: {', '.join(ENDINGS)}; "
            'type data.pattern="*.csv" or data.root=FOLDER'
        )
    for path in files:
        if not path.name.endswith(ENDINGS):
            raise SourceError(
                f"{path.name} is of an unknown kind; allowed: {', '.join(ENDINGS)}; "
                'type data.pattern="*.csv"'
            )
    return files


def named_files(root: Path, pattern: str | None) -> dict[str, Path]:
    """`list_files` by their names in the folder."""
    folder = root if root.is_dir() else root.parent
    return {path.relative_to(folder).as_posix(): path for path in list_files(root, pattern)}


def stem(file: str) -> str:
    """A file's name without folder and ending.

    Example:
        >>> stem("2017/oa_stuck.v2.csv.gz")
        'oa_stuck.v2'
    """
    name = Path(file).name
    return next((name.removesuffix(end) for end in ENDINGS[::-1] if name.endswith(end)), name)


def read_table(
    path: Path, file: str, separator: str | None = None, header_line: int = 1
) -> pl.DataFrame:
    """One file as a table; blanks around the names of columns are removed.

    Args:
        path: where it is.
        file: what messages call it.
        separator: a name of `SEPARATORS`; None = the one that the header is written with.
        header_line: the line of a CSV file that has the names, from 1; those above are left out.

    Returns:
        All cells of a CSV file as texts, null where they are empty; of a Parquet file by its types.

    Raises:
        SourceError: the file is empty or broken, two columns have one name, or a row has another
            number of cells than the header.
    """
    try:
        if path.name.endswith(".parquet"):
            table = pl.read_parquet(path)
            names = table.columns
        else:
            raw = path.read_bytes()
            if path.name.endswith(".gz"):
                raw = gzip.decompress(raw)
            names, table = _read_csv(raw, file, separator, header_line)
    except pl.exceptions.NoDataError:
        raise SourceError(f"{file} is empty; needed: a header and data rows") from None
    except _BROKEN as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{file} cannot be read: {reason}") from error
    names = [name.strip() for name in names]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise SourceError(f"{file} has two columns {double!r}; give each its own name")
    if table.height == 0:
        raise SourceError(f"{file} has a header and no data row")
    table.columns = names
    return table


def _read_csv(
    raw: bytes, file: str, separator: str | None, header_line: int
) -> tuple[list[str], pl.DataFrame]:
    """The names as they are written, and the cells.

    polars would give the second of two equal names another one, and fill a row that has too few
    cells.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if not raw:
        raise pl.exceptions.NoDataError
    for line in range(1, header_line):
        end = raw.find(b"\n")
        if end < 0:
            raise SourceError(
                f"{file} has {line} lines; data.header_line={header_line} is beyond its end; type "
                "data.header_line=1"
            )
        raw = raw[end + 1 :]
    top = list(_lines(raw, 1 + _SAMPLE_LINES))
    mark = SEPARATORS[separator] if separator else _separator(top, file)
    names = next(csv.reader(top, delimiter=mark))
    _check_header(names, top, mark, file, header_line)
    try:
        table = pl.read_csv(raw, separator=mark, infer_schema=False)
    except pl.exceptions.ComputeError:
        _check_rows(raw, names, mark, file)
        raise
    if table.width != len(names) or _count_is_odd(raw, table, mark):
        _check_rows(raw, names, mark, file)
    if table.width != len(names):
        raise SourceError(
            f"{file}: its quotes do not pair up: the header has {len(names)} names or "
            f"{table.width}, by where quotes end ({top[0][:60]!r}); mend the quotes"
        )
    return names, table


def _lines(raw: bytes, n: int) -> Iterator[str]:
    with io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8", errors="replace") as text:
        for _, line in zip(range(n), text, strict=False):
            yield line.rstrip("\n")


def _separator(top: list[str], file: str) -> str:
    """The mark that cuts the header and the first rows into the same number of cells, the most.

    Raises:
        SourceError: two marks do so alike.
    """
    widths = {
        name: [len(row) for row in csv.reader(top, delimiter=mark)]
        for name, mark in SEPARATORS.items()
    }
    several = {name: own for name, own in widths.items() if own[0] > 1}
    fitting = {name: own[0] for name, own in several.items() if set(own) == {own[0]}}
    if not fitting:
        return SEPARATORS[next(iter(several), "comma")]
    best = [name for name, width in fitting.items() if width == max(fitting.values())]
    if len(best) > 1:
        raise SourceError(
            f"{file}: {best[0]} and {best[1]} both cut every line into {fitting[best[0]]} cells; "
            f"type data.separator={best[0]} or data.separator={best[1]}"
        )
    return SEPARATORS[best[0]]


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


def _count_is_odd(raw: bytes, table: pl.DataFrame, mark: str) -> bool:
    """Whether rows may have too few cells, from the number of separators alone."""
    if table.width == 1 or not table[table.columns[-1]].has_nulls():
        return False  # what is missing in a row is null in its last column
    if b'"' in raw:
        return True
    return raw.count(mark.encode()) != (table.width - 1) * (table.height + 1)


def _check_rows(raw: bytes, names: list[str], mark: str, file: str) -> None:
    with io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8", errors="replace", newline="") as text:
        reader: Iterable[list[str]] = csv.reader(text, delimiter=mark)
        for number, row in enumerate(reader):
            if number and len(row) != len(names):
                raise SourceError(
                    f"{file}, data row {number} has {len(row)} cells, the header has {len(names)} "
                    f"names ({mark.join(row)[:60]!r}); mend or remove that row"
                )
