"""Runs of one class, lines a day and timelines, by hand."""

import csv

import numpy as np
import pytest

from dualgaf import Prediction
from dualgaf.inference.events import COLUMNS, covered, day_lines, events_of, write_events
from dualgaf.training.predicted import FILES, write_prediction

HOUR = np.timedelta64(1, "h")


def of_hours(hours, best, *, by_day=True, unlike=None, rows=4, group=None):
    """Windows of 4 rows a quarter of an hour apart that begin at these hours of February."""
    start = np.datetime64("2020-02-01T00:00", "us") + np.array(hours) * HOUR
    p = np.array([[0.9, 0.1] if name == "a" else [0.3, 0.7] for name in best])
    days = [f"w.csv/{day}" for day in start.astype("datetime64[D]").astype(str)]
    return Prediction.of_arrays(
        ("a", "b"),
        p,
        source=("w.csv",) * len(best),
        group=tuple(group or days),
        start=start,
        end=start + np.timedelta64(15 * (rows - 1), "m"),
        window_size=rows,
        by_day=by_day,
        unlike=tuple(unlike or [""] * len(best)),
    )


def runs(found, **settings):
    return [(e.name, e.first, e.last) for e in events_of(found, **settings)]


def test_a_run_ends_where_the_class_changes_or_time_is_not_judged():
    assert runs(of_hours([0, 1, 2, 3], "aabb")) == [("a", 0, 1), ("b", 2, 3)]
    # Less than a window, an hour, is missing between the first two, an hour between the others.
    assert runs(of_hours([0, 1, 3], "aaa")) == [("a", 0, 1), ("a", 2, 2)]
    near = of_hours([0, 1], "aa")
    near.start[1] += np.timedelta64(30, "m")
    assert runs(near) == [("a", 0, 1)]


def test_an_event_goes_on_over_midnight_where_a_group_is_a_day_and_only_there():
    assert runs(of_hours([22, 23, 24], "bbb")) == [("b", 0, 2)]
    assert runs(of_hours([22, 23, 24], "bbb", by_day=False)) == [("b", 0, 1), ("b", 2, 2)]
    assert runs(of_hours([0, 1, 2], "bbb", by_day=False, group=["r/1", "r/1", "r/2"])) == [
        ("b", 0, 1),
        ("b", 2, 2),
    ]


def test_windows_without_times_are_joined_within_a_group():
    p = np.array([[0.9, 0.1]] * 4)
    found = Prediction.of_arrays(("a", "b"), p, group=("x", "x", "y", "y"))
    assert runs(found) == [("a", 0, 1), ("a", 2, 3)]
    assert covered(found)[1].tolist() == [1, 2, 3, 4]
    assert day_lines(found, events_of(found))[0] == "x  a 2, probability 0.90"


def test_short_runs_are_left_out_on_request():
    found = of_hours([0, 1, 2, 3], "abaa")
    assert runs(found, min_windows=2) == [("a", 2, 3)]
    assert len(runs(found)) == 3


def test_the_table_has_start_end_mean_and_number(tmp_path):
    found = of_hours([0, 1, 2], "aab", unlike=["", "oat: 3, training 4 to 5", ""])
    write_events(tmp_path / "events.csv", found, events_of(found))
    rows = list(csv.reader((tmp_path / "events.csv").read_text().splitlines()))
    day = "w.csv/2020-02-01"
    assert rows == [
        [*COLUMNS],
        [
            "0",
            "w.csv",
            day,
            "2020-02-01T00:00:00",
            "2020-02-01T01:45:00",
            "a",
            "0.900000",
            "2",
            "1",
        ],
        [
            "2",
            "w.csv",
            day,
            "2020-02-01T02:00:00",
            "2020-02-01T02:45:00",
            "b",
            "0.700000",
            "1",
            "0",
        ],
    ]


def test_overlapping_windows_share_their_time():
    found = of_hours([0, 1, 2], "aab", rows=8)  # of two hours each
    left, right = covered(found)
    assert ((right - left) / 3600).tolist() == [1.0, 1.0, 2.0]
    line = day_lines(found, events_of(found))[0]
    assert line == "2020-02-01  a 2.0 h, b 2.0 h; b since 02:00, probability 0.70"


def test_a_line_a_day_says_since_when_also_from_the_day_before():
    found = of_hours([22, 23, 24], "abb", unlike=["", "", "oat: 3, training 4 to 5; x: 1"])
    assert day_lines(found, events_of(found)) == [
        "2020-02-01  a 1.0 h, b 1.0 h; b since 23:00, probability 0.70",
        "2020-02-02  b 1.0 h; b since 2020-02-01 23:00, probability 0.70; unlike the training in 1 "
        "of 1 windows, first oat: 3, training 4 to 5",
    ]


def test_all_files_are_written_and_labels_are_scored(tmp_path):
    found = of_hours([0, 1, 2, 30], "aabb", unlike=["", "", "", "oat: 3, training 4 to 5"])
    labelled = Prediction(
        **{**vars(found), "label": ("a", "b", "z", None), "unlike_windows": {"oat": 1}}
    )
    told = write_prediction(tmp_path / "new", labelled, 2, 0.006)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {*FILES}
    assert (tmp_path / "new" / "predictions.png").read_bytes()[1:4] == b"PNG"
    assert told[2:] == [
        "unlike the training: 1 of 4 windows (oat in 1); what a good group has was 0.6% in "
        "training",
        "labels: 1 of 3 windows right (33.3%); 1 windows are of no one class; the network has not "
        "learned z",
        "2 events of fewer than 2 windows are not in events.csv",
        f"4 windows, 1 events: {', '.join(FILES)} in {tmp_path / 'new'}",
    ]


@pytest.mark.parametrize("stamp", [np.int64, np.float64])
def test_times_that_are_numbers_are_numbers(stamp):
    p = np.array([[0.9, 0.1]] * 2)
    start = np.array([0, 10], dtype=stamp)
    found = Prediction.of_arrays(
        ("a", "b"), p, group=("r", "r"), start=start, end=start + 9, window_size=10
    )
    assert covered(found)[1].tolist() == [10, 20]
    assert day_lines(found, events_of(found)) == ["r  a 20; a since 0, probability 0.90"]
