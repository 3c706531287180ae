"""The fit of scaling=train: the extremes of the training windows after PAA, and of no others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dualgaf.errors import SeriesError
from dualgaf.imaging import kernel
from dualgaf.imaging.bounds import count_outside, fit_bounds
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from oracles import kernel as reference
from oracles import paa_by_pyts


def test_bounds_are_fitted_on_the_rows_given_only_and_after_paa():
    flat = np.array([[0.0, 2.0, 10.0, 10.0, 999.0, -999.0]])
    windows = Windows(flat, np.array([0, 2, 4]), window_size=2)
    assert fit_bounds(windows, np.array([0, 1]), image_size=2).tolist() == [[0.0], [10.0]]
    windows = Windows(flat, np.array([0, 2]), window_size=4)
    assert fit_bounds(windows, np.array([0]), image_size=2).tolist() == [[1.0], [10.0]]


@pytest.mark.parametrize("module", [kernel, reference], ids=["numba", "NumPy"])
@given(data=st.data())
def test_bounds_are_the_extremes_of_pyts_paa(module, data):
    steps = data.draw(st.integers(2, 12))
    size = data.draw(st.integers(2, steps))
    x = data.draw(arrays(np.float64, (5, 3, steps), elements=st.floats(-1e6, 1e6)))
    x[abs(x) < 1e-300] = 0.0  # what changes below 2.2e-308 is refused
    rows = np.array(data.draw(st.lists(st.integers(0, 4), min_size=1)))
    windows = Windows(np.concatenate(x, axis=1), np.arange(5) * steps, steps)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dualgaf.imaging.bounds.kernel", lambda module=module: module)
        bounds = fit_bounds(windows, rows, size)
    means = np.stack([paa_by_pyts(x[row], size) for row in rows])
    wanted = np.stack([means.min(axis=(0, 2)), means.max(axis=(0, 2))])
    np.testing.assert_allclose(bounds, wanted, rtol=1e-12, atol=1e-9)


def test_no_training_window_and_not_finite(monkeypatch):
    windows = Windows(np.array([[0.0, np.nan]]), np.array([0]), window_size=2)
    with pytest.raises(SeriesError, match="needs training windows"):
        fit_bounds(windows, np.array([], dtype=int), image_size=2)
    for module in (kernel, reference):
        monkeypatch.setattr("dualgaf.imaging.bounds.kernel", lambda module=module: module)
        with pytest.raises(SeriesError, match="channel 0 of the training split holds a NaN"):
            fit_bounds(windows, np.array([0]), image_size=2)


def test_what_is_outside_is_counted_by_channel_window_and_value():
    low, dead, fine = [0.0, 1.0, 2.0, 4.0], [1.4] * 4, [0.0, 0.5, 1.0, 2.0]
    training = np.array([[low, dead, fine]])
    test = np.array(
        [
            [[-1.0, 5.0, 9.0, 0.0], dead, fine],  # one is below, two are above
            [[0.0, 1.0, 1.0, -9.0], [1.4, 1.4 + 4e-16, 1.4, 1.5], fine],
            [low, dead, fine],
        ]
    )
    windows = Windows.stacked(np.concatenate([training, test]))
    bounds = fit_bounds(windows, np.array([0]), 4)
    for feature_range, clipped in (((-1.0, 1.0), [4, 0, 0]), ((0.0, 1.0), [3, 0, 0])):
        recipe = ImagingRecipe(4, "train", feature_range)
        found = count_outside(windows, np.arange(1, 4), recipe, bounds)
        assert found.windows.tolist() == [2, 1, 0]
        assert found.values.tolist() == [4, 1, 0]
        assert found.clipped.tolist() == clipped  # [0, 1] has room for -1, a dead one for 0.1
        assert found.total == 3
    nothing = count_outside(windows, np.array([0, 3]), recipe, bounds)
    assert not nothing.values.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_windows_are_never_outside_of_their_range(dtype):
    x = (1e5 + np.random.default_rng(0).normal(size=(300, 2, 29))).astype(dtype)
    windows, rows = Windows.stacked(x), np.arange(300)
    recipe = ImagingRecipe(11, scaling="train")
    bounds = fit_bounds(windows, rows, 11)
    assert not count_outside(windows, rows, recipe, bounds).values.any()
    bounds[1, 1] -= 0.05
    still, outside = count_outside(windows, rows, recipe, bounds).values
    assert still == 0 < outside
