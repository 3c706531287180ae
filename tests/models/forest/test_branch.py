"""`ForestBranch`: what it learns, and where it is kept."""

import logging
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import sklearn.ensemble
import torch

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.models.averaging import ExponentialAveraging
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.forest import branch as module
from dualgaf.models.forest.branch import ForestBranch
from dualgaf.models.net import DualGAFNet
from dualgaf.models.time_warp import TimeWarp

pytestmark = [
    pytest.mark.filterwarnings("ignore:You defined a `validation_step`"),
    pytest.mark.filterwarnings("ignore:Total length of `list`"),
]
WARP = TimeWarp(0.4, 0.2)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TREES", 20)


def bursts(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows (N, 2, 40) of noise; of class 1 a short stretch of one signal is higher."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % 2
    series = torch.randn(n, 2, 40, generator=generator)
    series[:, 1, 10:16] += 2.5 * label[:, None]
    return series, label


def fitted(warp: TimeWarp | None = None, seed: int = 0) -> ForestBranch:
    torch.manual_seed(seed)
    branch = ForestBranch(2, 2)
    branch.fit(*bursts(40), warp=warp)
    return branch


@pytest.mark.parametrize("warp", [None, WARP])
def test_it_tells_a_short_stretch_of_new_windows(warp: TimeWarp | None) -> None:
    series, label = bursts(200, seed=1)
    # Five seeds gave 0.85 to 0.99.
    assert (fitted(warp)(series).argmax(dim=1) == label).float().mean() > 0.8


@pytest.mark.parametrize("warp", [None, WARP])
def test_a_seed_gives_the_same_trees(warp: TimeWarp | None) -> None:
    series, _ = bursts(50, seed=1)
    assert torch.equal(fitted(warp)(series), fitted(warp)(series))
    assert not torch.equal(fitted(warp)(series), fitted(warp, seed=1)(series))


def test_threads_share_the_trees_and_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched(sklearn.ensemble.ExtraTreesClassifier):
        def fit(self, *given: Any) -> Any:
            asked.append(self.n_jobs)
            return super().fit(*given)

    monkeypatch.setattr(sklearn.ensemble, "ExtraTreesClassifier", Watched)
    found = []
    for n_threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=n_threads: n)
        found.append(fitted().get_extra_state())
    assert asked == [1, 2]
    assert torch.equal(*found)


def test_classes_without_windows_have_no_probability() -> None:
    branch, (series, label) = ForestBranch(2, 5), bursts(8)
    branch.fit(series, 2 * label + 1)
    found = branch(series).softmax(dim=1)
    assert (found[:, [0, 2, 4]] < 1e-6).all()
    assert branch(series).argmax(dim=1).tolist() == (2 * label + 1).tolist()


def test_one_window_and_one_class_are_learned() -> None:
    branch = ForestBranch(2, 3)
    branch.fit(bursts(1)[0], torch.tensor([2]), WARP)
    assert branch(bursts(4)[0]).argmax(dim=1).tolist() == [2] * 4


@pytest.mark.parametrize(
    ("channels", "warp", "most_values", "rows"),
    [
        (2, WARP, 1 << 23, 40),
        (2, None, 1 << 23, 10),
        (2, TimeWarp(), 1 << 23, 10),
        (1, WARP, 1 << 23, 10),
        (2, WARP, 25_000, 20),
        (2, WARP, 10, 10),
    ],
)
def test_several_signals_are_learned_with_copies(
    monkeypatch: pytest.MonkeyPatch,
    channels: int,
    warp: TimeWarp | None,
    most_values: int,
    rows: int,
) -> None:
    seen: list[int] = []
    whole = ForestBranch._in_parts
    monkeypatch.setattr(
        ForestBranch, "_in_parts", lambda self, x: (seen.append(len(x)), whole(self, x))[1]
    )
    monkeypatch.setattr(module, "MOST_VALUES", most_values)
    branch = ForestBranch(channels, 2)
    branch.fit(bursts(10)[0][:, :channels], bursts(10)[1], warp)
    assert sum(seen) == rows


def test_a_large_set_is_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WINDOWS", 12)
    branch, seen = ForestBranch(2, 2), []
    whole = ForestBranch._in_parts
    monkeypatch.setattr(
        ForestBranch, "_in_parts", lambda self, x: (seen.append(len(x)), whole(self, x))[1]
    )
    branch.fit(*bursts(40), warp=WARP)
    assert seen == [12]


def test_without_statistics_it_reads_quantiles_alone() -> None:
    series, label = bursts(8)
    sizes = []
    for use_statistics in (True, False):
        branch = ForestBranch(2, 2, use_statistics)
        branch.fit(series, label)
        sizes.append(branch._numbers(series).shape[1])
    assert sizes[0] - sizes[1] == 2 * 5


def test_an_exported_branch_says_the_same() -> None:
    branch, (series, _) = fitted().eval(), bursts(30, seed=2)
    batch = torch.export.Dim("batch")
    program = torch.export.export(branch, (series[:2],), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(series), branch(series))


def trained(data: DualGAFDataModule | None, seed: int = 0, **options: Any) -> Any:
    """A classifier after two steps, and its trainer."""
    L.seed_everything(seed, verbose=False)
    net = DualGAFNet(2, 2, width=8, image_size=8, use_minirocket=False)
    model = DualGAFClassifier(net, class_names=["a", "b"])
    trainer = L.Trainer(
        max_steps=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
        callbacks=options.pop("callbacks", None),
    )  # fmt: skip
    trainer.fit(model, datamodule=data, **options)
    return model, trainer


@pytest.fixture
def data() -> Any:
    series, label = bursts(16)
    made = DualGAFDataModule.from_arrays(
        train=(series.numpy(), label.numpy()), image_size=8, batch_size=8
    )
    yield made
    made.close()


@pytest.mark.parametrize("averaged", [False, True])
def test_a_checkpoint_has_what_a_training_learned(
    data: DualGAFDataModule, tmp_path: Path, averaged: bool
) -> None:
    callbacks = [ExponentialAveraging()] if averaged else []
    model, trainer = trained(data, callbacks=callbacks)
    forest = model.net.forest
    assert forest.ensemble_weight == 0.5
    path = tmp_path / "a.ckpt"
    trainer.save_checkpoint(path)
    again = Checkpoint(path).classifier().net.forest
    series, _ = bursts(20, seed=3)
    assert torch.equal(again(series), forest(series))
    assert again.ensemble_weight == 0.5
    # From seed 1 other trees would be learned; a training that goes on has those it had.
    on, _ = trained(data, seed=1, ckpt_path=path, callbacks=callbacks and [ExponentialAveraging()])
    assert torch.equal(on.net.forest(series), forest(series))


def test_random_numbers_of_a_training_do_not_depend_on_it(data: DualGAFDataModule) -> None:
    model, _ = trained(data)
    again, _ = trained(data)
    for name, value in model.net.head.state_dict().items():
        assert torch.equal(value, again.net.head.state_dict()[name])
    assert torch.equal(model.net.forest(bursts(9)[0]), again.net.forest(bursts(9)[0]))


def test_loaders_alone_do_not_teach_it_and_say_so(
    data: DualGAFDataModule, caplog: pytest.LogCaptureFixture
) -> None:
    data.setup("fit")
    with caplog.at_level(logging.WARNING):
        model, _ = trained(None, train_dataloaders=data.train_dataloader())
    assert model.net.forest.trees is None
    assert model.net.forest.ensemble_weight == 0
    assert "trainer.fit(model, datamodule=data)" in caplog.text
