"""``eplusout.sql``, the same columns as ``eplusout.csv`` in a SQLite file.

It says of each row the year and the period. Minutes are whole, so that steps of the system are
rounded; a row of a month ends with the month, also where the period ended before; a row of a
period has no time at all. ``WarmupFlag`` is NULL where nothing but hours and more was written.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.arrays import Array
from dualgaf.series.tables.dialects.eplus_names import FREQUENCIES
from dualgaf.series.tables.dialects.eplus_periods import PLAIN_YEAR
from dualgaf.series.tables.dialects.eplus_steps import END, PERIOD
from dualgaf.series.tables.notes import Notes

_FREQUENCIES = {"HVAC System Timestep": "Each Call", "Zone Timestep": "TimeStep"}
_RUN_PERIOD = 3
"""``EnvironmentType`` of what is no sizing."""
_DAILY = 2
"""``IntervalType`` of days; from the next on, of months, a row has no place of its own."""
_MAGIC = b"SQLite format 3\x00"
_DICTIONARY = """
    SELECT ReportDataDictionaryIndex, KeyValue, Name, Units, ReportingFrequency, ScheduleName
    FROM ReportDataDictionary ORDER BY ReportDataDictionaryIndex
"""
_PERIODS = "SELECT EnvironmentPeriodIndex, EnvironmentName, EnvironmentType FROM EnvironmentPeriods"
_ROWS = """
    SELECT TimeIndex, {year}, Month, Day, Hour, Minute, IntervalType, EnvironmentPeriodIndex
    FROM Time JOIN EnvironmentPeriods USING (EnvironmentPeriodIndex)
    WHERE EnvironmentType = ? AND ifnull(WarmupFlag, 0) = 0 ORDER BY TimeIndex
"""
_AT_ONCE = 100_000


def sql_columns(path: Path) -> list[str]:
    """The names of its columns as a CSV has them; none where it is no file of EnergyPlus."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return []
    try:
        with _opened(path) as base:
            return [*_dictionary(base)]
    except sqlite3.Error:
        return []


def read_run_sql(
    path: Path, file: str, wanted: Collection[str], year: int | None, notes: Notes
) -> pl.DataFrame:
    """Its rows of run periods, with `END`, `PERIOD` and numbers under the names of a CSV.

    Args:
        path: where it is.
        file: what messages call it.
        wanted: names of columns that are read.
        year: of the first day of each period; None = as it is written.
        notes: what was found goes there.

    Raises:
        SourceError: it cannot be read, or there is no row of a run period.
    """
    try:
        with _opened(path) as base:
            columns = {name: k for name, k in _dictionary(base).items() if name in wanted}
            told = base.execute(_PERIODS).fetchall()
            rows = _rows(base, file)
            table, place = _placed(rows, year, file)
            values = _values(base, columns, place, table.height)
    except sqlite3.Error as error:
        raise SourceError(f"{file} cannot be read: {error}") from error
    if sizing := [name for _, name, kind in told if kind != _RUN_PERIOD]:
        notes.add(f"design days are left out: {', '.join(sizing)}", file)
    names = {index: name for index, name, kind in told if kind == _RUN_PERIOD}
    found = {name: pl.Series(values[:, k]).fill_nan(None) for k, name in enumerate(columns)}
    period = table["period"].replace_strict(names, return_dtype=pl.String)
    return pl.DataFrame({END: table["end"], PERIOD: period, **found})


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
        yield base


def _dictionary(base: sqlite3.Connection) -> dict[str, int]:
    found = {}
    for index, key, name, unit, every, schedule in base.execute(_DICTIONARY):
        word = _FREQUENCIES.get(every, every.replace(" ", ""))
        if word in FREQUENCIES:
            written = f"{key}:{name}" if key else name
            limited = f",{schedule}" if schedule else ""
            found[f"{written} [{unit or ''}]({word}{limited})"] = index
    return found


def _rows(base: sqlite3.Connection, file: str) -> pl.DataFrame:
    """Rows of run periods, as they are written."""
    has_year = any(row[1] == "Year" for row in base.execute("PRAGMA table_info(Time)"))
    query = _ROWS.format(year="Year" if has_year else "NULL")
    rows = base.execute(query, (_RUN_PERIOD,)).fetchall()
    names = ("index", "year", "month", "day", "hour", "minute", "kind", "period")
    table = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64), orient="row")
    if not table.filter(pl.col("kind") <= _DAILY).height:
        what = "rows of months and more" if table.height else "no row of a run period"
        raise SourceError(
            f"{file} has {what}; let EnergyPlus write its variables at each Timestep or Hourly, in "
            "a RunPeriod"
        )
    return table


def _placed(rows: pl.DataFrame, year: int | None, file: str) -> tuple[pl.DataFrame, dict[int, int]]:
    """Each end of an interval once, in order; and the place of each row by its index."""
    first = pl.col("year").first().over("period")
    turns = (pl.col("month") < pl.col("month").shift(1)).cum_sum().over("period").fill_null(0)
    timed = rows.filter(pl.col("kind") <= _DAILY)
    if timed["year"].fill_null(0).min() == 0:  # earlier versions do not say it
        timed = timed.with_columns(year=turns + PLAIN_YEAR)
    if year is not None:
        timed = timed.with_columns(year=pl.col("year") - first + year)
    date = pl.date("year", "month", "day")
    minutes = pl.duration(hours=pl.col("hour"), minutes=pl.col("minute"))
    try:
        timed = timed.with_columns(end=date.cast(pl.Datetime("us")) + minutes)
    except pl.exceptions.ComputeError:
        raise SourceError(
            f"data.year={year} has no 29 February, and a run has; type data.year=null"
        ) from None
    ends = timed.select("period", "end").unique().sort("period", "end").with_row_index("place")
    timed = timed.join(ends, on=["period", "end"], how="left", maintain_order="left")
    place = dict(zip(timed["index"], timed["place"], strict=True))
    before = dict.fromkeys(rows["period"].unique())
    for index, kind, period in rows.select("index", "kind", "period").iter_rows():
        if kind <= _DAILY:
            before[period] = place[index]
        elif before[period] is not None:
            place[index] = before[period]
    return ends, place


def _values(
    base: sqlite3.Connection, columns: dict[str, int], place: dict[int, int], height: int
) -> Array:
    """(rows, columns) of numbers; NaN where nothing was written."""
    found = np.full((height, len(columns)), np.nan)
    marks = ",".join("?" * len(columns))
    query = (
        "SELECT TimeIndex, ReportDataDictionaryIndex, Value FROM ReportData "
        f"WHERE ReportDataDictionaryIndex IN ({marks})"
    )
    row_of = np.full(max(place, default=0) + 1, -1)
    row_of[[*place]] = [*place.values()]
    column_of = {index: k for k, index in enumerate(columns.values())}
    cursor = base.execute(query, [*columns.values()])
    while part := cursor.fetchmany(_AT_ONCE):
        times, kinds, values = (np.array(own) for own in zip(*part, strict=True))
        known = times < len(row_of)
        rows = np.where(known, row_of[np.where(known, times, 0)], -1)
        kept = rows >= 0
        at = np.array([column_of[kind] for kind in kinds[kept].tolist()], dtype=np.int64)
        found[rows[kept], at] = values[kept].astype(np.float64)
    return found
