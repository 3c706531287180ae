"""Jobs as processes: they end with the comparison, and one that is killed is a row."""

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dualgaf.system.termination import ENDS_WITH, Stopped
from dualgaf.training.code_stamp import STAMP, stamp
from dualgaf.training.comparison import job as job_module
from dualgaf.training.comparison.asked import asked_for
from dualgaf.training.comparison.command import compare
from dualgaf.training.comparison.job import run_job
from dualgaf.training.comparison.rows import RUN, folder_of, row_of
from dualgaf.training.comparison.scores import Predictions, write_labels
from preloaded import start

SMALL = (
    *("data=simulated", "data.n_windows=40", "data.window_size=12", "datamodule.image_size=4"),
    *("model.width=8", "model.use_minirocket=false", "model.use_forest=false", "refit=false"),
    *("trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=csv", "calibration.enabled=false"),
)


class Preloaded:
    """`subprocess.Popen`, of a process that has loaded torch already; the first is killed."""

    def __init__(self):
        self.started = []

    def __call__(self, command, *, stdin, stdout, stderr, env):
        assert command[0] == sys.executable
        program = start(*command[3:], cwd=Path.cwd(), program=command[1:3], into=stdout)
        program.stdout.close()  # it writes to its log
        self.started.append(command[2])
        if len(self.started) == 1:
            program.kill()
        return program


def test_a_killed_job_is_a_row_and_the_next_start_does_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    popen = Preloaded()
    names = {name: getattr(subprocess, name) for name in ("DEVNULL", "STDOUT", "TimeoutExpired")}
    monkeypatch.setattr(job_module, "subprocess", SimpleNamespace(Popen=popen, **names))
    assert compare([*SMALL, "baselines=[1nn]", "compare.dir=a"]) == 2
    assert "simulated dualgafnet seed=0: failed: killed by SIGKILL" in capsys.readouterr().err
    with Path("a/rows.csv").open() as file:
        states = {row["method"]: row["state"] for row in csv.DictReader(file)}
    assert states == {"dualgafnet": "failed", "1nn": "done"}
    assert compare(["compare.dir=a"]) == 0
    assert popen.started == ["dualgaf", "dualgaf.training.comparison.baselines", "dualgaf"]
    with Path("a/rows.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    metrics = json.loads(Path(rows["dualgafnet"]["run"], "metrics.json").read_text())
    own = rows["dualgafnet"]
    assert float(own["accuracy"]) == pytest.approx(metrics["test/acc"], abs=1e-6)
    assert float(own["f1_macro"]) == pytest.approx(metrics["test/f1_macro"], abs=1e-6)
    assert float(own["fit_s"]) == pytest.approx(metrics["fit/seconds"], abs=1e-3)
    assert own["windows"] == rows["1nn"]["windows"]


def test_a_job_that_is_stopped_ends_and_has_no_row(tmp_path, monkeypatch):
    (job,) = asked_for(list(SMALL)).jobs
    folder = folder_of(job, tmp_path)
    program = "import time; print('begun', flush=True); time.sleep(600)"
    monkeypatch.setattr(job_module, "command_of", lambda *_: [sys.executable, "-c", program])

    def stop(seconds):
        if "begun" in (folder / "log.txt").read_text():
            raise Stopped(signal.SIGTERM)

    with pytest.raises(Stopped):
        run_job(job, folder, stop)
    assert row_of(folder) is None


def test_a_job_without_a_test_says_so(tmp_path, monkeypatch):
    (job,) = asked_for(list(SMALL)).jobs
    monkeypatch.setattr(job_module, "command_of", lambda *_: [sys.executable, "-c", ""])
    folder = folder_of(job, tmp_path)
    stamp(folder / RUN, anew=True)
    row = run_job(job, folder, lambda seconds: None)
    assert (row["state"], row["reason"].partition(":")[0]) == ("failed", "nothing was tested")


def test_a_job_of_code_that_was_edited_meanwhile_is_no_figure(tmp_path, monkeypatch):
    (job,) = asked_for(list(SMALL)).jobs
    monkeypatch.setattr(job_module, "command_of", lambda *_: [sys.executable, "-c", ""])
    folder = folder_of(job, tmp_path)
    write_labels(folder / RUN, Predictions(["a"], ["a"], 1.0, 1.0))
    (folder / RUN / "metrics.json").write_text('{"fit/seconds": 1.0}')
    stamp(folder / RUN, anew=True)
    assert run_job(job, folder, lambda seconds: None)["state"] == "done"
    (folder / RUN / STAMP).write_text("dualgaf 9 edited\n")
    row = run_job(job, folder, lambda seconds: None)
    assert (row["state"], row["reason"].partition(";")[0]) == (
        "failed",
        "the code has changed under it",
    )


STARTER = """
import os, subprocess, sys
job = [sys.executable, "-c", sys.argv[1]]
subprocess.Popen(job, env={**os.environ, sys.argv[2]: str(os.getpid())}).wait()
"""
JOB = """
import os, time
from dualgaf.system.termination import ENDS_WITH, Stopped, stop_on_signals
stop_on_signals()
print("begun", ENDS_WITH in os.environ, flush=True)
try:
    time.sleep(600)
except Stopped as stopped:
    print("stopped", stopped.number, flush=True)
"""


def test_a_job_whose_comparison_is_killed_is_stopped():
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, JOB, ENDS_WITH], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout.readline() == "begun False\n"
        starter.kill()
        assert starter.stdout.read() == "stopped 15\n"
