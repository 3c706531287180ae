"""Random folders, read by us and row by row with the csv module: windows, classes, times."""

import csv
import random
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from dualgaf.data.windowed import read_windows
from dualgaf.series.series import clock_text
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.source import TableSource
from oracles import tables

FOLDERS = 60
DIALECTS = 120
PARQUET = 30


def _files(rng, labels="abc"):
    """Rows of files with gaps, classes that change, days that are too short: (time, values, class).

    Dates lie behind the 12th of a month, so that each file tells day from month.
    """
    n_sensors = rng.randint(1, 4)
    step = timedelta(seconds=rng.choice([1, 30, 60, 300]))
    time = datetime(2020, 1, 13, rng.randint(0, 23))
    for file in range(rng.randint(2, 4)):
        rows = []
        label = labels[file % len(labels)]
        for number in range(rng.randint(30, 200)):
            changes = number >= 20  # so that each folder has windows of two classes
            time += step * (rng.randint(3, 4000) if changes and rng.random() < 0.04 else 1)
            if time.day < 13:
                time = time.replace(day=13, hour=1)
            label = rng.choice(labels) if changes and rng.random() < 0.03 else label
            rows.append((time, [rng.uniform(-5, 5) for _ in range(n_sensors)], label))
        yield rows


def _write(folder, seed):
    """Plain files, rows now and then out of order."""
    rng = random.Random(seed)
    for number, rows in enumerate(_files(rng)):
        if rng.random() < 0.5:
            rng.shuffle(rows)
        sensors = [f"s{k}" for k in range(len(rows[0][1]))]
        lines = [["datetime", *sensors, "fault"]]
        lines += [[t.strftime(tables.FORMAT), *(f"{v:.3f}" for v in own), c] for t, own, c in rows]
        text = "\n".join(",".join(line) for line in lines)
        (folder / f"{number}.csv").write_text(text + "\n" * rng.randint(0, 2))
    return rng.randint(2, 9), rng.randint(1, 4)


def _ours(source):
    found = read_windows(source, seed=0)
    assert found.start_times is not None
    assert found.end_times is not None
    blocks = found.windows.block(0, len(found.windows))
    order = np.argsort(found.channel_names)
    return sorted(
        (
            found.groups[k].rsplit("/", 1)[0].replace(".parquet", ".csv"),
            found.class_names[found.labels[k]],
            clock_text(found.start_times[k]).replace("T", " "),
            clock_text(found.end_times[k]).replace("T", " "),
            blocks[k][order].tolist(),
        )
        for k in range(len(blocks))
    )


@pytest.mark.parametrize("seed", range(FOLDERS))
def test_windows_are_those_of_an_independent_reader(tmp_path, seed):
    steps, stride = _write(tmp_path, seed)
    expected = tables.windows(tmp_path, steps, stride)
    split = SplitSettings("stratified", val_fraction=0, test_fraction=0)
    ours = _ours(TableSource(tmp_path, window_size=steps, stride=stride, split=split))
    assert len(ours) > 0
    assert ours == expected
    np.testing.assert_array_equal([window[4] for window in ours], [w[4] for w in expected])


@pytest.mark.parametrize("seed", range(PARQUET))
def test_windows_of_parquet_are_those_of_an_independent_reader(tmp_path, seed):
    steps, stride = _write(tmp_path, seed)
    expected = tables.windows(tmp_path, steps, stride)
    _some_as_parquet(tmp_path, seed)
    split = SplitSettings("stratified", val_fraction=0, test_fraction=0)
    ours = _ours(TableSource(tmp_path, window_size=steps, stride=stride, split=split))
    assert len(ours) > 0
    assert ours == expected


def _some_as_parquet(folder, seed):
    """Most files as Parquet; rows of some in small groups, times in other units."""
    rng = random.Random(seed)
    for path in sorted(folder.glob("*.csv")):
        if rng.random() < 0.8:
            frame = pl.read_csv(path, try_parse_dates=True).drop_nulls()  # blank lines
            unit = rng.choice(["ms", "us", "ns"])
            frame = frame.with_columns(pl.col("datetime").cast(pl.Datetime(unit)))
            frame.write_parquet(path.with_suffix(".parquet"), row_group_size=rng.choice([20, None]))
            path.unlink()


# Clocks that may stand in one folder: the columns, and the formats of files
CLOCKS = {
    "one column": (
        ("Zeitpunkt",),
        (
            tables.FORMAT,
            "%Y-%m-%dT%H:%M:%S",
            "%d.%m.%Y %H:%M:%S",
            "%d.%m.%y %H:%M:%S",
            "%m/%d/%Y %I:%M:%S %p",
            "%m/%d/%y %H:%M:%S",
            "%d-%b-%Y %H:%M:%S",
            "%Y%m%d%H%M%S",
            "excel",
        ),
    ),
    "two columns": (
        ("Datum", "Uhrzeit"),
        (tables.FORMAT, "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d-%b-%y %H:%M:%S"),
    ),
    "UTC": (("ts",), ("%Y-%m-%dT%H:%M:%SZ", "unix1", "unix1000", "unix1000000")),
    "an offset": (("",), ("%Y-%m-%dT%H:%M:%S+01:00", "%d.%m.%Y %H:%M:%S +0100")),
    "a mark": (("Date/Time",), ("%m/%d/%Y %H:%M:%S CST", "%b %d, %Y %I:%M:%S %p CST")),
}
SHAPES = ("wide", "wide", "wide", "long", "InfluxDB")
LABELS = ("column", "column", "folder", "log")


def _clock_cells(time, how, n, late):
    """The cells of a time; ``late``: midnight is written as 24:00 of the day before."""
    if how.startswith("unix"):
        return [str(int((time - datetime(1970, 1, 1)).total_seconds()) * int(how[4:]))]
    if how == "excel":
        return [f"{(time - datetime(1899, 12, 30)) / timedelta(days=1):.9f}"]
    text = time.strftime(how)
    if late and "%H" in how and (time.hour, time.minute, time.second) == (0, 0, 0):
        text = (time - timedelta(days=1)).strftime(how).replace("00:00:00", "24:00:00")
    return text.split(" ", 1) if n == 2 else [text]


def _number_cell(value, how):
    text = f"{value:,.2f}" if how.thousands else f"{value:.2f}"
    return text.translate(str.maketrans({",": how.thousands, ".": how.decimal})) + how.unit


def _how(rng, clock, formats, shape, unit):
    """How one file is written; decimals are two, so that a comma has one meaning."""
    decimal = rng.choice(".,")
    above = rng.choice([0, 0, 0, 1, 3])
    plain = shape == "InfluxDB"
    return tables.Written(
        mark="," if plain else rng.choice(",;\t|"),
        encoding=rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        above=0 if plain else above,
        units=shape == "wide" and unit == "row",
        cut=not plain and rng.random() < 0.3,
        clock=clock,
        time=rng.choice(formats),
        thousands=rng.choice(["", "", ",."[decimal == ","]]),
        decimal=decimal,
        unit="" if unit == "row" else unit,
        long={"wide": None, "long": ("tag", "value"), "InfluxDB": ("_field", "_value")}[shape],
        beside=() if shape != "wide" or rng.random() < 0.7 else ("note",),
    )


def _lines(rng, rows, how, shape, label, names):
    """Header and rows as cells."""
    late = rng.random() < 0.3
    with_label = ["fault"] * (label == "column")
    body = []
    for time, values, fault in rows:
        clock = _clock_cells(time, how.time, len(how.clock), late)
        cells = [_number_cell(value, how) for value in values]
        if shape == "wide":
            body.append([*clock, *cells, *with_label, *how.beside])
            body[-1][len(clock) + len(cells) :] = [fault] * len(with_label) + ["ok"] * len(
                how.beside
            )
            continue
        for name, cell in zip(names, cells, strict=True):
            extra = ["", "0"] if shape == "InfluxDB" else []
            body.append([*extra, *clock, *[fault] * len(with_label), name, cell])
    if shape == "wide":
        return [*how.clock, *names, *with_label, *how.beside], body
    extra = ["result", "table"] if shape == "InfluxDB" else []
    return [*extra, *how.clock, *with_label, *how.long], body


def _write_file(path, rng, rows, how, shape, label):
    names = [f"t{k} °C" for k in range(len(rows[0][1]))]
    header, body = _lines(rng, rows, how, shape, label, names)
    if shape == "wide" and rng.random() < 0.5:
        rng.shuffle(body)
    lines = [header, *body]
    if how.units:
        lines.insert(1, ["degC" if name in names else "" for name in header])
    if rng.random() < 0.2:
        lines = [[*line, ""] for line in lines]  # a separator at the end of each line
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding=how.encoding) as file:
        for number in range(how.above):
            file.write(f"exported part {number}\n")
        if shape == "InfluxDB" and rng.random() < 0.5:
            file.write("#group,false,false\n#default,_result,\n")
        csv.writer(file, delimiter=how.mark, lineterminator=rng.choice(["\n", "\r\n"])).writerows(
            [*lines, body[-1][:1]] if how.cut else lines
        )


def _write_log(path, files):
    """Each run of a class is a fault, but those of class c."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["start", "end", "class"])
        for rows in files:
            start = 0
            for k in range(1, len(rows) + 1):
                if k == len(rows) or rows[k][2] != rows[start][2]:
                    if rows[start][2] != "c":
                        writer.writerow([rows[start][0], rows[k - 1][0], rows[start][2]])
                    start = k


def _write_dialects(folder, seed):
    """Files of one folder, each in a dialect of its own: how they are written, and the options."""
    rng = random.Random(seed)
    shape, label = rng.choice(SHAPES), rng.choice(LABELS)
    shape = "wide" if label == "log" and shape == "InfluxDB" else shape
    unit = rng.choice(["", "", " °F", "%", "row"])
    local = ["one column", "two columns"]  # as the log is written
    kind = rng.choice(local if label == "log" else list(CLOCKS))
    clock, formats = CLOCKS["UTC" if shape == "InfluxDB" else kind]
    clock = ("_time",) if shape == "InfluxDB" else clock
    formats = formats[:1] if shape == "InfluxDB" else formats
    options, written = {}, {}
    files = list(_files(rng))
    for number, rows in enumerate(files):
        how = _how(rng, clock, formats, shape, unit)
        name = f"{number}.{rng.choice(['csv', 'CSV', 'tsv'])}"
        if label == "folder":
            name = f"fault={'abc'[number % 3]}/{name}"
        _write_file(folder / name, rng, rows, how, shape, label)
        written[name] = how
    if shape == "long":
        options["long"] = [*clock, "tag", "value"]
    if label == "log":
        _write_log(folder / "log.csv", files)
        options |= {"fault_log": "log.csv", "unlabelled": "drop"}
    return written, options, "log.csv" if label == "log" else None, rng.randint(2, 6)


@pytest.mark.parametrize("seed", range(DIALECTS))
def test_windows_of_folders_in_many_dialects(tmp_path, seed):
    written, options, log, steps = _write_dialects(tmp_path, seed)
    expected = tables.windows(tmp_path, steps, 2, written, log)
    split = SplitSettings("stratified", val_fraction=0, test_fraction=0)
    ours = _ours(TableSource(tmp_path, window_size=steps, stride=2, split=split, **options))
    assert len(ours) > 0
    assert ours == expected
