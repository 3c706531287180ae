"""The command line, as a user runs it: in a process of its own, from any folder.

What only chooses how a training goes is tried in this process, with `trained`.
"""

import csv
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.training.config import make_data
from dualgaf.training.run import train
from preloaded import run, start

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    *("data=simulated", "data.n_windows=60", "data.window_size=24"),
    "datamodule.image_size=16",
    *(
        "model.use_minirocket=false",
        "model.use_forest=false",
        "model.width=16",
        "trainer.max_epochs=2",
        "report=false",
        "refit=false",
    ),
)
FITTED = (*SMALL[:-1], "report=true", "hardware=16gb", "parallel.shm=true")


def best_of(run_dir):
    return run_dir / "checkpoints" / "best.ckpt"


def metrics(folder):
    (path,) = folder.glob("**/metrics.json")
    return json.loads(path.read_text())


def composed(folder, *overrides):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        told = [*SMALL, "logger=csv", "trainer.accelerator=cpu", f"paths.run_dir={folder}"]
        return compose("train", overrides=[*told, *overrides])


def trained(folder, *overrides):
    """A run in this process: its metrics."""
    train(composed(folder, *overrides))
    return json.loads((folder / "metrics.json").read_text())


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A run directory of a short training."""
    folder = tmp_path_factory.mktemp("fitted")
    output = run(*FITTED, cwd=folder)
    (run_dir,) = (path.parent for path in folder.glob("**/metrics.json"))
    return run_dir, output


def test_a_run_writes_what_the_interface_promises(fitted):
    run_dir, _ = fitted
    found = json.loads((run_dir / "metrics.json").read_text())
    assert set(found) >= {
        *("test/acc", "test/f1_macro", "val/acc", "fit/seconds"),
        *(f"build/{key}" for key in ("seconds", "windows", "bytes", "peak_bytes", "backing")),
        *(f"build/{key}" for key in ("backend", "workers", "chunk_size", "cache")),
    }
    assert found["build/windows"] == 60
    assert found["build/bytes"] == 60 * 2 * 16 * 16 * 12
    assert (found["build/backing"], found["build/chunk_size"]) == ("memfd", 200)
    assert found["build/peak_bytes"] >= found["build/bytes"] / 2
    assert 0 <= found["test/acc"] <= 1
    assert (run_dir / "checkpoints" / "best.ckpt").is_file()
    assert list((run_dir / "csv").glob("metrics.csv"))
    assert found["model/parameters"] == sum(
        weight.numel() for weight in Checkpoint(best_of(run_dir)).classifier().net.parameters()
    )
    for picture in ("curves.png", "confusion.png"):
        assert (run_dir / picture).stat().st_size > 5000
    *_, macro = table(run_dir / "report.csv")
    assert float(macro["f1"]) == pytest.approx(found["test/f1_macro"], abs=1e-4)
    rows = table(run_dir / "test_predictions.csv")
    right = sum(row["predicted"] == row["label"] for row in rows) / len(rows)
    assert right == pytest.approx(found["test/acc"])
    assert list((run_dir / "tensorboard").glob("events*"))


def test_the_plan_comes_before_the_training(fitted):
    _, output = fitted
    assert output.index("build plan") < output.index("metrics:")
    assert "(hardware=16gb)" in output
    assert "confusion.png, reliability.png, report.csv, test_predictions.csv in" in output
    assert not re.search(r"Warning:", output), output


def test_a_checkpoint_is_tested_to_the_same_figures(fitted, tmp_path):
    run_dir, _ = fitted
    checkpoint = f"ckpt_path={run_dir}/checkpoints/best.ckpt"
    run(*SMALL, checkpoint, "task=test", cwd=tmp_path)
    before, after = json.loads((run_dir / "metrics.json").read_text()), metrics(tmp_path)
    for key in ("test/acc", "test/f1_macro"):
        assert after[key] == pytest.approx(before[key])
    assert {"val/acc", "fit/seconds"}.isdisjoint(after)  # it has learned the val split
    (again,) = tmp_path.glob("**/test_predictions.csv")
    assert again.read_text() == (run_dir / "test_predictions.csv").read_text()
    assert not list(tmp_path.glob("**/curves.png"))


def test_predict_writes_a_line_a_window(fitted, tmp_path):
    run_dir, _ = fitted
    checkpoint = f"ckpt_path={run_dir}/checkpoints/best.ckpt"
    run(*SMALL, checkpoint, "task=predict", cwd=tmp_path)
    (path,) = tmp_path.glob("**/predictions.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 5
    for row in rows:
        scores = {name: float(p) for name, p in row.items() if name.startswith("p_")}
        assert sum(scores.values()) == pytest.approx(1, abs=1e-4)
        assert f"p_{row['predicted']}" == max(scores, key=scores.get)


def test_the_same_seed_gives_the_same_run(fitted, tmp_path):
    run_dir, _ = fitted
    run(*FITTED, cwd=tmp_path)
    before = json.loads((run_dir / "metrics.json").read_text())
    assert metrics(tmp_path)["test/acc"] == before["test/acc"]


def test_a_sweep_over_the_pool_builds_each_time_and_ends_with_a_table(tmp_path):
    output = run("-m", *SMALL, "parallel.chunk_size=5,60", cwd=tmp_path)
    (path,) = tmp_path.glob("**/sweep.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["parallel.chunk_size"] for row in rows] == ["5", "60"]
    assert [row["build/cache"] for row in rows] == ["off", "off"]
    assert rows[0]["test/acc"] == rows[1]["test/acc"]  # chunks change no byte
    assert "sweep of 2 jobs" in output


def test_a_sweep_over_the_model_finds_the_store_of_the_job_before(tmp_path):
    run("-m", *SMALL, "model.use_statistics=true,false", cwd=tmp_path)
    (path,) = tmp_path.glob("**/sweep.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["build/cache"] for row in rows] == ["off", "hit"]


def test_build_draws_all_splits_and_neither_loads_nor_writes_a_model(tmp_path):
    output = run(*SMALL, "task=build", cwd=tmp_path)
    found = metrics(tmp_path)
    assert output.count("build plan") == 2  # train and val, then test: as a training asks for them
    assert found["build/windows"] == 60
    assert found["build/bytes"] == 60 * 2 * 16 * 16 * 12
    assert found["build/cache"] == "off"
    assert found["build/seconds"] > 0
    assert {key.partition("/")[0] for key in found} == {"build"}
    (path,) = tmp_path.glob("**/metrics.json")
    left = {"metrics.json", "train.log", "about.json", ".hydra"}
    assert {file.name for file in path.parent.iterdir()} <= left


def test_build_prepares_the_cache_for_a_second_build_and_for_a_training(tmp_path):
    cache = f"cache.dir={tmp_path / 'cache'}"
    states = []
    for number, task in enumerate(("build", "build", "fit")):
        folder = tmp_path / str(number)
        folder.mkdir()
        run(*SMALL, cache, f"task={task}", "trainer.max_epochs=1", cwd=folder)
        states.append(metrics(folder)["build/cache"])
    assert states == ["miss", "hit", "hit"]


def test_a_sweep_of_builds_trains_nothing_and_ends_with_a_picture(tmp_path):
    output = run("-m", *SMALL, "task=build", "parallel.chunk_size=5,20,60", cwd=tmp_path)
    (path,) = tmp_path.glob("**/sweep.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["build/chunk_size"] for row in rows] == ["5", "20", "60"]
    assert [row["build/cache"] for row in rows] == ["off"] * 3
    assert "fit/seconds" not in rows[0]
    assert output.count("<- lowest build/seconds") == 1
    assert path.with_name("sweep.png").stat().st_size > 5000


def test_training_goes_on_from_a_checkpoint_that_has_not_learned_the_val_split(fitted, tmp_path):
    folder = fitted[0] / "checkpoints"
    options = (*SMALL, "hardware=16gb", "trainer.max_epochs=3")
    run(*options, f"ckpt_path={folder}/validated.ckpt", cwd=tmp_path)
    assert metrics(tmp_path)["fit/epochs"] == 3
    output = run(*options, f"ckpt_path={folder}/best.ckpt", cwd=tmp_path, status=2)
    assert "type ckpt_path=RUN/checkpoints/validated.ckpt" in output
    assert "to go on with the run of a checkpoint, in its folder, type resume=RUN" in output
    for option, text in (
        ("seed=1", "learned another training split"),
        ("model.width=8", "trained with model.width=16"),
        ("classifier.learning_rate=1e-5", "trained with classifier.learning_rate=0.004"),
    ):
        with pytest.raises(SystemExit, match=text):
            trained(tmp_path / "other", f"ckpt_path={folder}/validated.ckpt", option)


def test_a_refit_learns_both_splits_anew_and_is_what_is_tested(tmp_path):
    options = ("seed=1", "trainer.max_epochs=3", "callbacks.checkpoint.monitor=epoch")
    alone = trained(tmp_path / "alone", *options)
    both = trained(tmp_path / "both", *options, "refit=true")
    watched = Checkpoint(best_of(tmp_path / "alone")).classifier().state_dict()
    folder = tmp_path / "both" / "checkpoints"
    assert {path.name for path in folder.iterdir()} == {"best.ckpt", "last.ckpt", "validated.ckpt"}
    kept = Checkpoint(folder / "validated.ckpt").classifier().state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in watched.items())
    assert both["val/loss"] == alone["val/loss"]
    assert both["test/loss"] != alone["test/loss"]
    assert both["build/windows"] == alone["build/windows"]
    last = torch.load(folder / "best.ckpt", weights_only=True)
    data = make_data(composed(tmp_path, *options))
    n_windows = sum(len(data.windows.indices[split]) for split in ("train", "val"))
    assert last["global_step"] == 3 * -(-n_windows // data.batch_size)


def test_a_checkpoint_is_not_tested_on_data_that_do_not_fit(tmp_path):
    trained(tmp_path / "fit", "trainer.max_epochs=1")
    checkpoint = ("task=test", f"ckpt_path={best_of(tmp_path / 'fit')}")
    for option, text in (
        ("datamodule.scaling=window", "trained with scaling train, the data have window"),
        ("datamodule.image_size=12", "trained with image_size 16, the data have 12"),
        ("seed=1", r"learned another training split .* and the seed of its run"),
        ("data.window_size=48", "trained with window_size 24, the data have 48"),
    ):
        with pytest.raises(SystemExit, match=text):
            trained(tmp_path / "test", *checkpoint, option)


def test_a_run_without_a_window_to_measure_on_trains_and_a_test_of_it_says_so(tmp_path, caplog):
    alone = ("data.split.val_fraction=0", "data.split.test_fraction=0", "trainer.max_epochs=1")
    assert "test/acc" not in trained(tmp_path / "fit", *alone)
    says = "there is no window to measure on: neither a test split, nor a val split"
    assert says in caplog.text
    with pytest.raises(SystemExit, match=says):
        trained(tmp_path / "test", *alone, "task=test", f"ckpt_path={best_of(tmp_path / 'fit')}")


@pytest.mark.parametrize("images", ["on_device", "auto"])
def test_images_that_are_drawn_per_batch_keep_no_store(images, tmp_path):
    run(*SMALL, f"images={images}", "trainer.max_epochs=1", cwd=tmp_path)
    found = metrics(tmp_path)
    assert (found["build/backing"], found["build/bytes"], found["build/chunk_size"]) == (
        "none",
        0,
        0,
    )


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("hardware=64gb", "16gb"),
        ("images=lazy", "images='lazy' is not known; allowed: precompute, on_device, auto"),
        ("task=train", "task='train' is not known; allowed: fit, test, predict, build"),
        ("task=test", "type ckpt_path=RUN/checkpoints/best.ckpt"),
        ("task=build images=on_device", "task=build has nothing to build with images=on_device"),
        ("task=build ckpt_path=x.ckpt", "task=build uses no model; leave ckpt_path out"),
        ("parallel.chunk_size=0", "chunk_size=0"),
        ("parallel.n_jobs=0", "n_jobs=0"),
        ("parallel.backend=dask", "process"),
        ("model.extractor=vgg", "large_kernel"),
        ("model.fusion=sum", "adaptive"),
        ("datamodule.storage=int8", "uint8, uint16, float16, float32"),
        ("data.n_window=5", "there is no data.n_window; allowed after 'data.': n_windows"),
        ("parallel.n_job=5", "type parallel.n_jobs=5"),
        ("image=on_device", "type images=on_device"),
        ("ckpt_path=nowhere.ckpt", "ckpt_path=nowhere.ckpt is not a file; type resume=RUN"),
        ("ckpt_path=nowhere.ckpt task=test", "type ckpt_path=RUN/checkpoints/best.ckpt"),
        ("logger=null", "logger=null: a group is left out by a tilde; type ~logger"),
        ("datamodule.image_size=1", "type datamodule.image_size=48"),
        ("data=ahu", "data.root is missing; type data.root=..."),
        ("data.split.method=random", "official, group, plant, time, within, stratified"),
        ("trainer.precision=64-true", "allowed: 32-true, bf16-mixed, 16-mixed; type trainer.pre"),
    ],
)
def test_a_wrong_value_fails_at_the_start_and_names_the_allowed_ones(override, text, tmp_path):
    small = () if override.startswith("data=") else SMALL[:3]
    output = run(*small, *override.split(), cwd=tmp_path, status=2)
    assert text in output
    assert "build plan" not in output
    assert "Traceback" not in output


def test_ctrl_c_ends_the_run_and_leaves_no_process(tmp_path):
    endless = ("trainer.max_epochs=5000", "callbacks.early_stopping.patience=5000")
    process = start(*SMALL, *endless, cwd=tmp_path)
    for line in process.stdout:
        if b"Epoch 0" in line or b"build plan" in line:
            break
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.splitlines()[-1].startswith("dualgaf: interrupted; to go on type python ")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_checkpoint_is_tested_with_its_loss_and_class_weights(tmp_path):
    uneven = "data.n_windows=70"
    weighted = ("classifier.class_weights=balanced", "loss=focal", "loss.gamma=1.5")
    before = trained(tmp_path / "fit", uneven, "trainer.max_epochs=1", *weighted)
    loss = Checkpoint(best_of(tmp_path / "fit")).classifier().loss
    assert loss.gamma == 1.5
    windowed = make_data(composed(tmp_path, uneven)).windows
    counts = torch.from_numpy(windowed.labels[windowed.indices["train"]]).bincount()
    assert len(counts.unique()) > 1
    mean = float(counts.sum()) / len(counts)
    torch.testing.assert_close(loss.class_weights * counts, torch.full((len(counts),), mean))
    checkpoint = f"ckpt_path={best_of(tmp_path / 'fit')}"
    after = trained(tmp_path / "test", uneven, "task=test", checkpoint)
    for split in ("val", "test"):
        assert after[f"{split}/loss"] == before[f"{split}/loss"]


@pytest.mark.parametrize("callbacks", ["ema", "swa"])
def test_the_best_of_averaged_weights_is_what_is_tested(callbacks, tmp_path):
    # The first counts as the best, so that it is not the last: it must be read from its checkpoint.
    found = trained(
        tmp_path,
        f"callbacks={callbacks}",
        "callbacks.checkpoint.monitor=epoch",
        "trainer.max_epochs=3",
    )
    checkpoint = torch.load(best_of(tmp_path), weights_only=True)
    assert checkpoint["epoch"] == 0
    losses = [row["val/loss"] for row in table(tmp_path / "csv" / "metrics.csv") if row["val/loss"]]
    assert losses[0] != losses[2]
    assert found["val/loss"] == pytest.approx(float(losses[0]))
    apart = [
        not torch.equal(weight, checkpoint["current_model_state"][name])
        for name, weight in checkpoint["state_dict"].items()
    ]
    assert any(apart) == (callbacks == "ema")  # the mean of swa has not begun


def test_an_extractor_of_ones_own_is_built_anew_for_a_test(tmp_path):
    own = "{_target_:torch.nn.Conv2d,_partial_:true,out_channels:4,kernel_size:3}"
    options = ("trainer.max_epochs=1", f"model.extractor={own}", "model.fusion=concat")
    before = trained(tmp_path / "fit", *options)
    checkpoint = ("task=test", f"ckpt_path={best_of(tmp_path / 'fit')}")
    after = trained(tmp_path / "test", *checkpoint, options[1])
    assert after["test/loss"] == before["test/loss"]
    with pytest.raises(SystemExit, match=r"is torch.nn.*Conv2d, model.extractor is 'auto'"):
        trained(tmp_path / "other", *checkpoint)


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("classifier.class_weights=balance", "allowed: null, balanced, or a number for each class"),
        ("classifier.optimizer=sgd", "allowed: adamw, radam; type classifier.optimizer="),
    ],
)
def test_a_wrong_choice_of_training_names_the_allowed_ones(override, text, tmp_path):
    with pytest.raises(SystemExit, match=re.escape(text)):
        trained(tmp_path, override)
