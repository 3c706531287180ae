"""The five statistics: by hand, by NumPy, and where a division could fail."""

import numpy as np
import torch

from dualgaf.models.statistics import STATISTICS, StatisticsBranch, basic_statistics


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


def test_the_branch_embeds_windows_of_any_length() -> None:
    for n_channels, length in ((1, 1), (1, 2), (3, 100)):
        series = torch.randn(2, n_channels, length)
        assert StatisticsBranch(n_channels, 8)(series).shape == (2, 8)
