"""Options of the Trainer as they are typed: each works, or is one line that says what to type."""

import csv
import inspect
import json
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir

from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.errors import ConfigError
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.training.overrides import check_overrides
from dualgaf.training.run import train
from dualgaf.training.trainer import in_one_line, make_trainer

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    *("data=simulated", "data.n_windows=48", "data.window_size=12", "datamodule.image_size=4"),
    *(
        "model.use_minirocket=false",
        "model.use_forest=false",
        "report=false",
        "model.width=8",
        "model.use_statistics=false",
    ),
    *("trainer.accelerator=cpu", "trainer.max_epochs=2", "refit=false", "datamodule.batch_size=8"),
)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr("dualgaf.training.report.write_report", lambda *given: [])


def trained(folder, *typed):
    """A run in this process as typed: its metrics."""
    typed = (*SMALL, *([] if "~logger" in typed else ["logger=csv"]), *typed)
    check_overrides(typed)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", overrides=[*typed, f"paths.run_dir={folder}"])
    train(cfg)
    return json.loads((folder / "metrics.json").read_text())


def logged(folder):
    """Steps, and lines with a val/loss; the last is that of the evaluation after the training."""
    with (folder / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = 1 + max(int(row["step"]) for row in rows)
    return steps, sum(bool(row.get("val/loss")) for row in rows)


@pytest.mark.filterwarnings("ignore:You requested to overfit:UserWarning")
@pytest.mark.parametrize(
    ("typed", "steps", "validated"),
    [
        ((), 4, 3),  # the control: two epochs of two batches
        (("trainer.limit_train_batches=1", "trainer.limit_test_batches=0"), 2, 3),
        (("trainer.limit_val_batches=0",), 4, 0),
        (("trainer.max_epochs=-1", "trainer.max_steps=3"), 3, 2),
        (("trainer.max_epochs=-1", "trainer.max_steps=1"), 1, 1),
        (("trainer.check_val_every_n_epoch=9", "trainer.num_sanity_val_steps=1"), 4, 1),
        (("trainer.val_check_interval=0.5", "trainer.limit_val_batches=1"), 4, 5),
        (("trainer.overfit_batches=1",), 2, 3),
        (
            (
                *("trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=null"),
                *("trainer.reload_dataloaders_every_n_epochs=1", "trainer.detect_anomaly=true"),
                *("trainer.deterministic=true", "trainer.log_every_n_steps=50"),
            ),
            *(2, 3),
        ),
        (("~callbacks", "~trainer.gradient_clip_val"), 4, 3),
        (("data.split.val_fraction=0",), 8, 0),
        (("data.split.val_fraction=0", "data.split.test_fraction=0"), 12, 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_option_that_may_be_typed_is_in_force(typed, steps, validated, tmp_path):
    metrics = trained(tmp_path, *typed)
    assert logged(tmp_path) == (steps, validated)
    assert Checkpoint(tmp_path / "checkpoints" / "best.ckpt").settings["mixup"] == 0.4
    tested = not {"trainer.limit_test_batches=0", "data.split.test_fraction=0"} & {*typed}
    assert ("test/acc" in metrics, "val/acc" in metrics) == (tested, validated > 0)


def test_a_run_without_a_logger_or_without_checkpoints_is_one(tmp_path):
    metrics = trained(tmp_path, "~logger", "trainer.enable_checkpointing=false", "refit=true")
    assert {"val/acc", "test/acc", "refit/epochs"} <= set(metrics)
    assert {path.name for path in tmp_path.iterdir()} <= {
        ".hydra",
        "metrics.json",
        "about.json",
        "refit",
        "checkpoints",
        "outside.csv",
        "unlike.csv",
    }


def test_steps_that_end_the_first_epoch_train_the_second_network_too(tmp_path):
    metrics = trained(tmp_path, "trainer.max_epochs=-1", "trainer.max_steps=1", "refit=true")
    kept = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert (metrics["fit/epochs"], kept["global_step"]) == (1, 1)
    assert (tmp_path / "checkpoints" / "validated.ckpt").is_file()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (
            "seed=-1",
            "seed=-1 is not allowed; allowed: whole numbers from 0 to 4294967295; type seed=0",
        ),
        ("seed=null", "seed=None is not allowed"),
        ("seed=0.5", "seed=0.5 is not allowed"),
        (
            "trainer.max_epochs=0",
            "trainer.max_epochs=0 is not allowed; allowed: auto, or a num",
        ),
        ("trainer.max_epochs=many", "type trainer.max_epochs=100"),
        ("trainer.max_steps=0", "type trainer.max_steps=9"),
        ("trainer.limit_train_batches=0", "type trainer.limit_train_batches=1.0"),
        ("trainer.accumulate_grad_batches=0", "type trainer.accumulate_grad_batches=1"),
        ("trainer.precision=64-true", "allowed: 32-true, bf16-mixed, 16-mixed; type trainer.prec"),
        ("trainer.accelerator=tpux", "the Trainer refuses what trainer.* and callbacks.* say: "),
        ("trainer.devices=0", "the Trainer refuses what trainer.* and callbacks.* say: "),
        ("+trainer.logger=true", "type logger=csv, or ~logger for none"),
        ("+trainer.callbacks=[]", "type +callbacks.NAME._target_=PACKAGE.CLASS"),
        ("trainer.val_check_interval=50", "type python train.py --cfg job --package trainer"),
        ("callbacks.early_stopping.monitor=val/x", "there are: train/loss, train/loss_step"),
        (
            "callbacks.checkpoint.monitor=val/x",
            "the Trainer refuses what trainer.* and callbacks.*",
        ),
    ],
)
def test_what_no_training_can_have_is_one_line(typed, says, tmp_path):
    with pytest.raises(SystemExit) as caught:
        trained(tmp_path, typed)
    text = str(caught.value)
    assert says in text
    assert text.startswith("dualgaf: ")
    assert "\n" not in text
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_a_trainer_of_ones_own_is_told_which_precisions_there_are(precision):
    x, y = np.random.default_rng(0).normal(size=(8, 2, 12)), [0, 1] * 4

    def fit(precision):
        trainer = L.Trainer(
            max_epochs=1,
            precision=precision,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        splits = {"train": (x, y), "val": (x, y), "overlap": "allow"}
        data = DualGAFDataModule.from_arrays(**splits, batch_size=4)
        trainer.fit(DualGAFClassifier(DualGAFNet(2, 2, width=8)), datamodule=data)
        return trainer.global_step

    with pytest.raises(ConfigError) as caught:
        fit(precision)
    assert str(caught.value) == (
        f"precision={precision!r} is not known; allowed: 32-true, bf16-mixed, 16-mixed; type "
        'Trainer(precision="32-true")'
    )
    assert fit("32-true") == 2


@pytest.mark.parametrize(
    "error",
    [ValueError("of a layer"), RuntimeError("of a layer"), ConfigError("of ours")],
    ids=repr,
)
def test_an_error_that_is_not_of_the_trainer_stays_what_it_is(error):
    with pytest.raises(type(error)) as caught, in_one_line():
        raise error
    assert caught.value is error


def test_every_option_of_the_trainer_can_be_typed_without_a_plus():
    taken = {*inspect.signature(L.Trainer).parameters} - {"logger", "callbacks"}
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        assert {*compose("train").trainer} - {"_target_"} == taken


def test_null_is_what_lightning_has_itself(tmp_path):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", overrides=[f"paths.run_dir={tmp_path}", "trainer.precision=null"])
    made = make_trainer(cfg, max_epochs=1, logger=False)
    own = L.Trainer(logger=False, max_epochs=1, accelerator="cpu")
    for option in ("precision", "limit_val_batches", "check_val_every_n_epoch", "max_steps"):
        assert getattr(made, option) == getattr(own, option)


def test_a_logger_is_given_the_options_and_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTIMIZER", "adamw")
    trained(tmp_path, "classifier.optimizer=${oc.env:OPTIMIZER}", "seed=3")
    kept = yaml.safe_load((tmp_path / "csv" / "hparams.yaml").read_text())
    assert (kept["seed"], kept["data.n_windows"], kept["classifier.mixup"]) == (3, 48, 0.4)
    assert not {"classifier.optimizer", "paths.run_dir", "datamodule.source"} & {*kept}
    assert "${" not in str(kept)


def test_one_batch_of_each_is_a_run(tmp_path):
    metrics = trained(tmp_path, "trainer.fast_dev_run=true", "logger=default")
    assert metrics["fit/epochs"] == 1
    assert 0 <= metrics["test/acc"] <= 1
    assert not (tmp_path / "checkpoints").exists()
