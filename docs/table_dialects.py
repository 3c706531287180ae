"""The dialects of docs/tables.md: one measured table, written in many ways.

A dialect is a `Dialect` in `DIALECTS`: how CSV files are written, so that the independent reader
can count them, what must be typed, and, for other kinds of files, how the CSV files are turned into
them after they were counted.
"""

import csv
import gzip
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from oracles.tables import FORMAT, Written

Rows = Sequence[tuple[datetime, Sequence[float], str]]
CERTAIN, DOUBTFUL = datetime(2020, 1, 14, 22), datetime(2020, 3, 4, 22)
"""Where the first file begins: no month has that number, and one that has."""
LOG = "faults.csv"
BLANK_ROWS = 2
MISSING_ROWS = (14, 31)


@dataclass(frozen=True)
class Dialect:
    """A way to write the same table."""

    title: str
    how: Written = field(default_factory=Written)
    """How a row is written, which is all that the independent reader is told."""
    typed: Mapping[str, Any] = field(default_factory=dict)
    """Options of ``data`` that must be typed."""
    start: datetime = CERTAIN
    label: str = "column"
    """``column``, ``folder`` (``fault=leak/...``), ``log`` (a file of faults), ``blank`` (the
    first rows have an empty cell)."""
    sensors: tuple[str, ...] = ("supply", "return", "pressure")
    scale: float = 1.0
    late: bool = False
    """Midnight is 24:00 of the day before."""
    missing: str = ""
    """What stands in two cells of the first sensor that have no value."""
    beside: tuple[str, str] = ("ok", "ok")
    """Cells of the columns of ``how.beside``, in turn."""
    shows: str = ""
    """A text that only a later line has, and that makes the dialect."""
    above: tuple[str, ...] = ()
    """Lines above the header."""
    blank_ends: bool = False
    """Each line ends with a separator."""
    change: Callable[[Path], None] | None = None
    """Makes another kind of file of the CSV file, which is removed."""


def _as_parquet(path: Path) -> None:
    table = pl.read_csv(path, try_parse_dates=True)
    table.write_parquet(path.with_suffix(".parquet"))
    path.unlink()


def _as_gzip(path: Path) -> None:
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def _clock(time: str, *columns: str, **more: Any) -> Written:
    return Written(clock=columns or ("datetime",), time=time, **more)


DIALECTS: tuple[Dialect, ...] = (
    Dialect("Plain: commas, points, ISO dates"),
    Dialect("Parquet", change=_as_parquet),
    Dialect("Compressed: .csv.gz", change=_as_gzip),
    Dialect("Semicolons and decimal commas", Written(mark=";", decimal=",")),
    Dialect("Tabs", Written(mark="\t")),
    Dialect("Bars", Written(mark="|")),
    Dialect("Commas between thousands", Written(mark=";", thousands=","), scale=100),
    Dialect("Points between thousands", Written(mark=";", thousands=".", decimal=","), scale=100),
    Dialect("A unit in each cell", Written(unit=" °F")),
    Dialect("A row of units below the header", Written(units=True)),
    Dialect("Lines above the header", Written(above=2), above=("Export of AHU 3", "made by hand")),
    Dialect("A separator at the end of each line", blank_ends=True),
    Dialect("A last line that was cut off", Written(cut=True)),
    Dialect("UTF-16", Written(encoding="utf-16", mark="\t"), sensors=("Zuluft °C", "b", "c")),
    Dialect("cp1252", Written(encoding="cp1252"), sensors=("Zuluft °C", "b", "c")),
    Dialect("A text beside the numbers", Written(beside=("operator",))),
    Dialect("On and off", Written(beside=("fan",)), beside=("on", "off")),
    Dialect("Durations", Written(beside=("runtime",)), beside=("00:05:00", "01:30:00")),
    Dialect(
        "A number that means missing",
        Written(missing=("-9999",)),
        {"null_values": ["", "-9999"], "nan": "interpolate"},
        missing="-9999",
        shows="-9999",
    ),
    Dialect(
        "A text that means missing",
        Written(missing=("No Data",)),
        {"null_values": ["", "No Data"], "nan": "interpolate"},
        missing="No Data",
        shows="No Data",
    ),
    Dialect("Dates of a column without a name", _clock(FORMAT, "")),
    Dialect("Dates under another name", _clock(FORMAT, "Zeitstempel")),
    Dialect("Date and time of day in two columns", _clock("%d.%m.%Y %H:%M", "Datum", "Uhrzeit")),
    Dialect("Day first, one day above 12", _clock("%d/%m/%Y %H:%M")),
    Dialect(
        "Day or month first, no day above 12",
        _clock("%d/%m/%Y %H:%M"),
        {"time_format": "day_first"},
        start=DOUBTFUL,
    ),
    Dialect("AM and PM, two digits of a year", _clock("%m/%d/%y %I:%M %p")),
    Dialect("24:00:00", late=True, shows="24:00:00"),
    Dialect("No year", _clock("%d.%m. %H:%M", year=2020), {"year": 2020}),
    Dialect("UTC", _clock("%Y-%m-%dT%H:%M:%SZ")),
    Dialect("An offset", _clock("%Y-%m-%dT%H:%M:%S+01:00")),
    Dialect("A mark of a zone", _clock("%m/%d/%Y %H:%M:%S CST", "Date/Time")),
    Dialect("Unix seconds", _clock("unix1", "ts")),
    Dialect("Unix milliseconds", _clock("unix1000", "ts")),
    Dialect("Days of a spreadsheet", _clock("excel")),
    Dialect("Dates of digits", _clock("%Y%m%d%H%M")),
    Dialect(
        "A row a value",
        Written(clock=("time",), long=("tag", "value")),
        {"long": ["time", "tag", "value"]},
    ),
    Dialect(
        "InfluxDB",
        Written(clock=("_time",), time="%Y-%m-%dT%H:%M:%SZ", long=("_field", "_value")),
    ),
    Dialect("Folders called key=value", label="folder"),
    Dialect(
        "Faults in a table of their own",
        typed={"fault_log": LOG, "unlabelled": "class", "unlabelled_class": "normal"},
        label="log",
    ),
    Dialect("Empty cells of classes", typed={"unlabelled": "drop"}, label="blank"),
)


def measured(dialect: Dialect) -> list[Rows]:
    """Two files of a row every five minutes, over midnight, with a gap and classes that change."""
    rng = random.Random(0)
    files = []
    for start, n_rows, classes in (
        (dialect.start, 60, ("normal", "leak")),
        (dialect.start + timedelta(days=3, hours=10), 48, ("leak", "normal")),
    ):
        rows = []
        for number in range(n_rows):
            gap = timedelta(minutes=35 if number >= 10 else 0)
            values = [dialect.scale * (20 + rng.uniform(-9, 9)) for _ in dialect.sensors]
            label = classes[number >= n_rows // 2]
            rows.append((start + timedelta(minutes=5 * number) + gap, values, label))
        files.append(rows)
    return files


def write(folder: Path, dialect: Dialect) -> dict[str, Written]:
    """The files of a dialect as CSV, and how each is written."""
    written, files = {}, measured(dialect)
    for name, rows in zip(("a.csv", "b.csv"), files, strict=True):
        parts = {name: rows}
        if dialect.label == "folder":
            parts = {
                f"fault={label}/{name}": [row for row in rows if row[2] == label]
                for label in ("leak", "normal")
            }
        for own, chosen in parts.items():
            _write_file(folder / own, dialect, chosen)
            written[own] = dialect.how
    if dialect.label == "log":
        _write_log(folder / LOG, files)
    return written


def _write_file(path: Path, dialect: Dialect, rows: Rows) -> None:
    how, label = dialect.how, ["fault"] * (dialect.label in ("column", "blank"))
    path.parent.mkdir(parents=True, exist_ok=True)
    end = [""] * dialect.blank_ends
    with path.open("w", newline="", encoding=how.encoding) as file:
        file.writelines(f"{line}\n" for line in dialect.above)
        writer = csv.writer(file, delimiter=how.mark, lineterminator="\n")
        if how.long is not None:
            writer.writerow([*how.clock, *label, *how.long])
        else:
            writer.writerow([*how.clock, *dialect.sensors, *label, *how.beside, *end])
        if how.units:
            unit = ["degC" for _ in dialect.sensors]
            writer.writerow(["" for _ in how.clock] + unit + [""] * len(label))
        for number, (time, values, fault) in enumerate(rows):
            blank = dialect.label == "blank" and number < BLANK_ROWS
            shown = ["" if blank else fault] * len(label)
            clock = _clock_cells(time, how, late=dialect.late)
            cells = [_number_cell(value, how) for value in values]
            if dialect.missing and number in MISSING_ROWS:
                cells[0] = dialect.missing
            beside = [dialect.beside[number % 2]] * len(how.beside)
            if how.long is None:
                writer.writerow([*clock, *cells, *shown, *beside, *end])
                continue
            for name, cell in zip(dialect.sensors, cells, strict=True):
                writer.writerow([*clock, *shown, name, cell])
        if how.cut:
            file.write(clock[0])


def _clock_cells(time: datetime, how: Written, *, late: bool) -> list[str]:
    if how.time.startswith("unix"):
        return [str(int((time - datetime(1970, 1, 1)).total_seconds()) * int(how.time[4:]))]
    if how.time == "excel":
        return [f"{(time - datetime(1899, 12, 30)) / timedelta(days=1):.9f}"]
    text = time.strftime(how.time)
    if late and (time.hour, time.minute) == (0, 0):
        text = (time - timedelta(days=1)).strftime(how.time).replace("00:00:00", "24:00:00")
    return text.split(" ", 1) if len(how.clock) == 2 else [text]


def _number_cell(value: float, how: Written) -> str:
    text = f"{value:,.2f}" if how.thousands else f"{value:.2f}"
    return text.translate(str.maketrans({",": how.thousands, ".": how.decimal})) + how.unit


def _write_log(path: Path, files: Sequence[Rows]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["start", "end", "class"])
        for rows in files:
            own = [row[0] for row in rows if row[2] == "leak"]
            writer.writerow([own[0], own[-1], "leak"])
