"""Sheets of workbooks: the same table as that of a CSV file, or an error."""

import json
import sys
from datetime import date, datetime, time, timedelta

import pytest

pytest.importorskip("fastexcel")

from dualgaf.data.inspection import inspect_source
from dualgaf.errors import ConfigError, NoTableError, SourceError
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.dialects.units import take_units
from dualgaf.series.tables.files import read_table
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.source import TableSource
from workbooks import Error, workbook

START = datetime(2024, 1, 12, 22)
STEP = timedelta(minutes=5)
HEAD = ["time", "temp", "flow", "fault"]
ROWS = [
    [START + k * STEP, 20 + k * 7 % 13 / 4, 1000.5 + k * k % 17, "ab"[k // 20 % 2]]
    for k in range(60)
]
TABLE = [HEAD, *ROWS]


def _text(cell):
    """A cell as it stands in a CSV file."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, timedelta):
        minutes = cell // timedelta(minutes=1)
        return f"{minutes // 60}:{minutes % 60:02d}:{cell.seconds % 60:02d}"
    return "" if cell is None else str(cell)


def _csv(rows):
    return "".join(",".join(map(_text, row)) + "\n" for row in rows)


def _told(folder, name, content, **options):
    """What ``inspect --json`` says that must not depend on the kind of file."""
    path = folder / name.partition(".")[0] / f"x.{name.partition('.')[2]}"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = TableSource(path.parent, window_size=4, split=SplitSettings("within"), **options)
    found = json.loads(json.dumps(inspect_source(source, seed=0).as_json()))
    assert found["windows"] is not None, found["problems"]
    keys = ("rows", "step_seconds", "start", "end", "channels", "units", "classes", "windows",
            "windows_by_split", "windows_by_class", "lost", "label_column")  # fmt: skip
    return {key: found[key] for key in keys}


def _read(tmp_path, content, notes=None, **options):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    return read_table(path, "a.xlsx", notes=notes, **options)


def _pair(head, cells):
    return [[*head, "temp", "flow", "fault"], *([*cells(row[0]), *row[1:]] for row in ROWS)]


WAYS = {
    "dates": TABLE,
    "date and time of day": _pair(["Date", "Time"], lambda t: (t.date(), t.time())),
    "text": [HEAD, *([f"{row[0]:%Y-%m-%d %H:%M}", *row[1:]] for row in ROWS)],
    "a row of units": [HEAD, [None, "degC", "m3/h", None], *ROWS],
    "a switch": [[*HEAD, "pump"], *([*row, k % 3 == 0] for k, row in enumerate(ROWS))],
    "a duration": [
        [*HEAD, "ran"], *([*row, timedelta(minutes=90 * k)] for k, row in enumerate(ROWS))
    ],
    "numbers as classes": [HEAD, *([*row[:3], ord(row[3])] for row in ROWS)],
    "a number of the row": [["", *HEAD], *([f"r{k}", *row] for k, row in enumerate(ROWS))],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_sheet_and_a_csv_file_give_the_same_windows(tmp_path, way):
    sheet = _told(tmp_path, "s.xlsx", workbook({"x": WAYS[way]}))
    assert sheet == _told(tmp_path, "c.csv", _csv(WAYS[way]))
    assert (sheet["start"], sheet["end"]) == ("2024-01-12T22:00:00", "2024-01-13T02:55:00")
    assert sheet["windows"] == 12


def test_the_calendar_from_1904_gives_the_same_windows(tmp_path):
    rows = [[*row, timedelta(minutes=70 * k)] for k, row in enumerate(WAYS["date and time of day"])]
    rows[0][-1] = "ran"
    found = [
        _told(tmp_path, f"{year}.xlsx", workbook({"x": rows}, date_1904=year == 1904))
        for year in (1900, 1904)
    ]
    assert found[0] == found[1]


def test_cells_far_below_the_first_rows_stay_what_they_are(tmp_path):
    """The reader takes types from 1000 rows: a text becomes nothing, a 7 among switches true."""
    rows = [[k, 1.5, k % 2 == 0] for k in range(1200)]
    rows[1100] = [1100, "Bad", 7]
    found = _read(tmp_path, workbook({"x": [["n", "temp", "pump"], *rows]}))
    assert found.row(1100) == ("1100", "Bad", "7")
    assert found.row(1101) == ("1101", "1.5", "false")
    with pytest.raises(SourceError) as caught:
        TableSource(tmp_path, time_column=None, exclude=("n", "pump")).load()
    assert "a.xlsx, column 'temp', data row 1101: 'Bad' is not a number" in str(caught.value)


CELLS = [
    ([time(0, 5), time(23, 55)], ["00:05:00", "23:55:00"]),
    ([time(0, 0, 1, 500_000), time(1)], ["00:00:01.500", "01:00:00"]),
    ([timedelta(hours=25, minutes=1), timedelta(days=60)], ["25:01:00", "1440:00:00"]),
    ([timedelta(days=900, hours=6)], ["21606:00:00"]),
    ([date(2024, 1, 1), date(2024, 2, 1)], ["2024-01-01", "2024-02-01"]),
    ([START, datetime(2024, 1, 13)], ["2024-01-12 22:00:00", "2024-01-13 00:00:00"]),
    ([datetime(2024, 1, 1, 0, 0, 0, 250_000)], ["2024-01-01 00:00:00.250"]),
    ([datetime(2024, 1, 1), "never"], ["2024-01-01", "never"]),
    (["1904-01-01 00:05:00"], ["1904-01-01 00:05:00"]),
    ([0.1 + 0.2, 1e-7, 123456789012], ["0.3", "0.0000001", "123456789012"]),
    ([True, 1, "01"], ["true", "1", "01"]),
    ([Error("#N/A"), 2, Error("#DIV/0!"), Error("#NAME?")], [None, "2", None, None]),
    (["  ", 2], [None, "2"]),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "texts"), CELLS)
def test_each_cell_is_the_text_that_a_csv_file_would_have(tmp_path, cells, texts):
    found = _read(tmp_path, workbook({"x": [["n", "a"], *([k, c] for k, c in enumerate(cells))]}))
    assert found["a"].to_list() == texts


def test_dates_that_were_added_up_are_whole_seconds(tmp_path):
    # a third of a millisecond is lost a day: 23:59:59.999 is no other minute
    minute, first = 0.00069444444, 45292
    rows = [["t", "a"], *([datetime(1899, 12, 30) + timedelta(days=first + k * minute), k]
                          for k in range(2000))]  # fmt: skip
    found = _read(tmp_path, workbook({"x": rows}))["t"]
    assert found[1500] == "2024-01-02 01:00:00"
    assert found.str.len_chars().unique().to_list() == [19]


@pytest.mark.parametrize("first", [(0, 0), (3, 2)])
def test_where_the_table_begins_does_not_matter(tmp_path, first):
    found = _read(tmp_path, workbook({"x": TABLE}, first=first))
    assert found.columns == HEAD
    assert found.height == 60


def test_lines_around_a_table_are_left_out_and_said(tmp_path):
    notes = Notes()
    above = [["Plant north"], ["from", "2024"], []]
    rows = [*above, *TABLE, [], ["Source: the plant"]]
    found = _read(tmp_path, workbook({"x": rows}), notes)
    assert (found.columns, found.height) == (HEAD, 60)
    assert notes.lines() == [
        "lines above the header are left out (3): a.xlsx",
        "the last line has 1 of 4 cells and is left out: a.xlsx",
    ]
    # a last row of a time alone is a row without values, as in a CSV file
    assert _read(tmp_path, workbook({"x": [*TABLE, [START]]})).height == 61
    assert _read(tmp_path, workbook({"x": rows}), header_line=4).height == 60


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (["time", "temp", None, "fault"], ["time", "temp", "", "fault"]),
        ([None, "temp", "flow", "fault"], ["", "temp", "flow", "fault"]),
        (["time", "temp", "flow", None], ["time", "temp", "flow", ""]),
    ],
)
def test_a_column_without_a_name_is_no_reason_to_take_a_row_for_the_header(tmp_path, head, names):
    found = _read(tmp_path, workbook({"x": [["Plant"], head, *ROWS]}))
    assert (found.columns, found.height) == (names, 60)


def test_the_one_sheet_with_a_table_is_found_and_said(tmp_path):
    notes = Notes()
    sheets = {"read me": [["made by", "us"]], "data": TABLE, "old": TABLE, "nothing": []}
    found = _read(tmp_path, workbook(sheets, hidden=["old"]), notes)
    assert found.height == 60
    assert notes.lines() == [
        "sheet 'data' is read, others are left out (read me, old, nothing): a.xlsx"
    ]


def test_several_sheets_with_tables_are_asked_for_and_the_advice_works(tmp_path):
    raw = workbook({"north": TABLE, "2024": [HEAD, *ROWS[:20]]})
    with pytest.raises(SourceError) as caught:
        _read(tmp_path, raw)
    assert str(caught.value) == (
        "a.xlsx has more than one sheet with a table: 'north', '2024'; type data.sheet=north or "
        "'data.sheet=\"2024\"'"
    )
    assert _read(tmp_path, raw, sheet="north").height == 60
    assert TableSource(tmp_path, window_size=4, sheet=2024).load().facts.rows == 20


@pytest.mark.parametrize(
    ("sheets", "options", "told"),
    [
        ({"x": []}, {}, "a.xlsx is empty (sheets: x); needed: a header and data rows"),
        ({"x": [HEAD]}, {}, "a.xlsx has a header and no data row"),
        ({"x": [["a", "b"], ["c", "d"]]}, {}, "a.xlsx has no sheet with names above columns of nu"),
        ({"x": []}, {"sheet": "x"}, "a.xlsx, sheet 'x' is empty; needed: a header and data rows"),
        ({"x": TABLE}, {"sheet": "y"}, "a.xlsx has no sheet 'y' (data.sheet); it has: x; type dat"),
        ({"x": TABLE}, {"header_line": 99}, "a.xlsx, sheet 'x' has 61 rows; data.header_line=99 i"),
        ({"x": [*TABLE, [], ROWS[0]]}, {}, "a.xlsx, sheet 'x': row 62 is empty, and more rows st"),
        ({"x": [["t", "a", "a"], [1, 2, 3]]}, {}, "a.xlsx has two columns 'a'; give each its own"),
        (
            {"x": [["a", None], [None, 1]]},
            {"sheet": "x"},
            "a.xlsx, sheet 'x' has no names above col",
        ),
    ],
)
def test_sheets_that_cannot_be_read(tmp_path, sheets, options, told):
    with pytest.raises(SourceError) as caught:
        _read(tmp_path, workbook(sheets), **options)
    assert str(caught.value).startswith(told)


def test_a_broken_workbook(tmp_path):
    with pytest.raises(SourceError, match=r"a.xlsx cannot be read: .*; save its sheet as CSV"):
        _read(tmp_path, b"PK\x03\x04 no workbook")


def test_a_workbook_without_a_table_is_left_out_beside_others(tmp_path):
    (tmp_path / "a.csv").write_text(_csv(TABLE))
    (tmp_path / "README.xlsx").write_bytes(workbook({"x": [["made by", "us"], ["for", "you"]]}))
    (tmp_path / "~$a.xlsx").write_bytes(b"x")
    facts = TableSource(tmp_path, window_size=4).load().facts
    assert [file.name for file in facts.files] == ["a.csv"]
    assert "a workbook without a table is left out: README.xlsx" in facts.notes
    assert "a workbook is open elsewhere, and its mark is left out: ~$a.xlsx" in facts.notes
    (tmp_path / "a.csv").unlink()
    with pytest.raises(NoTableError):
        TableSource(tmp_path, window_size=4).load()


def test_half_of_a_plant_in_each_kind_of_file(tmp_path):
    (tmp_path / "a.csv").write_text(_csv([HEAD, *ROWS[:30]]))
    (tmp_path / "b.XLSX").write_bytes(workbook({"x": [HEAD, *ROWS[30:]]}))
    facts = TableSource(tmp_path, window_size=4).load().facts
    assert (facts.rows, facts.start, facts.end) == (
        60,
        "2024-01-12T22:00:00",
        "2024-01-13T02:55:00",
    )


def test_a_fault_log_may_be_a_sheet(tmp_path):
    (tmp_path / "a.csv").write_text(_csv([row[:3] for row in TABLE]))
    half = START + 30 * STEP
    log = [["start", "end", "class"], [START, half - STEP, "a"], [half, half + 29 * STEP, "b"]]
    (tmp_path / "log.xlsx").write_bytes(workbook({"x": log, "y": log}))
    options = {"window_size": 4, "fault_log": "log.xlsx"}
    with pytest.raises(SourceError, match=r"type data.sheet=x or data.sheet=y"):
        TableSource(tmp_path, **options).load()
    found = TableSource(tmp_path, **options, sheet="y").load()
    assert found.facts.classes == {"a": 30, "b": 30}


def test_a_sheet_that_is_named_where_no_file_has_sheets(tmp_path):
    (tmp_path / "a.csv").write_text(_csv(TABLE))
    with pytest.raises(
        SourceError, match=r"and no file of .* is a workbook .*type data.sheet=null"
    ):
        TableSource(tmp_path, sheet="x").load()
    with pytest.raises(ConfigError, match=r"data.sheet=True is not allowed"):
        TableSource(tmp_path, sheet=True)


def test_without_fastexcel_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(SourceError) as caught:
        _read(tmp_path, workbook({"x": TABLE}))
    assert str(caught.value) == (
        "a.xlsx is a workbook, which fastexcel reads, and that is not installed; type pip install "
        '"dualgaf[excel]", or save the sheet as CSV'
    )


def test_a_row_of_units_leaves_the_times_what_they_are(tmp_path):
    """The reader makes texts of numbers below a unit, and a datetime with a null of the times."""
    table = _read(tmp_path, workbook({"x": WAYS["a row of units"]}))
    rest, units = take_units(table, "a.xlsx", (), None, Notes())
    assert units == {"temp": "degC", "flow": "m3/h"}
    assert rest.row(0) == ("2024-01-12 22:00:00", "20", "1000.5", "a")
