"""`TableSource`: segments, groups, labels, errors, and the real files."""

import polars as pl
import pytest

from dualgaf.errors import ConfigError, SeriesError, SourceError, SplitError
from dualgaf.imaging.windows import window_starts
from dualgaf.series.splits import SplitSettings, split_series
from dualgaf.series.tables.source import TableSource


def _csv(tmp_path, text, name="plant.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path


def _timed(*cells, label="a", day="2020-01-01"):
    """Rows ``time,flow,fault`` at these minutes; flow counts from 0."""
    rows = [f"{day} {m // 60:02d}:{m % 60:02d},{i},{label}" for i, m in enumerate(cells)]
    return "datetime,flow,fault\n" + "\n".join(rows) + "\n"


def _flows(series_set):
    return [series.tolist()[0] for series in series_set.values]


def test_one_file_is_read_with_its_roles(tmp_path):
    text = "Datetime,sat ,name,oat,Fault\n1/13/2020 0:00,1,x,4,leak\n1/13/2020 0:05,2,y,5,leak\n"
    series_set = TableSource(_csv(tmp_path, text)).load()
    assert series_set.channel_names == ("sat", "oat")
    assert series_set.values[0].tolist() == [[1, 2], [4, 5]]
    assert series_set.labels == ("leak",)
    assert series_set.groups == ("plant.csv/2020-01-13",)
    assert series_set.start_times == ("2020-01-13T00:00:00",)
    assert (series_set.origins[0].source, series_set.origins[0].first_row) == ("plant.csv", 0)


def test_auto_gap_is_twice_the_median_step(tmp_path):
    text = _timed(0, 5, 10, 20, 31, 36)
    assert _flows(TableSource(_csv(tmp_path, text)).load()) == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize(("max_gap", "pieces"), [("5min", 3), ("10min", 2), ("1h", 1)])
def test_a_gap_of_ones_own(tmp_path, max_gap, pieces):
    text = _timed(0, 5, 10, 20, 31, 36)
    assert len(TableSource(_csv(tmp_path, text), max_gap=max_gap).load()) == pieces


def test_cuts_at_label_group_and_day(tmp_path):
    text = (
        "datetime,flow,unit,fault\n"
        "2020-01-01 23:50,0,u1,a\n2020-01-01 23:55,1,u1,a\n2020-01-02 00:00,2,u1,a\n"
        "2020-01-02 00:05,3,u1,b\n2020-01-02 00:00,4,u2,b\n"
    )
    folder = _csv(tmp_path, text)
    by_unit = TableSource(folder, group_columns=["unit"]).load()
    assert _flows(by_unit) == [[0, 1, 2], [3], [4]]
    assert by_unit.groups == ("plant.csv/u1", "plant.csv/u1", "plant.csv/u2")
    only_first = text.rsplit("2020", 1)[0].replace(",unit", "").replace(",u1", "")
    by_day = TableSource(_csv(tmp_path, only_first)).load()
    assert _flows(by_day) == [[0, 1], [2], [3]]
    assert [origin.first_row for origin in by_day.origins] == [0, 2, 3]


def test_rows_that_do_not_work_are_dropped_and_cut(tmp_path):
    text = "step,flow,on\n" + "".join(f"{i},{i},{int(i not in (2, 6))}\n" for i in range(9))
    source = TableSource(_csv(tmp_path, text), working_column="on")
    series_set = source.load()
    assert _flows(series_set) == [[0, 1], [3, 4, 5], [7, 8]]
    assert [origin.first_row for origin in series_set.origins] == [0, 3, 7]
    assert series_set.channel_names == ("flow",)


def test_a_given_gap_bridges_short_stops_as_the_earlier_script_did(tmp_path):
    rows = [(0, 1), (60, 0), (120, 1), (180, 0), (240, 0), (300, 1)]
    text = "datetime,flow,is_working\n" + "".join(
        f"2020-01-01 {m // 60:02d}:00,{i},{on}\n" for i, (m, on) in enumerate(rows)
    )
    source = TableSource(_csv(tmp_path, text), working_column="is_working", max_gap="2h")
    assert _flows(source.load()) == [[0, 2], [5]]


@pytest.mark.parametrize(
    ("cells", "value"), [("1,0", 1), ("1.0,0.0", 1), ("true,false", True), ("on,off", "on")]
)
def test_working_values_of_each_type(tmp_path, cells, value):
    on, off = cells.split(",")
    text = f"step,flow,w\n1,5,{on}\n2,6,{off}\n"
    source = TableSource(_csv(tmp_path, text), working_column="w", working_value=value)
    assert _flows(source.load()) == [[5]]


def test_rows_out_of_order_are_sorted_by_time(tmp_path):
    text = "step,flow,run\n3,3,1\n1,1,1\n2,20,2\n2,2,1\n1,10,2\n"
    series_set = TableSource(_csv(tmp_path, text)).load()
    assert _flows(series_set) == [[1, 2, 3], [10, 20]]
    assert [origin.first_row for origin in series_set.origins] == [0, 3]


def test_a_time_that_comes_twice(tmp_path):
    with pytest.raises(SourceError) as caught:
        TableSource(_csv(tmp_path, "step,flow\n1,0\n2,0\n1,0\n")).load()
    assert str(caught.value) == (
        "plant.csv: time 1 comes twice in group 'plant.csv' (again in data row 3); a group needs "
        "one row a time; name the columns that tell runs apart: type data.group_columns=[NAME], or "
        "type data.time_column=null for rows that are in order"
    )


def test_rows_without_a_time_column(tmp_path):
    source = TableSource(_csv(tmp_path, "speed,flow\n1,0\n1,1\n"), time_column=None)
    series_set = source.load()
    assert series_set.channel_names == ("speed", "flow")
    assert series_set.start_times == (None,)


def test_labels_from_files_and_numbers(tmp_path):
    _csv(tmp_path, "flow\n1\n2\n", "normal.csv")
    _csv(tmp_path, "flow\n1\n", "leak.2.csv")
    series_set = TableSource(tmp_path).load()
    assert series_set.labels == ("leak.2", "normal")
    assert series_set.groups == ("leak.2.csv", "normal.csv")
    pl.DataFrame({"flow": [1.0], "y": [3.0]}).write_parquet(tmp_path / "z.parquet")
    by_column = TableSource(tmp_path, pattern="*.parquet", label_column="y").load()
    assert by_column.labels == ("3",)
    assert by_column.channel_names == ("flow",)


def test_a_column_of_classes_is_no_channel_where_files_are_the_label(tmp_path):
    source = TableSource(_csv(tmp_path, "flow,fault\n1,0\n2,1\n"), label="file")
    assert source.load().channel_names == ("flow",)
    assert source.load().labels == ("plant",)


def test_rows_without_a_label_go_to_predict(tmp_path):
    text = "flow,fault\n" + "1,a\n2,b\n5,a\n7,b\n" * 2 + "3,\n"
    source = TableSource(_csv(tmp_path, text), unlabelled="predict", split={"method": "stratified"})
    assert len(split_series(source.load(), source.split, 0)["predict"]) == 1


def test_official_splits_from_a_column(tmp_path):
    text = "flow,fault,part\n1,a,train\n2,b,train\n3,a,test\n4,b,predict\n"
    source = TableSource(_csv(tmp_path, text), split_column="part")
    assert source.load().official == ("train", "train", "test", "predict")
    with pytest.raises(SourceError) as caught:
        TableSource(_csv(tmp_path, text.replace("test", "holdout")), split_column="part").load()
    assert str(caught.value) == (
        "plant.csv, column 'part': 'holdout' is no split; allowed: train, val, test, predict; "
        "type data.split_column=null"
    )


def test_the_row_index_of_pandas_is_no_channel(tmp_path):
    assert TableSource(_csv(tmp_path, ",flow\n0,5\n1,6\n")).load().channel_names == ("flow",)


def test_chosen_and_excluded_channels(tmp_path):
    folder = _csv(tmp_path, "a,b,c\n1,2,3\n")
    assert TableSource(folder, channels=["c", "a"]).load().values[0].tolist() == [[3], [1]]
    assert TableSource(folder, exclude=["b"]).load().channel_names == ("a", "c")


def test_columns_may_come_in_another_order_in_another_file(tmp_path):
    _csv(tmp_path, "a,b\n1,2\n", "1.csv")
    _csv(tmp_path, "b,a\n2,1\n", "2.csv")
    assert [s.tolist() for s in TableSource(tmp_path).load().values] == [[[1], [2]]] * 2


def test_missing_values_follow_the_policy(tmp_path):
    folder = _csv(tmp_path, "flow\n1\n#VALUE!\n3\n")
    with pytest.raises(SeriesError) as caught:
        TableSource(folder).load()
    assert str(caught.value).startswith(
        "series 0 (plant.csv, row 0), channel 'flow', index 1: nan (1 such values in this series)"
    )
    assert _flows(TableSource(folder, nan="interpolate").load()) == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"channels": ["mat", "flow"]},
            "plant.csv has no column 'mat' (data.channels); it has: datetime, flow, fault; type "
            "data.channels=[flow]",
        ),
        ({"label_column": "clas"}, "plant.csv has no column 'clas' (data.label_column); it has:"),
        ({"time_column": "t"}, "plant.csv has no column 't' (data.time_column); it has: "),
        ({"group_columns": ["run"]}, "plant.csv has no column 'run' (data.group_columns); it has"),
        ({"split_column": "part"}, "plant.csv has no column 'part' (data.split_column); it has: "),
        ({"working_column": "on"}, "plant.csv has no column 'on' (data.working_column); it has: "),
        ({"exclude": ["flows"]}, "plant.csv has no column 'flows' (data.exclude); it has: flow, "),
        ({"channels": ["fault"]}, "plant.csv, column 'fault', data row 1: 'a' is not a number ("),
        (
            {"exclude": ["flow"]},
            "plant.csv has no numeric column that could be a channel; it has: none without "
            "another role (are the cells separated by commas?)",
        ),
        (
            {"max_gap": 3},
            "plant.csv: data.max_gap=3 does not fit, column 'datetime' has dates; type "
            "data.max_gap=2h",
        ),
        (
            {"max_gap": "2h", "time_column": "flow", "channels": ["flow"]},
            "plant.csv: data.max_gap='2h' does not fit, column 'flow' has numbers; type "
            "data.max_gap=5",
        ),
        (
            {"max_gap": "2h", "time_column": None},
            "plant.csv: data.max_gap='2h' does not fit, rows have no time column; type "
            "data.max_gap=auto",
        ),
    ],
)
def test_files_that_do_not_fit(tmp_path, fields, text):
    with pytest.raises(SourceError) as caught:
        TableSource(_csv(tmp_path, _timed(0, 5)), **fields).load()
    assert str(caught.value).startswith(text)


def test_no_row_left_names_the_values_that_are_there(tmp_path):
    folder = _csv(tmp_path, "flow,on\n1,0\n2,2\n")
    with pytest.raises(SourceError) as caught:
        TableSource(folder, working_column="on").load()
    assert str(caught.value) == (
        f"no row of {folder} has on=1 (there: 0, 2); type data.working_value=... or "
        "data.working_column=null"
    )


def test_a_role_that_only_some_files_have(tmp_path):
    _csv(tmp_path, "flow,fault\n1,a\n", "1.csv")
    _csv(tmp_path, "flow\n1\n", "2.csv")
    with pytest.raises(SourceError) as caught:
        TableSource(tmp_path).load()
    assert str(caught.value) == (
        "2.csv has no column 'fault' (data.label_column), which 1.csv has; it has: flow; type "
        "'data.pattern=\"1.csv\"' to leave 2.csv out"
    )


def test_files_with_other_channels(tmp_path):
    _csv(tmp_path, "a,b\n1,2\n", "1.csv")
    _csv(tmp_path, "a,c\n1,2\n", "2.csv")
    with pytest.raises(SourceError, match=r"2\.csv does not have the same channels as 1\.csv"):
        TableSource(tmp_path).load()


def test_label_from_a_column_that_is_not_there(tmp_path):
    with pytest.raises(SourceError, match=r"has no column 'fault' \(data\.label_column\)"):
        TableSource(_csv(tmp_path, "flow\n1\n"), label="column").load()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"root": None}, "data.root=None is not allowed; allowed: a folder or a file; type data.r"),
        ({"label": "day"}, "data.label='day' is not known; allowed: auto, column, file, name, pa"),
        ({"channels": "sat"}, "data.channels='sat' is not allowed; allowed: a list of names; type"),
        ({"group_columns": [1]}, "data.group_columns=[1] is not allowed; allowed: a list of names"),
        ({"max_gap": "soon"}, "data.max_gap='soon' is not allowed; allowed: auto, a duration"),
        (
            {"time_format": 5},
            "data.time_format=5 is not allowed; allowed: a text, or null; type da",
        ),
        ({"working_value": [1]}, "data.working_value=[1] is not allowed; allowed: a number, a tex"),
        ({"unlabelled": "skip"}, "data.unlabelled='skip' is not known; allowed: predict, drop, cl"),
        ({"separator": ";"}, "data.separator=';' is not known; allowed: comma, semicolon, tab, pi"),
        ({"decimal": ","}, "data.decimal=',' is not known; allowed: auto, point, comma; type dat"),
        ({"header_line": 0}, "data.header_line=0 is not allowed; allowed: whole numbers from 1 o"),
        ({"nan": "zero"}, "data.nan='zero' is not known; allowed: error, interpolate; type"),
        ({"ragged": "cut"}, "data.ragged='cut' is not known; allowed: resample, pad, truncate, e"),
        ({"window_size": 1}, "data.window_size=1 is not allowed; allowed: whole numbers from 2"),
        ({"stride": 0}, "data.stride=0 is not allowed; allowed: whole numbers from 1 on; type"),
        (
            {"split": {"method": "day"}},
            "data.split.method='day' is not known; allowed: official, gro",
        ),
    ],
)
def test_settings_fail_at_construction(fields, text):
    with pytest.raises(ConfigError) as caught:
        TableSource(**({"root": "plant"} | fields))
    assert str(caught.value).startswith(text)


def test_lists_from_a_configuration_become_tuples():
    source = TableSource("plant", channels=["a"], exclude=["b"], null_values=["-", -999, -1.5])
    assert (source.channels, source.exclude) == (("a",), ("b",))
    assert source.null_values == ("-", "-999", "-1.5")


@pytest.mark.parametrize(
    ("name", "n_days", "n_channels"),
    [("MZVAV-2-1", 15, 17), ("MZVAV-2-2", 26, 17), ("SZCAV", 15, 14)],
)
def test_lbnl_day_by_day(shared_data, name, n_days, n_channels):
    root = shared_data / "lbnl_ahu"
    tidy = TableSource(root, pattern=f"{name}.tidy.csv.gz", nan="interpolate").load()
    assert len(tidy) == len(set(tidy.groups)) == n_days
    assert tidy.lengths == (1440,) * n_days
    assert len(tidy.channel_names) == n_channels
    original = TableSource(
        root / f"{name}.csv.gz",
        label_column="Fault Detection Ground Truth",
        nan="interpolate",
    ).load()
    assert original.start_times == tidy.start_times
    assert original.n_channels == tidy.n_channels
    for own, other in zip(original.values, tidy.values, strict=True):
        assert (own == other).all()


def test_lbnl_occupied_rows_with_the_suggested_split(shared_data):
    source = TableSource(
        shared_data / "lbnl_ahu" / "MZVAV-2-2.tidy.csv.gz",
        working_column="occupied",
        split_column="suggested_split",
        split=SplitSettings("official"),
    )
    days = source.load()
    assert days.lengths == (720,) * 26
    assert days.origins[1].first_row == 1440 + 360
    assert "occupied" not in days.channel_names
    splits = split_series(days, source.split, seed=0)
    assert sum(map(len, splits.values())) == 26
    starts, _ = window_starts(days.lengths, 96, 96)
    assert len(starts) == 26 * 7


def test_lbnl_real_mistakes_of_a_user(shared_data):
    root = shared_data / "lbnl_ahu"
    with pytest.raises(
        SourceError, match=r"has no column .Datetime. .*, which MZVAV-2-1\.csv\.gz has"
    ):
        TableSource(root).load()
    with pytest.raises(SourceError, match="does not have the same channels as"):
        TableSource(root, pattern="*.tidy.csv.gz").load()
    with pytest.raises(SourceError) as caught:
        TableSource(root / "SZCAV.csv.gz", null_values=[""], label="file").load()
    assert "'AHU: Mixed Air Temperature', data row 4131: '#VALUE!' is not a number (90" in str(
        caught.value
    )
    with pytest.raises(SeriesError, match=r"\(SZCAV\.tidy\.csv\.gz, row .*channel 'mat'.*: nan"):
        TableSource(root / "SZCAV.tidy.csv.gz").load()


def test_tennessee_eastman_runs_of_two_files_are_two_groups(shared_data):
    root = shared_data / "tennessee_eastman"
    runs = TableSource(root, group_columns=["fault"]).load()
    assert len(runs) == len(set(runs.groups)) == 44
    assert runs.n_channels == 52
    assert runs.class_names == tuple(str(fault) for fault in range(22))
    assert sorted(set(runs.lengths)) == [480, 500, 960]
    assert runs.start_times[0] == "1"
    with pytest.raises(SourceError, match="time 1 comes twice in group 'tep_test"):
        TableSource(root).load()


@pytest.mark.parametrize(("name", "cases"), [("lp1", 88), ("lp2", 47), ("lp3", 47), ("lp4", 117)])
def test_robot_failures_are_whole_series(shared_data, name, cases):
    source = TableSource(shared_data / "robot_failures" / f"{name}.csv", window_size=None)
    series_set = source.load()
    assert series_set.lengths == (15,) * cases
    assert series_set.channel_names == ("Fx", "Fy", "Fz", "Tx", "Ty", "Tz")
    assert set(split_series(series_set, source.split, seed=0)) == {"train", "val", "test"}


def test_one_class_only_says_so(tmp_path):
    text = "flow,run\n" + "".join(f"{i},{i}\n" for i in range(6))
    source = TableSource(_csv(tmp_path, text))
    with pytest.raises(SplitError, match="train has one class only, 'plant'"):
        split_series(source.load(), source.split, seed=0)
