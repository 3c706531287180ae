import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import SeriesError
from dualgaf.imaging.gather import gather_series
from dualgaf.imaging.windows import Windows


def test_agrees_with_scikit_learn_on_series_of_unequal_length():
    rng = np.random.default_rng(0)
    series = [rng.normal(1e5, 3.0, (2, 7)), rng.normal(1e5, 1.0, (2, 12))]
    theirs = StandardScaler().fit(np.concatenate(series, axis=1).T)
    ours = SeriesScaler.fit(series)
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(ours.std, theirs.scale_, rtol=1e-9)


def test_inverse_gives_the_raw_values_also_of_a_tensor():
    x = np.random.default_rng(0).normal(50.0, 9.0, (4, 3, 10))
    scaler = SeriesScaler.fit(list(x))
    scaled = scaler.transform(x)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaler.inverse_transform(torch.from_numpy(scaled)), x, rtol=1e-5)


def test_a_constant_channel_does_not_divide_by_zero():
    scaler = SeriesScaler.fit([np.full((1, 4), 7.0)])
    assert scaler.transform(np.full((1, 4), 7.0)).tolist() == [[0, 0, 0, 0]]


@given(
    level=st.builds(lambda d, p: d * 10.0**p, st.floats(1, 10), st.integers(-12, 12)),
    dtype=st.sampled_from([np.float32, np.float64]),
    steps=st.integers(1, 300),
    n=st.integers(1, 30),
)
def test_a_constant_of_any_magnitude_is_nothing_and_its_std_is_one(level, dtype, steps, n):
    series = [np.full((1, steps), level, dtype)] * n
    scaler = SeriesScaler.fit(series)
    assert scaler.std.tolist() == [1]
    assert not scaler.transform(series[0]).any()
    neighbour = np.nextafter(series[0], dtype(np.inf))
    jittered = SeriesScaler.fit([*series, neighbour])
    assert jittered.std.tolist() == [1]
    assert abs(jittered.standardise(series[0])).max() <= np.finfo(dtype).eps * level


@given(
    level=st.builds(lambda d, p: d * 10.0**p, st.floats(1, 10), st.integers(-12, 12)),
    part=st.sampled_from([1e-9, 1e-3, 1.0]),
)
def test_what_varies_has_a_deviation_of_one(level, part):
    x = level * (1 + part * np.random.default_rng(0).normal(size=(1, 400)))
    assert abs(SeriesScaler.fit([x]).transform(x).std() - 1) < 1e-5


@pytest.mark.parametrize("scale", [1e-307, 1e-300, 1e-160, 1e155, 1e300, 1e307])
def test_series_are_the_same_at_every_scale(scale):
    x = np.random.default_rng(0).uniform(-8, 8, size=(2, 50))
    wanted = SeriesScaler.fit([x]).transform(x)
    scaled = x * scale
    np.testing.assert_allclose(SeriesScaler.fit([scaled]).transform(scaled), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([-1.2e308, 1.2e308], "span more than float64 holds, 1.8e308; divide the channel by 1e100"),
        ([1e-310, 2e-310], "change by less than float64 has digits for, .*; multiply it by 1e100"),
    ],
)
def test_what_float64_does_not_hold_is_an_error(values, text):
    with pytest.raises(SeriesError, match=f"channel 1 of the training split, .*{text}"):
        SeriesScaler.fit([np.array([[1.0, 2.0], values])])


def test_a_value_that_float32_does_not_hold_is_named():
    scaler = SeriesScaler.fit([np.full((1, 4), 1.4e155)])
    later = np.full((1, 4), 1.5e155)
    with pytest.raises(SeriesError, match=r"3\.4e38 deviations"):
        scaler.transform(later)
    windows = Windows.stacked(np.stack([np.full((1, 4), 1.4e155), later]))
    with pytest.raises(SeriesError, match="window 1, channel 0 holds a value that float32"):
        gather_series(windows, np.array([0, 1]), scaler.mean, scaler.std)
    assert not gather_series(windows, np.array([0]), scaler.mean, scaler.std).any()
