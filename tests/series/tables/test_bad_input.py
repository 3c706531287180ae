"""Bad input of tables: options with wrong values, dialects mixed within a folder, broken logs.

Each ends in one message with the file, the row, what was got and what to type.
"""

from datetime import datetime, timedelta

import pytest

from dualgaf.errors import ConfigError, DualGAFError, NoTableError, SourceError
from dualgaf.series.tables.source import TableSource
from workbooks import workbook

HEAD = ["time", "temp", "flow", "fault"]
START = datetime(2024, 1, 9)
ROWS = [
    [START + k * timedelta(hours=1), k * k % 7 + 0.5, k % 5, "ab"[k // 24 % 2]] for k in range(96)
]


def text(rows=ROWS, head=HEAD, clock="%Y-%m-%d %H:%M", mark=","):
    lines = [[f"{time:{clock}}", *map(str, rest)] for time, *rest in rows]
    return "".join(f"{mark.join(line)}\n" for line in [head, *lines])


def load(folder, files, **options):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return TableSource(folder, **{"window_size": 6, **options}).load()


def told(folder, files, **options):
    with pytest.raises(SourceError) as caught:
        load(folder, files, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sheet": 1.5}, "data.sheet=1.5 is not allowed; allowed: a text, or null; type data.shee"),
        ({"sheet": ""}, "data.sheet='' is not allowed; allowed: a text, or null; type data.sheet="),
        ({"sheet": ["a", "b"]}, "data.sheet=['a', 'b'] is not allowed; allowed: a text, or null"),
        ({"plant_column": ""}, "data.plant_column='' is not allowed; allowed: a text, or null; ty"),
        ({"plant_column": ["a"]}, "data.plant_column=['a'] is not allowed; allowed: a text, or nu"),
        ({"scale_by": None}, "data.scale_by=None is not known; allowed: all, plant; type data.sca"),
        ({"split": {"method": "plants"}}, "data.split.method='plants' is not known; allowed: offi"),
        ({"pattern": ""}, "data.pattern='' is not allowed; allowed: a text, or null; type data.pa"),
        ({"pattern": "/x/*.csv"}, "data.pattern='/x/*.csv' is not allowed; allowed: names of file"),
        ({"label_column": ""}, "data.label_column='' is not allowed; allowed: a text, or null; ty"),
        ({"channels": ["a", "b", "a"]}, "data.channels=['a', 'b', 'a'] is not allowed; allowed: "
         "each name once; type data.channels=[a,b]"),
        ({"time_column": ["a", "a"]}, "data.time_column=['a', 'a'] is not allowed; allowed: auto,"),
        ({"unlabelled": "class", "unlabelled_class": None}, "data.unlabelled_class=None is not allo"
         "wed; allowed: the name of a class; type data.unlabelled_class=normal"),
        ({"unlabelled": "class", "unlabelled_class": "nan"}, "data.unlabelled_class='nan' is not "),
    ],
)  # fmt: skip
def test_options_with_wrong_values(fields, message):
    with pytest.raises(ConfigError) as caught:
        TableSource("x", **fields)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "utf-16"}, "a.csv is no UTF-16, and data.encoding=utf-16; type data.enc"),
        ({"separator": "tab"}, "a.csv: data.separator=tab cuts no line, and comma cuts them into"),
        ({"decimal": "comma"}, "a.csv, column 'temp', data row 1: '0.5' has a decimal point, an"),
        ({"plant_column": "time"}, "a.csv, column 'time' has the times, so it cannot say whi"),
        ({"plant_column": "fault"}, "a.csv, column 'fault' has the classes, so it cannot say whic"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_the_files(tmp_path, options, message):
    assert told(tmp_path, {"a.csv": text()}, **options).startswith(message)


def test_the_same_options_where_they_fit(tmp_path):
    plain = load(tmp_path / "a", {"a.csv": text()})
    for name, raw, options in (
        ("b", text().encode("utf-16-le"), {"encoding": "utf-16"}),
        ("c", text(mark="\t", head=HEAD), {"separator": "tab"}),
        ("d", text(mark=";").replace(".", ","), {"decimal": "comma"}),
        ("e", text(), {"plant_column": "fault", "label": "file"}),
    ):
        found = load(tmp_path / name, {"a.csv": raw}, **options)
        assert [v.tolist() for v in found.values] == [v.tolist() for v in plain.values]


def _book(rows=ROWS, head=HEAD, name="x"):
    return workbook({name: [head, *rows]})


LATER = [[row[0] + timedelta(days=10), *row[1:]] for row in ROWS]
PLANTS = [[*row, "north"] for row in LATER]
MIXED = {
    "other channels": (
        {
            "a.csv": text(),
            "b.xlsx": _book([row[:2] + row[3:] for row in LATER], ["time", "temp", "fault"]),
        },
        {},
        "b.xlsx does not have the same channels as a.csv: it lacks flow; all files of a set need t",
    ),
    "no class in one": (
        {"a.csv": text(), "b.xlsx": _book([row[:3] for row in LATER], HEAD[:3])},
        {},
        "b.xlsx has no column 'fault' (data.label_column), which a.csv has; it has: time, temp, fl",
    ),
    "numbers as times in one": (
        {"a.csv": text(), "b.xlsx": _book([[k, *row[1:]] for k, row in enumerate(LATER)])},
        {},
        "column 'time' has dates in a.csv and numbers in b.xlsx; choose files of one kind with dat",
    ),
    "a text among numbers": (
        {"a.csv": text(), "b.xlsx": _book([*LATER[:7], [LATER[7][0], "Bad", 1, "a"], *LATER[8:]])},
        {},
        "b.xlsx, column 'temp', data row 8: 'Bad' is not a number (1 such cells); if that means mi",
    ),
    "a time that is none": (
        {"a.csv": text(), "b.xlsx": _book([*LATER[:7], ["soon", 1, 1, "a"], *LATER[8:]])},
        {},
        "b.xlsx, time column 'time', data row 8: 'soon' is no time; known are ISO, month/day/year ",
    ),
    "a sheet of another name": (
        {"a.xlsx": _book(), "b.xlsx": _book(LATER, name="y")},
        {"sheet": "x"},
        "b.xlsx has no sheet 'x' (data.sheet); it has: y; type data.sheet=y",
    ),
    "units of one file": (
        {"a.csv": text(), "b.xlsx": _book([[None, "°C", "m3/h", None], *LATER])},
        {},
        "column 'temp' is in no unit in a.csv and in °C in b.xlsx; convert one of them, choose fil",
    ),
    "a header alone": (
        {"a.csv": text(), "b.xlsx": _book([])},
        {},
        "b.xlsx has a header and no data row",
    ),
    "a plant in some files": (
        {"a.csv": text(), "b.csv": text(PLANTS, [*HEAD, "site"])},
        {"plant_column": "site"},
        "a.csv has no column 'site' (data.plant_column); it has: time, temp, flow, fault; type",
    ),
    "a plant in the first files": (
        {"b.csv": text(), "a.csv": text(PLANTS, [*HEAD, "site"])},
        {"plant_column": "site"},
        "b.csv has no column 'site' (data.plant_column), which a.csv has; it has: time, temp, flow",
    ),
    "a folder of a plant, and none": (
        {"site=north/a.csv": text(), "b.csv": text(LATER)},
        {"plant_column": "site"},
        "b.csv has no column 'site' (data.plant_column); it has: time, temp, flow, fault; type",
    ),
    "a plant that its folder contradicts": (
        {"site=south/a.csv": text(PLANTS, [*HEAD, "site"])},
        {"plant_column": "site"},
        "site=south/a.csv, column 'site', data row 1 is 'north', and its folder says 'south'; rena",
    ),
    "dates of two orders": (
        {
            "a.csv": text([[r[0] + timedelta(9), *r[1:]] for r in ROWS], clock="%d/%m/%Y %H:%M"),
            "b.xlsx": _book([[f"{r[0]:%m/%d/%Y %H:%M}", *r[1:]] for r in LATER]),
        },
        {},
        "dates of a.csv are day/month/year and those of b.xlsx month/day/year; choose files of one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MIXED)
def test_dialects_that_are_mixed_within_a_folder(tmp_path, case):
    files, options, message = MIXED[case]
    assert told(tmp_path, files, **options).startswith(message)


def test_kinds_of_files_that_fit_are_read_together(tmp_path):
    found = load(tmp_path, {"a.csv": text(), "b.xlsx": _book(LATER)})
    assert found.facts.rows == 192


EMPTY = {
    "an empty file": ({"a.xlsx": b""}, "a.xlsx cannot be read: calamine error: Cannot detect file"),
    "an empty sheet": ({"a.xlsx": workbook({"x": []})}, "a.xlsx is empty (sheets: x); needed: a h"),
    "a header": ({"a.xlsx": workbook({"x": [HEAD]})}, "a.xlsx has a header and no data row"),
    "an empty CSV file": ({"a.csv": ""}, "a.csv is empty; needed: a header and data rows"),
    "a header of CSV": ({"a.csv": ",".join(HEAD)}, "a.csv has a header and no data row"),
}  # fmt: skip


@pytest.mark.parametrize("case", EMPTY)
def test_files_without_rows(tmp_path, case):
    files, message = EMPTY[case]
    assert told(tmp_path, files).startswith(message)


def _log(*rows):
    return [["start", "end", "class"], *rows]


LOGS = {
    "reversed": (
        _log([START, START + timedelta(hours=5), "a"], [START + timedelta(9), START, "b"]),
        "log.xlsx, data row 2 ends at 2024-01-09 00:00:00, before it starts at 2024-01-18 00:00:00",
    ),
    "overlapping": (
        _log([START, START + timedelta(2), "a"], [START + timedelta(1), START + timedelta(3), "b"]),
        "log.xlsx, data rows 1 and 2 overlap: 'a' from 2024-01-09 00:00:00 to 2024-01-11 23:59:59",
    ),
    "without a class": (
        _log([START, START + timedelta(2), "a"], [START + timedelta(3), LATER[0][0], None]),
        "log.xlsx, data row 2 has no class; write it there, or remove the row",
    ),
    "without an end": (
        _log([START, START + timedelta(2), "a"], [START + timedelta(3), None, "b"]),
        "log.xlsx, data row 2 has no end; write it there",
    ),
    "without a column": (
        [["start", "class"], [START, "a"]],
        "log.xlsx (data.fault_log) has no column 'end'; it has: start, class; needed: start, end a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOGS)
def test_fault_logs_that_are_broken(tmp_path, case):
    rows, message = LOGS[case]
    files = {"a.csv": text([row[:3] for row in ROWS], HEAD[:3]), "log.xlsx": workbook({"x": rows})}
    assert told(tmp_path, files, fault_log="log.xlsx").startswith(message)


def test_an_end_without_a_time_of_day_is_said_where_a_sheet_cannot_tell(tmp_path):
    rows = [["a", START, START + timedelta(1)], ["b", START + timedelta(2), START + timedelta(3)]]
    log = workbook({"x": [["class", "start", "end"], *rows]})
    files = {"a.csv": text([row[:3] for row in ROWS], HEAD[:3]), "log.xlsx": log}
    facts = load(tmp_path, files, fault_log="log.xlsx").facts
    assert facts.classes == {"a": 48, "b": 48}
    assert "an end without a time of day is the end of that day: log.xlsx" in facts.notes


def test_every_error_here_is_one_of_the_package():
    assert issubclass(NoTableError, SourceError)
    assert issubclass(SourceError, DualGAFError)
