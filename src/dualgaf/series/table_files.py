"""Reading one table: which files, their cells, times as dates, text where numbers should be.

Each function does one step of `dualgaf.series.table` and names the file, column, row and text of
what it cannot read. Data rows are counted from 1 in messages, without the header.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.arrays import Array

ENDINGS = (".csv", ".csv.gz", ".parquet")
TIME_FORMATS = (
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S%.f",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
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


def stem(file: str) -> str:
    """A file's name without folder and ending.

    Example:
        >>> stem("2017/oa_stuck.v2.csv.gz")
        'oa_stuck.v2'
    """
    name = Path(file).name
    return next((name.removesuffix(end) for end in ENDINGS[::-1] if name.endswith(end)), name)


def read_table(path: Path, file: str, null_values: Sequence[str]) -> pl.DataFrame:
    """One file as a table; blanks around the names of columns are removed.

    Raises:
        SourceError: the file is empty, broken, or two columns have one name.
    """
    try:
        if path.name.endswith(".parquet"):
            table = pl.read_parquet(path)
        else:
            table = pl.read_csv(path, infer_schema_length=None, null_values=list(null_values))
    except pl.exceptions.NoDataError:
        raise SourceError(f"{file} is empty; needed: a header and data rows") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{file} cannot be read: {reason}") from error
    names = [name.strip() for name in table.columns]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise SourceError(f"{file} has two columns {double!r}; give each its own name")
    if table.height == 0:
        raise SourceError(f"{file} has a header and no data row")
    table.columns = names
    return table


def text_columns(table: pl.DataFrame, null_values: Sequence[str]) -> list[str]:
    """Columns without a single number: texts, dates, nested values, and nothing but empty cells."""

    def is_text(column: pl.Series) -> bool:
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            return column.null_count() == len(column)
        if column.dtype != pl.String:
            return True
        parsed = _parsed(column, null_values)
        return parsed.null_count() == len(parsed)

    return [column.name for column in table if is_text(column)]


def numbers(
    table: pl.DataFrame, channels: Sequence[str], file: str, null_values: Sequence[str]
) -> Array:
    """Channels as one (rows, C) array, float32 where all of them are; empty cells are NaN.

    Raises:
        SourceError: a cell holds text; names file, column, data row and the text.
    """
    parsed = []
    for name in channels:
        column = table[name]
        if column.dtype == pl.String:
            numeric = _parsed(column, null_values)
            stray = _present(column, null_values).is_not_null() & numeric.is_null()
            if stray.any():
                row = int(stray.arg_true()[0])
                raise SourceError(
                    f"{file}, column {name!r}, data row {row + 1}: {column[row]!r} is not a number "
                    f"({stray.sum()} such cells); if it means missing, add it to data.null_values; "
                    f"to leave the column out type data.exclude=[{name}]"
                )
            column = numeric
        elif not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            raise SourceError(
                f"{file}, column {name!r} holds {column.dtype}, not numbers; "
                f"type data.exclude=[{name}]"
            )
        parsed.append(column)
    single = all(column.dtype == pl.Float32 for column in parsed)
    dtype = np.float32 if single else np.float64
    wide = pl.Float32 if single else pl.Float64
    columns = [column.cast(wide).fill_null(float("nan")).to_numpy() for column in parsed]
    return np.stack(columns, axis=1).astype(dtype, copy=False)


def label_texts(column: pl.Series) -> pl.Series:
    """Classes, groups or marks as text without blanks around it; 1.0 and 1 are both "1".

    Example:
        >>> label_texts(pl.Series([1.0, 2.5, None])).to_list()
        ['1', '2.5', None]
    """
    if column.dtype == pl.Boolean:
        column = column.cast(pl.Int64)
    texts = column.cast(pl.String).str.strip_chars()
    if column.dtype.is_float():
        texts = texts.str.strip_suffix(".0")
    return texts


def parse_times(column: pl.Series, file: str, time_format: str | None) -> pl.Series:
    """Times as microsecond dates without a zone, or numbers as they are.

    Args:
        column: texts, dates or numbers.
        file: the file's name.
        time_format: format of texts; None = the first of `TIME_FORMATS` that fits all of them.

    Returns:
        Dates or numbers, none missing.

    Raises:
        SourceError: a cell is missing or is no time; names its data row and text.

    Example:
        >>> parse_times(pl.Series(["8/28/2007 0:05"]), "a.csv", None)[0].isoformat()
        '2007-08-28T00:05:00'
    """
    if column.dtype == pl.String:
        parsed = _dates(column.str.strip_chars(), time_format)
    elif column.dtype.is_temporal() and column.dtype != pl.Time and column.dtype != pl.Duration:
        parsed = column
    elif column.dtype.is_numeric():
        parsed = column.fill_nan(None) if column.dtype.is_float() else column.cast(pl.Int64)
    else:
        raise SourceError(
            f"{file}, time column {column.name!r} holds {column.dtype}; allowed: dates, texts, "
            "numbers; type data.time_column=NAME or data.time_column=null"
        )
    if parsed.null_count():
        row = int(parsed.is_null().arg_true()[0])
        raise SourceError(
            f"{file}, time column {column.name!r}, data row {row + 1}: {column[row]!r} is no time; "
            'known are ISO, month/day/year and day.month.year; type data.time_format="%d/%m/%Y '
            '%H:%M", data.time_column=NAME, or data.time_column=null for rows that are in order'
        )
    if not parsed.dtype.is_temporal():
        return parsed
    if getattr(parsed.dtype, "time_zone", None) is not None:
        parsed = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return parsed.cast(pl.Datetime("us"))


def clock_texts(time: pl.Series) -> pl.Series:
    """ISO texts of dates, texts of numbers.

    Example:
        >>> clock_texts(pl.Series([3])).to_list()
        ['3']
    """
    if time.dtype == pl.Datetime:
        return time.dt.strftime("%Y-%m-%dT%H:%M:%S")
    return label_texts(time)


def _dates(texts: pl.Series, time_format: str | None) -> pl.Series:
    """Parsed by the format that reads most of the texts."""
    formats = TIME_FORMATS if time_format is None else (time_format,)
    # The first text rules most formats out without reading the rest.
    sample = texts.drop_nulls().head(1)
    likely = [form for form in formats if _by_format(sample, form).null_count() == 0]
    tries = [_by_format(texts, form) for form in likely or formats[:1]]
    return min(tries, key=lambda tried: tried.null_count())


def _by_format(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, strict=False, time_unit="us")


def _present(column: pl.Series, null_values: Sequence[str]) -> pl.Series:
    """Texts without blanks around them; null where they mean a missing value."""
    texts = column.str.strip_chars()
    return texts.set(texts.is_in(list(null_values)), None)


def _parsed(column: pl.Series, null_values: Sequence[str]) -> pl.Series:
    return _present(column, null_values).cast(pl.Float64, strict=False)
