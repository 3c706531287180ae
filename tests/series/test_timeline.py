"""Where series lie in the picture of a source."""

from dataclasses import replace

import numpy as np
import pytest

from dualgaf.series.series import SeriesSet
from dualgaf.series.timeline import WIDEST_GAP, spans_of


def series(starts, length=5, source="a"):
    found = SeriesSet.from_arrays(np.zeros((len(starts), 1, length)), ["x"] * len(starts))
    times = tuple(np.datetime64(start, "us") + np.arange(length) * 60_000_000 for start in starts)
    return replace(found, times=times)


def test_series_lie_in_order_of_time():
    part = series(["2024-01-01T10:00", "2024-01-01T09:50"])
    later, earlier = "2024-01-01 10:00", "2024-01-01 09:50"
    found = spans_of({"train": part.take([0]), "test": part.take([1])})
    assert [(span.split, span.start) for span in found] == [("test", earlier), ("train", later)]
    assert found[0].x.tolist() == [0, 60, 120, 180, 240]


def test_a_long_gap_is_shortened():
    found = spans_of({"train": series(["2024-01-01", "2024-06-01", "2024-06-01T00:04:03"])})
    measured = 3 * 240
    assert found[1].x[0] - found[0].x[-1] == pytest.approx(WIDEST_GAP * measured)
    assert found[2].x[0] - found[1].x[-1] == 3  # a short one is as long as it is


def test_series_that_overlap_lie_end_to_end_in_order_of_the_source():
    found = spans_of({"train": series(["2024-01-01T10:00", "2024-01-01T10:02"])})
    assert [span.x.tolist() for span in found] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_series_without_times_are_named_by_file_and_row():
    found = spans_of({"train": SeriesSet.from_arrays(np.zeros((2, 1, 3)), name="x")})
    assert [span.start for span in found] == ["x, row 0", "x, row 3"]
