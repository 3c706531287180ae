"""``eplusout.csv``, as ReadVarsESO writes it, and as EnergyPlus writes it itself.

Times are the ends of intervals, `` 06/28  24:00:00``, without a year. ReadVarsESO ends lines with a
blank, keeps 255 variables unless it is told ``unlimited``, and has the periods in the order in
which they were simulated. EnergyPlus sorts all rows by month and day, and where the first column
alone has a value, it stands one cell too far. Both end a row early where the last columns are
empty.
"""

import csv
import gzip
import io
from collections.abc import Collection
from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.tables.columns import need_own_names
from dualgaf.series.tables.dialects.encodings import as_utf8
from dualgaf.series.tables.dialects.eplus_names import FREQUENCIES, variable
from dualgaf.series.tables.dialects.eplus_periods import (
    MonthDay,
    Period,
    by_date,
    guessed,
    in_order,
    one_day_alone,
    overwritten,
    periods_beside,
)
from dualgaf.series.tables.dialects.eplus_steps import END, PERIOD
from dualgaf.series.tables.notes import Notes

MOST_VARIABLES = 255
"""That ReadVarsESO keeps where it is not called by EnergyPlus."""
_TIME = r"^\s*(\d{1,2})/(\d{1,2})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\s*$"
_DAY_US = 86_400_000_000
_HEAD_BYTES = 1 << 20
_BEYOND = "beyond the header"


def header_of(path: Path) -> list[str]:
    """The names in the first line of a CSV file; none where it is no table of EnergyPlus."""
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        try:
            line = file.readline(_HEAD_BYTES).decode("utf-8", "replace")
        except (OSError, EOFError):
            return []
    names = next(csv.reader([line]), [])
    names = [name.strip() for name in names]
    known = len(names) > 1 and names[0] == END and variable(names[1]) is not None
    return names if known else []


def read_run_csv(
    path: Path, file: str, wanted: Collection[str], year: int | None, notes: Notes
) -> pl.DataFrame:
    """Its rows of run periods, with `END`, `PERIOD` and numbers under the names of the header.

    Args:
        path: where it is.
        file: what messages call it.
        wanted: names of columns that are read.
        year: of the first day of each period; None = what the ``.eio`` beside it says.
        notes: what was found goes there.

    Raises:
        SourceError: a cell cannot be read, or there is no row of a run period.
    """
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.name.lower().endswith(".gz") else raw
    raw = as_utf8(raw, file, None, notes)
    first, _, _ = raw.partition(b"\n")
    names = next(csv.reader([first.decode().rstrip("\r\n")]))
    sorted_by_day = not first.rstrip(b"\r\n").endswith(b" ")
    if not sorted_by_day and len(names) - 1 == MOST_VARIABLES:
        notes.add(
            f"there are {MOST_VARIABLES} variables, the most that ReadVarsESO writes where it is "
            "not told 'unlimited', so others may be missing; eplusout.sql has all of them",
            file,
        )
    cells = _cells(raw, [name.strip() for name in names], file)
    if sorted_by_day:
        cells = _first_put_back(cells, file, notes)
    beyond = cells[_BEYOND].is_not_null().arg_true()
    if len(beyond):
        raise SourceError(f"{file}, data row {beyond[0] + 1} has more cells than the header")
    numbers = [_numbers(cells[name], file) for name in cells.columns[1:-1] if name in wanted]
    ends, period = _placed(cells[END], file, periods_beside(path), year, sorted_by_day, notes)
    table = pl.DataFrame([ends.alias(END), period.alias(PERIOD), *numbers])
    table = table.filter(pl.col(PERIOD).is_not_null())
    if not table.height:
        raise SourceError(
            f"{file} has design days and no run period; simulate one (RunPeriod, and 'Run "
            "Simulation for Weather File Run Periods' of SimulationControl)"
        )
    return table


def _cells(raw: bytes, names: list[str], file: str) -> pl.DataFrame:
    """All cells as texts, null where a row ends early; `_BEYOND` has those behind the header's."""
    _, _, body = raw.partition(b"\n")
    if not body.strip():
        raise SourceError(f"{file} has a header and no data row")
    need_own_names(names, file)
    header = ",".join(f"{number}" for number in range(len(names) + 1)).encode()
    try:
        cells = pl.read_csv(io.BytesIO(header + b"\n" + body), infer_schema=False)
    except pl.exceptions.ComputeError as error:
        told = str(error).splitlines()[0]
        raise SourceError(f"{file} has a row of more cells than the header ({told})") from None
    cells.columns = [*names, _BEYOND]
    return cells.with_columns(pl.all().str.strip_chars().replace("", None))


def _first_put_back(cells: pl.DataFrame, file: str, notes: Notes) -> pl.DataFrame:
    """With values of the first column in it.

    A row in which no other has a value ends ``,,VALUE``, as one in which the second alone has. It
    is the second alone only where that is written more often.
    """
    _, first, second, *others = cells.columns
    one, two = variable(first), variable(second)
    if one is not None and two is not None:
        if FREQUENCIES.index(one.every) >= FREQUENCIES.index(two.every):
            return cells
    elif second != _BEYOND:
        return cells
    none = [pl.col(name).is_null() for name in (first, *others)]
    alone = pl.all_horizontal(*none, pl.col(second).is_not_null())
    if n := cells.select(alone.sum()).item():
        notes.add(f"{n} values of the first column stand one cell too far and are put back", file)
    return cells.with_columns(
        pl.when(alone).then(pl.col(second)).otherwise(pl.col(first)).alias(first),
        pl.when(~alone).then(pl.col(second)).alias(second),
    )


def _numbers(column: pl.Series, file: str) -> pl.Series:
    found = column.cast(pl.Float64, strict=False)
    if found.null_count() > column.null_count():
        row = int((found.is_null() & column.is_not_null()).arg_true()[0])
        raise SourceError(
            f"{file}, column {column.name!r}, data row {row + 1}: {column[row]!r} is not a number; "
            "let EnergyPlus write the file again"
        )
    return found


def _placed(
    cells: pl.Series,
    file: str,
    told: list[Period],
    year: int | None,
    sorted_by_day: bool,
    notes: Notes,
) -> tuple[pl.Series, pl.Series]:
    """The end of each row's interval, and the name of its period; null in a design day."""
    month, day, of_day = _parts(cells, file)
    before = pl.DataFrame([month, day, of_day]).shift(1)
    changes = (month != before["month"]) | (day != before["day"]) | (of_day <= before["of_day"])
    starts = changes.fill_null(True).arg_true().to_list()
    days: list[MonthDay] = [(month[row], day[row]) for row in starts]
    placed = by_date(told, days) if sorted_by_day else in_order(told, days)
    if placed is None:
        if told:
            notes.add("the .eio beside it tells of another run and is not used", file)
        try:
            placed = guessed(days, year)
        except ValueError as error:
            raise SourceError(f"{file}: a time is no date ({error})") from None
        alone = one_day_alone(placed)
        names = [None if k in alone else f"period {k + 1}" for k in range(placed[-1][0] + 1)]
        if alone:
            notes.add(
                f"single days beside longer periods are taken for design days and left out "
                f"({len(alone)}); eplusout.eio beside the table says for certain",
                file,
            )
    else:
        names = [one.name if one.is_run else None for one in told]
        if None in names:
            sizing = ", ".join(one.name for one in told if not one.is_run)
            notes.add(f"design days are left out: {sizing}", file)
        if sorted_by_day and (lost := overwritten(told)):
            notes.add(
                "EnergyPlus wrote one row a date, so that days that were simulated twice are there "
                f"once, and of {', '.join(lost)} some are missing; eplusout.sql has all of them",
                file,
            )
        placed = _in_year(placed, told, year)
    lengths = [b - a for a, b in pairwise([*starts, len(cells)])]
    rows = pl.DataFrame(
        {"date": [own for _, own in placed], "name": [names[place] for place, _ in placed]},
        schema={"date": pl.Date, "name": pl.String},
    ).select(pl.all().repeat_by(pl.Series(lengths)).explode())
    ends = rows["date"].cast(pl.Datetime("us")).cast(pl.Int64) + of_day
    return ends.cast(pl.Datetime("us")), rows["name"]


def _parts(cells: pl.Series, file: str) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Month, day, and microseconds since midnight: those of 24:00:00 where only days are told."""
    parts = cells.str.extract_groups(_TIME).struct.unnest()
    month, day, *clock = (parts.to_series(k).cast(pl.Int64) for k in range(5))
    if month.has_nulls():
        row = int(month.is_null().arg_true()[0])
        months = str(cells[row]).strip().isalpha()
        raise SourceError(
            f"{file}, column {END!r}, data row {row + 1}: {cells[row]!r} is no time of day; "
            + (
                "rows of a month make no windows: let EnergyPlus write its variables at each "
                "Timestep or Hourly"
                if months
                else "EnergyPlus writes ' 06/28  24:00:00'; let it write the file again"
            )
        )
    hours, minutes, seconds = (part.fill_null(0) for part in clock)
    hours = hours.set(clock[0].is_null(), 24)
    of_day = (3600 * hours + 60 * minutes + seconds) * 1_000_000
    return month.alias("month"), day.alias("day"), of_day.alias("of_day")


def _in_year(
    placed: list[tuple[int, date]], told: list[Period], year: int | None
) -> list[tuple[int, date]]:
    """Dates of which the first of each period is in the year that was typed."""
    if year is None:
        return placed
    moved = []
    for place, own in placed:
        typed = year + own.year - told[place].days[0].year
        if (own.month, own.day) == (2, 29) and not _is_leap(typed):
            raise SourceError(
                f"data.year={year} has no 29 February, and a run has; type data.year=null"
            )
        moved.append((place, own.replace(year=typed)))
    return moved


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
