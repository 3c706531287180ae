"""An independent reader of tables for the tests: csv and datetime alone, row by row.

It finds nothing out. `Written` tells it how a file is written; the plain one has commas, points,
ISO times and a column ``fault``.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Written:
    """How one file is written."""

    mark: str = ","
    encoding: str = "utf-8"
    above: int = 0
    """Lines above the header."""
    units: bool = False
    """Whether a row of units stands below the header."""
    cut: bool = False
    """Whether the last line is half a row."""
    clock: tuple[str, ...] = ("datetime",)
    """Columns of times."""
    time: str = FORMAT
    """Format of times, of two columns with a blank between; or ``unix`` or ``excel``."""
    year: int | None = None
    """Of dates that are written without one."""
    thousands: str = ""
    decimal: str = "."
    missing: tuple[str, ...] = ()
    """Cells that have no value."""
    unit: str = ""
    """What stands behind each number."""
    long: tuple[str, str] | None = None
    """Columns with the name of a sensor and its value."""
    beside: tuple[str, ...] = field(default=())
    """Columns that mean nothing."""


PLAIN = Written()
Row = tuple[datetime, str | None, list[float]]


def windows(
    folder: Path,
    steps: int,
    stride: int,
    written: Mapping[str, Written] | None = None,
    log: str | None = None,
    rest: str | None = None,
) -> list[tuple[str, str, str, str, list]]:
    """(file, class, first time, last time, (C, T) values) of every window, sorted.

    Args:
        folder: files, below it or in folders called ``fault=NAME``.
        steps: T.
        stride: between two windows.
        written: by file; None = all are plain.
        log: a file of faults.
        rest: class of rows without one; None = no window has such a row.
    """
    found = []
    names = written or {path.name: PLAIN for path in folder.glob("*.csv")}
    for name, how in sorted(names.items()):
        rows = _rows(folder / name, how)
        if "=" in name:
            rows = [(time, name.split("/")[0].split("=")[1], values) for time, _, values in rows]
        if log is not None:
            rows = [(time, _logged(folder / log, time), values) for time, _, values in rows]
        rows = [(time, label or rest, values) for time, label, values in rows]
        by_day: dict[str, list] = {}
        for row in rows:
            by_day.setdefault(str(row[0].date()), []).append(row)
        days = [sorted(day, key=lambda row: row[0]) for day in by_day.values()]
        allowed = 2 * _median([b[0] - a[0] for day in days for a, b in zip(day, day[1:])])  # noqa: B905, RUF007
        for day in days:
            for piece in _pieces(day, allowed):
                for first in range(0, len(piece) - steps + 1, stride):
                    own = piece[first : first + steps]
                    values = [[row[2][c] for row in own] for c in range(len(own[0][2]))]
                    if own[0][1] is not None:
                        found.append((name, own[0][1], str(own[0][0]), str(own[-1][0]), values))
    return sorted(found)


def n_rows(folder: Path, written: Mapping[str, Written]) -> int:
    """Rows of all files."""
    return sum(len(_rows(folder / name, how)) for name, how in written.items())


def _rows(path: Path, how: Written) -> list[Row]:
    with path.open(newline="", encoding=how.encoding) as file:
        lines = [line for line in list(csv.reader(file, delimiter=how.mark))[how.above :] if line]
    header, *lines = [line for line in lines if not line[0].startswith("#")]
    lines = lines[how.units : len(lines) - how.cut]
    lines = [line for line in lines if line != header]
    fault = header.index("fault") if "fault" in header else None
    clock = [header.index(name) for name in how.clock]
    if how.long is not None:
        return _turned(lines, header, how, clock, fault)
    apart = {*clock, fault, *(header.index(name) for name in how.beside)}
    sensors = sorted(k for k, name in enumerate(header) if k not in apart and name)
    return [
        (
            _time(" ".join(line[k] for k in clock), how),
            (line[fault] or None) if fault is not None else None,
            [_number(line[k], how) for k in sensors],
        )
        for line in lines
    ]


def _turned(
    lines: list[list[str]], header: list[str], how: Written, clock: list[int], fault: int | None
) -> list[Row]:
    """A row a time, sensors by name."""
    assert how.long is not None
    tag, value = (header.index(name) for name in how.long)
    found: dict[datetime, tuple[str | None, dict[str, float]]] = {}
    for line in lines:
        time = _time(" ".join(line[k] for k in clock), how)
        own = found.setdefault(time, (None if fault is None else line[fault], {}))
        own[1][line[tag]] = _number(line[value], how)
    return [
        (time, name, [values[tag] for tag in sorted(values)])
        for time, (name, values) in found.items()
    ]


def _time(text: str, written: Written) -> datetime:
    how = written.time
    if written.year is not None:
        text, how = f"{written.year} {text}", f"%Y {how}"
    if how.startswith("unix"):
        return datetime(1970, 1, 1) + timedelta(seconds=int(text) / int(how[4:]))
    if how == "excel":
        days = timedelta(days=float(text))
        return datetime(1899, 12, 30) + timedelta(seconds=round(days.total_seconds()))
    if " 24:00" in text or "T24:00" in text:
        return datetime.strptime(text.replace("24:00:00", "00:00:00"), how) + timedelta(days=1)
    return datetime.strptime(text, how).replace(tzinfo=None)


def _number(text: str, how: Written) -> float:
    if text in how.missing:
        return math.nan
    text = text.removesuffix(how.unit)
    return float(text.replace(how.thousands or "_", "").replace(how.decimal, "."))


def _logged(path: Path, time: datetime) -> str | None:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            start, end = (datetime.strptime(row[key], FORMAT) for key in ("start", "end"))
            if start <= time <= end:
                return row["class"]
    return None


def _median(steps: list) -> object:
    steps = sorted(steps)
    half = len(steps) // 2
    return steps[half] if len(steps) % 2 else (steps[half - 1] + steps[half]) / 2


def _pieces(rows: list, allowed: object) -> list[list]:
    pieces = [[rows[0]]]
    for before, row in zip(rows, rows[1:]):  # noqa: B905, RUF007
        if row[1] != before[1] or row[0] - before[0] > allowed:
            pieces.append([])
        pieces[-1].append(row)
    return pieces
