import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from benchmarks.speed import baselines
from benchmarks.speed.baselines import EarlierSystem, draw_with_pyts, obstacle
from benchmarks.speed.peers import levels_apart

import leaks
import oracles
from dualgaf.bench.runner import random_windows
from dualgaf.errors import DualGAFError
from dualgaf.imaging.gaf import dual_gaf
from semaphores import needs_semaphores

pytestmark = pytest.mark.usefixtures("plain_pyts", "leaves_nothing")


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(baselines, "LEAST_PORTION", 3)


ENDLESS = """
import sys, time, types
import numpy as np

class GramianAngularField:
    def __init__(self, method): ...
    def fit_transform(self, x): time.sleep(300)

sys.modules["pyts"] = types.ModuleType("pyts")
sys.modules["pyts.image"] = types.SimpleNamespace(GramianAngularField=GramianAngularField)
from benchmarks.speed.baselines import EarlierSystem
EarlierSystem(n_jobs=2).build(np.zeros((900, 1, 4)))
"""


def processes_of(group):
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def segments_of(pid):
    return {name for name in leaks.shared_names() if name.startswith(f"dualgaf-bench-{pid}-")}


@pytest.mark.slow
def test_the_earlier_system_draws_what_the_formula_says(small_portions):
    series = random_windows(8, 2, 12).block(0, 8)
    drawn = EarlierSystem(n_jobs=2).build(series)
    for window in range(8):
        for channel in range(2):
            exact = oracles.gaf_by_angles(series[window, channel], 12, (-1, 1))
            stored = np.stack([field[window, channel] for field in drawn])
            # 1e-4 beside half a level: the fields were float32 in between
            assert np.abs(stored - (exact + 1) * 127.5).max() <= 0.5001
    assert [field.dtype for field in drawn] == [np.uint8, np.uint8]
    assert not segments_of(os.getpid())


def test_plain_pyts_draws_the_same_pixels(monkeypatch):
    monkeypatch.setattr(baselines, "PYTS_BLOCK", 3)
    windows = random_windows(6, 2, 12)
    blocks = draw_with_pyts(windows, 4)
    ours = dual_gaf(windows.block(0, 4), dtype="uint8")
    for field in (0, 1):
        theirs = np.concatenate(blocks[field::2])
        assert np.abs(theirs.astype(int) - ours[:, field].astype(int)).max() <= 1


@needs_semaphores
def test_both_sides_do_the_same_job():
    assert levels_apart(random_windows(60, 3, 24)) == 1


@needs_semaphores
def test_a_baseline_that_draws_something_else_is_refused(monkeypatch):
    monkeypatch.setattr(baselines, "METHODS", ("difference", "summation"))
    with pytest.raises(DualGAFError, match=r"differ by 2\d\d levels; rounding explains 1"):
        levels_apart(random_windows(10, 1, 24))


@needs_semaphores
def test_an_error_in_a_worker_leaves_no_segment(small_portions):
    series = np.full((8, 1, 12), np.nan)
    with pytest.raises(ValueError, match="NaN"):
        EarlierSystem(n_jobs=2).build(series)
    assert not segments_of(os.getpid())


@needs_semaphores
def test_segments_are_counted_while_they_are_there():
    system = EarlierSystem(n_jobs=1)
    assert system.shared_bytes() == 0
    with system._segment((1 << 20,), "float32") as (_, values):
        assert system.shared_bytes() == 0
        values[:] = 1
        assert system.shared_bytes() == 4 << 20
    assert system.shared_bytes() == 0


@needs_semaphores
def test_ctrl_c_leaves_no_segment_and_no_process():
    program = subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(segments_of(program.pid)) < 2:
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(program.pid, signal.SIGINT)
    assert program.wait(30) != 0
    assert not segments_of(program.pid)
    while list(processes_of(program.pid)):  # Python's tracker of segments sees its end, then ends
        assert time.monotonic() < deadline + 30  # a worker would sleep for five minutes
        time.sleep(0.01)


@needs_semaphores
def test_what_stands_in_the_way_is_told_before(monkeypatch):
    assert obstacle(1000) is None
    assert "of memory" in obstacle(1 << 50) or "in /dev/shm" in obstacle(1 << 50)
    monkeypatch.setattr(baselines, "shm_free", lambda: 2499)
    assert "needs 2.44 KiB in /dev/shm, 2.44 KiB are free" in obstacle(1000)
    monkeypatch.setitem(sys.modules, "pyts.image", None)
    assert "type pip install pyts" in obstacle(1000)
