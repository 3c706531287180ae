from itertools import accumulate, pairwise

import numpy as np
import pytest

from dualgaf.errors import ConfigError
from dualgaf.imaging.paa import paa_edges
from oracles import paa_by_pyts
from oracles.kernel import segment_means


def test_hand_computed_uneven_segments():
    # edges of 5 steps in 2 segments: 0, 2, 5
    assert paa_edges(5, 2).tolist() == [0, 2, 5]
    assert segment_means(np.array([1.0, 3.0, 4.0, 5.0, 9.0]), paa_edges(5, 2)).tolist() == [2, 6]


def test_a_mean_adds_step_by_step_to_the_last_bit():
    x = np.random.default_rng(0).normal(1e5, 1.0, (3, 31))
    for size in range(2, 32):
        edges = paa_edges(31, size)
        wanted = [
            [[*accumulate(row[a:b].tolist())][-1] / (b - a) for a, b in pairwise(edges.tolist())]
            for row in x
        ]
        assert segment_means(x, edges).tolist() == wanted


def test_agrees_with_pyts_to_the_last_bit_where_a_sum_is_exact():
    # quarters of up to 2^18: whatever the order of adding, nothing is rounded before the division
    x = np.random.default_rng(0).integers(-(1 << 20), 1 << 20, (3, 31)) / 4
    for size in range(2, 32):
        assert np.array_equal(segment_means(x, paa_edges(31, size)), paa_by_pyts(x, size))


def test_edges_are_those_of_pyts_also_where_a_whole_one_is_rounded_down():
    # 30 / 22 * 11 is 15, and 14.999999999999998 in float64; 2 of 4 is 15 in both
    assert (int(paa_edges(30, 22)[11]), int(paa_edges(30, 4)[2])) == (14, 15)
    x = np.random.default_rng(0).integers(-(1 << 20), 1 << 20, (2, 52)) / 4
    for steps, size in ((30, 22), (30, 26), (45, 33), (52, 46), (52, 45)):
        ours = segment_means(x[:, :steps], paa_edges(steps, size))
        assert np.array_equal(ours, paa_by_pyts(x[:, :steps], size))


@pytest.mark.parametrize("size", [1, 6])
def test_size_outside_the_window(size):
    with pytest.raises(ConfigError, match=f"image_size={size} does not fit a window of 5 steps"):
        paa_edges(5, size)
