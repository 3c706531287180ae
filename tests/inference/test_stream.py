"""`Predictor.watch`: what comes row by row gets what a file with the same rows gets.

`same_windows` stands for a network whose answer follows from the values of a window alone, to the
last bit, so that equal answers are equal windows.
"""

import datetime
import logging
import re
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dualgaf
from dualgaf.errors import ConfigError, DualGAFError, OtherDataError, SeriesError
from dualgaf.imaging.windows import Windows
from dualgaf.inference.clock import Clock
from dualgaf.inference.new_data import read_tables
from dualgaf.inference.predict import Predictor
from trained import DAY, STEPS, checkpoint_of, plant_table, trained_on_plant

FEBRUARY = DAY + datetime.timedelta(days=31)


def same_windows(windows, progress=int):
    """Two numbers of a window that hold each of its bits."""
    every = windows.take(np.arange(len(windows))).astype(np.float64)
    hashes = [hash(window.tobytes()) % 2**40 for window in every]
    return np.array([[number, 0.0] for number in hashes], dtype=np.float64).reshape(-1, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    own = tmp_path_factory.mktemp("stream")
    trained_on_plant(own)
    return own


@pytest.fixture(scope="module")
def model(folder):
    return dualgaf.load(folder / "best.ckpt")


@pytest.fixture(scope="module")
def exact(model):
    """A model whose numbers are those of `same_windows`."""
    return Predictor(model._imaging, same_windows)


def rows_of(path):
    table = pl.read_csv(path, try_parse_dates=True)
    return table.select("temp", "flow").to_numpy(), table["time"].to_numpy()


def written(path, days=3, **settings):
    columns = ("time", "temp", "flow")
    path.write_text(plant_table(days, first=FEBRUARY, columns=columns, **settings))
    return path


def pushed(watch, rows, times, sizes):
    """What a watch says of rows that come in parts; a part of 1 comes as one row."""
    found, at = [], 0
    for size in [*sizes, len(rows)]:
        own = slice(at, min(at + size, len(rows)))
        at = own.stop
        one = size == 1 and own.stop - own.start == 1
        part = rows[own][0] if one else rows[own]
        found.append(watch.push(part, times[own][0] if one else times[own]))
    return dualgaf.Prediction.joined(found)


@given(
    holes=st.sets(st.integers(0, 71), max_size=9),
    sizes=st.lists(st.integers(0, 30), max_size=20),
    stride=st.sampled_from([1, 5, 6, 12]),
)
def test_any_parts_give_the_windows_of_the_file(exact, tmp_path_factory, holes, sizes, stride):
    path = written(tmp_path_factory.mktemp("week") / "week.csv", left_out=holes)
    rows, times = rows_of(path)
    try:
        expected = exact.judge(read_tables(path, exact._imaging, stride, {}))
    except SeriesError:  # no piece is as long as a window
        assert not len(pushed(exact.watch(stride=stride), rows, times, sizes))
        return
    found = pushed(exact.watch(stride=stride), rows, times, sizes)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    np.testing.assert_array_equal(found.start, expected.start)
    np.testing.assert_array_equal(found.end, expected.end)
    assert found.by_day == expected.by_day
    assert len(set(found.group)) == len(set(expected.group))


@pytest.mark.parametrize("parts", [1, 7, 1000])
def test_the_network_says_what_it_says_of_the_file(model, tmp_path, parts):
    path = written(tmp_path / "week.csv", left_out={30})
    rows, times = rows_of(path)
    expected = model.predict_files(path)
    found = pushed(model.watch(), rows, times, [parts] * (len(rows) // parts))
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
    assert found.classes.tolist() == expected.classes.tolist()
    assert found.window_size == expected.window_size == STEPS


def test_what_is_unlike_is_told_without_a_since(model, tmp_path):
    rows, times = rows_of(written(tmp_path / "week.csv", days=1, shift=400.0))
    found = model.watch().push(rows, times)
    assert found.unlike_windows == {"temp": len(found)}
    assert all(text.startswith("temp: 4") and "since" not in text for text in found.unlike)


def test_without_times_rows_follow_each_other(exact):
    rows = np.random.default_rng(0).normal(size=(1000, 2))
    found = exact.watch(stride=6).push(rows)
    starts = np.arange(0, 1000 - STEPS + 1, 6)
    expected = same_windows(Windows(np.ascontiguousarray(rows.T), starts, STEPS))
    np.testing.assert_array_equal(found.probabilities, expected)
    assert not found.has_times
    assert set(found.source) == set(found.group) == {"stream"}


def test_a_window_comes_with_its_last_row_and_not_before(exact):
    watch = exact.watch(stride=6)
    lengths = [len(watch.push([float(k), 1.0])) for k in range(30)]
    assert [k for k, n in enumerate(lengths) if n] == [11, 17, 23, 29]
    assert max(lengths) == 1
    assert not watch.push(np.empty((0, 2)))


def test_a_group_begins_anew_and_may_begin_with_time_0(exact):
    watch = exact.watch(stride=STEPS)
    rows = np.random.default_rng(0).normal(size=(20, 2))
    first = watch.push(rows, np.arange(20), group="run 1")
    second = watch.push(rows, np.arange(20), group="run 2")
    assert (first.group, second.group) == (("run 1",), ("run 2",))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)


def test_restart_begins_anew(exact):
    watch = exact.watch()
    rows = np.random.default_rng(0).normal(size=(11, 2))
    assert not watch.push(rows, np.arange(11))
    watch.restart()
    assert not watch.push(rows, np.arange(11))
    assert len(watch.push(rows[0], 11.0)) == 1


@pytest.mark.parametrize(
    ("rows", "times", "error", "told"),
    [
        ([1.0, 2.0, 3.0], None, SeriesError, "the network has learned the 2 channels temp, flow"),
        (np.zeros((2, 5)), None, SeriesError, r"give \(2,\) for one row, or \(n, 2\); type rows.T"),
        ([1.0, np.nan], None, SeriesError, r"row 0, channel 'flow': nan; .* type watch\(nan="),
        (np.zeros((2, 2)), [3.0, 3.0], SeriesError, "row 1 is of 3, and the row before it of 3"),
        (np.zeros((2, 2)), [1.0, 4.0, 9.0], SeriesError, "there are 3 times of 2 rows"),
        ([1.0, 2.0], "yesterday", SeriesError, r"times hold 'yesterday'; needed: dates"),
        (
            [1.0, 2.0],
            datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
            SeriesError,
            "type time.replace",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_and_nothing_of_it_is_kept(exact, rows, times, error, told):
    watch = exact.watch()
    watch.push(np.zeros((11, 2)), None if times is None else FEBRUARY + np.arange(11) * HOUR)
    if times is not None:
        watch.restart()
    with pytest.raises(error, match=told):
        watch.push(rows, times)
    if times is None:
        assert len(watch.push([0.0, 0.0])) == 1


@pytest.mark.parametrize(
    ("wrong", "pick", "then"),
    [
        ("watch.push(np.zeros((2, 5)))", r"type (rows\.T)$", "rows = np.zeros((2, 5)); push({})"),
        ("watch.push([1.0, np.nan])", r"type (watch\(.*?\)) ", "model.{}.push([1.0, np.nan])"),
        (
            "watch.push(np.ones((2, 2)), [5.0, 4.0])",
            r"type (watch\.restart\(\)) ",
            "push([1.0, 1.0], 5.0); {}; push([1.0, 1.0], 4.0)",
        ),
        (
            "watch.push([1.0, 1.0], datetime.datetime.now(datetime.UTC))",
            r"type (time\.replace\(.*?\))",
            "time = datetime.datetime.now(datetime.UTC); push([1.0, 1.0], {})",
        ),
        (
            "watch.push([1.0, 1.0], '1.2.2020')",
            r"type (np\.datetime64\(TEXT\))",
            "TEXT = '2020-02-01'; push([1.0, 1.0], {})",
        ),
        ("model.watch(stride=99)", r"type (stride=12)$", "model.watch({})"),
        ("model.watch(24)", r"type (window_size=12)$", "model.watch({})"),
    ],
)
def test_what_a_message_says_to_type_works(exact, wrong, pick, then):
    names = {"model": exact, "np": np, "datetime": datetime, "watch": exact.watch()}
    with pytest.raises(DualGAFError) as refused:
        exec(wrong, names)
    (advice,) = re.findall(pick, str(refused.value))
    names["watch"] = exact.watch()
    exec(then.format(advice), {**names, "push": names["watch"].push})


HOUR = datetime.timedelta(hours=1)


def test_times_of_another_kind_are_refused(exact):
    watch = exact.watch()
    watch.push([1.0, 2.0], FEBRUARY)
    with pytest.raises(ConfigError, match="these rows have no times, and rows before had dates"):
        watch.push([1.0, 2.0])
    with pytest.raises(SeriesError, match="row 0 is of 2020-01-01T00:00:00, and the row before"):
        watch.push([1.0, 2.0], DAY)


def test_rows_at_another_step_are_an_error_or_a_warning(exact, caplog):
    fine = FEBRUARY + np.arange(STEPS) * HOUR / 4
    with pytest.raises(OtherDataError, match=r"rows are 15min apart, .* learned rows 1h apart"):
        exact.watch().push(np.zeros((STEPS, 2)), fine)
    watch = exact.watch()
    with caplog.at_level(logging.WARNING):
        for k in range(6):
            assert not watch.push([0.0, 1.0], FEBRUARY + 3 * k * HOUR)
    assert caplog.text.count("the last 5 rows are too far apart for a window, 3h the last two") == 1


def test_options_are_checked(model):
    with pytest.raises(ConfigError, match="window_size=6 is not allowed; allowed: 12"):
        model.watch(6)
    assert model.watch(STEPS).window_size == STEPS
    with pytest.raises(ConfigError, match=r"stride=13 is not allowed; .*; type stride=12"):
        model.watch(stride=13)
    with pytest.raises(ConfigError, match="nan='fill' is not known"):
        model.watch(nan="fill")
    with pytest.raises(ConfigError, match="leave plant out"):
        model.watch(plant="north")
    assert (model.watch().stride, model.watch().channel_names) == (6, ("temp", "flow"))


def test_a_missing_value_is_filled_from_the_rows_of_its_window(exact):
    rows = np.random.default_rng(0).integers(0, 99, size=(STEPS, 2)) * 1.0  # halves are exact
    whole = rows.copy()
    whole[4, 0] = (whole[3, 0] + whole[5, 0]) / 2
    whole[11, 1] = whole[10, 1]
    rows[4, 0] = rows[11, 1] = np.nan
    found = exact.watch(nan="interpolate").push(rows)
    np.testing.assert_array_equal(found.probabilities, exact.watch().push(whole).probabilities)
    rows[:, 1] = np.nan
    assert not exact.watch(nan="interpolate").push(rows)


def filling(model, limit):
    """The model, as if its training had filled holes of up to ``limit`` rows."""
    facts = model._imaging.facts
    learned = {**facts.source, "nan": "interpolate", "fill_limit": limit}
    return Predictor(replace(model._imaging, facts=replace(facts, source=learned)), same_windows)


def with_holes(path, holes):
    """``path`` without the values of ``(column, first row, rows)``."""
    lines = [line.split(",") for line in path.read_text().splitlines()]
    for column, first, n in holes:
        for cells in lines[1 + first : 1 + first + n]:
            cells[column] = ""
    path.write_text("\n".join(map(",".join, lines)) + "\n")
    return path


@given(
    limit=st.integers(0, 2),
    holes=st.lists(st.tuples(st.integers(1, 2), st.integers(0, 69), st.integers(1, 4)), max_size=5),
    sizes=st.lists(st.integers(0, 30), max_size=20),
    stride=st.sampled_from([1, 5, 12]),
)
def test_a_long_hole_ends_what_it_ends_in_a_file(
    exact, tmp_path_factory, limit, holes, sizes, stride
):
    model = filling(exact, limit)
    holes = [(column, first, limit + more) for column, first, more in holes]
    path = with_holes(written(tmp_path_factory.mktemp("week") / "week.csv"), holes)
    rows, times = rows_of(path)
    found = pushed(model.watch(stride=stride), rows, times, sizes)
    try:
        expected = model.judge(read_tables(path, model._imaging, stride, {}))
    except SeriesError:  # nothing is left
        expected = found[:0]
    ends = dict(zip(found.end.tolist(), found.probabilities.tolist(), strict=True))
    wanted = dict(zip(expected.end.tolist(), expected.probabilities.tolist(), strict=True))
    assert ends.items() >= wanted.items()
    # judged before the hole was known to be long: they end within its first rows
    is_missing = np.isnan(rows).any(axis=1)
    early = [np.flatnonzero(times == np.datetime64(end, "us"))[0] for end in {*ends} - {*wanted}]
    assert all(is_missing[k] and not is_missing[k - limit] for k in early)


def test_a_long_hole_is_told_once_with_its_channel(exact, caplog):
    watch = filling(exact, 2).watch(stride=STEPS)
    row = np.array([1.0, 2.0])
    with caplog.at_level(logging.WARNING):
        for k in range(40):
            found = watch.push(row * [1, np.nan] if 5 <= k < 20 else row)
            assert len(found) == (k == 20 + STEPS - 1)
    assert caplog.text.count("flow: no value for more than 2 rows") == 1
    assert "temp" not in caplog.text
    watch.push(row * np.nan)
    watch.restart()
    assert not any(len(watch.push(row)) for _ in range(STEPS - 1))


def test_a_hole_ends_at_a_restart_with_its_group_and_at_a_gap(exact, caplog):
    gap, row = [1.0, np.nan], [1.0, 2.0]
    whole = [gap, *[row] * (STEPS - 1)]
    watch = filling(exact, 2).watch(stride=STEPS)
    watch.push([gap, gap], group="run 1")
    watch.restart()
    assert len(watch.push(whole, group="run 1")) == 1
    watch.push([gap, gap], group="run 1")
    assert len(watch.push(whole, group="run 2")) == 1
    with caplog.at_level(logging.WARNING):
        watch, hours = (
            filling(exact, 2).watch(),
            FEBRUARY + np.array([0, 1, 2, 3, 11, 12, 13]) * HOUR,
        )
        assert not watch.push([gap] * 3, hours[:3])
        assert not watch.push([gap] * 4, hours[3:])
    assert caplog.text.count("flow: no value for more than 2 rows") == 2


def test_a_typed_policy_fills_any_hole(exact):
    rows = np.ones((STEPS, 2))
    rows[3:10, 0] = np.nan
    model = filling(exact, 2)
    assert not model.watch().push(rows)
    assert len(model.watch(nan="interpolate").push(rows)) == 1
    said = r"window 1, channel 'temp': more than 2 values in a row .* type nan=\"interpolate\""
    both = np.stack([np.ones((2, STEPS)), rows.T])
    with pytest.raises(SeriesError, match=said):
        model.predict(both)
    assert len(model.predict(both, nan="interpolate")) == 2
    both[1, 0, 5:] = 1.0
    assert len(model.predict(both)) == 2


def test_rows_of_a_plant_are_scaled_as_its_training_rows_were(tmp_path):
    lines = plant_table(6).splitlines()
    table = [f"{lines[0]},plant"]
    for name, by in (("north", 1), ("south", 10)):
        for line in lines[1:]:
            time, temp, flow, fault = line.split(",")
            table.append(f"{time},{by * float(temp)},{by * float(flow)},{fault},{name}")
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "a.csv").write_text("\n".join(table))
    settings = {"window_size": STEPS, "plant_column": "plant", "scale_by": "plant"}
    source = dualgaf.TableSource(tmp_path / "plant", **settings)
    checkpoint_of(source, tmp_path / "own.ckpt")
    model = dualgaf.load(tmp_path / "own.ckpt")
    expected = model.predict_files(tmp_path / "plant")
    south = [k for k, group in enumerate(expected.group) if "south" in group]
    rows = pl.read_csv(tmp_path / "plant" / "a.csv", try_parse_dates=True)
    rows = rows.filter(pl.col("plant") == "south")
    watch = model.watch(plant="south")
    found = watch.push(rows.select("temp", "flow").to_numpy(), rows["time"].to_numpy())
    np.testing.assert_allclose(found.probabilities, expected.probabilities[south], atol=1e-6)
    with pytest.raises(OtherDataError, match=r"allowed: north, south; type watch\(plant='north'\)"):
        model.watch()


def test_memory_does_not_grow(exact):
    watch = exact.watch(stride=1)
    rows = np.random.default_rng(0).normal(size=(2000, 2))
    watch.push(rows)
    held = []
    tracemalloc.start()
    for _ in range(6):
        watch.push(rows)
        for row in rows[:100]:
            watch.push(row)
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[-1] - held[3] < 5000  # 2000 rows have 32 kB; NumPy fills a store of its own first


def test_the_program_behind_a_growing_csv_runs(folder, tmp_path, monkeypatch, capsys):
    page = Path(__file__).parents[2] / "docs" / "stream.md"
    program = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)[0]
    assert "plant.csv" in program
    whole = written(tmp_path / "whole.csv").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.ckpt").write_bytes((folder / "best.ckpt").read_bytes())
    (tmp_path / "plant.csv").write_text(whole[:200])
    at = [200]

    def sleep(_):
        if at[0] == len(whole):
            raise KeyboardInterrupt
        with (tmp_path / "plant.csv").open("a") as file:
            file.write(whole[at[0] : at[0] + 333])
        at[0] = min(at[0] + 333, len(whole))

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        exec(compile(program, "stream.md", "exec"), {})
    expected = dualgaf.load(folder / "best.ckpt").predict_files(tmp_path / "whole.csv")
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(expected)
    assert all(name in line for name, line in zip(expected.classes, told, strict=True))


def read_one_by_one(clock, times):
    """What a clock says of each time: whether windows begin anew, or why it is refused."""
    told = []
    for time_ in times:
        try:
            own, is_new = clock.read(time_, 1)
            clock.keep(own, is_new)
        except SeriesError as error:
            told.append(str(error))
        else:
            told.append((bool(is_new[0]), own.item()))
    return told


@given(
    steps=st.lists(st.sampled_from([1, 1, 1, 2, 2.5, 24, 0, -3, None]), max_size=30),
    dated=st.booleans(),
    days=st.booleans(),
)
def test_a_row_by_itself_is_judged_as_rows_together_are(exact, steps, dated, days):
    facts = exact._imaging.facts
    source = facts.source if days else {**facts.source, "group_columns": ["day"]}
    facts = replace(facts, source=source)
    at, times = 21.0, []  # an hour or two before a day ends
    for step in steps:
        at += step or 0
        start = np.datetime64(FEBRUARY, "us")
        none = np.datetime64("NaT", "us") if dated else np.nan
        time_ = start + np.timedelta64(round(at * 60), "m") if dated else at
        times.append(np.array([none if step is None else time_]))
    careful = Clock(facts)
    careful._follows_at_once = lambda *given: False
    assert read_one_by_one(Clock(facts), times) == read_one_by_one(careful, times)
