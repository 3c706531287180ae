"""Averages of weights, step by step."""

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from dualgaf.errors import ConfigError
from dualgaf.models.averaging import EqualAveraging, ExponentialAveraging

# said where a training goes on in another folder, or with an average that it did not have
pytestmark = [
    pytest.mark.filterwarnings("ignore:The dirpath has changed from"),
    pytest.mark.filterwarnings("ignore:The checkpoint was not created with WeightAveraging"),
]


class Counter(L.LightningModule):
    """One weight, which is 1 after the first step, 2 after the second, and so on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.validated: list[float] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return -self.weight

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.validated.append(self.weight.item())
        self.log("val/loss", self.weight.detach(), batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(folder: Path, callback: L.Callback, model: Counter, **options: Any) -> L.Trainer:
    told = {"max_epochs": 4, "accumulate_grad_batches": 1, **options}
    path = told.pop("ckpt_path", None)
    trainer = L.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
        callbacks=[callback, ModelCheckpoint(folder, "best", monitor="val/loss", mode="max")],
        **told,
    )
    n = 2 * told["accumulate_grad_batches"]
    train, val = (DataLoader(torch.ones(m, 1)) for m in (n, 1))  # type: ignore[arg-type]
    trainer.fit(model, train, val, ckpt_path=path, weights_only=True)
    return trainer


def saved(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / "best.ckpt", weights_only=True)
    return found


@pytest.mark.parametrize("accumulated", [1, 3])
def test_the_mean_of_the_last_steps(accumulated: int, tmp_path: Path) -> None:
    model = Counter()
    fit(tmp_path, EqualAveraging(0.5), model, accumulate_grad_batches=accumulated)
    # 8 steps, two an epoch: until the fifth the weight as it is, then (5), (5 + 6) / 2, ...
    assert model.validated == [2, 4, 5.5, 6.5]
    assert model.weight.item() == 6.5
    assert saved(tmp_path)["state_dict"]["weight"].item() == 6.5  # what is tested
    assert saved(tmp_path)["current_model_state"]["weight"].item() == 8  # what goes on


def test_the_exponential_average_begins_in_haste(tmp_path: Path) -> None:
    model = Counter()
    fit(tmp_path, ExponentialAveraging(0.25), model, max_epochs=2)
    # the decay: 2/11 after one step, then 3/12 and no more
    first = 2 / 11 * 1 + 9 / 11 * 2
    second = 0.25 * first + 0.75 * 3
    third = 0.25 * second + 0.75 * 4
    assert model.validated == pytest.approx([first, third])
    assert saved(tmp_path)["state_dict"]["weight"].item() == pytest.approx(third)
    assert saved(tmp_path)["state_dict"]["batches"].dtype == torch.int64


def test_a_training_goes_on_with_its_average(tmp_path: Path) -> None:
    fit(tmp_path / "a", EqualAveraging(0.0), Counter(), max_epochs=2)  # (1 + 2 + 3 + 4) / 4
    model, path = Counter(), tmp_path / "a" / "best.ckpt"
    fit(tmp_path / "b", EqualAveraging(0.0), model, max_epochs=3, ckpt_path=path)
    assert model.validated == [(1 + 2 + 3 + 4 + 5 + 6) / 6]


def test_a_mean_can_begin_in_a_training_that_had_none(tmp_path: Path) -> None:
    fit(tmp_path / "a", L.Callback(), Counter(), max_epochs=2)
    model = Counter()
    fit(tmp_path / "b", EqualAveraging(0.75), model, ckpt_path=tmp_path / "a" / "best.ckpt")
    assert model.validated == [6, 7.5]  # the last quarter of eight steps: 7 and 8


def test_what_is_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"decay=1.0 is not allowed.*averaging.decay=0.99"):
        ExponentialAveraging(1.0)
    with pytest.raises(ConfigError, match=r"start=-0.1 is not allowed.*averaging.start=0.75"):
        EqualAveraging(-0.1)
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs=100"):
        fit(tmp_path, EqualAveraging(), Counter(), max_epochs=-1, max_time={"seconds": 5})
