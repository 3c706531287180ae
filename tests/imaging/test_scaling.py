import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from dualgaf.imaging.scaling import are_constant, rounding
from oracles.kernel import scale

ONE = rounding(1, np.float64)


@pytest.mark.parametrize("offset", [0.0, 1e5, 1e9])
def test_scale_is_scikit_learns_to_the_last_bit(offset):
    x = np.random.default_rng(0).normal(offset, 1.0, (4, 30))
    theirs = MinMaxScaler((-1, 1)).fit_transform(x.T).T
    ours = scale(x, x.min(1, keepdims=True), x.max(1, keepdims=True), (-1.0, 1.0), ONE)
    assert np.array_equal(ours, np.clip(theirs, -1, 1))


def test_constant_series_maps_to_the_low_end():
    low = np.full((1, 1), 7.5)
    assert scale(np.full((1, 3), 7.5), low, low, (0.0, 1.0), ONE).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("scale_of_values", [1e-300, 1e-12, 1.0, 1e12, 1e300])
def test_the_bound_of_a_constant_goes_with_its_values(scale_of_values):
    # 1.5 and 1.5 + 2^-51 are two steps of float64 apart, 1.5 and 1.5 + 2^-40 are 4096
    low = np.array([1.5, 1.5]) * scale_of_values
    high = np.array([1.5 + 2.0**-51, 1.5 + 2.0**-40]) * scale_of_values
    assert are_constant(low, high, high, ONE).tolist() == [True, False]
    assert are_constant(low, high, high, rounding(1, np.float32)).tolist() == [True, True]
