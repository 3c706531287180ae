"""Classes from a table of their own: one row a fault, with its start, its end and its class.

An interval holds its start and its end; where another begins at that end, the row there is the
other's. A date without a time of day ends with its day.
"""

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.tables.cells import label_texts
from dualgaf.series.tables.clocks import Clock, read_clock
from dualgaf.series.tables.columns import LABEL_NAMES, find_column
from dualgaf.series.tables.dialects.dates import has_date, is_plain_number, looks
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.settings import TableSettings

_STARTS = ("start", "begin", "from", "start_time", "starttime", "beginn", "von")
_ENDS = ("end", "stop", "to", "until", "end_time", "endtime", "ende", "bis")
_CLASSES = (*LABEL_NAMES, "name", "type", "state", "status", "fault_type")
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class FaultLog:
    """Intervals with their classes."""

    file: str
    start: Clock
    end: Clock
    classes: pl.Series
    """None where a row has no class."""
    whole_days: pl.Series
    """Whether an end is a date without a time of day."""


class FaultTable(NamedTuple):
    """A fault log that is read."""

    file: str
    """What messages call it."""
    table: pl.DataFrame
    from_sheet: bool = False
    """Whether midnight looks like a day without a time of day."""


def check_no_log(table: pl.DataFrame, source: TableSettings, file: str) -> None:
    """Raise SourceError where a table has faults and no measurements, and nothing was typed."""
    if source.fault_log is not None or source.time_column != "auto":
        return
    found = [find_column(table.columns, names) for names in (_STARTS, _ENDS, _CLASSES)]
    start, end, label = found
    if start is None or end is None or label is None:
        return
    others = [name for name in table.columns if name not in found]
    numbers = [n for n in others if table[n].dtype.is_numeric() or _is_number(table[n])]
    if not numbers and all(_is_dates(table[name]) for name in (start, end)):
        raise SourceError(
            f"{file} has a fault in each row, with {start!r}, {end!r} and {label!r}, and no "
            f"measurement; type {typed_option('data.fault_log', file)} if these are the classes of "
            'the other files, or choose files with data.pattern="..."'
        )


def _is_dates(column: pl.Series) -> bool:
    cells = column.drop_nulls().head(1)
    return column.dtype.is_temporal() or (len(cells) == 1 and has_date(str(cells[0])))


def _is_number(column: pl.Series) -> bool:
    cells = column.drop_nulls().head(1)
    return len(cells) == 1 and is_plain_number(str(cells[0]).strip())


def read_log(given: FaultTable, source: TableSettings, notes: Notes) -> FaultLog:
    """The intervals of a fault log.

    Args:
        given: its cells.
        source: the settings.
        notes: what was found out goes there.

    Raises:
        SourceError: a column is missing, or a cell is no time.
    """
    file, table, from_sheet = given
    found = {}
    for what, names in (("start", _STARTS), ("end", _ENDS), ("class", _CLASSES)):
        name = find_column(table.columns, names)
        if name is None:
            raise SourceError(
                f"{file} (data.fault_log) has no column {what!r}; it has: "
                f"{', '.join(table.columns[:12])}; needed: start, end and class; rename its columns"
            )
        found[what] = table[name]
    for what in ("start", "end"):
        if found[what].has_nulls():
            row = int(found[what].is_null().arg_true()[0])
            raise SourceError(f"{file}, data row {row + 1} has no {what}; write it there")
    clocks = [_clock(found[what], file, source) for what in ("start", "end")]
    ends = found["end"]
    days = [False] * len(ends)
    if ends.dtype == pl.String:
        days = [_is_day(cell) for cell in ends]
    elif ends.dtype == pl.Date:
        days = [True] * len(ends)
    if any(days) and from_sheet:  # midnight would look so, too
        notes.add("an end without a time of day is the end of that day", file)
    classes = label_texts(found["class"], source.null_values)
    return FaultLog(file, clocks[0], clocks[1], classes, pl.Series(days))


def checked(log: FaultLog, start: pl.Series, end: pl.Series) -> pl.DataFrame:
    """The intervals in order, with the columns start, end and label.

    Args:
        log: as it was read.
        start: its starts, (rows,) dates or numbers.
        end: its ends.

    Raises:
        SourceError: one ends before it starts, has no class, or two overlap; names file and rows.
    """
    frame = pl.DataFrame([start.alias("start"), end.alias("end"), log.classes.alias("label")])
    if frame["end"].dtype == pl.Datetime:
        more = log.whole_days.cast(pl.Int64) * (_DAY_US - 1)
        last = (frame["end"].cast(pl.Int64) + more).cast(pl.Datetime("us"))
        frame = frame.with_columns(last.alias("end"))
    frame = frame.with_row_index("row", offset=1)
    for row in frame.filter(pl.col("label").is_null()).iter_rows(named=True):
        raise SourceError(
            f"{log.file}, data row {row['row']} has no class; write it there, or remove the row"
        )
    for row in frame.filter(pl.col("end") < pl.col("start")).iter_rows(named=True):
        raise SourceError(
            f"{log.file}, data row {row['row']} ends at {row['end']}, before it starts at "
            f"{row['start']}; mend that row"
        )
    frame = frame.sort("start", maintain_order=True)
    before = frame.select(pl.all().shift(1))
    over = frame["start"] < before["end"]
    over = over | ((frame["start"] == before["start"]) & (frame["end"] == before["end"]))
    if over.any():
        place = int(over.fill_null(False).arg_true()[0])
        one, other = before.row(place, named=True), frame.row(place, named=True)
        raise SourceError(
            f"{log.file}, data rows {one['row']} and {other['row']} overlap: {one['label']!r} from "
            f"{one['start']} to {one['end']} and {other['label']!r} from {other['start']}; a time "
            "has one class: mend one of them"
        )
    return frame.drop("row")


def classes_at(time: pl.Series, log: pl.DataFrame) -> pl.Series:
    """The class of each row, None outside of all intervals.

    Args:
        time: (rows,) of the kind of the log's.
        log: see `checked`.

    Example:
        >>> log = pl.DataFrame({"start": [2, 4], "end": [4, 5], "label": ["a", "b"]})
        >>> classes_at(pl.Series([1, 2, 4, 5, 6]), log).to_list()
        [None, 'a', 'b', 'b', None]
    """
    place = log["start"].search_sorted(time, side="right").cast(pl.Int64) - 1
    inside = place >= 0
    at = log[place.clip(0)] if len(log) else log
    inside = inside & (time <= at["end"])
    return pl.select(pl.when(inside).then(at["label"]).alias("label")).to_series()


def _clock(column: pl.Series, file: str, source: TableSettings) -> Clock:
    """By the format of the tables, or by what fits: a log is written by other hands."""
    try:
        return read_clock(column, file, source.time_format, source.year)
    except SourceError:
        return read_clock(column, file, None, source.year)


def _is_day(cell: str | None) -> bool:
    return cell is not None and not looks(cell.strip())[2]
