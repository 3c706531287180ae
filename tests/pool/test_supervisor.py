"""Worker processes that are killed, stopped, hung or poisoned, and what becomes of the store.

Faults come from ``DUALGAF_FAULT`` (see `dualgaf.pool.worker`), so that they hit the same chunk each
time. Chunks are of 7 windows: chunk 3 holds the windows 21 to 27.
"""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import leaks
from dualgaf.errors import ChunkError, SeriesError, StoreFullError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.ladder import fill
from dualgaf.pool.messages import Job, share_windows
from dualgaf.pool.supervisor import ProcessPool
from dualgaf.store.backing import open_writer
from fills import bounds_of, images_of, job_of, layout_of, windows_of


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()


RECIPE = ImagingRecipe(8)


def fill_by(pool, windows, recipe=RECIPE, progress=lambda first, last: None):
    """The array that a pool fills, in a store of its own."""
    layout, bounds = layout_of(windows, recipe), bounds_of(windows, recipe)
    flat = windows.flat
    job = Job(
        recipe=recipe,
        fitted=bounds is not None,
        layout=layout,
        place="memfd",
        window_size=windows.window_size,
        flat_shape=flat.shape,
        flat_dtype=flat.dtype.str,
    )
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(open_writer(layout, ["memfd"]))
        source = share_windows(windows, bounds)
        stack.callback(os.close, source)
        left = dict(enumerate(layout.chunks(7)))
        pool.fill(
            job, (source, *writer.segments.descriptors), left, writer.check_headroom, progress
        )
        assert left == {}
        store = writer.seal()
    array = store.array.copy()
    store.close()
    return array


def filled(job):
    """Report and array of a job."""
    with job.writer:
        report = fill(job)
        store = job.writer.seal()
    array = store.array.copy()
    store.close()
    return report, array


def test_one_warm_pool_fills_stores_of_every_kind_with_the_bytes_of_the_renderer():
    windows = windows_of(30)
    recipes = [
        ImagingRecipe(size, scaling=scaling, storage=storage, layout=layout)
        for size, scaling, storage, layout in [
            (8, "window", "uint8", "dual"),
            (8, "train", "uint8", "packed"),
            (5, "window", "uint16", "dual"),
            (16, "train", "float16", "dual"),
            (7, "window", "float32", "packed"),
        ]
    ]
    with ProcessPool(2, 60.0) as pool:
        pool.start()
        pids = pool.pids
        for recipe in recipes:
            rows = []
            array = fill_by(pool, windows, recipe, lambda first, last: rows.append(last - first))
            np.testing.assert_array_equal(array, images_of(windows, recipe))
            assert sorted(rows) == [2, 7, 7, 7, 7]
        assert pool.pids == pids
        assert pool.retries == 0


def test_an_idle_worker_holds_no_store():
    def links(pid):
        return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]

    with ProcessPool(1, 60.0) as pool:
        fill_by(pool, windows_of(30))
        deadline = time.monotonic() + 10
        while any("dualgaf-store" in link for link in links(pool.pids[0])):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "dualgaf-input" not in Path(f"/proc/{pool.pids[0]}/maps").read_text()


def test_a_worker_that_dies_between_two_stores_costs_no_chunk():
    windows = windows_of(30)
    with ProcessPool(2, 60.0) as pool:
        fill_by(pool, windows)
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        np.testing.assert_array_equal(fill_by(pool, windows), images_of(windows, RECIPE))
        assert pool.retries == 0


@pytest.mark.faults
@pytest.mark.parametrize("fault", ["SIGKILL", "SIGSEGV", "exit"])
def test_a_chunk_that_loses_its_worker_once_is_done_by_another(fault, tmp_path, monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", f"{fault}:3:{tmp_path / 'suffered'}")
    windows = windows_of(60)
    report, array = filled(job_of(windows, RECIPE, "process"))
    assert (report.backend, report.retries) == ("process", 1)
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))


@pytest.mark.faults
def test_workers_killed_from_outside_at_any_chunk_are_replaced():
    windows = windows_of(60)
    with ProcessPool(2, 60.0) as pool:
        finished = []

        def kill_one(first, last):
            finished.append(last - first)
            if len(finished) in (1, 4):
                os.kill(pool.pids[-1], signal.SIGKILL)

        array = fill_by(pool, windows, progress=kill_one)
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))
    assert sum(finished) == 60


@pytest.mark.faults
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


@pytest.mark.faults
@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("SIGKILL", "killed by SIGKILL; last words of the worker: none"),
        ("SIGSEGV", "killed by SIGSEGV; last words of the worker: Fatal Python error: Segm"),
        ("exit", "ended with exit status 0"),
    ],
)
def test_a_chunk_that_costs_two_workers_ends_the_build(fault, how, monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", f"{fault}:3")
    job = job_of(windows_of(60), RECIPE, "process")
    with job.writer, pytest.raises(ChunkError) as caught:
        fill(job)
    text = str(caught.value)
    assert text.startswith(f"chunk 3 (windows 21 to 27) cost 2 workers: {how}")
    assert "type parallel.enabled=false" in text


@pytest.mark.faults
def test_a_hung_chunk_says_how_long_it_was_waited_for(monkeypatch):
    monkeypatch.setattr("dualgaf.pool.supervisor.STARTUP_TIMEOUT_S", 10.0)
    monkeypatch.setattr("dualgaf.pool.supervisor.LOSSES_OF_ONE_CHUNK", 1)
    monkeypatch.setenv("DUALGAF_FAULT", "hang:3")
    job = job_of(windows_of(40), RECIPE, "process", workers=1, chunk_timeout_s=1.0)
    with job.writer, pytest.raises(ChunkError, match="no answer for 1 s, so it was killed by SIGK"):
        fill(job)


@pytest.mark.faults
def test_an_exception_in_a_worker_comes_with_its_traceback(monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", "raise:3")
    job = job_of(windows_of(60), RECIPE, "process")
    with job.writer, pytest.raises(ChunkError) as caught:
        fill(job)
    text = str(caught.value)
    assert text.startswith("chunk 3 (windows 21 to 27) failed in a worker:\nTraceback")
    assert "in _suffer" in text
    assert text.rstrip().endswith("RuntimeError: a fault on purpose")


@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_a_window_that_cannot_be_drawn_is_a_series_error_from_every_backend(backend):
    windows = windows_of(60)
    windows.flat[1, 33 + 15] = np.nan  # window 33 is the first that holds it
    job = job_of(windows, RECIPE, backend, workers=1)
    with job.writer, pytest.raises(SeriesError, match="window 33, channel 1 holds a NaN"):
        fill(job)


@pytest.mark.faults
@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_a_full_store_is_a_store_full_error_from_every_backend(backend):
    job = job_of(windows_of(60), RECIPE, backend, workers=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    half = job.writer.layout.offset(30)
    # the limit is of the process, and workers inherit it; the store has its size already
    resource.setrlimit(resource.RLIMIT_FSIZE, (half, hard))
    try:
        with job.writer, pytest.raises(StoreFullError, match=r"memfd is full .*File too large"):
            fill(job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("seconds", [float("inf"), 1e9])
def test_a_timeout_may_be_as_long_as_one_likes(seconds):
    windows = windows_of(20)
    job = job_of(windows, RECIPE, "process", workers=1, chunk_timeout_s=seconds)
    np.testing.assert_array_equal(filled(job)[1], images_of(windows, RECIPE))


def test_an_error_of_the_caller_ends_the_workers():
    def stop(first, last):
        raise KeyboardInterrupt

    with ProcessPool(2, 60.0) as pool:
        with pytest.raises(KeyboardInterrupt):
            fill_by(pool, windows_of(60), progress=stop)
        assert pool.pids == []
        # and the pool can be used again
        windows = windows_of(20)
        np.testing.assert_array_equal(fill_by(pool, windows), images_of(windows, RECIPE))


@pytest.mark.faults
def test_closing_ends_a_stopped_worker_too(monkeypatch):
    monkeypatch.setattr("dualgaf.pool.supervisor.CLOSE_TIMEOUT_S", 0.3)
    with ProcessPool(1, 60.0) as pool:
        fill_by(pool, windows_of(20))
        os.kill(pool.pids[0], signal.SIGSTOP)
    assert pool.pids == []
