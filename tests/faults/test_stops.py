"""Signals to train.py while it trains: how it ends, what it leaves, and that its last line works.

``benchmarks/signals.py`` does the same at many moments. Here a callback holds the training where
the signal is to reach it.
"""

import json
import os
import shlex
import signal
import time

import pytest
import torch

from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.training.run_folder import RECORD
from preloaded import TRAIN, run, start
from programs import SEARCH_PATH

SMALL = (
    *("data=simulated", "data.n_windows=60", "data.window_size=24", "datamodule.image_size=12"),
    *(
        "model.use_minirocket=false",
        "model.use_forest=false",
        "model.width=8",
        "datamodule.batch_size=16",
        "logger=csv",
    ),
    *("trainer.max_epochs=3", "trainer.accelerator=cpu", "hydra.run.dir=run"),
    "+callbacks.hold._target_=ranks_program.Hold",
)
WITHIN_S = 60
FIT, REFIT = "fit 2", "refit 2"

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", SEARCH_PATH)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def held(folder, *options, at, ranks=1):
    """A training that is held at the begin of an epoch."""
    more = ["trainer=ddp_sim"] if ranks == 2 else []
    os.environ["HOLD"] = at
    try:
        with (folder / "output").open("w") as output:
            process = start(*options, *SMALL, *more, cwd=folder, others=ranks - 1, into=output)
    finally:
        del os.environ["HOLD"]
    deadline = time.monotonic() + WITHIN_S
    while not (folder / "held").exists():
        assert process.poll() is None, (folder / "output").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (folder / "held").unlink()
    return process


def ended(process, folder):
    """Status, and the last line."""
    status = process.wait(WITHIN_S)
    process.stdout.close()
    text = (folder / "output").read_text()
    assert "Traceback" not in text
    return status, text.splitlines()[-1]


def typed(line, folder, ranks=1):
    """The command that a last line says, as a shell would take it."""
    python, program, *words = shlex.split(line.partition("; to go on type ")[2])
    assert (python, program) == ("python", TRAIN)
    return run(*words, cwd=folder, others=ranks - 1)


def check_whole(folder, ranks):
    """What a run leaves that nothing has stopped."""
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["fit/epochs"], metrics["refit/epochs"]) == (3, 3)
    assert {"val/acc", "test/acc"} <= {*metrics}
    kept = folder / "checkpoints"
    assert {path.name for path in kept.iterdir()} == {"best.ckpt", "last.ckpt", "validated.ckpt"}
    assert Checkpoint(kept / "best.ckpt").content["global_step"] == 3 * (3 if ranks == 1 else 2)
    assert not (folder / RECORD.with_suffix(".lock")).exists()


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    ("number", "at", "ranks"),
    [
        (signal.SIGTERM, FIT, 1),
        (signal.SIGINT, REFIT, 1),
        pytest.param(signal.SIGINT, FIT, 2, marks=pytest.mark.slow),
        (signal.SIGTERM, REFIT, 2),
    ],
)
def test_a_training_that_is_told_to_end_leaves_what_it_has_and_says_how_to_go_on(
    number, at, ranks, tmp_path
):
    process = held(tmp_path, at=at, ranks=ranks)
    if number == signal.SIGINT:  # a terminal sends it to all
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    status, line = ended(process, tmp_path)
    said = "interrupted" if number == signal.SIGINT else "ended by SIGTERM"
    assert (status, line.split(";")[0]) == (128 + number, f"dualgaf: {said}")
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["fit/stopped"] == signal.Signals(number).name
    assert found["fit/epochs"] == (3 if at == REFIT else 2)
    assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
    newest = "refit" if at == REFIT else "last"
    torch.load(tmp_path / "run" / "checkpoints" / f"{newest}.ckpt", weights_only=True)
    output = typed(line, tmp_path, ranks)
    assert ("refit: goes on after epoch 2" if at == REFIT else "has trained 2 epochs") in output
    check_whole(tmp_path / "run", ranks)


@pytest.mark.fault(32)
def test_a_sweep_that_is_told_to_end_starts_no_further_job_and_goes_on(tmp_path):
    sweep = ["-m", "seed=0,1,2", "hydra.sweep.dir=sweep", "refit=false"]
    process = held(tmp_path, *sweep, at="seed 1")
    process.send_signal(signal.SIGTERM)
    status, line = ended(process, tmp_path)
    assert (status, line.endswith("resume=sweep")) == (143, True)
    jobs = [tmp_path / "sweep" / number for number in "012"]
    first, second = (json.loads((job / "metrics.json").read_text()) for job in jobs[:2])
    assert ("fit/stopped" in first, "fit/stopped" in second) == (False, True)
    assert not jobs[2].exists()
    rows = (tmp_path / "sweep" / "sweep.csv").read_text().splitlines()
    assert len(rows) == 3
    before = (jobs[0] / "metrics.json").stat().st_mtime_ns
    output = typed(line, tmp_path)
    assert "the run in sweep/0 is done" in output
    assert (jobs[0] / "metrics.json").stat().st_mtime_ns == before
    assert "sweep of 3 jobs" in output
    for job in jobs:
        assert json.loads((job / "metrics.json").read_text())["fit/epochs"] == 3
    refused = run(*sweep[:1], "seed=0,1", *sweep[2:], *SMALL, cwd=tmp_path, status=2)
    assert "dualgaf: sweep holds another sweep" in refused


@pytest.mark.fault(33)
@pytest.mark.parametrize(
    ("at", "ranks"), [(FIT, 1), pytest.param(REFIT, 2, marks=pytest.mark.slow)]
)
def test_a_training_that_is_killed_goes_on_with_the_same_command(at, ranks, tmp_path):
    process = held(tmp_path, at=at, ranks=ranks)
    process.kill()
    assert process.wait(WITHIN_S) == -signal.SIGKILL
    process.stdout.close()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.*")}
    more = ["trainer=ddp_sim"] if ranks == 2 else []
    refused = run(*SMALL, *more, "seed=1", cwd=tmp_path, status=2)
    assert "dualgaf: run holds a run with other options (seed=0 there, 1 here)" in refused
    assert "to go on with that run type python" in refused
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.*")} == before
    run(*SMALL, *more, cwd=tmp_path, others=ranks - 1)
    check_whole(tmp_path / "run", ranks)


@pytest.mark.fault(34)
def test_a_checkpoint_that_finds_no_room_leaves_the_one_before_and_says_so(tmp_path):
    output = run(*SMALL, "refit=false", cwd=tmp_path, program=("-c", FULL), status=2)
    last = output.splitlines()[-1]
    path = f"{tmp_path}/run/checkpoints/last.ckpt"
    assert last.startswith(f"dualgaf: {path} cannot be written: File too large; earlier check")
    assert last.endswith("type resume=run")
    assert Checkpoint(tmp_path / "run/checkpoints/last.ckpt").content["epoch"] == 0
    run("resume=run", cwd=tmp_path)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["fit/epochs"] == 3


FULL = f"""
import resource, runpy, sys
import lightning as L
from dualgaf.training.progress import LastCheckpoint

save = LastCheckpoint.on_train_epoch_end

def on_train_epoch_end(self, trainer, module):
    if trainer.current_epoch == 1:  # as a disk that is full then
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    save(self, trainer, module)

LastCheckpoint.on_train_epoch_end = on_train_epoch_end
sys.argv[0] = {TRAIN!r}
runpy.run_path({TRAIN!r}, run_name="__main__")
"""
