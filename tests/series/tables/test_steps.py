"""One step for all rows, holes, exports that contradict each other, and settings."""

import numpy as np
import pytest

from dualgaf.errors import ConfigError, SeriesError, SourceError
from dualgaf.series.missing import cut_at_holes
from dualgaf.series.series import SeriesSet
from dualgaf.series.tables.source import TableSource
from table_folders import first_channel, folder_of, hour_of, rows_of

# -- one step -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "values"), [("mean", [2, 4.5]), ("last", [3, 5]), ("max", [3, 5])]
)
def test_rows_of_one_step(tmp_path, rule, values):
    # the fifth has no value, and the gap of the fourth quarter stays one
    rows = [*hour_of(1, 2, 3, 4, "", 5), "2024-01-12 12:45,7,a", "2024-01-12 12:50,9,a"]
    source = TableSource(
        folder_of(tmp_path, a__csv=rows_of(*rows)), step="15min", step_rule=rule, max_gap="5min"
    )
    series_set = source.load()
    last = {"mean": 8, "last": 9, "max": 9}[rule]
    assert first_channel(series_set) == [values, [last]]
    assert series_set.start_times == ("2024-01-12T12:00:00", "2024-01-12T12:45:00")


def test_a_step_of_two_classes_is_left_out_and_counted(tmp_path, caplog):
    rows = [
        *hour_of(1, 2, 3, 4),
        "2024-01-12 12:20,5,b",
        "2024-01-12 12:25,6,b",
        "2024-01-12 12:30,7,b",
    ]
    series_set = TableSource(folder_of(tmp_path, a__csv=rows_of(*rows)), step="15min").load()
    assert list(zip(series_set.labels, first_channel(series_set), strict=True)) == [
        ("a", [2]),
        ("b", [7]),
    ]
    assert "1 steps of 15min in which the class changes are left out" in caplog.text


def test_steps_that_all_have_two_classes_leave_nothing_and_say_what_to_type(tmp_path):
    rows = [f"2024-01-12 12:{5 * k:02d},{k % 5},{'ab'[k % 2]}" for k in range(12)]
    root = folder_of(tmp_path, a__csv=rows_of(*rows))
    with pytest.raises(SourceError, match=r"class changes in every step.*type data\.step=null"):
        TableSource(root, step="15min", window_size=2).load()
    assert len(TableSource(root, step=None, window_size=2).load()) == 12


def test_files_of_two_steps_become_one(tmp_path):
    fine = rows_of(*hour_of(*range(12)))
    coarse = rows_of("2024-02-12 12:00,1,a", "2024-02-12 12:15,2,a", "2024-02-12 12:30,3,a")
    series_set = TableSource(folder_of(tmp_path, a__csv=fine, b__csv=coarse), step="15min").load()
    assert first_channel(series_set) == [[1, 4, 7, 10], [1, 2, 3]]


def test_a_step_of_local_time_where_clocks_go_back(tmp_path):
    rows = [f"2024-10-27T{h:02d}:{m:02d}:00Z,{h},a" for h in range(3) for m in (0, 30)]
    source = TableSource(
        folder_of(tmp_path, a__csv=rows_of(*rows)), step="1h", time_zone="Europe/Berlin"
    )
    series_set = source.load()
    assert first_channel(series_set) == [[0, 1, 2]]
    assert [str(time)[11:16] for time in series_set.times[0]] == ["02:00", "02:00", "03:00"]


def test_a_step_of_a_numeric_clock(tmp_path):
    text = "step,temp,fault\n" + "".join(f"{k},{k},a\n" for k in range(10))
    assert first_channel(TableSource(folder_of(tmp_path, a__csv=text), step=5).load()) == [[2, 7]]


@pytest.mark.parametrize(
    ("text", "step", "told"),
    [
        (
            rows_of(*hour_of(1, 2)),
            "1min",
            "a.csv: data.step=1min is finer than its rows, which are 5min a",
        ),
        (
            rows_of(*hour_of(1, 2)),
            "7h",
            "a.csv: data.step=7h does not divide a day, and days are divided",
        ),
        (
            rows_of(*hour_of(1, 2)),
            5,
            "a.csv: data.step=5 does not fit: it has dates in column 'time'; type",
        ),
        (
            "step,x\n1,1\n2,2\n",
            "15min",
            "a.csv: data.step=15min does not fit: it has numbers in column",
        ),
        (
            "x\n1\n2\n",
            5,
            "a.csv: data.step=5 does not fit: it has no column of times; type data.step=n",
        ),
    ],
)
def test_steps_that_do_not_fit(tmp_path, text, step, told):
    with pytest.raises(SourceError) as caught:
        TableSource(folder_of(tmp_path, a__csv=text), step=step).load()
    assert str(caught.value).startswith(told)


def test_the_end_of_an_interval_at_midnight_is_of_the_day_before(tmp_path):
    rows = ["2024-01-12 23:30,1,a", "2024-01-13 00:00,2,a", "2024-01-13 00:30,3,a"]
    folder = folder_of(tmp_path, a__csv=rows_of(*rows))
    assert first_channel(TableSource(folder).load()) == [[1], [2, 3]]
    ends = TableSource(folder, stamps="end").load()
    assert first_channel(ends) == [[1, 2], [3]]
    assert ends.start_times == ("2024-01-12T23:00:00", "2024-01-13T00:00:00")
    one = folder_of(tmp_path, a__csv=rows_of(rows[0]))
    with pytest.raises(
        SourceError, match=r"a\.csv: data\.stamps=end needs two times to tell how lon"
    ):
        TableSource(one, stamps="end").load()


# -- holes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "values"),
    [
        (None, [[1, 2, 3, 4, 5, 6, 7]]),
        (3, [[1, 2, 3, 4, 5, 6, 7]]),
        (2, [[1, 2, 3], [7]]),
        (0, [[1], [3], [7]]),
    ],
)
def test_holes_that_are_too_long_end_a_series(tmp_path, caplog, limit, values):
    folder = folder_of(tmp_path, a__csv=rows_of(*hour_of(1, "", 3, "", "", "", 7)))
    series_set = TableSource(folder, nan="interpolate", fill_limit=limit).load()
    assert first_channel(series_set) == values
    lost = 7 - sum(map(len, values))
    assert (f"{lost} rows in holes of more than {limit} are left out" in caplog.text) == (lost > 0)


def test_nothing_but_holes():
    holes = SeriesSet.from_arrays(np.array([[[1.0, np.nan], [np.nan, 2.0]]]))
    with pytest.raises(
        SeriesError, match="every row lies in a hole of more than 0 rows; type data"
    ):
        cut_at_holes(holes, 0)
    whole = SeriesSet.from_arrays(np.array([[[1.0, 2.0]]]))
    assert cut_at_holes(whole, 0) == (whole, 0)


# -- exports that contradict ----------------------------------------------------------------------


VALUES = list(np.random.default_rng(0).normal(size=60).round(3))


def _export(first, last, shift=0.0, label="a"):
    return rows_of(*(f"2024-01-12 {k // 4:02d}:{k % 4 * 15:02d},{VALUES[k] + shift:.3f},{label}"
                   for k in range(first, last)))  # fmt: skip


@pytest.mark.parametrize(
    ("files", "rows"),
    [
        (
            (_export(0, 40), _export(30, 60, 1)),
            "2024-01-12 07:30:00 (data rows 31 and 1; 10 such times)",
        ),
        (
            (_export(0, 60), _export(0, 60).replace(f"{VALUES[30]:.3f}", "9.5")),
            "2024-01-12 07:30:00 (data rows 31 and 31; 1 such times)",
        ),
    ],
)
def test_two_exports_with_other_values_at_one_time(tmp_path, files, rows):
    folder = folder_of(tmp_path, a__csv=files[0], b__csv=files[1])
    with pytest.raises(SourceError) as caught:
        TableSource(folder, window_size=8).load()
    assert str(caught.value) == (
        f"a.csv and b.csv have other values at the same time, {rows}; if they are exports of one "
        'plant, remove the wrong one or choose files with data.pattern="..."; if they are two '
        "plants or runs, type data.same_time=keep"
    )
    assert len(TableSource(folder, window_size=8, same_time="keep").load()) >= 2


@pytest.mark.parametrize(
    "second",
    [_export(0, 60, 1), _export(30, 60, 1, "b"), _export(40, 60, 1), _export(30, 60)],
    ids=["a plant beside it", "a run of another class", "later times", "the same rows"],
)
def test_files_that_do_not_contradict(tmp_path, second):
    folder = folder_of(tmp_path, a__csv=_export(0, 40 if "b" not in second else 60), b__csv=second)
    if second == _export(0, 60, 1):
        folder = folder_of(tmp_path, a__csv=_export(0, 60))
    assert TableSource(folder, window_size=8).load().class_names[0] == "a"


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"year": "2024"}, "data.year='2024' is not allowed; allowed: whole numbers from 1000 on"),
        (
            {"year": 12345},
            "data.year=12345 is not allowed; allowed: 1000 to 9999; type data.year=2024",
        ),
        (
            {"time_zone": "Berlin"},
            "data.time_zone='Berlin' is not allowed; allowed: a zone such as Eu",
        ),
        (
            {"time_zone": 1},
            "data.time_zone=1 is not allowed; allowed: a zone such as Europe/Berlin",
        ),
        (
            {"stamps": "middle"},
            "data.stamps='middle' is not known; allowed: start, end; type data.st",
        ),
        (
            {"step": "15"},
            "data.step='15' is not allowed; allowed: a duration above zero (s, min, h, d)",
        ),
        ({"step": -1}, "data.step=-1 is not allowed; allowed: a duration above zero"),
        (
            {"step_rule": "sum"},
            "data.step_rule='sum' is not known; allowed: mean, last, max; type dat",
        ),
        (
            {"encoding": "klingon"},
            "data.encoding='klingon' is not known; allowed: utf-8, utf-16, cp1",
        ),
        ({"encoding": "hex"}, "data.encoding='hex' is not known; allowed: utf-8, utf-16, cp1252"),
        ({"encoding": "a\0b"}, "data.encoding='a\\x00b' is not known; allowed: utf-8"),
        (
            {"long": ["time", "tag"]},
            "data.long=['time', 'tag'] is not allowed; allowed: names of colu",
        ),
        (
            {"long": ["t", "t", "v"]},
            "data.long=['t', 't', 'v'] is not allowed; allowed: names of colu",
        ),
        (
            {"time_column": ["Date"]},
            "data.time_column=['Date'] is not allowed; allowed: auto, a name,",
        ),
        (
            {"fault_log": 3},
            "data.fault_log=3 is not allowed; allowed: a file, or null; type data.faul",
        ),
        (
            {"fault_log": "log.csv", "label": "file"},
            "data.fault_log gives the classes, and so does data.label; type data.label=auto",
        ),
        (
            {"fault_log": "log.csv", "label_column": "x"},
            "data.fault_log gives the classes, and so does data.label_column; type data",
        ),
        (
            {"same_time": "skip"},
            "data.same_time='skip' is not known; allowed: error, keep; type data",
        ),
        ({"fill_limit": -1}, "data.fill_limit=-1 is not allowed; allowed: whole numbers from 0 on"),
        (
            {"fill_limit": 3},
            "data.fill_limit=3 says which holes are filled, and data.nan=error fills",
        ),
    ],
)
def test_settings_of_dialects_fail_at_construction(fields, told):
    with pytest.raises(ConfigError) as caught:
        TableSource(**({"root": "plant"} | fields))
    assert str(caught.value).startswith(told)


def test_two_columns_of_time_are_named_and_missed(tmp_path):
    folder = folder_of(
        tmp_path, a__csv=rows_of("12.1.2024,12:00,1,a", head="Datum,Uhrzeit,temp,fault")
    )
    with pytest.raises(SourceError, match=r"type data\.time_column=\[Datum,Uhrzeit\]"):
        TableSource(folder, time_column=["Datum", "Zeit"]).load()
    assert TableSource(folder, time_column=["Datum", "Uhrzeit"]).load().start_times == (
        "2024-01-12T12:00:00",
    )
