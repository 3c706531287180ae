"""One reading of times for all files of a folder.

Some cells can be read in two ways: each file then has both readings, and the one that fits all
files is taken. Where both do, the user is asked.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.tables.clocks import Clock
from dualgaf.series.tables.columns import TIME_NAMES
from dualgaf.series.tables.dialects.counts import WORDS
from dualgaf.series.tables.dialects.dates import CERTAIN, ORDERS, YEAR_FIRST
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.timecolumn import TimeColumn

if TYPE_CHECKING:
    from dualgaf.series.tables.settings import TableSettings

_MONTH_DAYS = 20


def one_reading(clocks: Mapping[str, Clock]) -> dict[str, pl.Series]:
    """The times of each file, all read in the same way.

    Args:
        clocks: by file, at least one.

    Raises:
        SourceError: two readings fit every file, or none does, or some have dates and some numbers.
    """
    chosen: dict[str, str] = {}
    ordered = {file: clock for file, clock in clocks.items() if CERTAIN not in clock.readings}
    if ordered:
        first = next(iter(ordered))
        known = list(ordered[first].readings)
        common = [o for o in known if all(o in clock.readings for clock in ordered.values())]
        if not common:
            other = next(
                f for f in ordered if not ordered[f].readings.keys() & ordered[first].readings
            )
            raise SourceError(
                f"dates of {first} are {next(iter(ordered[first].readings))} and those of {other} "
                f"{next(iter(ordered[other].readings))}; choose files of one kind with "
                "data.pattern=..."
            )
        common = _without_years(ordered, common)
        if len(common) > 1:
            alike = len({str(clock.forms) for clock in clocks.values()}) == 1
            _check_same(ordered, common, alike)
        chosen = dict.fromkeys(ordered, common[0])
        _check_jumps(ordered, common[0])
    times = {file: clock.readings[chosen.get(file, CERTAIN)] for file, clock in clocks.items()}
    kinds = {file: time.dtype == pl.Datetime for file, time in times.items()}
    if len(set(kinds.values())) > 1:
        dated, other = (next(f for f, kind in kinds.items() if kind is k) for k in (True, False))
        raise SourceError(
            f"column {clocks[dated].name!r} has dates in {dated} and numbers in {other}; choose "
            'files of one kind with data.pattern="..." or say how they are written: '
            'data.time_format="%Y-%m-%d %H:%M"'
        )
    return times


def say_clock(
    column: TimeColumn, clocks: dict[str, Clock], source: "TableSettings", notes: Notes
) -> None:
    """Note how the times were found and are read.

    Args:
        column: the one of the folder.
        clocks: by file.
        source: the settings.
        notes: where it goes.
    """
    if source.time_column == "auto":
        if (several := column.pair or column.parts) is not None:
            *names, last = map(repr, several)
            notes.add(f"times are those of columns {', '.join(names)} and {last}")
        elif column.name is None:
            notes.add(
                "no column has times: rows are taken as they stand, evenly spaced and in order "
                "(data.time_column=NAME names one, data.time_column=null says that this is so)"
            )
        elif column.name.lower() not in TIME_NAMES:
            notes.add(f"times are those of column {column.name!r}")
    for file, clock in clocks.items():
        for what in clock.found:
            notes.add(what, file)
    if source.time_format is None:
        for clock in clocks.values():
            if len(clock.readings) == 1 and CERTAIN not in clock.readings:
                notes.add(f"times are read as {next(iter(clock.readings))}")


def _without_years(ordered: Mapping[str, Clock], common: list[str]) -> list[str]:
    """Without years in front where dates would jump by months in that reading alone.

    Every ``28/8/07`` may be a day of August 2007 and one of August 2028.
    """
    others = [order for order in common if order != YEAR_FIRST]
    if YEAR_FIRST not in common or not others:
        return common
    jumps = {o: sum(_jumps(clock.readings[o]) for clock in ordered.values()) for o in common}
    return others if jumps[YEAR_FIRST] > min(jumps[order] for order in others) else common


def _check_jumps(ordered: Mapping[str, Clock], order: str) -> None:
    """Raise where dates jump by months in the order that all files have, and in another do not."""
    if order not in ORDERS:
        return
    for file, clock in ordered.items():
        jumps = _jumps(clock.readings[order])
        for other, time in clock.readings.items():
            # Rows a month apart are none that jump
            if other != order and _jumps(time) < jumps < 0.5 * len(time):
                sure = next(f for f, own in ordered.items() if other not in own.readings)
                raise SourceError(
                    f"dates of {sure} are {order}; read so, those of {file} jump by months, and as "
                    f"{other} they do not; choose files of one kind with data.pattern=..., or type "
                    f"data.time_format={ORDERS[order]}"
                )


def _jumps(time: pl.Series) -> int:
    return int((time.diff().dt.total_days().abs() >= _MONTH_DAYS).sum())


def _check_same(ordered: Mapping[str, Clock], common: list[str], alike: bool) -> None:
    """Raise where two readings fit all files and give other times.

    Args:
        ordered: clocks by file.
        common: their readings.
        alike: whether all files of the folder are written in one format.
    """
    for file, clock in ordered.items():
        one = clock.readings[common[0]]
        others = [clock.readings[reading] for reading in common[1:]]
        other = next((o for o in others if (one.cast(pl.Int64) != o.cast(pl.Int64)).any()), None)
        if other is None:
            continue
        differ = one.cast(pl.Int64) != other.cast(pl.Int64)
        row = int(differ.arg_true()[0])
        forms = clock.forms if alike else {**clock.forms, **ORDERS}
        typed = " or ".join(_typed(forms[reading]) for reading in common)
        first = "day, month or year" if YEAR_FIRST in common else "month or day"
        where = f"{file}, time column {clock.name!r}, data row {row + 1}"
        if common[0] in ORDERS:
            raise SourceError(
                f"{where} is {one[row]:%-d %B %Y} or {other[row]:%-d %B %Y}: {first} may come "
                f"first, and no date of the folder tells which; type {typed}"
            )
        means = [f"{clock.readings[c][row]} ({WORDS.get(c, 'digits of a date')})" for c in common]
        raise SourceError(f"{where} is {' or '.join(means)}, and no cell tells which; type {typed}")


def _typed(form: str) -> str:
    return f'data.time_format="{form}"' if "%" in form else f"data.time_format={form}"
