"""A training that is stopped and typed again ends as if it had not been stopped.

Stopped in this process: a callback raises what a signal would. Signals are in tests/faults.
"""

import csv
import json
import shutil
import signal

import lightning as L
import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch.loggers import CSVLogger
from omegaconf import OmegaConf

from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.plan.preset import conf_folder
from dualgaf.system.termination import Stopped
from dualgaf.training.progress import Progress, keep_logs, settle_in
from dualgaf.training.run import train

EPOCHS = 4
SMALL = (
    *("data=simulated", "data.n_windows=60", "data.window_size=24", "datamodule.image_size=12"),
    *(
        "model.use_minirocket=false",
        "model.use_forest=false",
        "model.width=8",
        "logger=csv",
        "report=false",
    ),
    *("datamodule.batch_size=8", f"trainer.max_epochs={EPOCHS}", "trainer.accelerator=cpu"),
)


class StopAt(L.Callback):
    """Stops one training of a run as its epoch begins, once in all runs of this process."""

    where: tuple[bool, int] | None = None

    def on_train_epoch_start(self, trainer, module):
        if StopAt.where == (trainer.datamodule.with_val, trainer.current_epoch):
            StopAt.where = None
            raise Stopped(signal.SIGTERM)


def configured(folder, *overrides):
    with initialize_config_dir(str(conf_folder().resolve()), version_base="1.3"):
        own = [f"paths.run_dir={folder}", f"+callbacks.stop._target_={__name__}.StopAt"]
        return compose("train", overrides=[*SMALL, *own, *overrides])


def trained(folder, *overrides):
    train(configured(folder, *overrides))
    return json.loads((folder / "metrics.json").read_text())


def stopped(folder, in_refit, epoch, *overrides):
    StopAt.where = in_refit, epoch
    with pytest.raises(Stopped) as ended:
        train(configured(folder, *overrides))
    assert ended.value.code == 143
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(autouse=True, scope="module")
def _importable():
    import sys

    sys.modules.setdefault(__name__, sys.modules[StopAt.__module__])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing has stopped."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, trained(folder)


def weights(folder, name="best"):
    return Checkpoint(folder / "checkpoints" / f"{name}.ckpt").classifier().state_dict()


def lines(path):
    with path.open() as file:
        return [(line["step"], line["epoch"]) for line in csv.DictReader(file)]


def check_equal(folder, found, whole):
    expected_folder, expected = whole
    for name in ("best", "validated", "last"):
        there, here = weights(expected_folder, name), weights(folder, name)
        assert all(torch.equal(here[key], value) for key, value in there.items()), name
    measured = ("fit/epochs", "refit/epochs", "val/loss", "val/acc", "test/loss", "test/acc")
    assert {*found} == {*expected}
    assert [found[key] for key in measured] == [expected[key] for key in measured]
    for name in ("csv", "refit"):
        assert lines(folder / name / "metrics.csv") == lines(expected_folder / name / "metrics.csv")
    of_a_run = {path.name for path in expected_folder.rglob("*")}
    assert {path.name for path in folder.rglob("*")} == of_a_run


@pytest.mark.parametrize(("in_refit", "epoch"), [(False, 2), (True, 2)])
def test_it_goes_on_to_the_same_weights_figures_and_files(in_refit, epoch, whole, tmp_path):
    folder = tmp_path / "run"
    found = stopped(folder, in_refit, epoch)
    assert found["fit/stopped"] == "SIGTERM"
    assert found["fit/epochs"] == (EPOCHS if in_refit else epoch)
    assert found["val/acc"] in [
        row["val/acc"] for row in Progress.read(folder / "checkpoints").epochs
    ]
    check_equal(folder, trained(folder), whole)


def test_stopped_again_and_moved_it_is_still_the_same(whole, tmp_path):
    folder = tmp_path / "run"
    stopped(folder, False, 1)
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    stopped(moved, True, 1)
    check_equal(moved, trained(moved), whole)


def test_one_that_was_stopped_before_its_first_epoch_begins(whole, tmp_path):
    found = stopped(tmp_path / "run", False, 0)
    assert (found["fit/epochs"], found["fit/stopped"]) == (0, "SIGTERM")
    assert "val/acc" not in found
    check_equal(tmp_path / "run", trained(tmp_path / "run"), whole)


@pytest.mark.parametrize("lost", ["metrics.json", "rename", "last.ckpt"])
def test_one_that_was_killed_near_its_end_trains_no_more_than_it_must(lost, whole, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    (folder / "metrics.json").unlink()
    kept = folder / "checkpoints"
    if lost == "rename":  # between the copy of the first network and the new place of the second
        (kept / "best.ckpt").rename(kept / "refit.ckpt")
        shutil.copy(kept / "validated.ckpt", kept / "best.ckpt")
    elif lost == "last.ckpt":  # of an earlier version: from the best epoch
        (kept / "last.ckpt").unlink()
    before = json.loads((whole[0] / "metrics.json").read_text())["fit/seconds"]
    found = trained(folder)
    if lost == "last.ckpt":
        shutil.copy(whole[0] / "checkpoints" / "last.ckpt", kept)  # its best epoch is the last
    check_equal(folder, found, whole)
    if lost != "last.ckpt":
        assert found["fit/seconds"] < before + 5  # what it took, and no second training of it


def test_one_that_is_done_says_so_and_writes_nothing(whole, caplog):
    folder, metrics = whole
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with caplog.at_level("INFO"):
        assert train(configured(folder)) == metrics["val/acc"]
    assert f"the run in {folder} is done; for a longer training type python " in caplog.text
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_longer_training_goes_on_from_the_last_epoch(whole, tmp_path, caplog):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    with caplog.at_level("INFO"):
        found = trained(folder, "trainer.max_epochs=6", f"resume='{folder}'")
    assert (found["fit/epochs"], found["refit/epochs"]) == (6, 6)
    assert f"has trained {EPOCHS} epochs; its first training goes on" in caplog.text
    assert "trainer.max_epochs=6, it was 4: from here on the learning rate" in caplog.text
    progress = Progress.read(folder / "checkpoints")
    assert [epoch["epoch"] for epoch in progress.epochs] == [1, 2, 3, 4, 5, 6]
    earlier = Progress.read(whole[0] / "checkpoints").epochs
    assert [*progress.epochs[:EPOCHS]] == [*earlier]
    kept = folder / "checkpoints"
    assert {path.name for path in kept.iterdir()} == {"best.ckpt", "last.ckpt", "validated.ckpt"}
    assert Checkpoint(kept / "best.ckpt").learned_val
    with pytest.raises(
        SystemExit, match=r"trainer.max_epochs=3 is not allowed; allowed: 6 and more"
    ):
        train(configured(folder, "trainer.max_epochs=3", f"resume='{folder}'"))


def test_with_other_data_it_cannot_go_on(tmp_path):
    folder = tmp_path / "run"
    stopped(folder, False, 1)
    record = folder / ".hydra" / "run.yaml"
    cfg = OmegaConf.load(record)
    cfg.seed = 1  # as if a file of the data had changed: other windows, equal options
    OmegaConf.save(cfg, record)
    with pytest.raises(
        SystemExit,
        match=r"learned another training split .*run cannot go on; for a new one type hydra.run",
    ):
        train(configured(folder, "seed=1"))
    assert trained(tmp_path / "another", "seed=1")["fit/epochs"] == EPOCHS


def test_without_val_and_test_split_the_last_epoch_is_kept(tmp_path):
    options = ["data.split.val_fraction=0", "data.split.test_fraction=0"]
    stopped(tmp_path / "a", False, 2, *options)
    found = trained(tmp_path / "a", *options)
    assert {"val/acc", "test/acc"}.isdisjoint(found)
    assert found["fit/epochs"] == EPOCHS
    kept = {path.name for path in (tmp_path / "a" / "checkpoints").iterdir()}
    assert kept == {"best.ckpt", "last.ckpt"}
    torch.testing.assert_close(weights(tmp_path / "a", "best"), weights(tmp_path / "a", "last"))


def progress(trained, max_epochs, ended):
    return Progress(None, 0, trained, max_epochs, ended, 0.0, (), None)


@pytest.mark.parametrize(
    ("trained", "before", "ended", "now", "goes_on"),
    [
        (3, 10, False, 10, True),
        (3, 10, False, 20, True),
        (10, 10, True, 10, False),
        (10, 10, True, 20, True),
        (7, 10, True, 10, False),  # early stopping
        (7, 10, True, 20, False),
        (10, 10, True, -1, False),
        (7, -1, False, -1, True),
        (5, None, False, 10, True),  # a checkpoint of an earlier version
    ],
)
def test_what_is_over_and_what_goes_on(trained, before, ended, now, goes_on):
    assert progress(trained, before, ended).goes_on(now) == goes_on


def test_lines_of_a_log_are_kept_up_to_the_checkpoint(tmp_path):
    folder = tmp_path / "csv"
    folder.mkdir()
    rows = [
        "epoch,step,train/loss,val/loss",
        "0,0,0.5,",
        "0,1,,0.25",
        "0,1,,0.25",
        "0,0,,0.3",
        "1,2,0.1,",
    ]
    (folder / "metrics.csv").write_text("\n".join([*rows, "1,", ""]))
    logger = CSVLogger(tmp_path, name="csv", version="")
    with pytest.warns(UserWarning, match="not empty"):
        keep_logs([logger], steps=2)
    logger.log_metrics({"train/loss": 0.75}, step=2)
    logger.save()
    with (folder / "metrics.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [(row["step"], row["train/loss"], row["val/loss"]) for row in found] == [
        *[("0", "0.5", ""), ("1", "", "0.25"), ("2", "0.75", "")]
    ]


def test_a_checkpoint_of_a_folder_that_stayed_is_not_written_again(whole):
    path = whole[0] / "checkpoints" / "last.ckpt"
    before = path.stat().st_mtime_ns
    settle_in(Progress.read(path.parent), path.parent)
    assert path.stat().st_mtime_ns == before
