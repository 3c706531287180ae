"""Frames in memory: the windows of the same cells in a file, or an error in words for Python."""

import itertools
import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf import DualGAFDataModule, FrameSource, TableSource, inspect_frame
from dualgaf.data.inspection import inspect_source
from dualgaf.data.windowed import read_windows
from dualgaf.errors import ConfigError, SeriesError, SourceError, SplitError
from dualgaf.series.doors import in_python
from dualgaf.series.tables.frame_kinds import as_table

N = 96
START = datetime(2024, 3, 1)


def cells(n=N, step=30):
    """Two days, one class a day."""
    k = np.arange(n)
    return {
        "time": [START + timedelta(minutes=step * int(i)) for i in k],
        "temp": 20 + k * 7 % 13 / 4,
        "flow": 1000.5 + k * k % 17,
        "fault": ["ok" if i < n // 2 else "stuck" for i in k],
    }


def polars_frame(**options):
    return pl.DataFrame(cells(**options))


def pandas_frame(**options):
    return pd.DataFrame(cells(**options))


def seen(source):
    """Windows, labels, groups and times, to the bit."""
    found = source.load()
    return (
        [values.tobytes() for values in found.values],
        [values.dtype for values in found.values],
        found.labels,
        found.channel_names,
        found.start_times,
        [None if time is None else time.tolist() for time in found.times],
    )


def as_categories(frame):
    return frame.with_columns(pl.col("fault").cast(pl.Categorical))


def with_index(frame):
    return frame.set_index("time")


def with_nameless_index(frame):
    return frame.set_index(pd.DatetimeIndex(frame["time"], name=None)).drop(columns="time")


def with_nullable(frame):
    return frame.astype({"temp": "Float64", "flow": "Float64", "fault": "string"})


def with_periods(frame):
    return frame.assign(time=pd.PeriodIndex(frame["time"], freq="30min"))


KINDS = {
    "polars": polars_frame,
    "lazy": lambda: polars_frame().lazy(),
    "polars categories": lambda: as_categories(polars_frame()),
    "polars enum": lambda: polars_frame().with_columns(
        pl.col("fault").cast(pl.Enum(["stuck", "ok"]))
    ),
    "in several chunks": lambda: pl.concat(
        [polars_frame()[:10], polars_frame()[10:]], rechunk=False
    ),
    "pandas": pandas_frame,
    "pandas index": lambda: with_index(pandas_frame()),
    "pandas nameless index": lambda: with_nameless_index(pandas_frame()),
    "pandas nullable": lambda: with_nullable(pandas_frame()),
    "pandas categories": lambda: pandas_frame().astype({"fault": "category"}),
    "pandas periods": lambda: with_periods(pandas_frame()),
    "pandas, rows left out before": lambda: pandas_frame(n=N)[lambda f: f["temp"] > 0],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_has_the_windows_of_a_file(tmp_path, kind):
    polars_frame().write_parquet(tmp_path / "frame.parquet")
    expected = seen(TableSource(tmp_path / "frame.parquet", window_size=12))
    assert len(expected[0]) == 2
    assert seen(FrameSource(KINDS[kind](), window_size=12)) == expected


@pytest.mark.parametrize("kind", ["table", "stream", "nullable"])
def test_what_arrow_streams_has_the_windows_of_a_file(kind):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    table = polars_frame().to_arrow()
    if kind == "nullable":
        table = table.to_pandas(types_mapper=pd.ArrowDtype)
    elif kind == "stream":
        table = table.to_reader()
    assert seen(FrameSource(table, window_size=12)) == seen(
        FrameSource(polars_frame(), window_size=12)
    )


def test_a_stream_of_no_library_is_read_once():
    class Stream:
        """What a database hands out: it can be asked for once."""

        def __init__(self, frame):
            self.frame, self.asked = frame, 0

        def __arrow_c_stream__(self, requested_schema=None):
            self.asked += 1
            return self.frame.__arrow_c_stream__(requested_schema)

    stream = Stream(polars_frame())
    source = FrameSource(stream, window_size=12)
    assert seen(source) == seen(source) == seen(FrameSource(polars_frame(), window_size=12))
    assert stream.asked == 1


def test_pandas_is_read_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    frame = with_nullable(pandas_frame()).astype({"fault": "category"})
    assert len(FrameSource(frame, window_size=12).load()) == 2


def test_of_a_lazy_frame_only_needed_columns_travel():
    def never(values):
        raise AssertionError("a column that nothing looks at was asked for")

    lazy = polars_frame().lazy()
    extra = pl.col("temp").map_batches(never, return_dtype=pl.Float64).alias("extra")
    source = FrameSource(lazy.with_columns(extra), window_size=12, channels=["temp", "flow"])
    assert source.load().facts.left_out == {"extra": "not chosen"}


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "UTC", timezone(timedelta(hours=-3)), "America/Chicago"]
)
def test_times_with_a_zone_are_those_of_a_file(tmp_path, zone):
    """Over the night in which clocks go forward in Berlin."""
    first = pd.Timestamp("2024-03-30 12:00", tz=zone)
    times = pd.date_range(first, periods=N, freq="30min")
    frame = pandas_frame().assign(time=times)
    frame.to_csv(tmp_path / "frame.csv", index=False)
    expected = TableSource(tmp_path / "frame.csv", window_size=4)
    source = FrameSource(frame, window_size=4)
    assert source.load().start_times == expected.load().start_times
    assert seen(source) == seen(expected)


def test_nat_in_the_clock_is_named():
    frame = pandas_frame()
    frame.loc[3, "time"] = pd.NaT
    with pytest.raises(SourceError, match=r"frame.*'time', data row 4"):
        FrameSource(frame, window_size=12).load()


def test_missing_numbers_of_every_kind_are_missing():
    plain, nullable = pandas_frame(), with_nullable(pandas_frame())
    plain.loc[5, "temp"], nullable.loc[5, "temp"] = np.nan, pd.NA
    given_null = polars_frame().with_columns(
        temp=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise("temp")
    )
    filled = [
        seen(FrameSource(frame, window_size=12, nan="interpolate"))
        for frame in (plain, nullable, given_null)
    ]
    assert filled[0] == filled[1] == filled[2]
    with pytest.raises(ValueError, match='nan="interpolate"'):
        FrameSource(nullable, window_size=12).load()


def test_names_of_frames_are_classes_where_no_column_is():
    rows = polars_frame().drop("fault")
    source = FrameSource({"good": rows, "stuck": rows.with_columns(temp=0.0)}, window_size=12)
    assert set(source.load().labels) == {"good", "stuck"}


def test_a_single_frame_without_classes_is_refused():
    rows = polars_frame().drop("fault")
    with pytest.raises(SourceError, match=r"no column of classes.*label_column=NAME"):
        FrameSource(rows, window_size=12).load()
    with pytest.raises(SourceError, match="no column of classes"):
        FrameSource({"train": rows, "test": rows}, window_size=12).load()


def test_a_fault_log_may_be_a_frame():
    rows = polars_frame().drop("fault")
    log = pd.DataFrame({"start": [START], "end": [START + timedelta(hours=5)], "class": ["stuck"]})
    source = FrameSource(rows, window_size=4, fault_log=log, unlabelled="class")
    found = source.load()
    assert found.labels == ("stuck", "normal", "normal")
    assert found.facts.labels_from == "fault log fault_log"
    with pytest.raises(SourceError, match="fault_log is a str"):
        FrameSource(rows, fault_log="faults.csv")


def test_from_frame_keeps_splits_apart():
    day = polars_frame()
    later = day.with_columns(pl.col("time").dt.offset_by("10d"), pl.col("temp") + 0.1)
    data = DualGAFDataModule.from_frame(day, val=later, window_size=12, image_size=8)
    assert {name: len(rows) for name, rows in data.windows.indices.items()} == {
        "train": 8,
        "val": 8,
    }
    assert data.windows.channel_names == ("temp", "flow")


def test_from_frame_takes_mappings_with_the_same_classes():
    rows = polars_frame().drop("fault")
    later = rows.with_columns(pl.col("time").dt.offset_by("10d"), pl.col("temp") + 0.1)
    data = DualGAFDataModule.from_frame(
        {"good": rows, "stuck": rows.with_columns(flow=pl.col("flow") * 2)},
        test={"good": later, "stuck": later.with_columns(flow=pl.col("flow") * 2)},
        window_size=12,
    )
    assert data.windows.class_names == ("good", "stuck")
    assert {name: len(rows) for name, rows in data.windows.indices.items()} == {
        "train": 16,
        "test": 16,
    }


def test_from_frame_of_one_frame_splits_it_by_its_own_groups():
    parts = [
        polars_frame().with_columns(pl.col("time").dt.offset_by(f"{10 * k}d"), run=pl.lit(k))
        for k in range(4)
    ]
    options = {"window_size": 12, "group_columns": ["run"], "seed": 0}
    data = DualGAFDataModule.from_frame(pl.concat(parts), split={"method": "group"}, **options)
    assert {"train", "val", "test"} == {*data.windows.indices}
    with pytest.raises(ConfigError, match="split says how rows are split"):
        DualGAFDataModule.from_frame(parts[0], test=parts[1], split={"method": "group"})


@pytest.mark.parametrize(
    ("frame", "options", "told"),
    [
        ([1, 2], {}, "frame is a list; allowed: a frame of pandas or polars"),
        ({}, {}, "frames is empty"),
        (polars_frame()[:0], {}, "frame has no row"),
        (polars_frame(), {"label_column": "x"}, "no column 'x' .label_column.*label_column=NAME"),
        (polars_frame(), {"window_size": 1}, "^window_size=1 is not allowed"),
        (polars_frame(), {"nan": "x"}, 'type nan="interpolate"'),
        (polars_frame().with_columns(temp=pl.lit("x")), {"channels": ["temp"]}, "channels=None"),
        (pandas_frame().set_axis(["time", "a", "a", "fault"], axis=1), {}, "two columns 'a'"),
        (polars_frame().rename({"temp": "flow "}), {}, "two columns 'flow'"),
    ],
)
def test_a_frame_that_cannot_be_read_is_refused_in_words_for_python(frame, options, told):
    with pytest.raises(ValueError, match=told) as error:
        FrameSource(frame, **options).load()
    assert "data." not in str(error.value).replace("data row", "")


def test_splits_and_windows_are_refused_in_words_for_python():
    with pytest.raises(SplitError, match="for 3 splits") as error:
        read_windows(FrameSource(polars_frame()[:40], window_size=4), seed=0)
    assert 'type split={"method": "within"}' in str(error.value)


def test_inspect_finds_all_that_must_be_decided():
    frame = polars_frame().with_columns(count=pl.int_range(pl.len()))
    found = inspect_source(FrameSource(frame, window_size=12), seed=0)
    assert any("exclude=" in problem.what for problem in found.problems)
    assert not any("data.exclude" in problem.what for problem in found.problems)


def test_inspect_frame_is_inspect_source_of_the_same_frames():
    rows = polars_frame()
    options = {"window_size": 4, "split": {"method": "within"}}
    found = inspect_frame(rows, **options)
    other = inspect_source(FrameSource(rows, **options), seed=0)
    assert found.as_json() == other.as_json()
    assert not found.problems
    later = rows.with_columns(pl.col("time").dt.offset_by("7d"))
    official = inspect_frame(rows, test=later, window_size=12)
    assert {*official.splits} == {"train", "test"}
    assert inspect_frame(rows.lazy(), **options).as_json() == found.as_json()


def test_what_inspect_frame_finds_is_in_words_for_python():
    few = inspect_frame(polars_frame()[:40], window_size=4)
    (problem,) = few.problems
    assert 'type split={"method": "within"}' in problem.what
    assert not any("data." in text for text in (*few.notes, problem.what, problem.type_this))
    with pytest.raises(ConfigError, match=r"'windowsize' is not known; .* window_size=\.\.\.$"):
        inspect_frame(polars_frame(), windowsize=4)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("type data.nan=interpolate", 'type nan="interpolate"'),
        ("data.time_column=null;", "time_column=None;"),
        ("data.exclude=[sat,oat]", 'exclude=["sat", "oat"]'),
        ('\'data.exclude=["a b","c"]\'', 'exclude=["a b", "c"]'),
        ("data.split.method=group)", 'split={"method": "group"})'),
        ("data.label_column=NAME or data.step=5", "label_column=NAME or step=5"),
        ("(data.fault_log) needs", "(fault_log) needs"),
        ("in data row 3", "in data row 3"),
    ],
)
def test_options_are_told_as_keywords(typed, told):
    assert in_python(typed) == told


def test_equal_frames_have_equal_contents():
    base = FrameSource(polars_frame(), window_size=12)
    assert base.contents() == FrameSource(polars_frame().lazy(), window_size=12).contents()
    changed = polars_frame().with_columns(
        temp=pl.when(pl.int_range(pl.len()) == 95).then(-1.0).otherwise("temp")
    )
    others = [
        FrameSource(changed, window_size=12),
        FrameSource(polars_frame(), window_size=11),
        FrameSource({"other": polars_frame()}, window_size=12),
        FrameSource(polars_frame().with_columns(pl.col("temp").cast(pl.Float32)), window_size=12),
    ]
    hashes = [source.contents() for source in (base, *others)]
    assert len(set(hashes)) == len(hashes)
    assert all(a != b for a, b in itertools.combinations(hashes, 2))


def test_a_datamodule_of_frames_finds_its_windows_in_the_cache(tmp_path, monkeypatch):
    options = {"window_size": 12, "image_size": 8, "cache_dir": tmp_path}
    options["test"] = polars_frame().with_columns(pl.col("temp") + 0.1)
    first = DualGAFDataModule.from_frame(polars_frame(), **options)
    expected = first.windows.windows.flat.tobytes()
    monkeypatch.setattr(FrameSource, "load", lambda source: pytest.fail("read again"))
    second = DualGAFDataModule.from_frame(polars_frame(), **options)
    assert second.windows.windows.flat.tobytes() == expected


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))


@given(
    columns=st.dictionaries(
        st.text("abcxyz", min_size=1, max_size=4).filter(lambda n: n not in ("time", "date")),
        st.lists(numbers, min_size=12, max_size=12, unique=True),
        min_size=1,
        max_size=4,
    ),
    steps=st.integers(2, 6),
)
def test_frames_of_pandas_and_polars_are_the_csv_of_their_cells(tmp_path_factory, columns, steps):
    times = [START + timedelta(minutes=5 * k) for k in range(12)]
    table = pl.DataFrame({"time": times, **columns, "fault": ["a"] * 6 + ["b"] * 6})
    path = tmp_path_factory.mktemp("frames") / "frame.csv"
    table.write_csv(path)
    options = {"window_size": steps, "channels": list(columns)}
    expected = seen(TableSource(path, **options))
    assert seen(FrameSource(table, **options)) == expected
    assert seen(FrameSource(pd.DataFrame(table.to_dict(as_series=False)), **options)) == expected


def test_the_row_number_of_a_pandas_frame_is_no_column():
    frame = pandas_frame()[10:]
    assert "index" not in as_table(frame, "frame").columns
    assert as_table(frame.rename_axis("sample"), "frame").columns[0] == "sample"
    texts = frame.set_index(pd.Index([f"id{k}" for k in range(len(frame))]))
    assert as_table(texts, "frame").columns[0] == "index"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("row", [0, 65_535, 65_536, 140_000])
def test_a_value_that_is_missing_is_found_wherever_it_stands(row, value):
    """Values are looked at part by part, as they are copied."""
    steps = np.arange(140_001)
    flow = np.sin(steps)
    flow[row] = value
    frame = pl.DataFrame({"step": steps, "oat": np.cos(steps), "flow": flow, "fault": "a"})
    with pytest.raises(SeriesError, match=f"channel 'flow', index {row}: {value} "):
        FrameSource(frame, window_size=60).load()
    filled = FrameSource(frame, window_size=60, nan="interpolate").load()
    assert [int(gap.sum()) for gap in filled.gaps] == [1]
    assert np.isfinite(filled.values[0]).all()


def test_a_sentinel_is_found_in_whatever_part_it_stands():
    steps = np.arange(140_001)
    flow = np.sin(steps)
    flow[[70_000, 140_000]] = -999.0
    frame = pl.DataFrame({"step": steps, "oat": np.cos(steps), "flow": flow, "fault": "a"})
    with pytest.raises(SourceError, match="-999 in flow"):
        FrameSource(frame, window_size=60).load()


@pytest.mark.parametrize("options", [{}, {"step": "10min"}, {"nan": "interpolate"}])
def test_a_frame_in_pieces_is_the_same_frame_in_one(options):
    rng = np.random.default_rng(0)
    n = 12_000
    whole = pl.DataFrame(
        {
            "time": np.datetime64("2024-03-01", "us") + np.arange(n) * np.timedelta64(60, "s"),
            "oat": rng.normal(size=n),
            "flow": rng.normal(size=n).astype(np.float32),
            "fault": np.array(["good", "leak"])[np.arange(n) // 700 % 2],
        }
    )
    if "nan" in options:
        whole = whole.with_columns(oat=pl.when(pl.col("oat") < 2).then("oat"))
    pieces = pl.concat([whole[:4500], whole[4500:9100], whole[9100:]], rechunk=False)
    assert pieces.n_chunks() == 3
    one, other = (FrameSource(rows, window_size=60, **options).load() for rows in (whole, pieces))
    assert one.labels == other.labels
    for mine, theirs in zip(one.values, other.values, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(one.times, other.times, strict=True):
        np.testing.assert_array_equal(mine, theirs)
