"""Shares of the kernels against sums worked out in float64, and on paper."""

import math
from itertools import combinations
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.models.minirocket import features as module
from dualgaf.models.minirocket.features import BIASES, N_FEATURES, MiniRocketFeatures, dilations


def fitted(n_channels: int, n_steps: int, seed: int = 0) -> tuple[MiniRocketFeatures, torch.Tensor]:
    """Features whose biases come from ten windows of noise, and these windows."""
    torch.manual_seed(seed)
    features, series = MiniRocketFeatures(n_channels), torch.randn(10, n_channels, n_steps)
    features.fit(series)
    return features, series


def test_the_kernels_are_all_that_weigh_three_of_nine_steps() -> None:
    kernels = MiniRocketFeatures(1).kernels[:, 0]
    assert {tuple(k.tolist()) for k in kernels} == {
        tuple(2.0 if step in twos else -1.0 for step in range(9))
        for twos in combinations(range(9), 3)
    }


def test_a_share_worked_out_on_paper() -> None:
    # The first kernel weighs steps -4, -3, -2 by 2: a single 1 gives 2 three times and -1 six.
    features = MiniRocketFeatures(1)
    features.bias.fill_(1.0)
    features.width.fill_(1e-3)
    series = torch.zeros(1, 1, 20)
    series[0, 0, 9] = 1.0
    assert features(series)[0, 0] == pytest.approx(3 / 20)


@pytest.mark.parametrize(("n_channels", "n_steps"), [(1, 1), (1, 24), (4, 50), (12, 9)])
def test_shares_are_those_of_a_double_loop(n_channels: int, n_steps: int) -> None:
    features, series = fitted(n_channels, n_steps)
    got = features(series[:2]).reshape(2, 12, BIASES, 84)
    for at, dilation in ((0, dilations(n_steps)[0]), (11, dilations(n_steps)[11])):
        for kernel in (0, 41, 83):
            weights = features.kernels[kernel, 0].double().tolist()
            read = features.mixture[at, kernel].double() @ series[0].double()
            if n_channels == 1 and at == 11:  # differences; the first step has none
                read = torch.cat((torch.zeros(1), read[1:] - read[:-1]))
            bias, width = features.bias[at, kernel, 1].item(), features.width[at, kernel].item()
            total = 0.0
            for step in range(n_steps):
                places = [step + dilation * (k - 4) for k in range(9)]
                response = sum(
                    w * float(read[p])
                    for w, p in zip(weights, places, strict=True)
                    if 0 <= p < n_steps
                )
                total += 0.5 * (1 + math.tanh((response - bias) / width / 2))
            assert got[0, at, 1, kernel].item() == pytest.approx(total / n_steps, abs=1e-4)


def by_torch(features: MiniRocketFeatures, series: torch.Tensor) -> torch.Tensor:
    """What torch gives, which reads whatever a gradient follows."""
    return features(series.clone().requires_grad_()).detach()


@pytest.mark.parametrize(
    ("n_channels", "n_steps", "n_windows"),
    # 4096 steps are read at a time: of one window, of several, and of those that are left over.
    [
        *((1, 1, 3), (1, 2, 2), (1, 24, 1), (1, 51, 90), (3, 8, 5)),
        *((12, 9, 7), (2, 4100, 2), (24, 50, 90)),
    ],
)
def test_the_compiled_kernel_gives_what_torch_gives(
    n_channels: int, n_steps: int, n_windows: int
) -> None:
    features, _ = fitted(n_channels, n_steps)
    series = 2 * torch.randn(n_windows, n_channels, n_steps) + 0.3
    got, wanted = features(series), by_torch(features, series)
    assert got.shape == (n_windows, N_FEATURES)
    torch.testing.assert_close(got, wanted, atol=2e-6, rtol=0)


def test_signals_that_cancel_out_leave_the_noise_that_torch_has() -> None:
    # Such a kernel has no width but the smallest: what rounding leaves is not far below it.
    torch.manual_seed(0)
    one = torch.randn(10, 1, 30)
    series = torch.cat((one, -one * (1 + 1e-7), one.flip(2)), dim=1)
    features = MiniRocketFeatures(3)
    features.fit(series)
    assert (features.width < 2e-6).any()
    torch.testing.assert_close(features(series), by_torch(features, series), atol=1e-5, rtol=0)


def test_responses_far_from_a_bias_count_whole_or_not_at_all() -> None:
    features, series = fitted(2, 40)
    got, wanted = features(1e30 * series), by_torch(features, 1e30 * series)
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=0)
    assert (wanted - (wanted * 40).round() / 40).abs().max() < 1e-6


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_a_window_of_no_number_has_no_numbers_and_its_neighbours_have_theirs(value: float) -> None:
    features, series = fitted(2, 40)
    wanted = features(series)
    series[4, 1, 7] = value
    got = features(series)
    assert got[4].isnan().all()
    others = [k for k in range(10) if k != 4]
    assert torch.equal(got[others], wanted[others])


def test_threads_share_the_windows_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    features, series = fitted(2, 40)
    parts: list[int] = []
    fractions = module.kernel().fractions
    monkeypatch.setattr(module, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(
        module,
        "kernel",
        lambda: SimpleNamespace(
            fractions=lambda read, *rest: (parts.append(len(read)), fractions(read, *rest))
        ),
    )
    found = {}
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found[threads] = features(series)
    assert torch.equal(found[1], found[3])
    assert (parts[0], sorted(parts[1:])) == (10, [3, 3, 4])


def test_a_gradient_goes_through_to_the_window() -> None:
    features, series = fitted(2, 40)
    features(series.requires_grad_()).sum().backward()
    assert series.grad is not None
    assert series.grad.abs().sum() > 0


def test_other_precisions_are_read_by_torch() -> None:
    features, series = fitted(2, 40)
    wanted = features(series)
    torch.testing.assert_close(
        features.double()(series.double()).float(), wanted, atol=1e-5, rtol=0
    )


@given(n_steps=st.integers(1, 5000))
def test_the_widest_kernel_is_as_long_as_the_window(n_steps: int) -> None:
    found = dilations(n_steps)
    assert found == sorted(found)
    assert found[0] == 1
    assert found[-1] == max(1, (n_steps - 1) // 8)


def test_a_kernel_reads_one_to_nine_signals_with_the_same_variance() -> None:
    mixture = MiniRocketFeatures(30).mixture
    read = (mixture > 0).sum(dim=-1)
    assert set(read.unique().tolist()) == set(range(1, 10))
    torch.testing.assert_close(mixture.square().sum(dim=-1), torch.ones(read.shape))


def test_a_seed_draws_the_same_kernels_and_a_state_keeps_them() -> None:
    first, series = fitted(3, 30)
    again, _ = fitted(3, 30)
    other = MiniRocketFeatures(3)
    assert torch.equal(first(series), again(series))
    assert not torch.equal(first.mixture, other.mixture)
    other.load_state_dict(first.state_dict())
    assert torch.equal(first(series), other(series))
    assert first(series).shape == (10, N_FEATURES)


def test_biases_are_responses_to_what_was_fitted() -> None:
    # So every share is used: none of the features is the same for all windows.
    features, series = fitted(2, 60)
    shares = features(series)
    assert 0 < shares.mean() < 1
    assert (shares.std(dim=0) > 0).all()


def test_a_constant_signal_has_finite_shares() -> None:
    features = MiniRocketFeatures(1)
    features.fit(torch.zeros(4, 1, 30))
    assert torch.isfinite(features(torch.ones(2, 1, 30))).all()
