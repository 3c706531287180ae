"""Processes, threads, this thread: equal bytes, one warning for each that is refused."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import leaks
from dualgaf.errors import ChunkError, ConfigError, FallbackWarning
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool import launch
from dualgaf.pool.fill import FillReport, fill
from dualgaf.store.backing import open_writer
from filling import filled
from fills import images_of, job_of, layout_of, windows_of


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()


RECIPE = ImagingRecipe(8)


@pytest.mark.parametrize("place", ["memfd", "file", "private"])
@pytest.mark.parametrize("backend", ["thread", "serial"])
@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
def test_every_place_backend_and_chunk_size_gives_the_bytes_of_the_renderer(
    place, backend, chunk_size
):
    windows = windows_of(40)
    writer = open_writer(layout_of(windows, RECIPE), [place])
    rows = []
    job = job_of(windows, RECIPE, backend, writer=writer, chunk_size=chunk_size)
    report, array = filled(job, rows.append)
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))
    chunks = -(-40 // chunk_size)
    workers = 1 if backend == "serial" else 2
    assert report == FillReport(backend, workers, chunks, 0)
    assert (sum(rows), len(rows)) == (40, chunks)


@pytest.mark.parametrize("backend", ["process", "thread"])
@pytest.mark.parametrize("place", ["memfd", "file"])
def test_a_file_for_each_worker_gives_the_same_bytes(place, backend, monkeypatch):
    monkeypatch.setattr("dualgaf.store.segments.MIN_SEGMENT_BYTES", 4096)
    windows = windows_of(60, channels=3, steps=24)  # rows of 3456 bytes: no seam between two rows
    recipe = ImagingRecipe(24)
    writer = open_writer(layout_of(windows, recipe), [place], workers=2)
    assert len(writer.segments.descriptors) == 2
    report, array = filled(job_of(windows, recipe, backend, writer=writer))
    assert report == FillReport(backend, 2, 9, 0)
    np.testing.assert_array_equal(array, images_of(windows, recipe))


@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_chunks_of_several_blocks_have_every_window_in_its_place(backend):
    # a window of 1 MiB is a block by itself; of 192 KiB, two are
    for size, channels in ((128, 8), (64, 6)):
        windows = windows_of(11, channels=channels, steps=size)
        recipe = ImagingRecipe(size, storage="float32")
        report, array = filled(job_of(windows, recipe, backend, chunk_size=5, workers=1))
        assert report.chunks == 3
        np.testing.assert_array_equal(array, images_of(windows, recipe))


@pytest.mark.parametrize("scaling", ["window", "train"])
def test_processes_fill_a_disk_file_from_float32_input(scaling):
    windows = windows_of(33, channels=3)
    windows = Windows(windows.flat.astype(np.float32), windows.starts, windows.window_size)
    recipe = ImagingRecipe(5, scaling=scaling, storage="uint16")
    writer = open_writer(layout_of(windows, recipe), ["file"])
    report, array = filled(job_of(windows, recipe, "process", writer=writer))
    assert report == FillReport("process", 2, 5, 0)
    np.testing.assert_array_equal(array, images_of(windows, recipe))


def test_values_that_are_in_range_already_need_no_scaling_in_a_worker():
    windows = windows_of(20)
    windows = Windows(np.tanh(windows.flat), windows.starts, windows.window_size)
    recipe = ImagingRecipe(8, scaling="none")
    report, array = filled(job_of(windows, recipe, "process", workers=1))
    assert report.backend == "process"
    np.testing.assert_array_equal(array, images_of(windows, recipe))


@pytest.mark.faults
def test_the_threads_that_could_be_started_do_the_work_of_all(monkeypatch):
    submit, calls, rows = ThreadPoolExecutor.submit, [], []

    def refuse_later(*args):
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("can't start new thread")
        return submit(*args)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse_later)
    windows = windows_of(60)
    report, array = filled(job_of(windows, RECIPE, "thread"), rows.append)
    assert (report.backend, report.workers, sum(rows)) == ("thread", 1, 60)
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))


@pytest.mark.faults
def test_a_worker_that_loads_torch_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = sys\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    windows = windows_of(40)
    with pytest.warns(FallbackWarning, match="a worker has loaded torch"):
        report, array = filled(job_of(windows, RECIPE, "process"))
    assert report.backend == "thread"
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))


@pytest.mark.faults
@pytest.mark.parametrize("backend", ["thread", "serial"])
def test_a_chunk_that_fails_in_this_process_is_named(backend, monkeypatch):
    render = Renderer.render

    def fail(self, windows, first, last, out):
        if first <= 21 < last:
            raise ZeroDivisionError("a fault on purpose")
        render(self, windows, first, last, out)

    monkeypatch.setattr(Renderer, "render", fail)
    job = job_of(windows_of(40), RECIPE, backend)
    with job.writer, pytest.raises(ChunkError) as caught:
        fill(job)
    assert str(caught.value) == (
        "chunk 3 (windows 21 to 27) failed: ZeroDivisionError('a fault on purpose')"
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_no_window_of_the_job_is_drawn_in_this_process(monkeypatch):
    # one that crashes the kernel may cost a worker, never the process that trains
    windows = windows_of(20)
    seen = []
    render = Renderer.render

    def spy(self, drawn, first, last, out):
        seen.append(drawn)
        render(self, drawn, first, last, out)

    monkeypatch.setattr(Renderer, "render", spy)
    job = job_of(windows, RECIPE, "process", workers=1)
    with job.writer:
        fill(job)
    assert seen
    assert not any(np.shares_memory(drawn.flat, windows.flat) for drawn in seen)


def test_threads_draw_at_the_same_time(monkeypatch):
    # both must be inside the renderer before either may go on
    both = threading.Barrier(2, timeout=30)
    render = Renderer.render

    def meet(self, windows, first, last, out):
        if first in (0, 7):
            both.wait()
        render(self, windows, first, last, out)

    monkeypatch.setattr(Renderer, "render", meet)
    windows = windows_of(14)
    writer = open_writer(layout_of(windows, RECIPE), ["private"])
    report, _ = filled(job_of(windows, RECIPE, "thread", writer=writer))
    assert report.workers == 2


def test_processes_cannot_fill_private_memory():
    windows = windows_of(8)
    writer = open_writer(layout_of(windows, RECIPE), ["private"])
    with pytest.raises(ConfigError) as caught:
        fill(job_of(windows, RECIPE, "process", writer=writer))
    assert str(caught.value) == (
        "parallel.backend=process cannot fill private memory; type parallel.shm=true"
    )


def test_an_unknown_backend_is_refused():
    windows = windows_of(8)
    writer = open_writer(layout_of(windows, RECIPE), ["private"])
    with pytest.raises(
        ConfigError, match=r"allowed: process, thread, serial; type parallel\.backend=thread"
    ):
        fill(job_of(windows, RECIPE, "threads", writer=writer))


def test_workers_that_end_before_they_are_ready_are_given_up(monkeypatch):
    command = [sys.executable, "-c", "raise SystemExit('no such thing here')"]
    monkeypatch.setattr(launch, "_command", lambda: command)
    windows = windows_of(40)
    says = "3 workers ended before they were ready: ended with exit status 1; .*no such thing here"
    with pytest.warns(FallbackWarning, match=says):
        report, array = filled(job_of(windows, RECIPE, "process"))
    assert report.backend == "thread"
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))
