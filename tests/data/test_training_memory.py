import lightning as L
import numpy as np
import pytest
import torch
from torch import nn

from dualgaf import (
    DualGAFClassifier,
    DualGAFDataModule,
    DualGAFNet,
    ExponentialAveraging,
    HardwarePreset,
)
from dualgaf.errors import BudgetError
from dualgaf.system.memory import memory_used

C, S, T = 3, 8, 12
Y = np.arange(10) % 2
X = np.random.default_rng(0).normal(size=(10, C, T))


def data(**settings):
    return DualGAFDataModule.from_arrays((X, Y), image_size=S, batch_size=4, **settings)


def trainer(**options):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    short = {"max_epochs": 1, "limit_val_batches": 0, "enable_checkpointing": False}
    return L.Trainer(**{"accelerator": "cpu", **quiet, **short, **options})


class Linear(L.LightningModule):
    """Somebody's own: of its forward pass the images of a window are kept, and nothing else."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(C * S * S, 2)
        self.frozen = nn.Linear(1000, 10).requires_grad_(False)

    def forward(self, gasf, gadf, series):
        return self.layer(gasf.flatten(1))


class Squared(Linear):
    """Keeps the squares, too: both are factors of a product."""

    def forward(self, gasf, gadf, series):
        return self.layer((gasf + gadf).flatten(1).clone()) * self.layer(gadf.flatten(1))


def training_of(module, ranks=1, **settings):
    plan = data(**settings).plan("fit", module, ranks)
    return plan.request.training


def test_what_is_kept_of_a_window_by_hand():
    images = C * S * S * 4
    found = training_of(Linear())
    assert (found.window_bytes, found.weights_bytes) == (images, (C * S * S * 2 + 2) * 4)
    assert found.n_windows == 10
    twice = training_of(Squared())
    assert twice.window_bytes == 2 * images + 2 * 2 * 4  # and two results, the factors
    assert found.batch_bytes == twice.batch_bytes == 0
    assert found.blocks == (images,)
    assert sorted(twice.blocks) == [8, 8, images, images]
    assert (found.n_batches, found.is_sure) == (None, False)


def test_ranks_loaders_and_the_branch_are_counted():
    net = {"n_channels": C, "num_classes": 2, "width": 8}
    found = training_of(DualGAFClassifier(DualGAFNet(**net)), num_workers=2)
    assert (found.ranks, found.rank_bytes, found.is_solved) == (1, 0, True)
    assert found.is_sure
    assert (found.loaders, found.shipped_bytes) == (2, 2 * 2 * 4 * 2 * C * S * S)
    two = training_of(
        DualGAFClassifier(DualGAFNet(**net, use_minirocket=False, use_forest=False)), ranks=2
    )
    assert (two.ranks, two.is_solved) == (2, False)
    assert two.rank_bytes > 50 << 20  # a process with torch in it


class Normed(Linear):
    """With a mean that a training learns, and a dropout that draws."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(C), nn.Dropout(0.5)

    def forward(self, gasf, gadf, series):
        return self.layer(self.drop(self.norm(gasf + 1)).flatten(1))


def test_measuring_changes_nothing_and_draws_nothing():
    model = Normed()
    model.drop.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes, drawn = [part.training for part in model.modules()], torch.get_rng_state()
    assert training_of(model).window_bytes > 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(weight.grad is None for weight in model.parameters())


def test_a_module_that_wants_something_else_is_planned_as_before():
    class Other(Linear):
        def forward(self, windows):
            return self.layer(windows)

    plan = data().plan("fit", Other())
    assert plan.request.training is None
    assert plan.request.training_bytes == data().plan("fit").request.training_bytes > 0


def test_half_precision_keeps_less_of_a_window_and_a_copy_of_the_weights():
    found = {}
    for precision in ("32-true", "bf16-mixed"):
        model = DualGAFClassifier(DualGAFNet(C, 2, width=8, use_minirocket=False, use_forest=False))
        runner = trainer(precision=precision)
        runner.strategy.connect(model)
        model.trainer = runner
        found[precision] = training_of(model)
    whole, half = found["32-true"], found["bf16-mixed"]
    assert half.window_bytes < whole.window_bytes
    assert whole.batch_bytes < whole.weights_bytes / 10
    assert half.batch_bytes > half.weights_bytes / 4


def test_callbacks_that_average_and_a_training_before_keep_weights():
    model = DualGAFClassifier(DualGAFNet(C, 2, width=8))
    runner = trainer(callbacks=[ExponentialAveraging()])
    model.trainer = runner
    runner.strategy.connect(model)
    assert training_of(model).copies == 1
    assert training_of(model).n_batches == 2  # one epoch of 10 windows in batches of 4
    dm = data()
    dm.further_networks = 1
    assert dm.plan("fit", model).request.training.copies == 2


def test_a_trainer_is_refused_a_network_that_is_too_large_before_it_begins():
    small, large = (
        DualGAFClassifier(DualGAFNet(C, 2, width=w, use_minirocket=False, use_forest=False))
        for w in (8, 64)
    )
    large.net.weight = nn.Parameter(torch.zeros(64 << 20))  # 256 MiB, and four times that beside
    in_use = memory_used() >> 20  # of other tests in this process, too
    preset = HardwarePreset("mine", f"{in_use + 700}MiB")
    with pytest.raises(BudgetError, match=r"hardware=mine promises .* .gradients and moments 77"):
        trainer().fit(large, datamodule=data(hardware=preset))
    trainer().validate(large, datamodule=data(hardware=HardwarePreset("mine", "12GiB")), verbose=0)
    trainer().fit(small, datamodule=data(hardware=HardwarePreset("mine", "12GiB")))
