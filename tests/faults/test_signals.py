"""Signals to a program that builds: kill -9, SIGTERM, Ctrl-C; to it alone and to its whole group.

Each program builds in a way that does not end by itself: a worker hangs in a chunk, or the threads
draw slowly. It says when it is in the middle. That nothing is left afterwards is seen by the oracle
of this folder.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import psutil
import pytest

from leaks import is_gone
from preloaded import MODULE, start
from programs import SEARCH_PATH

BUILD = """
import os, signal, sys, time
import psutil
from dualgaf.build import build_store
from dualgaf.plan.preset import HardwarePreset
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.pool.settings import PoolSettings
from fills import images_of, windows_of

backend, chunks = sys.argv[1], int(sys.argv[2])
windows, recipe = windows_of(7 * chunks), ImagingRecipe(8)
request = BuildRequest(len(windows), 2, 16, recipe)
settings = PoolSettings(backend=backend, n_jobs=2, chunk_size=7)
plan = make_plan(request, HardwarePreset("mine"), settings)
draw, done = Renderer.render, []

def slowly(self, windows, first, last, out):
    time.sleep(0.05)
    draw(self, windows, first, last, out)

def progress(rows):
    done.append(rows)
    if len(done) == 5:
        print(*(child.pid for child in psutil.Process().children()), flush=True)

def build():
    Renderer.render = slowly
    try:
        return build_store(windows, plan, progress=progress)[0]
    finally:
        Renderer.render = draw

"""
ENDLESS = "10000"
TRAIN = ("train", "data=simulated", "data.n_windows=600")
HANGING = ("parallel.backend=process", "parallel.n_jobs=2", "parallel.chunk_size=50")
CAUGHT = """
try:
    build()
except SystemExit as ended:
    print(ended.code, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
OWN = """
def mine(number, frame):
    print("mine", flush=True)

signal.signal(signal.SIGTERM, mine)
store = build()
print(signal.getsignal(signal.SIGTERM) is mine, (store.array == images_of(windows, recipe)).all())
"""

both = pytest.mark.parametrize("backend", ["process", "thread"])


@dataclass
class Build:
    """A program in the middle of its build."""

    process: subprocess.Popen
    workers: list[int]

    @classmethod
    def start(cls, backend, chunks=ENDLESS, program="build()"):
        """In a group of its own, so that a signal reaches its workers too, as a terminal's does."""
        process = subprocess.Popen(
            [sys.executable, "-c", BUILD + program, backend, chunks],
            env={
                **os.environ,
                "PYTHONPATH": SEARCH_PATH,
                "DUALGAF_FAULT": "hang:3",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == (2 if backend == "process" else 0)
        return cls(process, workers)

    def end(self):
        """Status and what was printed; the workers are gone then."""
        output, errors = self.process.communicate(timeout=30)
        assert all(is_gone(pid, within_s=5) for pid in self.workers)
        return self.process.returncode, output, errors


@both
@pytest.mark.fault(14)
def test_workers_end_when_their_parent_is_killed_even_in_the_middle_of_a_chunk(backend):
    build = Build.start(backend)
    build.process.kill()
    assert build.end()[0] == -signal.SIGKILL


@pytest.mark.fault(14)
def test_workers_end_even_where_a_child_of_their_parent_holds_the_socket():
    fork = """
def progress(rows):
    done.append(rows)
    if len(done) == 5:
        workers = [child.pid for child in psutil.Process().children()]
        child = os.fork()
        if child == 0:
            time.sleep(600)
        print(child, *workers, flush=True)
build()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD + fork, "process", ENDLESS],
        env={
            **os.environ,
            "PYTHONPATH": SEARCH_PATH,
            "DUALGAF_FAULT": "hang:3",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    child, *workers = map(int, process.stdout.readline().split())
    try:
        assert len(workers) == 2
        process.kill()
        assert all(is_gone(pid, within_s=5) for pid in workers)
    finally:
        os.kill(child, signal.SIGKILL)
    process.communicate()


@both
@pytest.mark.fault(15)
def test_sigterm_ends_a_build_with_status_143(backend):
    build = Build.start(backend)
    build.process.terminate()
    assert build.end() == (143, "", "")


@both
@pytest.mark.fault(15)
def test_after_sigterm_its_default_action_is_back(backend):
    build = Build.start(backend, program=CAUGHT)
    build.process.terminate()
    assert build.end() == (0, "143 True\n", "")


@pytest.mark.fault(15)
def test_a_handler_of_the_user_for_sigterm_is_called_and_the_build_goes_on():
    build = Build.start("thread", "20", OWN)
    build.process.terminate()
    assert build.end() == (0, "mine\nTrue True\n", "")


@both
@pytest.mark.fault(16)
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_nothing(backend, times, injected):
    injected(times)
    build = Build.start(backend)
    for _ in range(times):
        os.killpg(build.process.pid, signal.SIGINT)
    status, output, errors = build.end()
    assert (status, output) == (-signal.SIGINT, "")
    assert errors.rstrip().endswith("KeyboardInterrupt")


@both
@pytest.mark.fault(17)
def test_killing_the_whole_group_leaves_nothing(backend):
    build = Build.start(backend)
    os.killpg(build.process.pid, signal.SIGKILL)
    assert build.end()[0] == -signal.SIGKILL


@pytest.fixture
def training(tmp_path, monkeypatch):
    """`python -m dualgaf train`, in the middle of its build: a worker hangs."""
    monkeypatch.setenv("DUALGAF_FAULT", "hang:3")
    with (tmp_path / "output").open("w+") as output:
        process = start(*TRAIN, *HANGING, cwd=tmp_path, program=MODULE, into=output)
        deadline = time.monotonic() + 60
        while not has_two_workers(process.pid):
            assert process.poll() is None, (tmp_path / "output").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process, tmp_path / "output"
        process.kill()
        process.wait()
        process.stdout.close()


def has_two_workers(pid):
    """Whether the build of this program has begun."""
    children = psutil.Process(pid).children()
    return sum("dualgaf.pool" in child.cmdline() for child in children) == 2


@pytest.mark.fault(15)
def test_sigterm_ends_a_training_that_builds(training):
    process, output = training
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert "Traceback" not in output.read_text()
    said = output.read_text().splitlines()[-1]
    assert said.startswith(
        "dualgaf: ended by SIGTERM; to go on type python -m dualgaf train resume="
    )


@pytest.mark.fault(16)
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_a_training_that_builds_with_one_line(training, times, injected):
    injected(times)
    process, output = training
    before = output.read_text()
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
    status = process.wait(30)
    *_, said = output.read_text().removeprefix(before).strip().splitlines()
    (run,) = output.parent.glob("runs/*/*")
    how = f"python -m dualgaf train resume={run.relative_to(output.parent)}"
    assert (status, said) == (130, f"dualgaf: interrupted; to go on type {how}")
    assert json.loads((run / "metrics.json").read_text())["fit/stopped"] == "SIGINT"


@pytest.mark.fault(16)
def test_ctrl_c_ends_a_build_for_later_runs_with_one_line_and_keeps_the_work(tmp_path):
    output, cache = tmp_path / "output", tmp_path / "cache"
    words = ["task=build", "data=simulated"]
    words += ["data.n_windows=3000", "parallel.chunk_size=20", "parallel.backend=thread"]
    words += [f"paths.run_dir={tmp_path}/run", f"cache.dir={cache}", f"hydra.run.dir={tmp_path}"]
    with output.open("w") as file:
        process = start(*words, cwd=tmp_path, into=file)
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size > 500 for part in cache.glob("*.journal")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 130
        process.stdout.close()
    said = output.read_text().splitlines()[-1]
    assert said.startswith("dualgaf: interrupted; to go on type python ")
    assert list(cache.glob("*.part"))
