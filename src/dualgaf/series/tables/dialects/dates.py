"""Dates and times of day as texts: what a cell looks like tells how it may be read.

``1/2/2020`` can be read in two ways, most others in one. Years of two digits are those from 1970 to
2069. Where one format does not fit all cells, they are tidied: offsets and marks behind the time
are taken off, ``24:00`` is 0:00 of the day after, a date without a time is its midnight.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from dualgaf.series.tables.dialects.zones import MARK, UTC_MARKS, offsets_of

CERTAIN = "as it is"
MONTH_FIRST, DAY_FIRST, YEAR_FIRST = "month/day/year", "day/month/year", "year/month/day"
ORDERS = {MONTH_FIRST: "month_first", DAY_FIRST: "day_first", YEAR_FIRST: "year_first"}
"""Orders of day, month and year, with the values of ``data.time_format`` that mean them."""
_DATES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Y-n-n": ((CERTAIN, "%Y-%m-%d"),),
    "Y/n/n": ((CERTAIN, "%Y/%m/%d"),),
    "Y.n.n": ((CERTAIN, "%Y.%m.%d"),),
    "n.n.Y": ((CERTAIN, "%d.%m.%Y"),),
    "n.n.n": ((CERTAIN, "%d.%m.%y"),),
    "n/n/Y": ((MONTH_FIRST, "%m/%d/%Y"), (DAY_FIRST, "%d/%m/%Y")),
    "n/n/n": ((MONTH_FIRST, "%m/%d/%y"), (DAY_FIRST, "%d/%m/%y"), (YEAR_FIRST, "%y/%m/%d")),
    "n-n-Y": ((MONTH_FIRST, "%m-%d-%Y"), (DAY_FIRST, "%d-%m-%Y")),
    "n-n-n": ((MONTH_FIRST, "%m-%d-%y"), (DAY_FIRST, "%d-%m-%y"), (YEAR_FIRST, "%y-%m-%d")),
    "n-b-Y": ((CERTAIN, "%d-%B-%Y"),),
    "n b Y": ((CERTAIN, "%d %B %Y"),),
    "n/b/Y": ((CERTAIN, "%d/%B/%Y"),),
    "n-b-n": ((CERTAIN, "%d-%B-%y"),),
    "n b n": ((CERTAIN, "%d %B %y"),),
    "b n, Y": ((CERTAIN, "%B %d, %Y"),),
    "b n Y": ((CERTAIN, "%B %d %Y"),),
    "E": ((CERTAIN, "%Y%m%d"),),
    "n/n": ((MONTH_FIRST, "%m/%d"), (DAY_FIRST, "%d/%m")),
    "n-n": ((MONTH_FIRST, "%m-%d"), (DAY_FIRST, "%d-%m")),
    "n.n.": ((CERTAIN, "%d.%m."),),
    "n b": ((CERTAIN, "%d %B"),),
    "b n": ((CERTAIN, "%B %d"),),
}
"""By the look of a date: Y four digits, n one or two, E eight, b letters. ``%B`` takes short names
of months, too."""
_TIMES = {
    "": "",
    "n:n": "%H:%M",
    "n:n:n": "%H:%M:%S%.f",
    "n:n p": "%I:%M %p",
    "n:n:n p": "%I:%M:%S%.f %p",
    "n:np": "%I:%M%p",
    "n:n:np": "%I:%M:%S%.f%p",
}
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.]\d+)?)?(?:\s?[AaPp][Mm])?"
_SPLIT = re.compile(rf"(|.*?[^ T:])([ T:]?)({_TIME})|(.+)")
_DAY_END = r"([ T])24:00(:00(?:\.0*)?)?$"
_WEEKDAY = r"(?i)^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? "
_PLAIN_NUMBER = re.compile(r"[+-]?\d*[.,]?\d*([eE][+-]?\d+)?")
_FRACTION = "%S%.f"
_YEAR_1000 = datetime(1000, 1, 1)
_FALL = -300 * 86_400_000_000


@dataclass(frozen=True)
class Written:
    """How the cells of a column may be read."""

    readings: Mapping[str, pl.Series]
    """Times as they are written, in microseconds, by order of day and month; null where a cell does
    not fit; empty where the first cell is no time."""
    forms: Mapping[str, str]
    """What to type as ``data.time_format`` for each."""
    offset: pl.Series | None = None
    """Seconds ahead of UTC, where the cells say so."""
    marks: frozenset[str] = frozenset()
    """Letters that say so, such as CST, which mean other offsets elsewhere."""
    found: tuple[str, ...] = ()
    """What was found out, in words."""
    yearless: bool = False
    """Whether dates are written without a year."""

    @property
    def fitting(self) -> dict[str, pl.Series]:
        """Readings that fit every cell."""
        return {order: time for order, time in self.readings.items() if not time.has_nulls()}


def looks(cell: str) -> tuple[str, str, str]:
    """The look of a cell: of its date, the mark between, and of its time of day.

    Example:
        >>> looks("8/28/07 0:05"), looks("noon")[0], looks("2020-01-01T00:05:07.5")
        (('n/n/n', ' ', 'n:n'), 'b', ('Y-n-n', 'T', 'n:n:n'))
    """
    found = _SPLIT.fullmatch(cell)
    if found is None:
        return cell, "", ""
    date, between, time, alone = found.groups()
    return _look(alone if date is None else date), between or "", _time_look(time or "")


def is_time_of_day(cell: str) -> bool:
    """Whether a cell is a time without a date.

    Example:
        >>> is_time_of_day("0:05"), is_time_of_day("1/1 0:05")
        (True, False)
    """
    date, between, time = looks(cell)
    return not date and between in ("", " ") and bool(time)


def is_plain_number(cell: str) -> bool:
    """Whether a cell is a number without any mark but a decimal point or comma.

    Example:
        >>> is_plain_number("-1,5e3"), is_plain_number("28.8.07")
        (True, False)
    """
    return _PLAIN_NUMBER.fullmatch(cell) is not None


def has_date(cell: str) -> bool:
    """Whether a cell begins with a date.

    ``1/2`` and eight digits do so only where a time of day stands behind them.
    """
    if is_plain_number(cell.strip()):
        return False
    date, _, time = looks(_tidy_cell(cell))
    return date in _DATES and (bool(time) or not (_yearless(date) or date == "E"))


def written(texts: pl.Series, year: int | None) -> Written:
    """Every reading of a column of texts.

    Args:
        texts: without blanks around them.
        year: of dates without one.

    Example:
        >>> list(written(pl.Series(["28/8/2007 0:05"]), None).fitting)
        ['day/month/year']
    """
    cells = texts.drop_nulls()
    if not len(cells):
        return Written({}, {})
    date, between, time = looks(str(cells[0]))
    forms = {}
    if time in _TIMES and not _yearless(date):
        forms = {order: f"{form}{between}{_TIMES[time]}" for order, form in _DATES.get(date, ())}
    if forms:
        plain = Written({order: by_format(texts, form) for order, form in forms.items()}, forms)
        if plain.fitting:
            return plain
    return _tidied(texts, year)


def by_format(texts: pl.Series, form: str) -> pl.Series:
    """Times in microseconds; null where a text does not fit."""
    if form.endswith("%H"):  # polars wants minutes, too
        texts, form = texts + "00", form + "%M"
    time: pl.Series | None = None
    if _FRACTION in form:  # few have one, and to look for it takes six times as long
        time = texts.str.to_datetime(form.replace(_FRACTION, "%S"), strict=False, time_unit="us")
    if time is None or time.null_count() > texts.null_count():
        time = texts.str.to_datetime(form, strict=False, time_unit="us")
    first = time.min()
    if "%Y" not in form or first is None or first >= _YEAR_1000:  # type: ignore[operator]
        return time
    # "%Y" takes the 07 of 8/28/07 for the year 7
    real = pl.col("time").dt.year() >= 1000
    frame = time.alias("time").to_frame()
    return frame.select(pl.when(real).then(pl.col("time")))["time"]


def _tidied(texts: pl.Series, year: int | None) -> Written:
    texts = _tidy(texts)
    texts, offset, marks = without_marks(texts)
    cells = texts.drop_nulls()
    if not len(cells):
        return Written({}, {})
    found = []
    late = texts.str.contains(_DAY_END)
    if late.any():
        found.append("24:00 is read as 0:00 of the day after")
        texts = texts.str.replace(_DAY_END, "${1}00:00${2}")
    date, between, _ = looks(str(cells[0]))
    dates = _DATES.get(date, ())
    yearless = bool(dates) and _yearless(date)
    if yearless:
        # A leap year, so that every date fits until the year is known
        texts = f"{year or 2000} " + texts
        dates = tuple((order, f"%Y {form}") for order, form in dates)
    readings = {}
    for order, form in dates:
        time = _by_any_time(texts, form, between or " ")
        if late.any():
            days = late.fill_null(False).cast(pl.Int64) * 86_400_000_000
            time = (time.cast(pl.Int64) + days).cast(pl.Datetime("us"))
        readings[order] = time
    words = {order: ORDERS.get(order, form) for order, form in dates}
    return Written(readings, words, offset, marks, tuple(found), yearless)


def _by_any_time(texts: pl.Series, form: str, between: str) -> pl.Series:
    """One format of dates with every way to write times of day."""
    time: pl.Series | None = None
    for end in _TIMES.values():
        tried = by_format(texts, f"{form}{between if end else ''}{end}")
        if tried.null_count() == len(tried):
            continue
        time = tried if time is None else time.zip_with(time.is_not_null(), tried)
        if time.null_count() == texts.null_count():
            break
    return by_format(texts, form) if time is None else time


def year_turns(time: pl.Series) -> int | None:
    """The first row whose date lies most of a year before the one above it, or None."""
    steps = time.cast(pl.Int64).diff()
    falls = (steps < _FALL).fill_null(False)
    return int(falls.arg_true()[0]) if falls.any() else None


def _tidy(texts: pl.Series) -> pl.Series:
    return (
        texts.str.replace_all(r"\s+", " ")
        .str.replace(r"(:\d\d),(\d+)", "${1}.${2}")
        .str.replace(r"(?i)(\d)\s?([ap])\.?\s?m\.?(?:$|(\s))", "${1} ${2}m${3}")
        .str.replace(_WEEKDAY, "")
        .str.replace(r"(\d)(?:,|_| -) ?(\d{1,2}:\d\d)", "${1} ${2}")  # 12.1.2020, 0:05
        .str.replace(r"^(\d{8})[T_ ](\d\d)(\d\d)(\d\d)", "${1} ${2}:${3}:${4}")
        .str.replace(r"^(\d{8})[T_ ](\d\d)(\d\d)$", "${1} ${2}:${3}")
        .str.replace(r"(?i) (?:uhr|h)$", "")
    )


def _tidy_cell(cell: str) -> str:
    return str(without_marks(_tidy(pl.Series([cell.strip()])))[0][0])


def without_marks(texts: pl.Series) -> tuple[pl.Series, pl.Series | None, frozenset[str]]:
    """Texts without the offset or mark behind the time, seconds ahead of UTC, and the letters.

    Example:
        >>> texts, offset, marks = without_marks(pl.Series(["2020-01-01 00:05 CET"]))
        >>> texts.to_list(), offset.to_list(), *marks
        (['2020-01-01 00:05'], [3600], 'CET')
    """
    marks = texts.str.extract(MARK, 2)
    if marks.null_count() > texts.null_count() or marks.null_count() == len(marks):
        return texts, None, frozenset()
    offsets = offsets_of(marks)
    if offsets is None:
        return texts, None, frozenset()
    letters = {mark for mark in marks.drop_nulls().unique().to_list() if mark.isalpha()}
    return texts.str.extract(MARK, 1), offsets, frozenset(letters - UTC_MARKS)


def _look(date: str) -> str:
    date = re.sub(r"[A-Za-z]+", "b", date)
    for digits, sign in ((r"\d{8}", "E"), (r"\d{4}", "Y"), (r"\d{1,2}", "n")):
        date = re.sub(digits, sign, date)
    return date


def _time_look(time: str) -> str:
    time = re.sub(r"\.\d+", "", time)
    return re.sub(r"\d+", "n", re.sub(r"(?i)[ap]m", "p", time))


def _yearless(date: str) -> bool:
    return "Y" not in date and date != "E" and len(re.findall("[nb]", date)) == 2
