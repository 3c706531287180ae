import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from dualgaf.imaging.scaling import scale


@pytest.mark.parametrize("offset", [0.0, 1e5, 1e9])
def test_scale_is_scikit_learns_to_the_last_bit(offset):
    x = np.random.default_rng(0).normal(offset, 1.0, (4, 30))
    theirs = MinMaxScaler((-1, 1)).fit_transform(x.T).T
    ours = scale(x, x.min(1, keepdims=True), x.max(1, keepdims=True), (-1.0, 1.0))
    assert np.array_equal(ours, np.clip(theirs, -1, 1))


def test_constant_series_maps_to_the_low_end():
    assert scale(np.full(3, 7.5), np.array(7.5), np.array(7.5), (0.0, 1.0)).tolist() == [0, 0, 0]
