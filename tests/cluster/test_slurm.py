"""Sweeps, trainings and builds on a real SLURM with two nodes."""

import csv
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cluster_programs import SMALL, TELL, WITHIN_S, needs_plugin, script
from preloaded import TRAIN
from programs import told

pytestmark = pytest.mark.timeout(4 * WITHIN_S)
HOLD = ("+callbacks.hold._target_=ranks_program.Hold", "+callbacks.hold.once=true")
SRUN = ("srun", "--nodes=2", "--ntasks-per-node=1")


def rows_of(folder):
    (path,) = folder.glob("multirun/*/*/sweep.csv")
    with path.open(newline="") as file:
        return path.parent, list(csv.DictReader(file))


def until(is_so, within_s=WITHIN_S):
    ends_at = time.monotonic() + within_s
    while not (found := is_so()):
        assert time.monotonic() < ends_at, "it has not come"
        time.sleep(0.1)
    return found


def jobs(slurm, cwd):
    """What SLURM says of the jobs that are not over, a line each."""
    output, status = slurm.run("squeue", "--noheader", "--array", "--format=%i|%T|%N", cwd=cwd)
    assert status == 0, output
    return [line.split("|") for line in output.splitlines()]


def test_a_sweep_over_chunk_size(slurm, tmp_path):
    needs_plugin("hydra_submitit_launcher", "slurm")
    output, status = slurm.train(
        *("-m", "launcher=slurm", "hydra.launcher.cpus_per_task=1"),
        *("hydra.launcher.array_parallelism=1", "sweep=chunk_size", "data=simulated"),
        *("data.n_windows=60", "datamodule.image_size=24", "seed=0", "parallel.n_jobs=1"),
        *("parallel.chunk_size=10,20", "report=false"),
        cwd=tmp_path,
    )
    assert status == 0, output
    folder, rows = rows_of(tmp_path)
    assert [row["parallel.chunk_size"] for row in rows] == ["10", "20"]
    assert all(float(row["build/seconds"]) > 0 for row in rows)
    assert (folder / "sweep.png").is_file()
    assert "sweep of 2 jobs" in output
    assert "measure each other" not in output


def check_training(folder, ranks):
    """One run, one build, one copy; what was tested is there once."""
    (path,) = folder.glob("*/metrics.json")
    metrics = json.loads(path.read_text())
    assert {"val/acc", "test/acc"} <= {*metrics}
    fitted = told(path.parent, "fit")
    assert len(fitted) == ranks
    assert sum(len(each["built"]) for each in fitted) == 1  # both nodes are this machine
    assert len({tuple(each["hashes"]) for each in fitted}) == 1
    assert len(told(path.parent, "test")) == 1
    with (path.parent / "test_predictions.csv").open(newline="") as file:
        windows = [row["window"] for row in csv.DictReader(file)]
    assert len(windows) == len({*windows}) > 0
    return path.parent


@pytest.mark.slow
def test_a_training_of_two_nodes_by_srun(slurm, tmp_path):
    output, status = slurm.train("trainer=cluster", *SMALL, *TELL, cwd=tmp_path, before=SRUN)
    assert status == 0, output
    folder = check_training(tmp_path / "runs", ranks=2)
    assert folder.name.startswith("slurm-")
    assert output.count("run directory") == 1


@pytest.mark.slow
def test_a_training_of_two_nodes_in_a_job_of_a_sweep(slurm, tmp_path):
    needs_plugin("hydra_submitit_launcher", "slurm")
    output, status = slurm.train(
        *("-m", "launcher=slurm", "hydra.launcher.nodes=2", "hydra.launcher.cpus_per_task=1"),
        *("trainer=cluster", "seed=0", *SMALL, *TELL),
        cwd=tmp_path,
    )
    assert status == 0, output
    folder, rows = rows_of(tmp_path)
    assert len(rows) == 1
    check_training(folder, ranks=2)


@pytest.mark.slow
def test_the_cache_of_each_node_is_filled(slurm, tmp_path):
    # A runtime folder each: else the second node would find the store of the first alive.
    command = (
        'export XDG_RUNTIME_DIR="$PWD/runtime$SLURM_NODEID" DUALGAF_TEST_CACHE='
        '"$PWD/cache$SLURM_NODEID"; mkdir "$XDG_RUNTIME_DIR"; exec "$@"'
    )
    output, status = slurm.train(
        *("task=build", "cache.dir=${oc.env:DUALGAF_TEST_CACHE}", *SMALL),
        cwd=tmp_path,
        before=(*SRUN, "bash", "-c", command, "bash"),
    )
    assert status == 0, output
    first, second = (
        sorted(path.name for path in (tmp_path / f"cache{node}").rglob("*")) for node in (0, 1)
    )
    assert first
    assert first == second
    assert len(list(tmp_path.glob("runs/*"))) == 1


@pytest.mark.slow
def test_a_job_that_is_killed_leaves_a_row_and_the_others_go_on(slurm, tmp_path):
    needs_plugin("hydra_submitit_launcher", "slurm")
    sweep = slurm.start(
        *(sys.executable, TRAIN, "-m", "launcher=slurm", "hydra.launcher.cpus_per_task=1"),
        *("hydra.launcher.array_parallelism=1", *SMALL, "seed=0,1", *HOLD),
        cwd=tmp_path,
        HOLD="seed 0",
    )
    until(lambda: list(tmp_path.rglob("held")))
    (log,) = tmp_path.glob("multirun/*/*/0/train.log")
    for path in Path("/proc").glob("[0-9]*/fd/*"):  # who has the log of the job open is the job
        try:
            if path.readlink() == log:
                os.kill(int(path.parts[2]), signal.SIGKILL)
        except OSError:
            continue
    output, _ = sweep.communicate(timeout=WITHIN_S)
    assert sweep.returncode == 2, output
    assert "has died" in output
    _, rows = rows_of(tmp_path)
    assert [row["seed"] for row in rows] == ["0", "1"]
    assert [row["val/acc"] != "" for row in rows] == [False, True]


@pytest.mark.slow
def test_a_training_that_is_out_of_time_goes_on_after_the_requeue(slurm, tmp_path):
    words = ["trainer=cluster", *SMALL, "trainer.max_epochs=6", "~callbacks.early_stopping"]
    words += HOLD
    job = tmp_path / "job.sh"
    job.write_text(
        "#!/bin/bash\n#SBATCH --requeue --nodes=2 --ntasks-per-node=1 --open-mode=append\n"
        "export HOLD='fit 3'\n"
        f"srun {sys.executable} {TRAIN} {' '.join(words)}\n"
    )
    output, status = slurm.run("sbatch", "--parsable", "--output=job.out", str(job), cwd=tmp_path)
    assert status == 0, output
    number = output.strip()
    until(lambda: list(tmp_path.rglob("held")))
    slurm.run("scancel", "--signal=USR1", number, cwd=tmp_path)
    until(lambda: [number, "PENDING", ""] in jobs(slurm, tmp_path))
    folder = tmp_path / "runs" / f"slurm-{number}-0"
    stopped = json.loads((folder / "metrics.json").read_text())
    assert (stopped["fit/stopped"], stopped["fit/epochs"]) == ("SIGUSR1", 3)
    # SLURM would wait for two minutes.
    slurm.run("scontrol", "update", f"JobId={number}", "StartTime=now", cwd=tmp_path)
    until(lambda: not jobs(slurm, tmp_path))
    said = (tmp_path / "job.out").read_text(errors="replace")
    done = json.loads((folder / "metrics.json").read_text())
    assert (done["fit/epochs"], "fit/stopped" in done) == (6, False), said
    assert "this run has trained 3 epochs; its first training goes on" in said
    assert len(list(tmp_path.glob("runs/*"))) == 1


@pytest.mark.slow
def test_a_node_that_dies_gives_its_job_back_and_the_table_is_complete(slurm, tmp_path):
    needs_plugin("hydra_submitit_launcher", "slurm")
    sweep = slurm.start(
        *(sys.executable, TRAIN, "-m", "launcher=slurm", "hydra.launcher.cpus_per_task=1"),
        *("hydra.launcher.array_parallelism=2", *SMALL, "seed=0,1", *HOLD),
        cwd=tmp_path,
        HOLD="seed 0",
    )
    until(lambda: list(tmp_path.rglob("held")))
    (node,) = {at for job, _, at in jobs(slurm, tmp_path) if job.endswith("_0")}
    killed = script("slurm.sh", "kill", str(slurm.folder), node)
    assert killed.returncode == 0, killed.stderr

    def is_back():
        return any(
            job.endswith("_0") and state == "PENDING" for job, state, _ in jobs(slurm, tmp_path)
        )

    try:
        until(is_back)
    finally:
        script("slurm.sh", "start", str(slurm.folder), node)
    # SLURM keeps it back for two minutes. One that is hurried to a node which has just come back
    # ends slurmctld 22.05.8 with a segmentation fault.
    output, _ = sweep.communicate(timeout=2 * WITHIN_S)
    assert sweep.returncode == 0, output
    _, rows = rows_of(tmp_path)
    assert [row["seed"] for row in rows] == ["0", "1"]
    assert all(row["val/acc"] != "" for row in rows)
