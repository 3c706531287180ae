"""Times of a file as dates or as numbers.

Most cells can be read in one way only. ``1/2/2020`` can be read in two, and so can some numbers: a
file's clock then has both readings, see `agreement.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.arrays import Array
from dualgaf.series.tables.dialects.counts import DIGITS, UNIX, WORDS, by_word, number_readings
from dualgaf.series.tables.dialects.dates import (
    CERTAIN,
    ORDERS,
    Written,
    by_format,
    has_date,
    without_marks,
    written,
    year_turns,
)

_BY_WORD = {word: order for order, word in ORDERS.items()}
_AT_ONCE = 1 << 16
"""Cells that are looked at in one go."""


@dataclass(frozen=True)
class Clock:
    """The time column of one file, with every reading that fits all of its cells."""

    name: str
    readings: Mapping[str, pl.Series]
    """Dates in microseconds without a zone, or numbers, by what they are read as."""
    forms: Mapping[str, str]
    """What to type as ``data.time_format`` for each reading; empty where there is one only."""
    offset: pl.Series | None = None
    """Seconds ahead of UTC, where something says so."""
    marks: frozenset[str] = frozenset()
    """Letters that say so, such as CST."""
    found: tuple[str, ...] = ()
    """What was found out, in words."""


def read_clock(
    column: pl.Series, file: str, time_format: str | None, year: int | None = None
) -> Clock:
    """Every way to read a time column.

    Args:
        column: texts, dates or numbers.
        file: the file's name.
        time_format: format of the cells; None = one of those that are known.
        year: of dates without one.

    Raises:
        SourceError: a cell is missing or is no time; names its data row and text.

    Example:
        >>> clock = read_clock(pl.Series("t", ["8/28/07 0:05"]), "a.csv", None)
        >>> [(order, time[0].isoformat()) for order, time in clock.readings.items()]
        [('month/day/year', '2007-08-28T00:05:00')]
    """
    if column.dtype.is_temporal() and column.dtype not in (pl.Time, pl.Duration):
        return _of_dates(column, file)
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if (column.drop_nulls() % 1 == 0).all() and time_format is not None:
            column = column.cast(pl.Int64)
    if not (column.dtype.is_numeric() or column.dtype == pl.String):
        raise SourceError(
            f"{file}, time column {column.name!r} holds {column.dtype}; allowed: dates, texts, "
            "numbers; type data.time_column=NAME or data.time_column=null"
        )
    texts = _stripped(column.cast(pl.String))
    if time_format is not None and time_format in WORDS:
        plain = column if column.dtype != pl.String else texts.cast(pl.Float64, strict=False)
        time = by_word(_whole(plain, column, file), time_format)
        return Clock(column.name, {CERTAIN: time}, {}, _utc(time, time_format))
    if time_format is not None and time_format not in _BY_WORD:
        return _by_own_format(texts, column, file, time_format)
    numbers = number_readings(texts if column.dtype == pl.String else column, texts)
    if numbers is not None:
        return _of_numbers(numbers, column, file)
    asked = _BY_WORD.get(time_format or "")
    return _of_texts(written(texts, year), column, file, asked, year)


def _stripped(texts: pl.Series) -> pl.Series:
    """Without blanks around them; the same where there are none, and so no copy of millions."""
    parts = (texts[at : at + _AT_ONCE] for at in range(0, len(texts), _AT_ONCE))
    if all((part.str.strip_chars() == part).all() for part in parts):
        return texts
    return texts.str.strip_chars()


def _of_dates(column: pl.Series, file: str) -> Clock:
    if getattr(column.dtype, "time_zone", None) is None:
        time = _whole(column, column, file).cast(pl.Datetime("us"))
        return Clock(column.name, {CERTAIN: time}, {})
    local, utc = (
        zoned.dt.replace_time_zone(None).cast(pl.Datetime("us"))
        for zoned in (column, column.dt.convert_time_zone("UTC"))
    )
    offset = (local.cast(pl.Int64) - utc.cast(pl.Int64)) // 1_000_000
    return Clock(column.name, {CERTAIN: _whole(local, column, file)}, {}, offset)


def _by_own_format(texts: pl.Series, column: pl.Series, file: str, form: str) -> Clock:
    offset, marks = None, frozenset[str]()
    bare = form.rstrip()
    for end in ("%#z", "%:z", "%z", "%Z"):
        if bare.endswith(end):
            texts, offset, marks = without_marks(texts)
            form = bare.removesuffix(end).rstrip() if offset is not None else form
    time = _whole(by_format(texts, form), column, file)
    if time.dtype == pl.Datetime and getattr(time.dtype, "time_zone", None) is not None:
        time = time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return Clock(column.name, {CERTAIN: time.cast(pl.Datetime("us"))}, {}, offset, marks)


def _of_numbers(numbers: dict[str, pl.Series], column: pl.Series, file: str) -> Clock:
    for time in numbers.values():
        _whole(time, column, file)
    if column.name.lower() == "step":  # it counts, whatever it counts
        numbers = {"number": column.cast(pl.Float64)} if "excel" in numbers else numbers
    if len(numbers) > 1:
        return Clock(column.name, numbers, dict(zip(numbers, numbers, strict=True)))
    word, time = next(iter(numbers.items()))
    said = () if word == "number" or word in DIGITS.values() else (f"times are {WORDS[word]}",)
    return Clock(column.name, {CERTAIN: time}, {}, _utc(time, word), found=said)


def _of_texts(
    cells: Written, column: pl.Series, file: str, asked: str | None, year: int | None
) -> Clock:
    fitting = cells.fitting
    if asked is not None:
        fitting = {order: time for order, time in fitting.items() if order in (asked, CERTAIN)}
    if not fitting:
        tries = cells.readings
        if asked is not None and asked in tries:
            tries = {asked: tries[asked]}
        best = min(tries.values(), key=lambda time: time.null_count(), default=None)
        row = 0 if best is None else int(best.is_null().arg_true()[0])
        raise SourceError(_no_time(column, row, file))
    if cells.yearless:
        _check_year(cells, column, file, year)
    forms = {order: cells.forms[order] for order in fitting} if CERTAIN not in fitting else {}
    return Clock(column.name, fitting, forms, cells.offset, cells.marks, cells.found)


def _check_year(cells: Written, column: pl.Series, file: str, year: int | None) -> None:
    if year is None:
        raise SourceError(
            f"{file}, time column {column.name!r}: {column.drop_nulls()[0]!r} has no year; type "
            "data.year=2024, or the year that it is"
        )
    for time in cells.fitting.values():
        if (turn := year_turns(time)) is not None:
            raise SourceError(
                f"{file}, time column {column.name!r}, data row {turn + 1}: {column[turn]!r} is "
                "behind the turn of the year, and dates have none; divide the file there, or write "
                "the year into its dates"
            )


def is_clock(texts: pl.Series) -> bool:
    """Whether all cells of a text column are dates, whatever the column is called."""
    head = texts.drop_nulls().head(1)
    if not len(head) or not has_date(str(head[0])):
        return False
    cells = texts.str.strip_chars()
    found = written(cells, None).readings.values()
    return any(time.null_count() == cells.null_count() for time in found)


def clock_array(time: pl.Series) -> Array:
    """Times as (rows,) datetime64[us], int64 or float64."""
    if time.dtype == pl.Datetime:
        return time.to_numpy().astype("datetime64[us]", copy=False)
    return time.to_numpy().astype(np.float64 if time.dtype.is_float() else np.int64, copy=False)


def _utc(time: pl.Series, word: str) -> pl.Series | None:
    """Offsets of 0 for seconds since 1970, which are those of UTC."""
    return pl.zeros(len(time), dtype=pl.Int64, eager=True) if word in UNIX else None


def _whole(parsed: pl.Series, column: pl.Series, file: str) -> pl.Series:
    """The same; raise SourceError where one is missing."""
    if parsed.null_count():
        raise SourceError(_no_time(column, int(parsed.is_null().arg_true()[0]), file))
    return parsed


def _no_time(column: pl.Series, row: int, file: str) -> str:
    if column[row] is None or not str(column[row]).strip():
        return (
            f"{file}, time column {column.name!r}, data row {row + 1}: the cell is empty, and a "
            "row without a time has no place; remove that row, or type data.time_column=NAME if "
            "another column has the times"
        )
    return (
        f"{file}, time column {column.name!r}, data row {row + 1}: {column[row]!r} is no time; "
        'known are ISO, month/day/year and day.month.year; type data.time_format="%d/%m/%Y '
        '%H:%M", data.time_column=NAME, or data.time_column=null for rows that are in order'
    )
