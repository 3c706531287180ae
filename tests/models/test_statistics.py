"""The statistics: by hand, by NumPy and SciPy, and where a division could fail."""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dualgaf.errors import ConfigError
from dualgaf.models.statistics import (
    KINDS,
    STATISTICS,
    StatisticsBranch,
    basic_statistics,
    comprehensive_statistics,
    correlation_focused_statistics,
    pair_correlations,
    pair_distances,
    shape_statistics,
)


def test_statistics_by_hand() -> None:
    series = torch.tensor([[[0.0, 1.0, 2.0, 3.0], [2.0, 2.0, 2.0, 2.0], [1.0, -1.0, 1.0, -1.0]]])
    wanted = torch.tensor(
        [
            [1.5, 1.25**0.5, 0.0, 3.0, 3.0],
            [2.0, 0.0, 2.0, 2.0, 0.0],
            # times -1/2, -1/6, 1/6, 1/2: sum(t x) = -2/3, sum(t t) = 5/9
            [0.0, 1.0, -1.0, 1.0, -1.2],
        ]
    )
    torch.testing.assert_close(basic_statistics(series)[0], wanted)


def test_statistics_agree_with_numpy() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (4, 2, 37))
    got = basic_statistics(torch.from_numpy(x)).numpy()
    slope = [[np.polyfit(np.linspace(0, 1, 37), signal, 1)[0] for signal in row] for row in x]
    wanted = np.stack([x.mean(-1), x.std(-1), x.min(-1), x.max(-1), np.array(slope)], axis=-1)
    assert len(STATISTICS) == got.shape[-1] == 5
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)


def test_statistics_of_a_single_step_are_finite() -> None:
    got = basic_statistics(torch.tensor([[[7.0]]]))
    torch.testing.assert_close(got, torch.tensor([[[7.0, 0.0, 7.0, 7.0, 0.0]]]))


def test_statistics_of_a_constant_signal_have_a_finite_gradient() -> None:
    # The square root of a zero variance is where a NaN could enter the weights.
    series = torch.full((1, 1, 5), 2.0)
    branch = torch.nn.Linear(5, 1)
    branch(basic_statistics(series)).sum().backward()
    assert branch.weight.grad is not None
    assert torch.isfinite(branch.weight.grad).all()


def test_shape_by_hand() -> None:
    # deviations -1, -1, -1, 3 of a mean of 1: variance 3, third moment 6, fourth 21
    series = torch.tensor([[[0.0, 0.0, 0.0, 4.0], [5.0, 1.0, 2.0, 4.0]]])
    got = shape_statistics(series)[0]
    torch.testing.assert_close(got[0], torch.tensor([0.0, 6 / 3**1.5, 21 / 9 - 3]))
    # an even number of steps: the mean of the middle two; symmetric: no skewness
    torch.testing.assert_close(got[1, :2], torch.tensor([3.0, 0.0]))


@pytest.mark.parametrize("length", [2, 3, 36, 37])
def test_shape_agrees_with_numpy_and_scipy(length: int) -> None:
    x = np.random.default_rng(0).gamma(2.0, 1.0, (4, 2, length))
    got = shape_statistics(torch.from_numpy(x)).numpy()
    wanted = np.stack([np.median(x, -1), stats.skew(x, -1), stats.kurtosis(x, -1)], axis=-1)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def test_pairs_by_hand() -> None:
    series = torch.tensor([[[0.0, 1.0, 2.0], [0.0, -1.0, -2.0], [1.0, 1.0, 4.0]]])
    torch.testing.assert_close(
        pair_distances(series), torch.tensor([[4.0, 2.0, 6.0, 2.0, 1.0, 3.0]])
    )
    # signal 2 deviates -1, -1, 2: covariance with 0 is 1, variances 2/3 and 2
    r = 1 / (2 / 3 * 2) ** 0.5
    torch.testing.assert_close(pair_correlations(series), torch.tensor([[-1.0, r, -r]]))


def test_pairs_agree_with_numpy() -> None:
    x = np.random.default_rng(1).normal(3.0, 2.0, (3, 4, 25))
    pairs = list(combinations(range(4), 2))
    wanted = [[np.corrcoef(row)[i, j] for i, j in pairs] for row in x]
    got = pair_correlations(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)
    apart = [[np.abs(row[i] - row[j]) for i, j in pairs] for row in x]
    wanted = np.concatenate([np.max(apart, -1), np.mean(apart, -1)], axis=1)
    np.testing.assert_allclose(pair_distances(torch.from_numpy(x)).numpy(), wanted, rtol=1e-12)


def test_the_kinds_are_their_parts_in_order() -> None:
    series = torch.randn(2, 3, 16)
    basic, shape = basic_statistics(series), shape_statistics(series)
    comprehensive = torch.cat((basic, shape), dim=2).flatten(1)
    wanted = torch.cat((comprehensive, pair_correlations(series)), dim=1).asinh()
    torch.testing.assert_close(comprehensive_statistics(series), wanted)
    parts = (basic.flatten(1), pair_correlations(series), pair_distances(series))
    torch.testing.assert_close(correlation_focused_statistics(series), torch.cat(parts, dim=1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_embedded_in_windows_of_every_size(kind: str) -> None:
    for n_channels, length in ((1, 1), (1, 2), (3, 2), (20, 100)):
        branch, series = StatisticsBranch(n_channels, 8, kind), torch.randn(2, n_channels, length)
        embedding = branch(series)
        layer, numbers = branch.embed[0], KINDS[kind][0](series)
        sums = numbers @ layer.weight.T + layer.bias
        wanted = sums * (1 + torch.erf(sums / 2**0.5)) / 2
        torch.testing.assert_close(embedding, wanted, atol=1e-5, rtol=1e-4)
        embedding.sum().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in branch.parameters())


# The mean of 97 times 33333.332 is another float32: what is left is rounding, not a shape.
CONSTANT = [0.0, 0.1, -7.3, 33333.332, 1e6, 1e-30]


@pytest.mark.parametrize("kind", KINDS)
def test_constant_signals_give_no_nan_in_values_or_gradients(kind: str) -> None:
    for value, length in product(CONSTANT, [1, 2, 96]):
        series = torch.randn(2, 3, length)
        series[:, 1:] = value  # two constant signals beside one that varies
        series[1] = value
        series.requires_grad_()
        numbers = KINDS[kind][0](series)
        assert torch.isfinite(numbers).all(), (value, length)
        numbers.sum().backward()
        assert series.grad is not None
        assert torch.isfinite(series.grad).all(), (value, length)


@pytest.mark.parametrize("value", CONSTANT)
def test_a_constant_signal_has_no_shape(value: float) -> None:
    series = torch.cat((torch.full((1, 1, 97), value), torch.randn(1, 1, 97)), dim=1)
    assert shape_statistics(series)[0, 0, 1:].tolist() == [0.0, 0.0]
    assert pair_correlations(series).tolist() == [[0.0]]


def test_a_signal_that_changes_by_its_last_digit_has_no_shape_and_one_that_varies_has() -> None:
    level = torch.full((1, 2, 97), 33333.332)
    level[0, 0, ::2] = torch.nextafter(level[0, 0, ::2], torch.tensor(torch.inf))
    level[0, 1, ::2] += 1.0
    assert shape_statistics(level)[0, 0, 1:].tolist() == [0.0, 0.0]
    assert shape_statistics(level)[0, 1, 2] < -1.9
    assert pair_correlations(level).tolist() == [[0.0]]


@given(seed=st.integers(0, 2**16), n_channels=st.integers(1, 5), length=st.integers(1, 40))
def test_correlations_lie_within_one(seed: int, n_channels: int, length: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    series = torch.randn(2, n_channels, length, generator=generator)
    r = pair_correlations(series)
    assert r.shape == (2, n_channels * (n_channels - 1) // 2)
    assert (r.abs() <= 1 + 1e-5).all()


def test_an_unknown_kind_lists_the_allowed_ones() -> None:
    with pytest.raises(ConfigError) as error:
        StatisticsBranch(3, 8, "basik")
    assert str(error.value) == (
        "model.statistics='basik' is not known; allowed: basic, comprehensive, "
        "correlation_focused; type model.statistics=basic"
    )
