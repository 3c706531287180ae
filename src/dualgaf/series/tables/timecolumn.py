"""Which column of a file has its times, or which two: from the names, and from the cells.

A column of a common name comes first. Where there is none, it is the one whose cells are dates,
whatever it is called; a column of dates and one of times of day are one clock; so are columns of
years, months, days and hours, and so is a column of numbers that rises as a clock does.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.tables.clocks import is_clock
from dualgaf.series.tables.columns import TIME_NAMES, find_column, need_list
from dualgaf.series.tables.dialects.counts import NUMBER, is_number_clock, number_readings
from dualgaf.series.tables.dialects.dates import has_date, is_plain_number, is_time_of_day, looks
from dualgaf.series.tables.dialects.parts import date_parts, of_parts, time_parts

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular

_DAYTIME = r"(?i)^\s*([01]?\d|2[0-4]):[0-5]\d(:[0-5]\d(\.\d+)?)?\s*([ap]m)?\s*$"
_MIDNIGHT = r"[ T]0{1,2}:00(:00(\.0*)?)?\s*$"
_DAYTIME_NAMES = ("time", "zeit", "uhrzeit", "hour", "clock", "heure", "hora", "ora", "tid", "tijd")


@dataclass(frozen=True)
class TimeColumn:
    """The column of times of a file."""

    name: str | None
    """None = there is none."""
    pair: tuple[str, str] | None = None
    """The columns of dates and of times of day that it is made of."""
    parts: tuple[str, ...] | None = None
    """The columns of years, months, days and so on that it is made of."""


def with_time_column(
    table: pl.DataFrame, source: "Tabular", file: str, first: TimeColumn | None
) -> tuple[pl.DataFrame, TimeColumn]:
    """The column of times, and the table with it.

    Args:
        table: the cells of a file.
        source: the settings.
        file: the file's name.
        first: what the first file of the folder has; None = this is the first.

    Returns:
        The table, where two columns may have become one, and its column of times.

    Raises:
        SourceError: more than one column would do, or one has times of day without a date.
    """
    given = source.time_column
    if isinstance(given, tuple):
        need_list(table.columns, given, "data.time_column", file)
        return joined(table, *given)
    if given != "auto":
        return table, TimeColumn(given)
    if first is not None and (same := _as_in(first, table)) is not None:
        return same
    free = _free(table, source)
    named = [name for name in free if name.lower() in TIME_NAMES]
    daytimes = [name for name in free if _is_daytime(table[name])]
    common = find_column([name for name in named if name not in daytimes], TIME_NAMES)
    common = common or find_column([n for n in table.columns if n not in daytimes], TIME_NAMES)
    if common is not None and (hours := _hours_beside(table, common, free)):
        return _of_parts(table, (common, *hours))
    if common is not None and not (daytimes and _is_day(table[common], True)):
        _check_day_beside(table, common, free, file)
        return table, TimeColumn(common)
    dates = [name for name in free if _is_dates(table[name])]
    days = [name for name in dates if _is_day(table[name], bool(daytimes))]
    full = [name for name in dates if name not in days]
    if common is None and len(full or days) > 1:
        found = full or days
        raise SourceError(
            f"{file} has more than one column of times: {', '.join(map(repr, found))}; type "
            f"{typed_option('data.time_column', found[0] or found[1])}"
        )
    if common is None and full:
        return table, TimeColumn(full[0])
    day = common if common is not None else next(iter(days), None)
    if day is not None:
        if hours := _hours_beside(table, day, free):
            return _of_parts(table, (day, *hours))
        if not daytimes or table[day].is_unique().all():
            return table, TimeColumn(day)
        return joined(table, day, _one_daytime(daytimes, day, file))
    if parts := date_parts(table, free):
        return _of_parts(table, parts)
    other = _other(table, free, daytimes, file)
    if other is None and not source.is_ordered:
        raise _without_order(table, file)
    return table, TimeColumn(other)


def _free(table: pl.DataFrame, source: "Tabular") -> list[str]:
    """The columns that no setting has given another role."""
    chosen = {*(source.channels or ()), *source.exclude, *(source.group_columns or ())}
    roles = (source.label_column, source.split_column, source.working_column, source.plant_column)
    chosen |= {role or "" for role in roles}
    return [name for name in table.columns if name not in chosen or name == ""]


def _without_order(table: pl.DataFrame, file: str) -> SourceError:
    return SourceError(
        f"{file} has no column of times, and its rows have no order of their own; it has: "
        f"{', '.join(table.columns[:20])}; type data.time_column=NAME, or data.time_column=null "
        "where ORDER BY gives them an order and they are evenly spaced"
    )


def _as_in(first: TimeColumn, table: pl.DataFrame) -> tuple[pl.DataFrame, TimeColumn] | None:
    """What the first file of the folder has, where this one has it too."""
    if first.pair is not None and set(first.pair) <= set(table.columns):
        return joined(table, *first.pair)
    if first.parts is not None and set(first.parts) <= set(table.columns):
        return _of_parts(table, first.parts)
    return (table, first) if first.name in table.columns else None


def _hours_beside(table: pl.DataFrame, day: str, free: list[str]) -> tuple[str, ...]:
    """Columns of hours, minutes and seconds of dates that come again and again."""
    if not _is_day(table[day], False) or table[day].is_unique().all():
        return ()
    return time_parts(table, free)


def _of_parts(table: pl.DataFrame, names: tuple[str, ...]) -> tuple[pl.DataFrame, TimeColumn]:
    table, name = of_parts(table, names)
    return table, TimeColumn(name, parts=names)


def _check_day_beside(table: pl.DataFrame, common: str, free: list[str], file: str) -> None:
    """Raise SourceError where numbers have the name of a time, and the days stand beside them."""
    cell = _first(table[common])
    if not (table[common].dtype.is_numeric() or (cell is not None and is_plain_number(cell))):
        return
    dates = [name for name in free if name.lower() in TIME_NAMES and _is_dates(table[name])]
    column = table[common]
    readings = number_readings(column, column.cast(pl.String).str.strip_chars()) if dates else None
    if readings is not None and NUMBER in readings:
        raise SourceError(
            f"{file} has dates in {dates[0]!r} and numbers in {common!r}; type "
            f"{typed_option('data.time_column', dates[0])} "
            f"{typed_option('data.exclude', [common])} if the first is the time, "
            f"{typed_option('data.time_column', common)} if days do not matter; if both make one "
            "time, write the second as 22:05"
        )


def joined(table: pl.DataFrame, day: str, daytime: str) -> tuple[pl.DataFrame, TimeColumn]:
    """The table with one column of times instead of two.

    Example:
        >>> days = pl.DataFrame({"Datum": ["1.2.2020"], "Zeit": ["0:05"]})
        >>> joined(days, "Datum", "Zeit")[0]["Datum Zeit"].to_list()
        ['1.2.2020 0:05']
    """
    name = f"{day} {daytime}"
    texts = [table[part].cast(pl.String).str.strip_chars() for part in (day, daytime)]
    # A date of a spreadsheet has a time of day, too: midnight
    texts[0] = texts[0].str.replace(_MIDNIGHT, "")
    clock = pl.select(pl.concat_str(texts, separator=" ").alias(name))
    return clock.hstack(table.drop(day, daytime)), TimeColumn(name, (day, daytime))


def _one_daytime(daytimes: list[str], day: str, file: str) -> str:
    if len(daytimes) > 1:
        named = [n for n in daytimes if n.lower() in _DAYTIME_NAMES]
        if len(named) != 1:
            raise SourceError(
                f"{file} has dates in {day!r} and more than one column with times of day: "
                f"{', '.join(map(repr, daytimes))}; type "
                f"{typed_option('data.time_column', [day, daytimes[0]])}"
            )
        return named[0]
    return daytimes[0]


def _other(table: pl.DataFrame, free: list[str], daytimes: list[str], file: str) -> str | None:
    """A clock that is no column of dates."""
    numbers = [name for name in free if _may_count(table[name]) and is_number_clock(table[name])]
    if len(numbers) > 1:
        chosen = numbers[0] or numbers[1]
        others = [name for name in numbers if name != chosen]
        raise SourceError(
            f"{file} has more than one column of numbers that is a clock: "
            f"{', '.join(map(repr, numbers))}; type "
            f"{typed_option('data.time_column', chosen)} {typed_option('data.exclude', others)}"
        )
    if numbers:
        return numbers[0]
    for name in daytimes:
        if _runs(table[name]):
            raise SourceError(
                f"{file}, column {name!r} has times of day ({table[name][0]!r}) and no column has "
                "dates; if rows are in order and evenly spaced, type data.time_column=null "
                f"{typed_option('data.exclude', [name])}"
            )
    for name in free:
        if _mostly_dates(table[name]):
            return name  # reading it names the cell that is none
    return None


def _first(column: pl.Series) -> str | None:
    """The first cell that is there, of a column of texts."""
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return None
    at = column.is_not_null().arg_max() if column.null_count() < len(column) else None
    return None if at is None else str(column[at]).strip()


def _is_dates(column: pl.Series) -> bool:
    if column.dtype in (pl.Date, pl.Datetime):
        return True
    cell = _first(column)
    return cell is not None and has_date(cell) and is_clock(column.cast(pl.String))


def _is_day(column: pl.Series, midnights: bool) -> bool:
    """Whether a column has dates without times of day, or, if asked, with midnight alone."""
    if column.dtype == pl.Date:
        return True
    if column.dtype == pl.Datetime:
        return midnights and bool((column.dt.date().cast(pl.Datetime("us")) == column).all())
    cell = _first(column)
    if cell is None:
        return False
    date, _, time = looks(cell)
    if not time:
        return has_date(cell) or date in ("n/n", "n.n.", "n-n", "E")
    return midnights and bool(column.str.contains(_MIDNIGHT).all())


def _is_daytime(column: pl.Series) -> bool:
    if column.dtype == pl.Time:
        return True
    cell = _first(column)
    if cell is None or not is_time_of_day(cell):
        return False
    return bool(column.str.contains(_DAYTIME).all())


def _runs(column: pl.Series) -> bool:
    """Whether times of day go on as those of a clock do."""
    seconds = column.cast(pl.String).str.extract_groups(r"(\d+):(\d+)(?::(\d+))?").struct.unnest()
    parts = [seconds.to_series(k).cast(pl.Int64).fill_null(0) for k in range(3)]
    steps = (3600 * parts[0] + 60 * parts[1] + parts[2]).diff().drop_nulls() % 86400
    return len(steps) > 1 and bool((steps == steps[0]).sum() > 0.8 * len(steps)) and steps[0] > 0


def _may_count(column: pl.Series) -> bool:
    """Whether its first cell is as large as a clock that is a number."""
    if column.dtype.is_numeric():
        return len(column) > 0 and column[0] is not None and float(column[0]) > 20000
    cell = _first(column)
    try:
        return cell is not None and float(cell) > 20000
    except ValueError:
        return False


def _mostly_dates(column: pl.Series) -> bool:
    cell = _first(column)
    if cell is None or not has_date(cell):
        return False
    cells = column.drop_nulls().unique(maintain_order=True).head(200)
    return sum(has_date(str(c).strip()) for c in cells) > 0.5 * len(cells)
