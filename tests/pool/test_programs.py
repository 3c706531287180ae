"""The pool inside programs as people write them, and what is left when such a program is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dualgaf
import leaks
from dualgaf.imaging.recipe import ImagingRecipe
from fills import images_of, windows_of
from leaks import is_gone


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()


HERE = Path(__file__).resolve().parents[1]
FILL = """
import sys
import numpy as np
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool import ladder
from fills import job_of, windows_of

def run(progress=None, **settings):
    job = job_of(windows_of(60), ImagingRecipe(8), "process", workers=2, **settings)
    with job.writer:
        report = ladder.fill(job, progress)
        store = job.writer.seal()
    return report, store.array

"""
# Says which workers there are once they have work, then waits to be killed: chunk 3 never ends.
HANG = (
    FILL
    + """
from dualgaf.pool.supervisor import ProcessPool

pools = []
class Seen(ProcessPool):
    def __init__(self, *args):
        super().__init__(*args)
        pools.append(self)

ladder.ProcessPool = Seen
done = []
def progress(rows):
    done.append(rows)
    if len(done) == 8:  # all chunks but the one that hangs
        print(*pools[0].pids, flush=True)
"""
)


@pytest.fixture
def environment(monkeypatch):
    package = Path(dualgaf.__file__).resolve().parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{package}{os.pathsep}{HERE}")
    monkeypatch.delenv("DUALGAF_FAULT", raising=False)
    return monkeypatch


def run_stdin(text):
    """Feed a program to `python -`, which has no file that a child could import again."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-"],
        input=text,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("environment")
def test_a_script_on_stdin_without_a_main_guard():
    out = run_stdin(FILL + "report, array = run()\nprint(report.backend, int(array.sum()))\n")
    expected = images_of(windows_of(60), ImagingRecipe(8)).sum(dtype=np.int64)
    assert out.split() == ["process", str(expected)]


@pytest.mark.usefixtures("environment")
def test_a_daemonic_process_which_multiprocessing_allows_no_children():
    program = """
import multiprocessing
def main():
    print(run()[0].backend, multiprocessing.current_process().daemon, flush=True)
process = multiprocessing.get_context("fork").Process(target=main, daemon=True)
process.start()
process.join()
sys.exit(process.exitcode)
"""
    assert run_stdin(FILL + program).split() == ["process", "True"]


def start(program, environment, **options):
    """Start a program of `HANG`; returns it and its workers' ids."""
    environment.setenv("DUALGAF_FAULT", "hang:3")
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    return process, [int(pid) for pid in process.stdout.readline().split()]


def end(process):
    """Read what is left, wait, close the pipes."""
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


@pytest.mark.faults
def test_workers_end_when_their_parent_is_killed_even_in_the_middle_of_a_chunk(environment):
    process, workers = start(HANG + "run(progress)\n", environment)
    assert len(workers) == 2
    os.kill(process.pid, signal.SIGKILL)
    assert all(is_gone(pid, within_s=5) for pid in workers)
    assert end(process)[0] == -signal.SIGKILL


@pytest.mark.faults
def test_workers_end_even_where_a_child_of_their_parent_holds_the_socket(environment):
    fork = """
import os, time
def fork_and_tell(rows):
    if len(done) == 7:
        child = os.fork()
        if child == 0:
            time.sleep(600)
        print(child, end=" ", flush=True)
    progress(rows)
run(fork_and_tell)
"""
    process, (child, *workers) = start(HANG + fork, environment)
    assert len(workers) == 2
    os.kill(process.pid, signal.SIGKILL)
    try:
        assert all(is_gone(pid, within_s=5) for pid in workers)
    finally:
        os.kill(child, signal.SIGKILL)
    end(process)


@pytest.mark.faults
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_nothing(environment, times):
    # a group of its own, so that the signal reaches workers too, as a terminal's does
    process, workers = start(HANG + "run(progress)\n", environment, start_new_session=True)
    for _ in range(times):
        os.killpg(process.pid, signal.SIGINT)
    code, errors = end(process)
    assert code != 0
    assert "KeyboardInterrupt" in errors
    assert all(is_gone(pid, within_s=5) for pid in workers)


@pytest.mark.faults
def test_killing_the_whole_group_leaves_nothing(environment):
    process, workers = start(HANG + "run(progress)\n", environment, start_new_session=True)
    os.killpg(process.pid, signal.SIGKILL)
    end(process)
    assert all(is_gone(pid, within_s=5) for pid in workers)
