"""NaN and infinite values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.series.missing import repair_nan
from dualgaf.series.series import SeriesSet

NAN, INF = np.nan, np.inf


def _set(*series):
    return SeriesSet.from_arrays(
        [np.array(one, dtype=float) for one in series], channel_names=["sat", "oat"], name="plant"
    )


def test_error_names_series_origin_channel_index_and_what_to_type():
    series_set = _set([[1, 2], [3, 4]], [[1, 2, 3], [4, NAN, NAN]])
    with pytest.raises(SeriesError) as caught:
        repair_nan(series_set, "error")
    assert str(caught.value) == (
        "series 1 (plant, row 2), channel 'oat', index 1: nan (2 such values in this series); "
        "allowed: finite numbers; type data.nan=interpolate to fill gaps from their neighbours"
    )


@pytest.mark.parametrize("value", [INF, -INF])
def test_infinite_counts_too(value):
    with pytest.raises(SeriesError, match=r"channel 'sat', index 0: -?inf"):
        repair_nan(_set([[value, 1], [0, 0]]), "error")


def test_interpolate_is_linear_inside_and_constant_at_the_ends():
    gaps = [[NAN, 1, NAN, NAN, 7, INF], [5, 5, 5, -INF, 5, 5]]
    (series,) = repair_nan(_set(gaps), "interpolate").values
    assert series.tolist() == [[1, 1, 3, 5, 7, 7], [5, 5, 5, 5, 5, 5]]


def test_a_channel_without_a_value_is_an_error():
    with pytest.raises(SeriesError) as caught:
        repair_nan(_set([[NAN, NAN], [1, 2]]), "interpolate")
    assert str(caught.value) == (
        "series 0 (plant, row 0), channel 'sat' has no finite value, so there is nothing to "
        "interpolate; leave the channel or the series out"
    )


@pytest.mark.parametrize("policy", ["error", "interpolate"])
def test_a_clean_set_passes_unchanged(policy):
    series_set = _set([[1, 2], [3, 4]])
    assert repair_nan(series_set, policy) is series_set


def test_the_input_is_not_changed_and_clean_series_are_shared():
    x = [np.array([[0.0, NAN]]), np.array([[0.0, 1.0]])]
    series_set = SeriesSet.from_arrays(x)
    repaired = repair_nan(series_set, "interpolate")
    assert np.isnan(x[0][0, 1])
    assert repaired.values[1] is series_set.values[1]


def test_float32_stays_float32():
    series_set = SeriesSet.from_arrays(np.array([[[0, NAN, 1]]], dtype=np.float32))
    assert repair_nan(series_set, "interpolate").values[0].dtype == np.float32


def test_unknown_policy():
    with pytest.raises(ConfigError) as caught:
        repair_nan(_set([[1], [1]]), "drop")
    assert str(caught.value).startswith(
        "data.nan='drop' is not known; allowed: error, interpolate; type data.nan="
    )


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=30))
def test_interpolate_keeps_what_is_finite_and_stays_within_it(values):
    row = np.array([NAN if value is None else value for value in values])
    finite = np.isfinite(row)
    if not finite.any():
        return
    (series,) = repair_nan(SeriesSet.from_arrays(row[None, None]), "interpolate").values
    assert np.isfinite(series).all()
    np.testing.assert_array_equal(series[0][finite], row[finite])
    assert series.min() >= row[finite].min() - 1e-9
    assert series.max() <= row[finite].max() + 1e-9
