"""Times of a file as dates or as numbers, and one reading of dates for a whole folder.

Most formats can be read in one way only. ``1/2/2020`` can be read in two: a file's clock then has
both readings, and the one that fits every file of the folder is taken. Where both do, the user is
asked. Years of two digits are those from 1970 to 2069.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.arrays import Array

_DAYTIMES = (" %H:%M", " %H:%M:%S%.f", "")
ISO = tuple(
    day + time
    for day, time in (
        *(("%Y-%m-%d", end) for end in _DAYTIMES),
        ("%Y-%m-%d", "T%H:%M"),
        ("%Y-%m-%d", "T%H:%M:%S%.f"),
        ("%Y-%m-%d", " %H:%M:%S%.f%#z"),
        ("%Y-%m-%d", "T%H:%M:%S%.f%#z"),
        *(("%d.%m.%Y", end) for end in _DAYTIMES),
        *(("%d.%m.%y", end) for end in _DAYTIMES),
        *(("%Y/%m/%d", end) for end in _DAYTIMES),
    )
)
"""Formats that can be read in one way only."""
MONTH_FIRST, DAY_FIRST = "month/day/year", "day/month/year"
_ENDS = [f"{year}{end}" for year in ("%Y", "%y") for end in _DAYTIMES]
ORDERS = {
    MONTH_FIRST: tuple(f"%m{mark}%d{mark}{end}" for mark in "/-" for end in _ENDS),
    DAY_FIRST: tuple(f"%d{mark}%m{mark}{end}" for mark in "/-" for end in _ENDS),
}
DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""Dates without any mark, by their number of digits."""
_AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Clock:
    """The time column of one file, with every reading that fits all of its cells."""

    name: str
    readings: Mapping[str, pl.Series]
    """Dates in microseconds without a zone, or numbers, by what they are read as."""
    form: str = ""
    """The format of dates that can be read in two ways, for the message."""


def read_clock(column: pl.Series, file: str, time_format: str | None) -> Clock:
    """Every way to read a time column.

    Args:
        column: texts, dates or numbers.
        file: the file's name.
        time_format: format of the cells; None = one of those that are known.

    Raises:
        SourceError: a cell is missing or is no time; names its data row and text.

    Example:
        >>> clock = read_clock(pl.Series("t", ["8/28/07 0:05"]), "a.csv", None)
        >>> [(order, time[0].isoformat()) for order, time in clock.readings.items()]
        [('month/day/year', '2007-08-28T00:05:00')]
    """
    if column.dtype.is_temporal() and column.dtype not in (pl.Time, pl.Duration):
        return Clock(column.name, {_AS_IT_IS: _whole(column, column, file)})
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if (column.drop_nulls() % 1 == 0).all() and time_format is not None:
            column = column.cast(pl.Int64)
    if not (column.dtype.is_numeric() or column.dtype == pl.String):
        raise SourceError(
            f"{file}, time column {column.name!r} holds {column.dtype}; allowed: dates, texts, "
            "numbers; type data.time_column=NAME or data.time_column=null"
        )
    texts = column.cast(pl.String).str.strip_chars()
    if time_format is not None:
        return Clock(column.name, {_AS_IT_IS: _whole(_by_format(texts, time_format), column, file)})
    numbers = _as_number(texts if column.dtype == pl.String else column, texts)
    if numbers is not None:
        return Clock(column.name, {_AS_IT_IS: _whole(numbers, column, file)})
    orders = _orders(texts)
    if orders:
        return Clock(
            column.name, {name: time for name, (_, time) in orders.items()}, _forms(orders)
        )
    known = [*ISO, *ORDERS[MONTH_FIRST], *ORDERS[DAY_FIRST]]
    tries = [_by_format(texts, form) for form in _likely(texts, known) or ISO[:1]]
    best = min(tries, key=lambda tried: tried.null_count())
    return Clock(column.name, {_AS_IT_IS: _whole(best, column, file)})


def one_reading(clocks: Mapping[str, Clock]) -> dict[str, pl.Series]:
    """The times of each file, all read in the same order of day and month.

    Args:
        clocks: by file, at least one.

    Raises:
        SourceError: two readings fit every file, or none does, or some have dates and some numbers.
    """
    chosen: dict[str, str] = {}
    ordered = {file: clock for file, clock in clocks.items() if _AS_IT_IS not in clock.readings}
    if ordered:
        first = next(iter(ordered))
        common = [o for o in ORDERS if all(o in clock.readings for clock in ordered.values())]
        if not common:
            other = next(
                f for f in ordered if not ordered[f].readings.keys() & ordered[first].readings
            )
            raise SourceError(
                f"dates of {first} are {next(iter(ordered[first].readings))} and those of {other} "
                f"{next(iter(ordered[other].readings))}; choose files of one kind with "
                "data.pattern=..."
            )
        if len(common) > 1:
            _check_same(ordered)
        chosen = dict.fromkeys(ordered, common[0])
    times = {file: clock.readings[chosen.get(file, _AS_IT_IS)] for file, clock in clocks.items()}
    kinds = {file: time.dtype == pl.Datetime for file, time in times.items()}
    if len(set(kinds.values())) > 1:
        dated, other = (next(f for f, kind in kinds.items() if kind is k) for k in (True, False))
        raise SourceError(
            f"column {clocks[dated].name!r} has dates in {dated} and numbers in {other}; choose "
            'files of one kind with data.pattern="..." or say how they are written: '
            'data.time_format="%Y-%m-%d %H:%M"'
        )
    return times


def is_clock(texts: pl.Series) -> bool:
    """Whether all cells of a text column are dates, whatever the column is called."""
    cells = texts.str.strip_chars()
    head = cells.drop_nulls().head(1)
    forms = [*ISO, *ORDERS[MONTH_FIRST], *ORDERS[DAY_FIRST]]
    likely = _likely(head, forms) if len(head) else []
    return any(_by_format(cells, form).null_count() == cells.null_count() for form in likely)


def clock_array(time: pl.Series) -> Array:
    """Times as (rows,) datetime64[us], int64 or float64."""
    if time.dtype == pl.Datetime:
        return time.to_numpy().astype("datetime64[us]")
    return time.to_numpy().astype(np.float64 if time.dtype.is_float() else np.int64)


def _as_number(column: pl.Series, texts: pl.Series) -> pl.Series | None:
    """Numbers, dates where they are written as digits alone, None where neither fits all cells."""
    parsed = column if column.dtype != pl.String else column.cast(pl.Float64, strict=False)
    if parsed.null_count() > texts.null_count() or texts.null_count() == len(texts):
        return None
    if (parsed.drop_nulls() % 1 != 0).any():
        return parsed.cast(pl.Float64)
    whole = parsed.cast(pl.Int64)
    lengths = texts.str.len_chars().drop_nulls().unique()
    if len(lengths) == 1 and (form := DIGITS.get(int(lengths[0]))):
        dates = _by_format(texts, form)
        years = dates.dt.year().drop_nulls()
        if dates.null_count() == texts.null_count() and years.is_between(1950, 2100).all():
            return dates
    return whole


def _orders(texts: pl.Series) -> dict[str, tuple[str, pl.Series]]:
    """Readings of dates that may begin with the month or with the day, of all cells."""
    found = {}
    for order, forms in ORDERS.items():
        for form in _likely(texts, forms):
            time = _by_format(texts, form)
            if time.null_count() == texts.null_count() == 0:
                found[order] = (form, time)
                break
    return found


def _forms(orders: Mapping[str, tuple[str, pl.Series]]) -> str:
    return " or ".join(f'data.time_format="{form}"' for form, _ in orders.values())


def _check_same(ordered: Mapping[str, Clock]) -> None:
    """Raise where two orders of day and month fit all files and give other dates."""
    for file, clock in ordered.items():
        month, day = (clock.readings[order] for order in (MONTH_FIRST, DAY_FIRST))
        differ = month != day
        if differ.any():
            row = int(differ.arg_true()[0])
            raise SourceError(
                f"{file}, time column {clock.name!r}, data row {row + 1} is "
                f"{month[row]:%-d %B %Y} or {day[row]:%-d %B %Y}: month or day may come first, and "
                f"no date of the folder tells which; type {clock.form}"
            )


def _likely(texts: pl.Series, formats: Sequence[str]) -> list[str]:
    """The formats that read the first text; most are ruled out by it."""
    sample = texts.drop_nulls().head(1)
    return [form for form in formats if _by_format(sample, form).null_count() == 0]


def _by_format(texts: pl.Series, form: str) -> pl.Series:
    time = texts.str.to_datetime(form, strict=False, time_unit="us")
    # "%Y" takes the 07 of 8/28/07 for the year 7
    real = pl.col("time").dt.year() >= 1000
    frame = time.alias("time").to_frame()
    return frame.select(pl.when(real).then(pl.col("time")))["time"] if "%Y" in form else time


def _whole(parsed: pl.Series, column: pl.Series, file: str) -> pl.Series:
    """Without a zone, none missing."""
    if parsed.null_count():
        row = int(parsed.is_null().arg_true()[0])
        if column[row] is None or not str(column[row]).strip():
            raise SourceError(
                f"{file}, time column {column.name!r}, data row {row + 1}: the cell is empty, and "
                "a row without a time has no place; remove that row, or type data.time_column=NAME "
                "if another column has the times"
            )
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
