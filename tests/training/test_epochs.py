"""How long a training takes that was told nothing of it, and one that an earlier version began."""

import json
import math
import signal

import lightning as L
import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.plan.preset import conf_folder
from dualgaf.system.termination import Stopped
from dualgaf.training import fit
from dualgaf.training.epochs import FIRST_STEPS, STEPS, epochs_for
from dualgaf.training.run import train

SMALL = (
    *("data=simulated", "data.n_windows=60", "data.window_size=24", "datamodule.image_size=12"),
    *(
        "model.use_minirocket=false",
        "model.use_forest=false",
        "report=false",
        "model.width=8",
        "logger=csv",
        "datamodule.batch_size=8",
    ),
    *("trainer.accelerator=cpu", "~callbacks.early_stopping"),
)


class StopAt(L.Callback):
    """Stops the second training of a run as its epoch begins, or the first."""

    where: tuple[bool, int] | None = None

    def on_train_epoch_start(self, trainer, module):
        if StopAt.where == (trainer.datamodule.with_val, trainer.current_epoch):
            raise Stopped(signal.SIGTERM)


def epochs_of(folder, *overrides):
    with initialize_config_dir(str(conf_folder().resolve()), version_base="1.3"):
        own = [f"paths.run_dir={folder}", f"+callbacks.stop._target_={__name__}.StopAt"]
        cfg = compose("train", overrides=[*SMALL, *own, *overrides])
    train(cfg)
    told = json.loads((folder / "metrics.json").read_text())
    return told["fit/epochs"], told.get("refit/epochs")


@pytest.fixture
def short(monkeypatch):
    """Five steps an epoch: at most 4 epochs, 2 of a first training."""
    StopAt.where = None
    monkeypatch.setattr(fit, "STEPS", 40)
    monkeypatch.setattr(fit, "FIRST_STEPS", 20)


def test_the_first_of_two_trainings_takes_half_the_steps(short, tmp_path):
    assert epochs_of(tmp_path / "both") == (2, 4)
    assert epochs_of(tmp_path / "one", "refit=false") == (4, None)
    assert epochs_of(tmp_path / "told", "trainer.max_epochs=3") == (3, 3)


@pytest.mark.parametrize("where", [(False, 1), (True, 2)])
def test_a_training_that_an_earlier_version_began_keeps_its_length(
    where, short, monkeypatch, tmp_path
):
    StopAt.where = where
    with pytest.raises(Stopped):
        epochs_of(tmp_path)
    StopAt.where = None
    monkeypatch.setattr(fit, "STEPS", 10)
    monkeypatch.setattr(fit, "FIRST_STEPS", 5)
    assert epochs_of(tmp_path, f"resume={tmp_path}") == (2, 4 if where[0] else 2)


@given(
    n=st.integers(1, 10**7),
    a_step=st.integers(1, 4096),
    steps=st.sampled_from([STEPS, FIRST_STEPS]),
)
def test_epochs_take_about_so_many_steps_within_bounds(n, a_step, steps):
    found, an_epoch = epochs_for(n, a_step, steps), math.ceil(n / a_step)
    assert round(steps / 75) <= found <= round(steps / 10)
    if round(steps / 75) < found < round(steps / 10):
        assert abs(found * an_epoch - steps) <= an_epoch / 2
