"""A training that goes on from a checkpoint is the one that was not interrupted, bit for bit."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from lightning import seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from dualgaf.models import optimization
from dualgaf.training.classifier import make_classifier
from dualgaf.training.config import load_config, make_data
from dualgaf.training.options import trainer_options
from dualgaf.training.report import EpochCurves
from few_kernels import few_kernels
from semaphores import needs_semaphores

SMALL = (
    *("data=simulated", "data.n_windows=40", "data.window_size=12", "datamodule.image_size=8"),
    *(
        "datamodule.batch_size=6",
        "model.width=8",
        "trainer.max_epochs=4",
        "trainer.accelerator=cpu",
    ),
    "trainer.enable_progress_bar=false",
)

KINDS = {
    "default": (),
    "workers": ("datamodule.num_workers=2",),
    "changed": (
        *("images=on_device", "datamodule.augmentation.jitter=0.3"),
        "datamodule.augmentation.scaling=0.2",
    ),
    "changed by workers": (
        *("images=on_device", "datamodule.augmentation.jitter=0.3"),
        *("datamodule.augmentation.scaling=0.2", "datamodule.num_workers=1"),
    ),
    "plateau": ("classifier.schedule=plateau", "trainer.accumulate_grad_batches=2"),
    "ema": ("callbacks=ema", "classifier.optimizer=radam"),
    "swa": ("callbacks=swa", "callbacks.averaging.start=0.3", "classifier.schedule=one_cycle"),
}

pytestmark = [
    # the checkpoint of each epoch is beside the run's own
    pytest.mark.filterwarnings("ignore:The dirpath has changed from"),
    pytest.mark.filterwarnings("ignore:.* exists and is not empty:UserWarning"),
]


@dataclass
class Trained:
    """What is the same in two trainings that are the same."""

    weights: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    schedule: list[dict[str, Any]]
    metrics: dict[str, float]
    curves: list[dict[str, float]]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    few_kernels(monkeypatch)
    monkeypatch.setattr(optimization, "PLATEAU_PATIENCE", 0)


def train(folder, options, seed=0, checkpoint=None):
    """What train.py trains, with a checkpoint of each epoch beside its own."""
    cfg = load_config([*SMALL, *options, f"paths.run_dir={folder}"])
    seed_everything(seed, verbose=False)
    data = make_data(cfg)
    model = make_classifier(cfg, data, None)
    told, curves = trainer_options(cfg, data), EpochCurves()
    each = ModelCheckpoint(folder / "each", "{epoch}", save_top_k=-1)
    trainer = instantiate(
        cfg.trainer, **{**told, "callbacks": [*told["callbacks"], curves, each]}, logger=False
    )
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    schedules = [dict(each.scheduler.state_dict()) for each in trainer.lr_scheduler_configs]
    for schedule in schedules:
        schedule.pop("lr_lambdas", None)
    found = Trained(
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        trainer.optimizers[0].state_dict(),
        schedules,
        {name: float(value) for name, value in trainer.callback_metrics.items()},
        curves.epochs,
    )
    data.close()
    return found


def assert_same(one, other):
    assert one.weights.keys() == other.weights.keys()
    for name, tensor in one.weights.items():
        assert torch.equal(tensor, other.weights[name]), name
    assert one.optimizer["param_groups"] == other.optimizer["param_groups"]
    for state, same in zip(
        one.optimizer["state"].values(), other.optimizer["state"].values(), strict=True
    ):
        assert all(torch.equal(tensor, same[name]) for name, tensor in state.items())
    assert one.schedule == other.schedule
    assert one.metrics == other.metrics
    assert one.curves == other.curves


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A training of each kind, made when it is asked for."""
    made = {}

    def of(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("run")
            made[kind] = folder, train(folder, KINDS[kind])
        return made[kind]

    return of


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[needs_semaphores] * ("workers" in kind)) for kind in KINDS],
)
def test_resumed_equals_uninterrupted(kind, uninterrupted, tmp_path):
    folder, whole = uninterrupted(kind)
    # Another state of the process: nothing may come from its generators.
    resumed = train(tmp_path, KINDS[kind], seed=7, checkpoint=folder / "each" / "epoch=1.ckpt")
    assert_same(resumed, whole)
    assert [epoch["epoch"] for epoch in resumed.curves] == [1, 2, 3, 4]


@needs_semaphores
@pytest.mark.parametrize(
    ("kind", "same"), [("workers", "default"), ("changed by workers", "changed")]
)
def test_loader_workers_change_no_bit_of_a_training(kind, same, uninterrupted):
    assert_same(uninterrupted(kind)[1], uninterrupted(same)[1])


def test_another_seed_is_another_training(uninterrupted, tmp_path):
    (_, whole), other = uninterrupted("default"), train(tmp_path, (), seed=1)
    assert not torch.equal(*(next(iter(one.weights.values())) for one in (whole, other)))
    assert whole.metrics["val/loss"] != other.metrics["val/loss"]


def test_the_plateau_of_these_trainings_has_lowered_the_rate(uninterrupted):
    _, whole = uninterrupted("plateau")
    rates = [epoch["learning_rate"] for epoch in whole.curves]
    assert rates[-1] < rates[0] == 4e-3


@pytest.mark.parametrize("limit", ["trainer.max_epochs=2", "trainer.max_steps=1"])
def test_a_training_by_steps_that_goes_on_says_that_it_is_another(
    limit, uninterrupted, tmp_path, caplog
):
    folder, _ = uninterrupted("default")
    # Both limits are reached: nothing is trained.
    train(tmp_path, (limit,), checkpoint=folder / "each" / "epoch=1.ckpt")
    assert ("type trainer.max_epochs=N" in caplog.text) == ("steps" in limit)
