"""The regression is scikit-learn's, days stay whole in cross-validation, and nothing leaks."""

import logging

import lightning as L
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.models.minirocket import branch as module
from dualgaf.models.minirocket.branch import ENSEMBLE_WEIGHT, MiniRocketBranch, _folds
from dualgaf.models.time_warp import TimeWarp
from few_kernels import few_kernels

pytestmark = [
    pytest.mark.filterwarnings("ignore:You defined a `validation_step`"),
    pytest.mark.filterwarnings("ignore:Total length of `list`"),
]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which the number of kernels does not matter."""
    few_kernels(monkeypatch)


def paces(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows (N, 2, 40) of two classes, waves of two paces in noise."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % 2
    phase = 6 * torch.rand(n, 1, 1, generator=generator)
    waves = ((1 + label[:, None, None]) * torch.linspace(0, 6, 40) + phase).sin()
    return waves + 0.3 * torch.randn(n, 2, 40, generator=generator), label


def fitted(warp: TimeWarp | None = None) -> MiniRocketBranch:
    torch.manual_seed(0)
    branch = MiniRocketBranch(2, 2)
    branch.fit(*paces(40), warp=warp)
    return branch


@pytest.mark.parametrize("warp", [None, TimeWarp(0.4, 0.2)])
def test_it_tells_the_pace_of_new_windows(warp: TimeWarp | None) -> None:
    series, label = paces(200, seed=1)
    branch = fitted(warp)
    assert (branch(series).argmax(dim=1) == label).float().mean() > 0.95
    # Probabilities fit how often it is right: sure where it is, and never without end.
    loss = torch.nn.functional.cross_entropy(branch(series), label)
    assert loss < 0.5 * np.log(2)


def test_a_group_is_in_one_fold() -> None:
    group = torch.arange(60) // 4
    folds = _folds(group, group % 3)
    assert (folds.view(15, 4) == folds[::4, None]).all()
    assert folds[::4].bincount().tolist() == [3] * 5


def test_without_groups_each_window_is_its_own() -> None:
    assert _folds(None, torch.arange(12) % 2).bincount().tolist() == [3, 3, 2, 2, 2]


def test_the_only_run_of_a_class_is_out_of_fold_in_pieces() -> None:
    # Class 0 has groups 0 and 1, class 1 has group 2, class 2 a single window.
    group = torch.tensor([0] * 5 + [1] * 5 + [2] * 10 + [3])
    folds = _folds(group, torch.tensor([0] * 10 + [1] * 10 + [2]))
    assert len(set(folds[:5].tolist())) == len(set(folds[5:10].tolist())) == 1
    assert folds[10:20].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert 0 <= folds[20] < 5


@pytest.mark.usefixtures("few")
def test_one_window_and_one_class_are_solved() -> None:
    branch, (series, _) = MiniRocketBranch(2, 3), paces(1)
    branch.fit(series, torch.tensor([2]))
    assert branch(series).argmax().item() == 2


@pytest.mark.usefixtures("few")
def test_a_large_set_is_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WINDOWS", 30)
    seen: list[int] = []
    whole = MiniRocketBranch._in_parts
    monkeypatch.setattr(
        MiniRocketBranch, "_in_parts", lambda self, x: (seen.append(len(x)), whole(self, x))[1]
    )
    branch = MiniRocketBranch(2, 2)
    branch.fit(*paces(10), warp=TimeWarp(0.4))
    branch.fit(*paces(100), warp=TimeWarp(0.4))
    assert seen == [10] * 5 + [30]  # two copies of each of two strengths, and none of thirty
    monkeypatch.setattr(module, "MOST_STEPS", 10 * 40 * 2)
    branch.fit(*paces(10), warp=TimeWarp(0.4))
    branch.fit(*paces(25), warp=TimeWarp(0.4))
    assert seen[6:] == [10] * 3 + [25]  # one copy of forty steps


@pytest.mark.usefixtures("few")
def test_a_warp_that_changes_nothing_makes_no_copies() -> None:
    series, _ = paces(8, seed=4)
    without = fitted()(series)
    assert torch.equal(fitted(TimeWarp())(series), without)
    assert not torch.equal(fitted(TimeWarp(0.4))(series), without)


def steps(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows (N, 1, 48) that rise early or late, in noise: a warp takes away what tells them."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % 2
    rise = torch.sigmoid(2 * (torch.arange(48.0) - 20 - 4 * label[:, None, None]))
    return rise + 0.2 * torch.randn(n, 1, 48, generator=generator), label


@pytest.mark.usefixtures("few")
def test_copies_are_warped_where_that_helps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def error(series: torch.Tensor, label: torch.Tensor, warps: tuple[float, ...]) -> float:
        torch.manual_seed(0)
        monkeypatch.setattr(module, "WARPS", warps)
        branch = MiniRocketBranch(series.shape[1], 2)
        branch.fit(series, label, warp=TimeWarp(0.4, 0.4))
        new, truth = (steps if series.shape[1] == 1 else paces)(200, seed=5)
        return float((branch(new).argmax(dim=1) != truth).float().mean())

    never, always = (error(*steps(60), warps) for warps in ((0.0,), (1.0,)))
    assert never < always
    assert error(*steps(60), (0.0, 1.0)) == never


@pytest.mark.usefixtures("few")
def test_bfloat16_changes_nothing() -> None:
    branch, (series, _) = fitted(), paces(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = branch(series)
    assert torch.equal(got, branch(series))


def trained(
    data: DualGAFDataModule | None, seed: int = 0, **options: object
) -> tuple[DualGAFClassifier, L.Trainer]:
    torch.manual_seed(seed)
    model = DualGAFClassifier(DualGAFNet(2, 2, width=8))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", enable_checkpointing=False, **quiet)
    trainer.fit(model, datamodule=data, **options)
    return model, trainer


@pytest.mark.usefixtures("few")
def test_a_training_solves_it_from_the_windows_that_may_be_learned() -> None:
    (x, y), (x_val, y_val) = paces(16), paces(8, seed=3)
    data = DualGAFDataModule.from_arrays(
        train=(x.numpy(), y.numpy()), val=(x_val.numpy(), y_val.numpy()), batch_size=8
    )
    series, label, group = data.training_windows(100)
    assert series.shape == (16, 2, 40)
    np.testing.assert_array_equal(label, y)
    assert len(set(group)) == 16
    np.testing.assert_allclose(series, data.series_scaler.transform(x.numpy()))
    assert len(data.training_windows(5)[0]) == 5
    data.with_val = True
    np.testing.assert_array_equal(data.training_windows(100)[1], torch.cat((y, y_val)))
    data.with_val = False
    model, _ = trained(data)
    assert model.net.minirocket.ensemble_weight == ENSEMBLE_WEIGHT
    wanted = MiniRocketBranch(2, 2)
    wanted.load_state_dict(model.net.minirocket.state_dict())
    # Of the val split nothing was seen: with other val windows the same is solved.
    other = DualGAFDataModule.from_arrays(
        train=(x.numpy(), y.numpy()), val=(x_val.numpy() + 9, y_val.numpy()), batch_size=8
    )
    again, _ = trained(other)
    for name, value in again.net.minirocket.state_dict().items():
        assert torch.equal(value, wanted.state_dict()[name]), name
    data.close()
    other.close()


@pytest.mark.usefixtures("few")
def test_a_training_that_goes_on_keeps_it(tmp_path: object) -> None:
    x, y = paces(16)
    data = DualGAFDataModule.from_arrays(train=(x.numpy(), y.numpy()), batch_size=8)
    model, trainer = trained(data)
    trainer.save_checkpoint(f"{tmp_path}/a.ckpt")
    # From seed 1 other kernels would be drawn, and other biases for those of the checkpoint.
    again, _ = trained(data, seed=1, ckpt_path=f"{tmp_path}/a.ckpt")
    for name, value in again.net.minirocket.state_dict().items():
        assert torch.equal(value, model.net.minirocket.state_dict()[name]), name
    data.close()


@pytest.mark.usefixtures("few")
def test_loaders_alone_do_not_solve_it_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    x, y = paces(16)
    data = DualGAFDataModule.from_arrays(train=(x.numpy(), y.numpy()), batch_size=8)
    data.setup("fit")
    loader: DataLoader[object] = data.train_dataloader()
    with caplog.at_level(logging.WARNING):
        model, _ = trained(None, train_dataloaders=loader)
    assert model.net.minirocket.ensemble_weight == 0
    assert "trainer.fit(model, datamodule=data)" in caplog.text
    data.close()


def levels(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows (N, 1, 100) of noise that differ in their level only, a little."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % 2
    return torch.randn(n, 1, 100, generator=generator) + 0.3 * label[:, None, None], label


def told_by_level(use_statistics: bool) -> float:
    """Fraction of new windows that a branch of two widths in time gets right."""
    torch.manual_seed(0)
    branch = MiniRocketBranch(1, 2, use_statistics)
    branch.fit(*levels(60))
    series, label = levels(200, seed=1)
    return float((branch(series).argmax(dim=1) == label).float().mean())


@pytest.mark.parametrize("shares", [(0.1,), (0.5,)])
def test_statistics_tell_a_level_that_kernels_hardly_see(
    monkeypatch: pytest.MonkeyPatch, shares: tuple[float, ...]
) -> None:
    few_kernels(monkeypatch, dilations=2)  # the wider ones see it by the zeros beyond the window

    def right(shares: tuple[float, ...]) -> float:
        monkeypatch.setattr(module, "STATISTICS_FRACTIONS", shares)
        return told_by_level(use_statistics=True)

    # Three seeds gave 0.48 to 0.54 without and 0.83 to 0.95 with statistics.
    assert right(shares) > right((0.0,)) + 0.2
    assert right((*shares, 0.0)) == right(shares)  # no statistics are not chosen


def test_without_statistics_it_has_kernels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net = DualGAFNet(1, 2, use_statistics=False)
    assert len(net.minirocket.weight) == module.N_FEATURES == 12 * 84 * 4
    assert len(DualGAFNet(1, 2).minirocket.weight) == module.N_FEATURES + 5
    few_kernels(monkeypatch, dilations=2)
    assert told_by_level(False) + 0.2 < told_by_level(True)


@pytest.mark.usefixtures("few")
def test_a_share_of_statistics_is_that_of_the_variance() -> None:
    torch.manual_seed(0)
    numbers = torch.randn(3, 400, module.N_FEATURES + 10) * 5 + 2
    weighed = module._Numbers(numbers.clone())
    for share in (0.1, 0.5, 0.0):
        rows = (numbers - weighed.centre) * weighed.gain(share)
        of_each = rows.var(dim=(0, 1), correction=0)
        assert float(of_each.sum()) == pytest.approx(1.0, rel=0.02)
        assert float(of_each[module.N_FEATURES :].sum()) == pytest.approx(share, rel=0.02)


@pytest.mark.usefixtures("few")
def test_each_share_is_solved_as_if_it_were_the_first() -> None:
    torch.manual_seed(0)
    numbers = torch.randn(2, 30, module.N_FEATURES + 5)
    wanted, folds = torch.eye(2)[torch.arange(30) % 2], torch.arange(30) % 5
    one_by_one = module._Numbers(numbers.clone())
    for share in (0.1, 0.5, 0.0):
        alone = module._Numbers(numbers.clone()).solved(share, wanted, folds)
        again = one_by_one.solved(share, wanted, folds)
        torch.testing.assert_close(again.out_of_fold, alone.out_of_fold, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(again.weight, alone.weight, atol=1e-4, rtol=1e-3)
