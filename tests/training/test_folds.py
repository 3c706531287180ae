"""``calibration.folds=k``: whole groups, each held out once."""

import json

import numpy as np
import pytest

from dualgaf import DualGAFDataModule, SimulatedSource
from dualgaf.errors import ConfigError
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.training.config import load_config
from dualgaf.training.folds import dealt
from dualgaf.training.run import train


def test_groups_are_whole_and_each_fold_has_windows_of_each_class():
    rng = np.random.default_rng(0)
    groups = [f"day {k}" for k in rng.integers(0, 30, size=400)]
    labels = np.array([int(group.split()[1]) % 3 for group in groups])
    fold = dealt(labels, groups, 5, seed=0)
    assert set(fold) == set(range(5))
    for group in set(groups):
        assert len({fold[k] for k in range(400) if groups[k] == group}) == 1
    for one in range(5):
        assert set(labels[fold == one]) == {0, 1, 2}
    assert fold.tolist() == dealt(labels, groups, 5, seed=0).tolist()
    assert fold.tolist() != dealt(labels, groups, 5, seed=1).tolist()


def test_too_few_groups_say_how_many_there_are():
    labels, groups = np.array([0, 0, 1, 1, 2]), list("abcde")
    with pytest.raises(ConfigError, match=r"there are 4; type calibration\.folds=4"):
        dealt(labels, groups, 5, seed=0)
    assert dealt(labels, groups, 4, seed=0)[4] == -1
    with pytest.raises(ConfigError, match=r"there are 0; type calibration\.folds=null"):
        dealt(np.array([0, 1]), ["a", "b"], 2, seed=0)
    with pytest.raises(ConfigError, match=r"calibration\.folds=1 is not allowed"):
        dealt(labels, groups, 1, seed=0)


def test_windows_that_are_held_out_are_in_no_batch_of_a_training():
    dm = DualGAFDataModule(SimulatedSource(n_windows=60, window_size=24), image_size=8)
    dm.setup("fit")
    train_rows, val = dm.windows.indices["train"], dm.windows.indices["val"]
    dm.with_val = True
    dm.held_out = np.concatenate([train_rows[:7], val[:3]])
    kept = len(train_rows) + len(val) - 10
    assert len(dm.train_dataloader().dataset) == kept
    assert len(dm.val_dataloader().dataset) == len(val)
    series, label, _ = dm.training_windows(10_000)
    assert len(series) == len(label) == kept
    batches = np.concatenate([batch.series.numpy() for batch in dm.train_dataloader()])
    ordered = np.sort(batches.reshape(kept, -1), axis=0)
    np.testing.assert_allclose(ordered, np.sort(series.reshape(kept, -1), axis=0), atol=1e-6)
    dm.close()


def test_a_run_with_folds_counts_every_group(tmp_path):
    typed = [
        *("data=simulated", "data.n_windows=120", "data.window_size=24", "calibration.folds=2"),
        *("model.use_minirocket=false", "model.use_forest=false", "model.width=8", "report=false"),
        *("datamodule.image_size=8", "trainer.max_epochs=1", "refit=false", "logger=csv"),
        *("trainer.accelerator=cpu", f"paths.run_dir={tmp_path}"),
    ]
    train(load_config(typed))
    calibration = Checkpoint(tmp_path / "checkpoints" / "best.ckpt").imaging.calibration
    assert (calibration.held_out, calibration.n_groups > 4) == ("folds", True)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["fit/temperature"] == calibration.temperature
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "best.ckpt",
        "last.ckpt",
    ]
