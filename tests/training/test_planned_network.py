"""What a plan knows of the training that follows, and what a refit finds given back."""

import lightning as L
import pytest
import torch

from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.cli import main
from dualgaf.system.memory import memory_used
from dualgaf.training.config import load_config, make_data
from dualgaf.training.fit import _let_go, planned_network

SMALL = ("data=simulated", "data.n_windows=40", "data.window_size=12", "model.width=8")


@pytest.mark.parametrize(
    ("options", "ranks"),
    [((), 1), (("trainer=ddp_sim",), 2), (("trainer.devices=[0,1,2]",), 3), (("task=build",), 0)],
)
def test_the_network_and_the_ranks_of_a_configuration_are_planned_for(options, ranks):
    cfg = load_config([*SMALL, *options])
    data = make_data(cfg)
    net, found = planned_network(cfg, data)
    if not ranks:
        assert (net, found) == (None, 1)
        return
    assert (net.net.settings["width"], found) == (8, ranks)
    training = data.plan("fit", net, found).request.training
    assert (training.ranks, training.copies) == (ranks, 1)  # the refit has a network of its own


def test_a_network_without_a_refit_is_alone():
    cfg = load_config([*SMALL, "refit=false"])
    data = make_data(cfg)
    assert data.plan("fit", *planned_network(cfg, data)).request.training.copies == 0


def test_the_command_plan_tells_the_peak_or_refuses(capsys):
    assert main(["plan", *SMALL, "hardware=8gb", "hardware.memory=64GiB"]) == 0
    assert " of 64.00 GiB: gradients and moments " in capsys.readouterr().out
    little = f"hardware.memory={(memory_used() >> 20) + 200}MiB"
    assert main(["plan", *SMALL, "hardware=8gb", little, "model.width=512"]) == 2
    assert "iB, and this run takes about" in capsys.readouterr().err


def test_a_training_that_is_over_gives_gradients_and_moments_back():
    x, y = torch.zeros(8, 2, 10).normal_(), [0, 1] * 4
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    short = {"max_epochs": 1, "enable_checkpointing": False, "limit_val_batches": 0}
    trainer = L.Trainer(accelerator="cpu", **quiet, **short)
    model = DualGAFClassifier(DualGAFNet(2, 2, width=8, use_minirocket=False, use_forest=False))
    trainer.fit(model, datamodule=DualGAFDataModule.from_arrays((x, y)))
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    assert trainer.optimizers
    _let_go(trainer)
    assert (trainer.optimizers, trainer.lr_scheduler_configs) == ([], [])
    assert all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    _let_go(None)
