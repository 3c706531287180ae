"""What is told of a folder: files, classes, columns left out, windows that cutting costs."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.series.inspection import TableFacts
from dualgaf.series.tables.facts import CHANGES, DEAD, LEFT_OUT, MISSING, SHORT, lost_windows
from dualgaf.series.tables.rows import Ordered
from dualgaf.series.tables.source import TableSource


def rows_of(times, labels, kept, group="a"):
    n = len(times)
    return Ordered(
        pl.DataFrame(
            {
                "time": pl.Series(times, dtype=pl.Int64),
                "group": [group] * n,
                "label": labels,
                "split": pl.Series([None] * n, dtype=pl.String),
                "keep": kept,
            }
        )
    )


def n_windows(length, steps, stride):
    """By counting them."""
    return sum(1 for first in range(0, length, stride) if first + steps <= length)


def test_lost_windows_by_hand():
    # 20 minutes, 5 to 7 missing, 12 left out, the class changes before 16; windows of 4, stride 1
    times = [t for t in range(20) if t not in (5, 6, 7)]
    labels = ["a" if t < 16 else "b" for t in times]
    kept = [t != 12 for t in times]
    found = lost_windows(rows_of(times, labels, kept), 1.0, 2.0, 4, 1)
    # whole: 17; 5 + 12 rows: 2 + 9; 5 + 4 + 7 rows: 2 + 1 + 4; 5 + 4 + 3 + 4 rows: 2 + 1 + 0 + 1
    assert found == {MISSING: 6, LEFT_OUT: 4, CHANGES: 3, SHORT: 0}


def test_a_group_shorter_than_a_window_is_one_lost():
    rows = rows_of([0, 1, 2], ["a"] * 3, [True] * 3)
    assert lost_windows(rows, 1.0, 2.0, 4, 1)[SHORT] == 1
    assert lost_windows(rows, 1.0, 2.0, 3, 1)[SHORT] == 0


ROW = st.tuples(st.integers(1, 5), st.sampled_from("ab"), st.booleans())


@given(st.lists(ROW, min_size=1, max_size=40), st.integers(2, 6), st.integers(1, 6))
def test_windows_and_losses_add_up(cells, steps, stride):
    """A loop over rows cuts the pieces; with a stride of at most T no cut makes a window more."""
    stride = min(stride, steps)
    times = np.cumsum([step for step, _, _ in cells]).tolist()
    labels, kept = [label for _, label, _ in cells], [keep for *_, keep in cells]
    pieces, current = [], 0
    for k, keep in enumerate(kept):
        if current and (not keep or labels[k] != labels[k - 1] or times[k] - times[k - 1] > 2):
            pieces.append(current)
            current = 0
        current += keep
    pieces.append(current)
    found = lost_windows(rows_of(times, labels, kept), 1.0, 2.0, steps, stride)
    whole = n_windows(times[-1] - times[0] + 1, steps, stride)
    left = sum(n_windows(length, steps, stride) for length in pieces)
    assert whole - left == found[MISSING] + found[LEFT_OUT] + found[CHANGES]


def folder(tmp_path, text, name="a.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path


def plant(n=48):
    rows = [
        f"2024-03-01 {k // 12:02d}:{k % 12 * 5:02d},{20 + k % 7},{k % 5} kW,ok,,{'ab'[k // 24]}"
        for k in range(n)
    ]
    return "datetime,sat,power,note,spare,fault\n" + "\n".join(rows) + "\n"


def test_facts_of_a_folder(tmp_path):
    facts = TableSource(folder(tmp_path, plant()), window_size=6).load().facts
    assert (facts.rows, facts.time_column, facts.step_seconds) == (48, "datetime", 300)
    assert (facts.start, facts.end) == ("2024-03-01T00:00:00", "2024-03-01T03:55:00")
    assert (facts.label_column, facts.classes) == ("fault", {"a": 24, "b": 24})
    assert (facts.channels, facts.units) == (("sat", "power"), {"power": "kW"})
    assert facts.left_out == {"note": "text, e.g. 'ok'", "spare": "no value at all"}
    assert facts.files[0].rows == 48
    assert facts.lost == {}


def test_facts_survive_json(tmp_path):
    facts = TableSource(folder(tmp_path, plant()), window_size=6, exclude=["note"]).load().facts
    assert facts.left_out["note"] == "data.exclude"
    assert TableFacts.from_json(facts.as_json()) == facts


def test_without_a_clock_there_is_no_time(tmp_path):
    text = plant().replace("datetime", "when")
    source = TableSource(folder(tmp_path, text), time_column=None, window_size=6)
    facts = source.load().facts
    assert (facts.time_column, facts.start, facts.end, facts.step_seconds) == (None,) * 4


def test_numbers_of_steps_are_no_dates(tmp_path):
    text = "step,sat,fault\n" + "".join(f"{2 * k},{k % 5},{'ab'[k // 8]}\n" for k in range(16))
    facts = TableSource(folder(tmp_path, text), window_size=4).load().facts
    assert (facts.time_column, facts.start, facts.step_seconds) == ("step", None, None)
    assert (facts.files[0].start, facts.files[0].end, facts.files[0].step_seconds) == ("0", "30", 2)


def test_windows_of_a_dead_day_are_lost(tmp_path):
    days = [plant(), plant().replace("03-01", "03-02")]
    lines = days[1].splitlines()
    dead = [
        ",".join(["" if k == 1 else c for k, c in enumerate(line.split(","))]) for line in lines
    ]
    folder(tmp_path, "\n".join([*days[0].splitlines(), *dead[1:]]) + "\n")
    facts = TableSource(tmp_path, window_size=6, nan="interpolate").load().facts
    assert facts.lost == {DEAD: 8}


@pytest.mark.parametrize("label", ["file", "path"])
def test_a_column_of_classes_that_is_not_used_is_left_out_and_said(tmp_path, label):
    facts = TableSource(folder(tmp_path, plant()), label=label, window_size=6).load().facts
    assert facts.label_column is None
    assert facts.left_out["fault"] == "classes, but the class is the name of the file"


def test_a_set_that_is_cut_has_no_facts(tmp_path):
    found = TableSource(folder(tmp_path, plant()), window_size=6).load()
    assert found.take([0]).facts is None
