"""`QuickForest`: the leaves that torch comes to, or a word that it cannot tell."""

import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dualgaf.models.forest import branch as branch_module
from dualgaf.models.forest import kernel as kernel_module
from dualgaf.models.forest import quick as module
from dualgaf.models.forest.branch import ForestBranch
from dualgaf.models.forest.trees import Trees


def windows(n: int, channels: int, steps: int, seed: int, kind: str = "noise") -> torch.Tensor:
    """Windows (n, C, T) of a kind."""
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, channels, steps, generator=rng)
    if kind == "walk":
        noise = noise.cumsum(dim=-1)
    elif kind == "few values":  # the same value again and again, levels, and rows that are constant
        noise = (noise * 2).round() / 3
        noise[:, 0] = noise[:, 0, :1]
    elif kind == "high":
        noise = 1e4 + noise
    return noise


def learned(series: torch.Tensor, use_statistics: bool = True, trees: int = 12) -> ForestBranch:
    torch.manual_seed(0)
    branch = ForestBranch(series.shape[1], 3, use_statistics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(branch_module, "TREES", trees)
        branch.fit(series, torch.arange(len(series)) % 3)
    return branch


def by_torch(branch: ForestBranch, series: torch.Tensor) -> torch.Tensor:
    """The leaves (B, R) that torch comes to."""
    assert branch.trees is not None
    return branch.trees.leaves(branch._numbers(series))


def by_kernel(branch: ForestBranch, series: torch.Tensor) -> torch.Tensor:
    """Those of the branch; the kernel is used."""
    assert branch.trees is not None
    found = branch._leaves(branch.trees, series)
    assert branch._quick is not None
    return found


@settings(max_examples=20, deadline=None)
@given(
    shape=st.sampled_from(
        [(1, 2), (3, 2), (1, 3), (2, 4), (1, 17), (24, 15), (5, 51), (60, 33), (2, 130), (1, 600)]
    ),
    kind=st.sampled_from(["noise", "walk", "few values", "high"]),
    use_statistics=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_it_comes_to_the_leaves_of_torch(
    shape: tuple[int, int], kind: str, use_statistics: bool, seed: int
) -> None:
    branch = learned(windows(18, *shape, seed, kind), use_statistics)
    # Windows that were learned, some that were not, and such as were never seen.
    others = windows(30, *shape, seed + 1, kind)
    series = torch.cat((windows(18, *shape, seed, kind), others, torch.zeros(2, *shape)))
    wanted, got = by_torch(branch, series), by_kernel(branch, series)
    for row in (wanted != got).any(dim=1).nonzero()[:, 0].tolist():
        # Torch rounds a window alone in another way than among others.
        assert torch.equal(got[row], by_torch(branch, series[row, None])[0])
        assert (wanted != got).any(dim=1).sum() <= 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_a_window_of_no_number_is_read_by_torch(value: float) -> None:
    series = windows(30, 3, 40, seed=0)
    branch = learned(series)
    series[4, 1, 7], series[9] = value, value
    assert torch.equal(by_kernel(branch, series), by_torch(branch, series))


def test_most_windows_are_sure() -> None:
    branch, series = learned(windows(60, 8, 40, seed=0, kind="walk")), windows(300, 8, 40, seed=1)
    by_kernel(branch, series)
    assert branch._quick is not None
    _, is_sure = branch._quick(series)
    assert is_sure.float().mean() > 0.95  # a trial: all


def with_threshold(threshold: float, steps: int = 40) -> ForestBranch:
    """A branch whose only tree asks for the first mean that is taken off."""
    branch = learned(windows(9, 1, steps, seed=0), use_statistics=False)
    inf = math.inf
    branch.trees = Trees(
        {
            "feature": torch.tensor([1, 0, 0], dtype=torch.int32),
            "threshold": torch.tensor([threshold, inf, inf]),
            "left": torch.tensor([1, 1, 2], dtype=torch.int32),
            "leaf": torch.tensor([0, 0, 1], dtype=torch.int32),
            "probabilities": torch.eye(3)[:2],
            "depth": 1,
            "n_trees": 1,
        }
    )
    return branch


@pytest.mark.parametrize(("steps", "sure"), [(-40, True), (-2, False), (0, False), (2, False),
                                             (40, True)])  # fmt: skip
def test_beside_a_threshold_torch_decides(steps: int, sure: bool) -> None:
    series = windows(1, 1, 40, seed=5)
    number = float(with_threshold(0.0)._numbers(series)[0, 1])
    near = number + steps * 2.0**-23 * float(series.abs().max())
    branch = with_threshold(near)
    assert torch.equal(by_kernel(branch, series), by_torch(branch, series))
    assert branch._quick is not None
    assert branch._quick(series)[1].tolist() == [sure]


@settings(max_examples=15, deadline=None)
@given(
    shape=st.sampled_from([(1, 2), (2, 3), (3, 17), (6, 51), (2, 130), (1, 600)]),
    kind=st.sampled_from(["noise", "walk", "few values", "high"]),
    seed=st.integers(0, 2**31 - 1),
)
def test_numbers_are_those_of_torch_but_for_rounding(
    shape: tuple[int, int], kind: str, seed: int
) -> None:
    branch, series = (
        learned(windows(9, *shape, seed, kind), trees=1),
        windows(1, *shape, seed, kind),
    )
    by_kernel(branch, series)
    wanted, quick = branch._numbers(series)[0].numpy(), branch._quick
    assert quick is not None
    smoothed, grid, intervals, of_number, *quantiles = quick._fixed[:-4]
    row = np.empty(intervals[:, :2].sum(axis=1).max(), np.float32)
    assert branch.quantiles is not None
    magnitudes = branch.quantiles.spectrum(series)[0].numpy()
    kernel_module.fill_row(series[0].numpy(), magnitudes, smoothed, grid, row)
    views = torch.cat([view.flatten() for view in branch.quantiles.views_of(series)]).numpy()
    np.testing.assert_array_equal(row, views)
    numbers, room = np.empty(len(of_number), np.float32), np.empty((2, shape[1] + 32), np.float32)
    slack = [
        kernel_module._read(row, intervals, which, *quantiles, numbers, *room)
        for which in range(len(intervals))
    ]
    assert (abs(numbers - wanted) <= np.array(slack)[of_number]).all()


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 31, 32, 33, 100, 512, 513, 700])
def test_values_are_put_in_order(n: int) -> None:
    rng = np.random.default_rng(n)
    for values in (rng.normal(size=n), rng.integers(-2, 3, n), np.zeros(n), np.arange(n)[::-1]):
        padded, out = np.empty(n + 32, np.float32), np.empty(n + 32, np.float32)
        padded[:n] = values
        kernel_module._put_in_order(padded, n, out)
        np.testing.assert_array_equal(out[:n], np.sort(values).astype(np.float32))


def test_threads_share_the_windows_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    series, parts = windows(30, 3, 40, seed=0), []
    branch = learned(series)
    leaves = module.kernel().leaves
    told = SimpleNamespace(
        leaves=lambda read, *rest: (parts.append(len(read)), leaves(read, *rest))
    )
    monkeypatch.setattr(module, "kernel", lambda: told)
    found = {}
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found[threads] = by_kernel(branch, series)
        assert len(by_kernel(branch, series[:3])) == 3
    assert torch.equal(found[1], found[3])
    assert [parts[0], parts[1], *sorted(parts[2:])] == [30, 3, 3, 10, 10, 10]


def test_what_a_gradient_follows_is_read_by_torch() -> None:
    series = windows(20, 2, 30, seed=0)
    branch = learned(series)
    wanted = by_torch(branch, series)
    assert branch.trees is not None
    assert torch.equal(branch._leaves(branch.trees, series.requires_grad_()), wanted)
    assert branch._quick is None


def test_what_is_learned_anew_is_read_anew() -> None:
    series = windows(30, 2, 30, seed=0)
    branch = learned(series)
    before = branch(series)
    branch.fit(series + 1, torch.arange(30) % 2)
    assert not torch.equal(branch(series + 1), before)
    assert torch.equal(by_kernel(branch, series), by_torch(branch, series))


def test_a_copy_says_the_same_and_has_no_table_of_its_own() -> None:
    series = windows(30, 2, 30, seed=0)
    branch = learned(series)
    wanted = by_kernel(branch, series)
    copied = pickle.loads(pickle.dumps(branch))
    assert copied._quick is None
    assert torch.equal(by_kernel(copied, series), wanted)
