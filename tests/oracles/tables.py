"""An independent reader of tables for the tests: csv and datetime alone, row by row.

It knows one plain dialect: commas, points, ISO times, a column ``fault``, no text.
"""

import csv
from datetime import datetime
from pathlib import Path

FORMAT = "%Y-%m-%d %H:%M:%S"


def windows(folder: Path, steps: int, stride: int) -> list[tuple[str, str, str, str, list]]:
    """(file, class, first time, last time, (C, T) values) of every window, sorted."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            header, *lines = (line for line in csv.reader(file) if line)
        time, fault = header.index("datetime"), header.index("fault")
        sensors = sorted(k for k in range(len(header)) if k not in (time, fault))
        rows = [
            (datetime.strptime(line[time], FORMAT), line[fault], [float(line[k]) for k in sensors])
            for line in lines
        ]
        by_day: dict[str, list] = {}
        for row in rows:
            by_day.setdefault(str(row[0].date()), []).append(row)
        days = [sorted(day, key=lambda row: row[0]) for day in by_day.values()]
        allowed = 2 * _median([b[0] - a[0] for day in days for a, b in zip(day, day[1:])])  # noqa: B905, RUF007
        for day in days:
            for piece in _pieces(day, allowed):
                for first in range(0, len(piece) - steps + 1, stride):
                    own = piece[first : first + steps]
                    values = [[row[2][c] for row in own] for c in range(len(sensors))]
                    found.append((path.name, own[0][1], str(own[0][0]), str(own[-1][0]), values))
    return sorted(found)


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
