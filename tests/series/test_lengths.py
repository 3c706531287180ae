"""Rules for series of unequal length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.series.lengths import equalise
from dualgaf.series.series import SeriesSet


def _ragged(dtype=float):
    return SeriesSet.from_arrays(
        [
            np.array([[0, 2, 4], [1, 1, 3]], dtype),
            np.array([[0, 1, 2, 3, 4], [5, 4, 3, 2, 1]], dtype),
        ]
    )


@pytest.mark.parametrize("rule", ["resample", "pad", "truncate", "error"])
def test_series_of_that_length_pass_unchanged(rule):
    series_set = SeriesSet.from_arrays(np.zeros((2, 1, 7)))
    assert equalise(series_set, rule, 7) is series_set


def test_resample_by_hand():
    first, second = equalise(_ragged(), "resample", 5).values
    assert first.tolist() == [[0, 1, 2, 3, 4], [1, 1, 1, 2, 3]]
    assert second.tolist() == [[0, 1, 2, 3, 4], [5, 4, 3, 2, 1]]


def test_pad_by_hand():
    first, second = equalise(_ragged(), "pad", 4).values
    assert first.tolist() == [[0, 2, 4, 4], [1, 1, 3, 3]]
    assert second.tolist() == [[0, 1, 2, 3], [5, 4, 3, 2]]


def test_truncate_by_hand():
    first, second = equalise(_ragged(), "truncate", 3).values
    assert first.tolist() == [[0, 2, 4], [1, 1, 3]]
    assert second.tolist() == [[0, 1, 2], [5, 4, 3]]


@pytest.mark.parametrize("rule", ["resample", "pad", "truncate"])
def test_types_names_and_origins_are_kept(rule):
    ragged = _ragged(np.float32)
    equal = equalise(ragged, rule, 2)
    assert equal.origins == ragged.origins
    assert {series.dtype for series in equal.values} == {np.dtype(np.float32)}
    assert all(series.flags.c_contiguous for series in equal.values)


def test_truncate_needs_long_enough_series():
    with pytest.raises(SeriesError) as caught:
        equalise(_ragged(), "truncate", 4)
    assert str(caught.value) == (
        "series 0 (arrays, row 0) has 3 steps, truncate needs 4; type data.ragged=resample or "
        "data.ragged=pad"
    )


def test_error_names_the_lengths():
    with pytest.raises(SeriesError) as caught:
        equalise(_ragged(), "error", 5)
    assert str(caught.value) == (
        "series have 3 to 5 steps (series 0 (arrays, row 0): 3), needed: 5 each; type "
        "data.ragged=resample, pad or truncate, or give data.window_size"
    )


def test_unknown_rule():
    with pytest.raises(
        ConfigError, match=r"data\.ragged='cut' is not known; allowed: resample, pad"
    ):
        equalise(_ragged(), "cut", 4)


def test_a_length_below_one():
    with pytest.raises(SeriesError, match="length=0 is too small"):
        equalise(_ragged(), "pad", 0)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40),
    st.integers(1, 60),
)
def test_resample_agrees_with_numpy_interp(values, length):
    series = np.array([values])
    (equal,) = equalise(SeriesSet.from_arrays([series]), "resample", length).values
    wanted = np.interp(np.linspace(0, len(values) - 1, length), np.arange(len(values)), values)
    np.testing.assert_allclose(equal[0], wanted, atol=1e-9)
