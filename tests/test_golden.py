"""What the build of 837ca8d has written still loads, with the figures that it found."""

import json
import shutil
from pathlib import Path

import lightning as L
import matplotlib.image
import numpy as np
import pytest
import torch

from dualgaf import DualGAFClassifier, DualGAFDataModule
from dualgaf.cli import main
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.training.config import load_config
from dualgaf.training.run import train
from golden.make_checkpoints import OPTIONS, arrays
from preloaded import run

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
FIGURES = json.loads((GOLDEN / "figures.json").read_text())
AS_THEN = {"batch_size": 8, "image_size": 10, "scaling": "window", "feature_range": (-1.0, 1.0)}


@pytest.mark.parametrize("read", ["checkpoint", "lightning"])
@pytest.mark.parametrize(("name", "n_channels"), [("api", 3), ("plain", 1)])
def test_a_checkpoint_has_its_test_figures(name, n_channels, read):
    path = GOLDEN / f"{name}.ckpt"
    if read == "lightning":
        model = DualGAFClassifier.load_from_checkpoint(path, weights_only=True)
    else:
        model = Checkpoint(path).classifier()
    data = DualGAFDataModule.from_arrays(**arrays(n_channels), **AS_THEN)
    quiet = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
    (scores,) = L.Trainer(**quiet).test(model, datamodule=data, verbose=False)
    assert scores == pytest.approx(FIGURES[name], abs=2e-6)
    assert model.class_names == ["fast", "slow"]


def test_its_settings_are_told_in_todays_names():
    net = Checkpoint(GOLDEN / "run/checkpoints/best.ckpt").settings["net"]
    assert net["use_minirocket"] is True
    assert net["use_forest"] is False  # so probabilities are what they were
    assert net["extractor"] == "diagonal"
    assert "use_kernels" not in net
    imaging = Checkpoint(GOLDEN / "api.ckpt").needed_imaging
    assert imaging.scaler.std.shape == (3,)
    assert not any("kernels." in name.split("net.")[-1][:8] for name in _weights("run/checkpoints"))


def _weights(folder):
    (path,) = (GOLDEN / folder).glob("*.ckpt")
    return Checkpoint(path).classifier().state_dict()


def test_a_run_folder_is_tested_with_the_options_of_its_run(tmp_path, monkeypatch):
    opened, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda path, **how: opened.append(path) or load(path, **how))
    typed = [option for option in OPTIONS if option.startswith(("data", "seed"))]
    checkpoint = GOLDEN / "run/checkpoints/best.ckpt"
    where = ["task=test", f"ckpt_path={checkpoint}", f"paths.run_dir={tmp_path}", "logger=csv"]
    train(load_config([*typed, *where]))
    found, wanted = json.loads((tmp_path / "metrics.json").read_text()), FIGURES["run"]
    assert {key: found[key] for key in wanted} == pytest.approx(wanted, abs=2e-6)
    assert opened == [checkpoint]  # once, for what is checked and what is tested


def test_a_run_folder_can_be_previewed_and_exported(tmp_path, capsys):
    shutil.copytree(GOLDEN / "run", tmp_path / "run")
    checkpoint = str(tmp_path / "run/checkpoints/best.ckpt")
    picture, program = tmp_path / "why.png", tmp_path / "model.pt2"
    assert main(["preview", "--checkpoint", checkpoint, "--output", str(picture)]) == 0
    assert "most relevant: " in capsys.readouterr().out
    assert matplotlib.image.imread(picture).shape[0] > 300
    assert main(["export", checkpoint, "--output", str(program)]) == 0
    classify = torch.export.load(program).module()
    windows = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 12, 24)))
    assert torch.allclose(classify(windows).sum(dim=1), torch.ones(3), atol=1e-5)


def test_its_stored_configuration_is_run_as_it_is(tmp_path):
    shutil.copytree(GOLDEN / "run/.hydra", tmp_path / ".hydra")
    stored = ["--config-dir", str(tmp_path / ".hydra"), "--config-name", "config"]
    options = ["trainer.max_epochs=1", "refit=false", f"hydra.run.dir={tmp_path}/again"]
    run(*stored, *options, cwd=tmp_path)
    metrics = json.loads((tmp_path / "again/metrics.json").read_text())
    assert metrics["fit/epochs"] == 1
