import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SeriesError
from dualgaf.imaging.windows import Windows, window_starts


def test_take_copies_the_right_steps():
    flat = np.arange(12.0).reshape(2, 6)
    windows = Windows(flat, np.array([0, 3]), window_size=3)
    assert windows.take([1]).tolist() == [[[3, 4, 5], [9, 10, 11]]]
    block = windows.block(0, 2)
    block[:] = -1
    assert flat.min() == 0


@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=5),
    size=st.integers(2, 8),
    stride=st.integers(1, 9),
)
def test_no_window_crosses_a_series(lengths, size, stride):
    ends = np.cumsum(lengths)
    if max(lengths) < size:
        with pytest.raises(SeriesError, match="is longer than every segment"):
            window_starts(lengths, size, stride)
        return
    starts, series = window_starts(lengths, size, stride)
    first = ends - lengths
    assert ((starts >= first[series]) & (starts + size <= ends[series])).all()
    assert len(starts) == sum(max(0, (n - size) // stride + 1) for n in lengths)


@pytest.mark.parametrize(
    ("size", "stride", "text"),
    [
        (1, 1, "window_size=1 is too small; allowed: 2 and more"),
        (4, 0, "stride=0 is not allowed; allowed: 1 and more"),
        (9, 1, "the longest of 2 has 5 steps\\); type window_size=5 or less"),
    ],
)
def test_bad_sizes(size, stride, text):
    with pytest.raises(SeriesError, match=text):
        window_starts([5, 3], size, stride)
