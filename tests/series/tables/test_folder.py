"""What holds for a folder of tables: roles, labels, dead sensors, and what is said."""

import logging

import polars as pl
import pytest

from dualgaf.errors import SeriesError, SourceError
from dualgaf.series.tables.source import TableSource


def _folder(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_is_left_out_is_said(tmp_path, caplog):
    text = "time,temp,note,dead,valve,fault\n1,2.5,ok,,open,a\n2,3.5,late,,closed,a\n"
    assert TableSource(_folder(tmp_path, a__csv=text)).load().channel_names == ("temp", "valve")
    assert "columns of text are no channels: 'note' ('ok')" in caplog.text
    assert "columns without any value are no channels: 'dead'" in caplog.text
    assert "read as closed = 0, open = 1: 'valve'" in caplog.text


def test_nothing_is_said_of_a_plain_table(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    TableSource(_folder(tmp_path, a__csv="time,temp,fault\n1,2,a\n2,3,a\n")).load()
    assert not caplog.records


@pytest.mark.parametrize("name", ["Zeitstempel", "", "_time"])
def test_a_clock_is_found_under_any_name(tmp_path, caplog, name):
    text = f"{name},temp,fault\n2020-01-01 00:05,2,a\n2020-01-01 00:00,1,a\n"
    series_set = TableSource(_folder(tmp_path, a__csv=text)).load()
    assert series_set.values[0].tolist() == [[1, 2]]
    assert series_set.start_times == ("2020-01-01T00:00:00",)
    assert f"times are those of column {name!r}" in caplog.text


def test_two_clocks_are_asked_for(tmp_path):
    text = "begin,end,temp,fault\n2020-01-01 00:00,2020-01-01 00:05,1,a\n"
    folder = _folder(tmp_path, a__csv=text)
    with pytest.raises(SourceError, match="more than one column of times: 'begin', 'end'; type da"):
        TableSource(folder).load()
    assert TableSource(folder, time_column="begin").load().start_times == ("2020-01-01T00:00:00",)


RULES = {
    "predict": (("a", None, "b"), "are not learned, and go to predict"),
    "drop": (("a", "b"), "are left out"),
    "class": (("a", "normal", "b"), "are of class 'normal'"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("cell", ["", "NA", "?", "nan"])
def test_rows_without_a_label_are_asked_for(tmp_path, caplog, rule, cell):
    folder = _folder(tmp_path, a__csv=f"time,temp,fault\n1,2,a\n2,3,{cell}\n3,2,b\n")
    with pytest.raises(SourceError) as caught:
        TableSource(folder).load()
    assert str(caught.value).startswith("label column 'fault': 1 of 3 rows have no label, the cell")
    assert f"data.unlabelled={rule}" in str(caught.value)
    labels, told = RULES[rule]
    assert TableSource(folder, unlabelled=rule).load().labels == labels
    assert f"1 of 3 rows have no label and {told}" in caplog.text


def test_a_cell_is_one_class_in_every_file(tmp_path):
    files = {"a__csv": "time,t,fault\n1,2,01\n2,3,x\n", "b__csv": "time,t,fault\n1,5,1.0\n"}
    pl.DataFrame({"time": [1], "t": [3.5], "fault": [1.0]}).write_parquet(tmp_path / "c.parquet")
    assert TableSource(_folder(tmp_path, **files)).load().labels == ("1", "x", "1", "1")


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("name", ("leak", "leak")),
        ("path", ("north/leak", "south/leak")),
        ("folder", ("north", "south")),
    ],
)
@pytest.mark.parametrize("asked", ["auto", "file"])
def test_files_of_one_name_in_two_folders(tmp_path, label, names, asked):
    folder = _folder(tmp_path, north_in_leak__csv="t\n1\n2\n", south_in_leak__csv="t\n2\n1\n")
    with pytest.raises(SourceError) as caught:
        TableSource(folder, pattern="**/*.csv", label=asked).load()
    assert str(caught.value).startswith("north/leak.csv and south/leak.csv have one name, and the")
    assert f"data.label={label} " in str(caught.value)
    assert TableSource(folder, pattern="**/*.csv", label=label).load().labels == names


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (True, r"b\.csv has no column 'fault' \(data\.label_column\), which a\.csv has"),
        (
            False,
            r"b\.csv has a column of classes, 'fault', which a\.csv lacks; choose files of one",
        ),
    ],
)
def test_a_label_column_that_only_some_files_have(tmp_path, first, told):
    texts = ["time,temp,fault\n1,2,a\n", "time,temp\n1,2\n"]
    names = ("a__csv", "b__csv") if first else ("b__csv", "a__csv")
    with pytest.raises(SourceError, match=told):
        TableSource(_folder(tmp_path, **dict(zip(names, texts, strict=True)))).load()


def _days(*dead):
    lines = [f"2020-01-0{day} {h:02d}:00,{'' if day in dead else h % 5},1.5,a"
             for day in (1, 2, 3) for h in range(4)]  # fmt: skip
    return "time,flow,temp,fault\n" + "\n".join(lines) + "\n"


def test_a_day_without_a_sensor_is_left_out(tmp_path, caplog):
    series_set = TableSource(_folder(tmp_path, a__csv=_days(2)), nan="interpolate").load()
    assert [group[-10:] for group in series_set.groups] == ["2020-01-01", "2020-01-03"]
    assert (
        "1 of 3 series are left out, as a sensor has no value in them: flow of a.csv" in caplog.text
    )


def test_a_sensor_that_is_dead_in_one_file(tmp_path):
    folder = _folder(tmp_path, a__csv=_days(1, 2, 3), b__csv=_days().replace("2020-01", "2020-02"))
    series_set = TableSource(folder, nan="interpolate").load()
    assert series_set.channel_names == ("flow", "temp")
    assert {origin.source for origin in series_set.origins} == {"b.csv"}


def test_a_sensor_that_is_dead_in_every_series(tmp_path):
    folder = _folder(tmp_path, a__csv="time,t,u,fault\n1,1,,a\n2,,3,b\n")
    with pytest.raises(SeriesError) as caught:
        TableSource(folder, nan="interpolate").load()
    assert str(caught.value) == (
        "series 0 (a.csv, row 0), channel 'u' has no finite value, and so it is in every series; "
        "leave the channel out: type data.exclude=[u]"
    )


@pytest.mark.parametrize("typed", ["float", "int", "text"])
def test_null_values_hold_for_parquet(tmp_path, typed):
    cells = {"float": [20.0, -999.0, 26.0], "int": [20, -999, 26], "text": ["20", "-999.0", "26"]}
    frame = pl.DataFrame({"time": [1, 2, 3], "t": cells[typed], "fault": ["a"] * 3})
    frame.write_parquet(tmp_path / "a.parquet")
    source = TableSource(tmp_path, null_values=["-999"], nan="interpolate")
    assert source.load().values[0].tolist() == [[20, 23, 26]]
