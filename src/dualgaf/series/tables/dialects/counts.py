"""Clocks that are numbers: seconds since 1970, days of a spreadsheet, dates of digits alone.

A number that lies where such clocks lie, from 1980 on, is one. Days of a spreadsheet are certain
where their fractions are times of day; ten digits may be hours or seconds since 1970.
"""

from collections.abc import Mapping

import polars as pl

from dualgaf.series.tables.dialects.dates import by_format

NUMBER = "number"
UNIX = {"unix_s": 1e6, "unix_ms": 1e3, "unix_us": 1.0, "unix_ns": 1e-3}
"""Microseconds in one step of each."""
EXCEL = "excel"
WORDS: Mapping[str, str] = {
    "unix_s": "Unix seconds",
    "unix_ms": "Unix milliseconds",
    "unix_us": "Unix microseconds",
    "unix_ns": "Unix nanoseconds",
    EXCEL: "days of a spreadsheet",
    NUMBER: "a number",
}
"""Values of ``data.time_format`` for numbers, in words."""
DIGITS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""Dates without any mark, by their number of digits."""
_UNIX_SECONDS = (3.15e8, 4.1e9)  # 1980 to 2099
_EXCEL_DAYS = (29221, 73050)
_EXCEL_1970 = 25569


def number_readings(column: pl.Series, texts: pl.Series) -> dict[str, pl.Series] | None:
    """What a column of numbers may mean.

    Args:
        column: numbers or texts.
        texts: the same as texts.

    Returns:
        Dates or numbers by a value of ``data.time_format``; one where there is no doubt. None where
        a cell is no number.

    Example:
        >>> [*number_readings(pl.Series([1577836800]), pl.Series(["1577836800"]))]
        ['unix_s']
        >>> [*number_readings(pl.Series([2024010100]), pl.Series(["2024010100"]))]
        ['%Y%m%d%H', 'unix_s']
    """
    at = texts.is_not_null().arg_max()
    if at is None or texts.slice(at, 1).cast(pl.Float64, strict=False).has_nulls():
        return None  # most columns are ruled out by a cell
    parsed = column if column.dtype != pl.String else column.cast(pl.Float64, strict=False)
    known = parsed.drop_nulls()
    if parsed.null_count() > texts.null_count() or not len(known):
        return None
    low, high = float(known.min()), float(known.max())  # type: ignore[arg-type]
    whole = bool((known % 1 == 0).all()) and low > -(2**62) and high < 2**62
    found: dict[str, pl.Series] = {}
    if whole:
        parsed = parsed.cast(pl.Int64) if column.dtype != pl.String else _whole(column, parsed)
        found |= _digits(parsed if column.dtype != pl.String else texts)
    for name, size in UNIX.items():
        if _UNIX_SECONDS[0] <= low * size / 1e6 and high * size / 1e6 <= _UNIX_SECONDS[1]:
            found[name] = by_word(parsed, name)
    if _EXCEL_DAYS[0] <= low and high <= _EXCEL_DAYS[1]:
        found[EXCEL] = by_word(parsed, EXCEL)
        # 43831.0035: five minutes; 43831.5 may be anything
        if whole or bool((((known * 1000) - (known * 1000).round()).abs() < 1e-6).all()):
            found[NUMBER] = parsed
    return found or {NUMBER: parsed if whole else parsed.cast(pl.Float64)}


def by_word(numbers: pl.Series, word: str) -> pl.Series:
    """Numbers as dates, by a value of ``data.time_format``.

    Example:
        >>> by_word(pl.Series([43831.00347]), "excel")[0].isoformat()
        '2020-01-01T00:05:00'
    """
    if word == NUMBER:
        return numbers
    if word == EXCEL:
        days = numbers.cast(pl.Float64)
        seconds = (days * 86400).round() - _EXCEL_1970 * 86400
        # Days of four digits are exact to 4.3 s: minutes, if all of them are so near to one
        minutes = (seconds / 60).round() * 60
        is_short = ((days * 1e4 - (days * 1e4).round()).abs() < 1e-5).all()
        if is_short and ((seconds - minutes).abs() <= 5).all():
            seconds = minutes
        return (seconds.cast(pl.Int64) * 1_000_000).cast(pl.Datetime("us"))
    if numbers.dtype.is_float() or word == "unix_s":
        us = numbers.cast(pl.Float64) * UNIX[word]
        return us.round().cast(pl.Int64).cast(pl.Datetime("us"))
    us = numbers // 1000 if word == "unix_ns" else numbers * int(UNIX[word])
    return us.cast(pl.Int64).cast(pl.Datetime("us"))


def is_number_clock(column: pl.Series) -> bool:
    """Whether a column of any name is a clock: dates of which most steps are alike.

    Example:
        >>> is_number_clock(pl.Series(["1577836800", "1577837100", "1577837400"]))
        True
        >>> is_number_clock(pl.Series(["40001", "40002", "40003"]))
        False
    """
    for part in (column.head(8), column):
        texts = part.cast(pl.String).str.strip_chars()
        found = number_readings(texts if part.dtype == pl.String else part, texts)
        if found is None or len(found) != 1 or NUMBER in found or part.has_nulls():
            return False
        steps = next(iter(found.values())).cast(pl.Int64).sort().diff().drop_nulls()
        moving = steps.filter(steps > 0)
        if len(moving) < 2:
            return False
        # The first rows may be out of order
        if len(part) == len(column) and (moving == moving.mode()[0]).sum() < 0.5 * len(moving):
            return False
    return True


def _whole(column: pl.Series, parsed: pl.Series) -> pl.Series:
    """Integers of texts; float64 would lose the last digits of nanoseconds."""
    exact = column.str.strip_chars().cast(pl.Int64, strict=False)
    return exact if exact.null_count() == parsed.null_count() else parsed.cast(pl.Int64)


def _digits(whole: pl.Series) -> dict[str, pl.Series]:
    texts = whole.cast(pl.String)
    lengths = texts.str.len_chars().drop_nulls().unique()
    form = DIGITS.get(int(lengths[0])) if len(lengths) == 1 else None
    if form is None:
        return {}
    dates = by_format(texts, form)
    years = dates.dt.year().drop_nulls()
    if dates.null_count() > whole.null_count() or not years.is_between(1950, 2100).all():
        return {}
    return {form: dates}
