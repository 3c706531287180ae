"""Optimisers and schedules in a real Trainer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.utilities.types import LRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dualgaf.errors import ConfigError
from dualgaf.models import optimization
from dualgaf.models.optimization import (
    Optimization,
    configure,
    make_optimizer,
    rate_fraction,
    step_plateau,
)


class Line(L.LightningModule):
    """y = w x, with the loss that a test wants."""

    def __init__(self, schedule: str, *, learning_rate: float = 0.5, is_flat: bool = False) -> None:
        super().__init__()
        self.how = Optimization(learning_rate, 0.0, "radam", schedule)
        self.line = nn.Linear(1, 1)
        self.is_flat = is_flat
        self.rates: list[float] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        loss = self.line(batch).square().mean() * (0.0 if self.is_flat else 1.0)
        self.log("train/loss", loss, on_step=True, on_epoch=True, batch_size=1)
        return loss

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/loss", torch.tensor(1.0), batch_size=1)

    def configure_optimizers(self) -> Any:
        return configure(self.line, self.how, self.trainer)


def fit(
    model: Line, folder: Path, *, has_val: bool = True, n: int = 5, **options: Any
) -> L.Trainer:
    trainer = L.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if has_val else 0,
        default_root_dir=folder,
        **{"max_epochs": 4, **{k: v for k, v in options.items() if k != "ckpt_path"}},
    )
    ones = DataLoader(torch.ones(n, 1))  # type: ignore[arg-type]
    path = options.get("ckpt_path")
    trainer.fit(model, ones, ones, ckpt_path=path, weights_only=True)
    return trainer


def test_one_cycle_is_that_of_torch(tmp_path: Path) -> None:
    model = Line("one_cycle")
    fit(model, tmp_path)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=20, cycle_momentum=False
    )
    wanted = []
    for _ in range(20):
        wanted.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cycle.step()
    np.testing.assert_allclose(model.rates, wanted)
    assert max(model.rates) == 0.5


def test_one_cycle_goes_on_in_a_longer_training(tmp_path: Path) -> None:
    fit(Line("one_cycle"), tmp_path).save_checkpoint(tmp_path / "half.ckpt")
    longer, whole = Line("one_cycle"), Line("one_cycle")
    fit(longer, tmp_path, max_epochs=8, ckpt_path=tmp_path / "half.ckpt")
    fit(whole, tmp_path, max_epochs=8)
    # The first step still has the rate that the checkpoint left.
    np.testing.assert_allclose(longer.rates[1:], whole.rates[21:])


def test_none_keeps_the_rate(tmp_path: Path) -> None:
    model = Line("none")
    assert fit(model, tmp_path).lr_scheduler_configs == []
    assert model.rates == [0.5] * 20


@pytest.mark.parametrize("has_val", [True, False])
def test_plateau_halves_the_rate_where_the_loss_stands_still(
    has_val: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimization, "PLATEAU_PATIENCE", 1)
    # With a validation its loss counts, which stands still; else the training's.
    model = Line("plateau", is_flat=not has_val)
    fit(model, tmp_path, has_val=has_val, max_epochs=6, n=1)
    # the first epoch is the best, one is waited for, the third is one too many
    assert model.rates == [0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_plateau_waits_for_a_validation_that_is_not_in_every_epoch(tmp_path: Path) -> None:
    model = Line("plateau")
    fit(model, tmp_path, max_epochs=3, n=1, check_val_every_n_epoch=2)
    assert model.rates == [0.5] * 3


def test_radam_decouples_the_decay_and_spares_vectors() -> None:
    layer = nn.Linear(2, 3)
    optimizer = make_optimizer(layer, Optimization(0.1, 0.5, "radam", "none"))
    assert isinstance(optimizer, torch.optim.RAdam)
    matrix, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    layer.weight.grad, layer.bias.grad = torch.zeros(3, 2), torch.zeros(3)
    for _ in range(2):
        optimizer.step()
    # No gradient: the weights shrink by rate times decay. Two steps, because in the first a decay
    # that enters the moments does the same.
    torch.testing.assert_close(layer.weight.detach(), matrix * (1 - 0.1 * 0.5) ** 2)
    torch.testing.assert_close(layer.bias.detach(), bias)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 10, 1000])
def test_rate_fraction_stays_within_zero_and_one(n_steps: int) -> None:
    shares = [rate_fraction(step, n_steps) for step in range(n_steps + 2)]
    assert all(0 < share <= 1 for share in shares)
    assert max(shares) == 1


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"optimizer": "sgd"}, "classifier.optimizer='sgd' is not known; allowed: adamw, radam"),
        ({"schedule": "step"}, "classifier.schedule='step' .* one_cycle, plateau, none"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
    ],
)
def test_what_is_not_known_is_refused(wrong: dict[str, Any], text: str) -> None:
    right = {"learning_rate": 0.1, "weight_decay": 0.0, "optimizer": "adamw", "schedule": "none"}
    with pytest.raises(ConfigError, match=text):
        Optimization(**{**right, **wrong})


def trainer_with(schedule: Any, logged: dict[str, Tensor], **options: Any) -> Any:
    told = {"monitor": "val/loss", "reduce_on_plateau": True, **options}
    return SimpleNamespace(
        lr_scheduler_configs=[LRSchedulerConfig(schedule, **told)],
        callback_metrics=logged,
        current_epoch=0,
        fit_loop=SimpleNamespace(restarting=False),
    )


def test_a_plateau_steps_where_its_loss_was_logged_and_says_where_it_was_not() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    loss = {"val/loss": torch.tensor(1.0)}
    step_plateau(trainer_with(schedule, loss))
    assert (schedule.last_epoch, schedule.best) == (1, 1.0)
    for other in ({"interval": "step"}, {"frequency": 2}, {"reduce_on_plateau": False}):
        step_plateau(trainer_with(schedule, loss, **other))
    step_plateau(trainer_with(schedule, {}, strict=False))
    assert schedule.last_epoch == 1
    with pytest.raises(ConfigError, match=r"follows val/loss.*type classifier.schedule=cosine"):
        step_plateau(trainer_with(schedule, {}))
    step_plateau(trainer_with(schedule, {}, reduce_on_plateau=False))  # as cosine
