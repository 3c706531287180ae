"""What a run measures on windows that it has not learned, and where that arrives."""

import csv
import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

import dualgaf
from dualgaf.cli import main
from dualgaf.data.calibration import Calibration, calibration_error, tempered
from dualgaf.data.novelty import Novelty
from dualgaf.errors import ConfigError
from dualgaf.imaging.windows import Windows
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.export import RawWindowClassifier, export_program
from dualgaf.inference.novelty import NoveltyReader, numbers_of
from dualgaf.inference.probabilities import WindowClassifier
from dualgaf.training.config import load_config, make_data
from dualgaf.training.run import train
from dualgaf.training.trust import Trust, keep
from trained import plant_table, trained_on_plant

SMALL = (
    *("data=simulated", "data.n_windows=120", "data.window_size=24", "datamodule.image_size=16"),
    *("model.use_minirocket=false", "model.use_forest=false", "model.width=16"),
    *("trainer.max_epochs=2", "logger=csv", "trainer.accelerator=cpu"),
)


def run_of(folder, *typed):
    train(load_config([*SMALL, *typed, f"paths.run_dir={folder}"]))
    return json.loads((folder / "metrics.json").read_text())


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, run_of(folder)


def test_a_run_keeps_its_temperature_and_uses_it_everywhere(run):
    folder, metrics = run
    temperature = metrics["fit/temperature"]
    for name in ("best", "validated"):
        checkpoint = Checkpoint(folder / "checkpoints" / f"{name}.ckpt")
        assert checkpoint.imaging.calibration.temperature == temperature
        assert checkpoint.classifier().temperature == temperature
    assert (folder / "reliability.png").read_bytes()[1:4] == b"PNG"
    data = make_data(load_config([*SMALL, f"paths.run_dir={folder}"]))
    rows = data.windows.indices["test"]
    model = dualgaf.load(folder / "checkpoints" / "best.ckpt")
    found = model.predict(data.windows.windows.take(rows))
    told = table(folder / "test_predictions.csv")
    names = [f"p_{name}" for name in data.class_names]
    written = np.array([[float(row[name]) for name in names] for row in told])
    np.testing.assert_allclose(found.probabilities, written, atol=2e-6)
    labels = data.windows.labels[rows]
    plain = tempered(found.probabilities, 1 / temperature)
    assert metrics["test/ece"] == pytest.approx(
        calibration_error(found.probabilities, labels), abs=1e-4
    )
    assert metrics["test/ece_before"] == pytest.approx(calibration_error(plain, labels), abs=1e-4)
    assert metrics["test/acc"] == pytest.approx(np.mean(plain.argmax(axis=1) == labels))
    assert found.set is None  # two days were held out
    assert {row["set"] for row in told} == {""}
    data.close()


def test_a_tested_checkpoint_says_the_same_and_without_calibration_nothing_is_tempered(
    run, tmp_path
):
    folder, metrics = run
    best = f"ckpt_path={folder / 'checkpoints' / 'best.ckpt'}"
    again = run_of(tmp_path / "test", "task=test", best)
    for key in ("test/acc", "test/loss", "test/ece", "test/ece_before"):
        assert again[key] == pytest.approx(metrics[key], abs=1e-6), key
    off = run_of(tmp_path / "off", "calibration.enabled=false")
    assert off["test/acc"] == metrics["test/acc"]
    assert off["test/ece"] == off["test/ece_before"] == pytest.approx(metrics["test/ece_before"])
    assert "fit/temperature" not in off
    best = Checkpoint(tmp_path / "off" / "checkpoints" / "best.ckpt")
    assert best.imaging.calibration is None
    assert {row["set"] for row in table(tmp_path / "off" / "test_predictions.csv")} == {""}


def test_without_a_val_split_it_is_said_that_nothing_is_measured(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        found = run_of(tmp_path, "data.split.val_fraction=0", "trainer.max_epochs=1")
    assert "calibration: there is no val split" in caplog.text
    assert "fit/temperature" not in found


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """A checkpoint of which each group is one window, and what it says of five windows."""
    folder = tmp_path_factory.mktemp("plant")
    trained_on_plant(folder)
    x = np.random.default_rng(0).normal([[60.0], [3.0]], size=(5, 2, 12))
    plain = dualgaf.load(folder / "best.ckpt").predict(x)
    p = np.tile([0.8, 0.2], (20, 1))
    groups = [f"{k // 2}" for k in range(20)]
    measured = Calibration.of(p, np.array([0, 1] * 10), groups)
    keep(folder / "best.ckpt", Trust(replace(measured, temperature=3.0)))
    return folder, x, plain


def test_a_file_that_was_exported_gives_the_same(plant):
    folder, x, plain = plant
    assert plain.set is None
    expected = tempered(plain.probabilities, 3.0)
    checkpoint = Checkpoint(folder / "best.ckpt")
    model = dualgaf.load(folder / "best.ckpt")
    found = model.predict(x)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-12)
    assert found.classes.tolist() == plain.classes.tolist()
    program = RawWindowClassifier(checkpoint.classifier().net, checkpoint.imaging).eval()
    with torch.no_grad():
        np.testing.assert_allclose(program(torch.from_numpy(x)).numpy(), expected, atol=4e-3)
    export_program(checkpoint.classifier().net, checkpoint.imaging, folder / "model.pt2")
    exported = dualgaf.load(folder / "model.pt2").predict(x, coverage=0.8)
    np.testing.assert_allclose(exported.probabilities, expected, atol=4e-3)
    assert exported.set == model.predict(x, coverage=0.8).set
    logits = torch.log(torch.tensor(plain.probabilities))
    in_classifier = checkpoint.classifier()._probabilities(logits)
    np.testing.assert_allclose(in_classifier.numpy(), expected, atol=1e-6)


def test_sets_of_a_command_have_the_coverage_that_was_typed(plant, tmp_path, capsys):
    folder, x, _ = plant
    (tmp_path / "new.csv").write_text(plant_table(2, columns=("time", "temp", "flow")))
    words = ["predict", str(folder / "best.ckpt"), "--data", str(tmp_path / "new.csv")]
    out = tmp_path / "out"
    assert main([*words, "--output", str(out), "--coverage", "0.5"]) == 0
    assert "sets: more than one class cannot be excluded in" in capsys.readouterr().out
    assert all(row["set"] for row in table(out / "predictions.csv"))
    assert main([*words, "--output", str(tmp_path / "no"), "--coverage", "0.95"]) == 2
    told = capsys.readouterr().err
    assert "--coverage 0.95 cannot be given: 10 groups were held out, and it takes 19" in told
    advice = told.split("type ")[1].split(",")[0].split()
    assert main([*words, "--output", str(tmp_path / "yes"), *advice]) == 0
    assert main([*words, "--output", str(tmp_path / "no"), "--coverage", "9"]) == 2
    assert "--coverage 9.0 is not allowed; allowed: a fraction between" in capsys.readouterr().err
    model = dualgaf.load(folder / "best.ckpt")
    assert model.predict(x, coverage=0.9).set == model.predict(x).set
    with pytest.raises(ConfigError, match=r"coverage=0\.95 cannot be given"):
        model.watch(coverage=0.95)


def test_a_checkpoint_that_measured_nothing_gives_no_set(tmp_path):
    trained_on_plant(tmp_path)
    model = dualgaf.load(tmp_path / "best.ckpt")
    with pytest.raises(ConfigError, match="holds nothing of windows that the network has not"):
        model.predict(np.zeros((1, 2, 12)), coverage=0.9)


def test_how_new_a_window_is_stands_in_the_tables_and_comes_with_a_checkpoint(run, plant):
    folder, _ = run
    model = dualgaf.load(folder / "checkpoints" / "best.ckpt")
    told = [float(row["novelty"]) for row in table(folder / "test_predictions.csv")]
    data = make_data(load_config([*SMALL, f"paths.run_dir={folder}"]))
    x = data.windows.windows.take(data.windows.indices["test"])
    data.close()
    found = model.predict(x)
    np.testing.assert_allclose(found.novelty, told, atol=1e-4)
    assert 0 <= min(told) <= max(told) <= 1
    assert model.predict(x + 50).novelty.min() > 0.95
    watched = model.watch(stride=24).push(x[0].T)
    np.testing.assert_allclose(watched.novelty, found.novelty[:1], atol=1e-4)
    assert plant[2].novelty is None  # a checkpoint of an earlier version


def test_what_kernels_count_is_read_in_passing(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(24, 2, 16)).cumsum(axis=2), ["a", "b"] * 12
    dm = dualgaf.DualGAFDataModule.from_arrays(train=(x, y), val=(-x, y))
    net = dualgaf.DualGAFNet(2, 2, width=8, use_forest=False)
    state = dm.imaging_state()
    numbers = numbers_of(net, series_of(state, x), CPU)
    novelty = Novelty.of(numbers, np.array([0, 1] * 12), range(24))
    reader = NoveltyReader(net, replace(state, novelty=novelty), CPU)
    classify = WindowClassifier(dualgaf.DualGAFClassifier(net), state, on_device=False)
    new = x[::-1] + 0.1
    windows = Windows.stacked(new)
    p, found = reader(classify, windows, int)
    np.testing.assert_array_equal(p, classify(windows))
    expected = novelty.share(numbers_of(net, series_of(state, new), CPU), p)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not net.minirocket.features._forward_hooks


CPU = torch.device("cpu")


def series_of(state, x):
    return torch.from_numpy(state.scaler.transform(x))
