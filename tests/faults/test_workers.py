"""Worker processes that are killed, stopped, hung or poisoned, and what becomes of the store.

Faults come from ``DUALGAF_FAULT`` (see `dualgaf.pool.worker`), so that they hit the same chunk each
time. Chunks are of 7 windows: chunk 3 holds the windows 21 to 27.
"""

import os
import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dualgaf.errors import ChunkError, FallbackWarning
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.fill import fill
from dualgaf.pool.supervisor import ProcessPool
from filling import fill_by, filled
from fills import images_of, job_of, windows_of
from leaks import is_gone

RECIPE = ImagingRecipe(8)
SEEDS = range(50)
LOST = ["SIGKILL", "SIGSEGV", "SIGBUS", "exit"]


@pytest.mark.fault(1)
@pytest.mark.parametrize("seeds", [SEEDS[:25], SEEDS[25:]], ids=["0-24", "25-49"])
def test_workers_killed_at_random_moments(seeds, injected):
    """One kill a store: two kills may hit one chunk, which by design ends a build.

    The youngest worker, which may not be ready yet, is hit more often: that is quicker.
    """
    windows = windows_of(120)
    expected = images_of(windows, RECIPE)
    injected(len(seeds))
    with ProcessPool(2, 60.0) as pool:
        for seed in seeds:
            dice, rows = random.Random(seed), []
            after = dice.randrange(len(windows) // 7)  # chunks; one at least is left then

            def kill(first, last, dice=dice, rows=rows, after=after):
                rows.append(last - first)
                if len(rows) == after + 1:
                    time.sleep(dice.random() * 0.002)  # other workers draw on meanwhile
                    os.kill(dice.choice([*pool.pids, *pool.pids[-1:] * 4]), signal.SIGKILL)

            np.testing.assert_array_equal(fill_by(pool, windows, RECIPE, kill), expected)
            assert sum(rows) == len(windows)
            assert len(rows) == 18
        assert pool.retries > 0  # a kill between two chunks costs none


@pytest.mark.fault(1)
def test_a_chunk_that_lost_its_worker_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("DUALGAF_FAULT", f"SIGKILL:3:{tmp_path / 'suffered'}")
    filled(job_of(windows_of(60), RECIPE, "process"))
    (record,) = caplog.records
    assert record.getMessage() == (
        "chunk 3 (windows 21 to 27) has lost its worker (killed by SIGKILL); another does it, of 2"
    )


@pytest.mark.fault(1)
def test_a_worker_that_dies_between_two_stores_costs_no_chunk():
    windows = windows_of(30)
    with ProcessPool(2, 60.0) as pool:
        fill_by(pool, windows, RECIPE)
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        assert all(is_gone(pid, 60) for pid in pool.pids)
        np.testing.assert_array_equal(fill_by(pool, windows, RECIPE), images_of(windows, RECIPE))
        assert pool.retries == 0


@pytest.mark.fault(2)
@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("SIGKILL", "killed by SIGKILL; last words of the worker: none"),
        (
            "SIGSEGV",
            "killed by SIGSEGV; last words of the worker: Fatal Python error: Segmentation fault\n",
        ),
        ("SIGBUS", "killed by SIGBUS; last words of the worker: Fatal Python error: Bus error\n\n"),
        ("exit", "ended with exit status 0; last words of the worker: none"),
    ],
)
def test_a_chunk_that_costs_two_workers_ends_the_build(fault, how, monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", f"{fault}:3")
    job = job_of(windows_of(60), RECIPE, "process")
    with job.writer, pytest.raises(ChunkError) as caught:
        fill(job)
    text = str(caught.value)
    assert text.startswith(f"chunk 3 (windows 21 to 27) cost 2 workers: {how}")
    assert ("in _inject_fault" in text) == (fault in ("SIGSEGV", "SIGBUS"))  # the stack
    assert "type parallel.enabled=false" in text


@pytest.mark.fault(3)
@pytest.mark.parametrize("fault", LOST)
def test_a_chunk_that_loses_its_worker_once_is_done_by_another(fault, tmp_path, monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", f"{fault}:3:{tmp_path / 'suffered'}")
    windows = windows_of(60)
    report, array = filled(job_of(windows, RECIPE, "process"))
    assert (report.backend, report.retries) == ("process", 1)
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))


@pytest.mark.fault(3)
def test_an_exception_in_a_worker_comes_with_its_traceback(monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", "raise:3")
    job = job_of(windows_of(60), RECIPE, "process")
    with job.writer, pytest.raises(ChunkError) as caught:
        fill(job)
    text = str(caught.value)
    assert text.startswith("chunk 3 (windows 21 to 27) failed in a worker:\nTraceback")
    assert "in _inject_fault" in text
    assert text.rstrip().endswith("RuntimeError: a fault on purpose")


@pytest.mark.fault(4)
@pytest.mark.parametrize("fault", ["SIGSTOP", "hang"])
def test_a_worker_without_an_answer_is_killed_and_its_chunk_given_away(
    fault, tmp_path, monkeypatch
):
    # One worker: chunk 3 is then not its first, for which it has a minute more.
    monkeypatch.setenv("DUALGAF_FAULT", f"{fault}:3:{tmp_path / 'suffered'}")
    windows = windows_of(40)
    report, array = filled(job_of(windows, RECIPE, "process", workers=1, chunk_timeout_s=1.5))
    assert report.retries == 1
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))


@pytest.mark.fault(2, 4)
def test_a_hung_chunk_says_how_long_it_was_waited_for(monkeypatch):
    monkeypatch.setattr("dualgaf.pool.supervisor.STARTUP_TIMEOUT_S", 10.0)
    monkeypatch.setattr("dualgaf.pool.supervisor.LOSSES_OF_ONE_CHUNK", 1)
    monkeypatch.setenv("DUALGAF_FAULT", "hang:3")
    job = job_of(windows_of(40), RECIPE, "process", workers=1, chunk_timeout_s=1.0)
    with job.writer, pytest.raises(ChunkError, match="no answer for 1 s, so it was killed by SIGK"):
        fill(job)


@pytest.mark.fault(4)
def test_closing_ends_a_stopped_worker_too(monkeypatch):
    monkeypatch.setattr("dualgaf.pool.supervisor.CLOSE_TIMEOUT_S", 0.3)
    with ProcessPool(1, 60.0) as pool:
        fill_by(pool, windows_of(20), RECIPE)
        os.kill(pool.pids[0], signal.SIGSTOP)
    assert pool.pids == []


@pytest.fixture
def broken_interpreter(tmp_path):
    """A Python that ends at once."""
    stub = tmp_path / "python"
    stub.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    stub.chmod(0o755)
    return str(stub)


@pytest.mark.fault(5)
def test_workers_that_die_at_start_leave_the_work_to_threads(monkeypatch, broken_interpreter):
    monkeypatch.setattr(sys, "executable", broken_interpreter)
    windows = windows_of(40)
    with pytest.warns(FallbackWarning) as caught:
        report, array = filled(job_of(windows, RECIPE, "process"))
    (warning,) = caught
    assert str(warning.message) == (
        "parallel.backend=process is refused, thread takes over: 3 workers ended before they were "
        "ready: ended with exit status 3; last words of the worker: no such luck; type "
        "parallel.backend=thread to choose it yourself"
    )
    assert warning.filename == __file__
    assert report.backend == "thread"
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))


@pytest.mark.fault(5)
def test_what_processes_have_finished_is_not_done_again_by_threads(
    tmp_path, monkeypatch, broken_interpreter
):
    monkeypatch.setenv("DUALGAF_FAULT", f"SIGKILL:3:{tmp_path / 'suffered'}")
    windows = windows_of(60)
    rows = []

    def progress(n):
        rows.append(n)
        sys.executable = broken_interpreter  # from now on no worker can be replaced

    monkeypatch.setattr(sys, "executable", sys.executable)
    with pytest.warns(FallbackWarning, match="thread takes over"):
        report, array = filled(job_of(windows, RECIPE, "process", workers=1), progress)
    assert report.backend == "thread"
    assert sum(rows) == 60
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))


@pytest.mark.fault(5)
def test_where_no_thread_can_be_started_this_one_does_the_work(monkeypatch, broken_interpreter):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sys, "executable", broken_interpreter)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    windows = windows_of(40)
    with pytest.warns(FallbackWarning) as caught:
        report, array = filled(job_of(windows, RECIPE, "process"))
    texts = [str(warning.message) for warning in caught]
    assert [text.split(":")[0] for text in texts] == [
        "parallel.backend=process is refused, thread takes over",
        "parallel.backend=thread is refused, serial takes over",
    ]
    assert report.backend == "serial"
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))
