import numpy as np
import pytest
from pyts.approximation import PiecewiseAggregateApproximation

from dualgaf.errors import ConfigError
from dualgaf.imaging.paa import paa_edges, segment_means


def test_hand_computed_uneven_segments():
    # edges of 5 steps in 2 segments: 0, 2, 5
    assert paa_edges(5, 2).tolist() == [0, 2, 5]
    assert segment_means(np.array([1.0, 3.0, 4.0, 5.0, 9.0]), paa_edges(5, 2)).tolist() == [2, 6]


def test_agrees_with_pyts_to_the_last_bit():
    x = np.random.default_rng(0).normal(1e5, 1.0, (3, 31))
    for size in range(2, 32):
        theirs = PiecewiseAggregateApproximation(
            window_size=None, output_size=size, overlapping=False
        ).transform(x)
        assert np.array_equal(segment_means(x, paa_edges(31, size)), theirs)


@pytest.mark.parametrize("size", [1, 6])
def test_size_outside_the_window(size):
    with pytest.raises(ConfigError, match=f"image_size={size} does not fit a window of 5 steps"):
        paa_edges(5, size)
