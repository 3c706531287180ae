import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from dualgaf.errors import SeriesError
from dualgaf.imaging.scaling import fit_bounds, scale
from dualgaf.imaging.windows import Windows


@pytest.mark.parametrize("offset", [0.0, 1e5, 1e9])
def test_scale_is_scikit_learns_to_the_last_bit(offset):
    x = np.random.default_rng(0).normal(offset, 1.0, (4, 30))
    theirs = MinMaxScaler((-1, 1)).fit_transform(x.T).T
    ours = scale(x, x.min(1, keepdims=True), x.max(1, keepdims=True), (-1.0, 1.0))
    assert np.array_equal(ours, np.clip(theirs, -1, 1))


def test_constant_series_maps_to_the_low_end():
    assert scale(np.full(3, 7.5), np.array(7.5), np.array(7.5), (0.0, 1.0)).tolist() == [0, 0, 0]


def test_bounds_are_fitted_on_the_rows_given_only_and_after_paa():
    flat = np.array([[0.0, 2.0, 10.0, 10.0, 999.0, -999.0]])
    windows = Windows(flat, np.array([0, 2, 4]), window_size=2)
    assert fit_bounds(windows, np.array([0, 1]), image_size=2).tolist() == [[0.0], [10.0]]
    windows = Windows(flat, np.array([0, 2]), window_size=4)
    assert fit_bounds(windows, np.array([0]), image_size=2).tolist() == [[1.0], [10.0]]


def test_fit_reads_more_windows_than_one_block(monkeypatch):
    monkeypatch.setattr("dualgaf.imaging.scaling.FIT_WINDOWS", 3)
    x = np.random.default_rng(0).normal(size=(2, 40))
    windows = Windows(x, np.arange(8) * 5, window_size=5)
    bounds = fit_bounds(windows, np.arange(8), image_size=5)
    assert np.array_equal(bounds, np.stack([x.min(1), x.max(1)]))


def test_no_training_window_and_not_finite():
    windows = Windows(np.array([[0.0, np.nan]]), np.array([0]), window_size=2)
    with pytest.raises(SeriesError, match="needs training windows"):
        fit_bounds(windows, np.array([], dtype=int), image_size=2)
    with pytest.raises(SeriesError, match="channel 0 of the training split holds a NaN"):
        fit_bounds(windows, np.array([0]), image_size=2)
