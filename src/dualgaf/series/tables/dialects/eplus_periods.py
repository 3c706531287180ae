"""What EnergyPlus simulated, one after the other, from ``eplusout.eio``: design days, run periods.

A time in a table of EnergyPlus has no year, and its rows do not say which period they are of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

RUN_PERIOD = "WeatherFileRunPeriod"
"""The kind that is no sizing."""
PLAIN_YEAR, LEAP_YEAR = 2023, 2024
"""Of times without a year, where nothing says which it was."""
_ONE_DAY = timedelta(days=1)

MonthDay = tuple[int, int]


@dataclass(frozen=True)
class Period:
    """One simulated period."""

    name: str
    is_run: bool
    """Whether it is a run period, and not a sizing."""
    days: tuple[date, ...]
    """In order."""


def eio_of(path: Path) -> Path:
    """Where the ``.eio`` of the run of a table is, if there is one.

    Example:
        >>> eio_of(Path("normal/eplusout.csv.gz")).as_posix()
        'normal/eplusout.eio'
    """
    return path.with_name(f"{path.name.removesuffix('.gz').rpartition('.')[0]}.eio")


def periods_beside(path: Path) -> list[Period]:
    """The periods that the ``.eio`` of the same run tells; none where there is no such file."""
    eio = eio_of(path)
    return read_periods(eio.read_text(errors="replace")) if eio.is_file() else []


def read_periods(eio: str) -> list[Period]:
    """The periods of the text of an ``.eio``.

    Example:
        >>> line = "Environment,SUMMER,WeatherFileRunPeriod,06/30/2023,07/01/2023,Friday,2,x"
        >>> [(one.name, one.is_run, len(one.days)) for one in read_periods(line)]
        [('SUMMER', True, 2)]
    """
    found = []
    for line in eio.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if cells[0] != "Environment" or len(cells) < 7:
            continue
        first, last = _day(cells[3]), _day(cells[4])
        if first is None or last is None or not cells[6].isdigit():
            return []  # written by a version that is not known
        found.append(Period(cells[1], cells[2] == RUN_PERIOD, _days(first, last, int(cells[6]))))
    return found


def _day(text: str) -> date | None:
    try:
        month, day, *year = map(int, text.split("/"))
        return date(year[0] if year else LEAP_YEAR, month, day)
    except ValueError:
        return None


def _days(first: date, last: date, n: int) -> tuple[date, ...]:
    """Every day; without 29 February where the weather has none, which EnergyPlus skips."""
    days = [first + k * _ONE_DAY for k in range((last - first).days + 1)]
    if len(days) > n:
        days = [day for day in days if (day.month, day.day) != (2, 29)]
    return tuple(days)


def in_order(periods: Sequence[Period], days: Sequence[MonthDay]) -> list[tuple[int, date]] | None:
    """Which period each day of a table is of, where days stand as they were simulated.

    Args:
        periods: in their order.
        days: of the table, each once a period.

    Returns:
        The place of the period and the date for each; None where they are those of another run.
    """
    told = [(place, day) for place, one in enumerate(periods) for day in one.days]
    fits = len(days) <= len(told) and all(
        (day.month, day.day) == own for (_, day), own in zip(told, days, strict=False)
    )
    return told[: len(days)] if fits else None


def by_date(periods: Sequence[Period], days: Sequence[MonthDay]) -> list[tuple[int, date]] | None:
    """As `in_order` for the table that EnergyPlus writes itself: sorted by month and day.

    A day that was simulated twice stands there once, as it was simulated last.
    """
    last: dict[MonthDay, tuple[int, date]] = {}
    for place, one in enumerate(periods):
        last |= {(day.month, day.day): (place, day) for day in one.days}
    return [last[day] for day in days] if sorted(last) == list(days) else None


def overwritten(periods: Sequence[Period]) -> list[str]:
    """Run periods of which the table that EnergyPlus writes itself lacks days."""
    seen: dict[MonthDay, str] = {}
    lost = []
    for one in (one for one in periods if one.is_run):
        for day in one.days:
            before = seen.setdefault((day.month, day.day), one.name)
            seen[day.month, day.day] = one.name
            if before != one.name or (day - one.days[0]).days >= 365:
                lost.append(before)
    return list(dict.fromkeys(lost))


def guessed(days: Sequence[MonthDay], year: int | None) -> list[tuple[int, date]]:
    """As `in_order` where nothing but the days is known: a new period begins where they jump.

    Args:
        days: of the table.
        year: of the first day of each period; None = `PLAIN_YEAR`, or `LEAP_YEAR` where there is
            a 29 February.
    """
    year = year or (LEAP_YEAR if (2, 29) in days else PLAIN_YEAR)
    found: list[tuple[int, date]] = []
    place = 0
    for month, day in days:
        before = found[-1][1] if found else None
        own = date(year if before is None else before.year, month, day)
        if before is not None and own != before + _ONE_DAY:
            turned = _date(own.year + 1, month, day)
            if turned == before + _ONE_DAY:
                own = turned
            elif not ((before.month, before.day) == (2, 28) and (month, day) == (3, 1)):
                place += 1
                own = date(year, month, day)
        found.append((place, own))
    return found


def _date(year: int, month: int, day: int) -> date:
    return date(year, month, day) if (month, day) != (2, 29) else date(year, 3, 1)


def one_day_alone(placed: Sequence[tuple[int, date]]) -> set[int]:
    """Places of guessed periods of one day, beside others that are longer: design days.

    Example:
        >>> one_day_alone(guessed([(7, 21), (6, 1), (6, 2)], None))
        {0}
    """
    lengths = {place: len(list(own)) for place, own in groupby(placed, lambda one: one[0])}
    if max(lengths.values(), default=0) < 2:
        return set()
    return {place for place, n in lengths.items() if n == 1}
