"""The measured pace, and the task that follows from it."""

import math
import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import leaks
from dualgaf.errors import StoreFullError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool import calibration as module
from dualgaf.pool.calibration import TASKS_A_WORKER, Drawing, auto_chunk_rows, measure_window_s
from dualgaf.pool.chunk import ChunkFiller
from dualgaf.store.writer import PrivateWriter, SegmentWriter

MUCH = 1 << 40
ROW = 1 << 18


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn: (first, last, windows, writer) of each call."""
    calls = []
    real = ChunkFiller.fill

    def fill(self, first, last):
        calls.append((first, last, self.windows, self.writer))
        real(self, first, last)

    monkeypatch.setattr(ChunkFiller, "fill", fill)
    return calls


@pytest.fixture
def clock(monkeypatch):
    """A clock on which each look takes one second."""
    ticks = iter(range(1000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(ticks)))


@pytest.mark.parametrize("scaling", ["window", "train", "none"])
@pytest.mark.parametrize("storage", ["uint8", "float16"])
@pytest.mark.parametrize("private", [True, False])
def test_every_recipe_can_be_measured(scaling, storage, private):
    recipe = ImagingRecipe(16, scaling=scaling, storage=storage, layout="packed")
    assert 0 < measure_window_s(Drawing(recipe, 3, 40, private=private)) < 10


def test_the_first_window_is_not_counted(drawn, clock):
    recipe = ImagingRecipe(512)  # 512 KiB a channel: 16 windows of one channel are 8 MiB
    assert measure_window_s(Drawing(recipe, 1, 512)) == 1 / 16
    assert [call[:2] for call in drawn] == [(0, 1), (1, 17)]


def test_small_windows_are_not_drawn_by_the_million(drawn, clock):
    assert measure_window_s(Drawing(ImagingRecipe(4), 1, 4)) == 1 / 512
    assert drawn[-1][:2] == (1, 513)


def test_of_many_channels_some_are_drawn_and_the_figure_is_scaled(drawn, clock):
    recipe = ImagingRecipe(512, storage="float32")  # 2 MiB a channel
    assert measure_window_s(Drawing(recipe, 64, 512)) == 16
    first, last, windows, _ = drawn[-1]
    assert (first, last, windows.n_channels) == (1, 2, 4)


def test_one_channel_that_is_larger_than_the_sample_is_drawn_once(monkeypatch, drawn, clock):
    monkeypatch.setattr(module, "SAMPLE_BYTES", 100)
    assert measure_window_s(Drawing(ImagingRecipe(32), 5, 32)) == 5
    first, last, windows, _ = drawn[-1]
    assert (first, last, windows.n_channels) == (1, 2, 1)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_is_compiled_for_the_series_of_the_build(drawn, read_only, dtype):
    measure_window_s(Drawing(ImagingRecipe(8), 2, 8, dtype, read_only=read_only))
    windows = drawn[-1][2]
    assert windows.flat.dtype == dtype
    assert windows.flat.flags.writeable == windows.starts.flags.writeable == (not read_only)
    assert np.abs(windows.flat).max() <= 1


def test_the_images_go_to_memory_of_the_same_kind(drawn):
    measure_window_s(Drawing(ImagingRecipe(8), 2, 8))
    assert isinstance(drawn[-1][3], SegmentWriter)
    assert drawn[-1][3].place == "memfd"
    measure_window_s(Drawing(ImagingRecipe(8), 2, 8, private=True))
    assert isinstance(drawn[-1][3], PrivateWriter)


def test_without_memfd_private_memory_is_measured(drawn, monkeypatch):
    def refuse(name, flags):
        raise PermissionError(1, "seccomp")

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert measure_window_s(Drawing(ImagingRecipe(8), 2, 8)) > 0
    assert isinstance(drawn[-1][3], PrivateWriter)


def test_a_measurement_that_fails_leaves_nothing(monkeypatch):
    def fail(*arguments):
        raise StoreFullError("no room")

    monkeypatch.setattr(Renderer, "render", fail)
    with pytest.raises(StoreFullError, match="no room"):
        measure_window_s(Drawing(ImagingRecipe(8), 2, 8))


@pytest.mark.parametrize(
    ("window_s", "n_windows", "workers", "free_bytes", "rows"),
    [
        (0.0003, 4000, 2, MUCH, 100),  # 30 ms
        (0.00003, 4000, 2, MUCH, 250),  # eight tasks a worker
        (0.00003, 4000, 1, MUCH, 500),
        (1.0, 4000, 2, MUCH, 1),
        (0.0003, 5, 2, MUCH, 1),
        (0.0003, 1, 1, MUCH, 1),
        (0.0003, 4000, 2, 64 * 2 * 10 * ROW, 10),  # a 64th of the free memory for all tasks
        (0.0003, 4000, 2, 0, 1),
        (0.0003, 3950, 2, MUCH, 99),  # 40 tasks, so that both get twenty
        (0.0003, 4100, 2, MUCH, 98),  # 42
    ],
)
def test_the_task_by_hand(window_s, n_windows, workers, free_bytes, rows):
    assert auto_chunk_rows(window_s, n_windows, workers, ROW, free_bytes) == rows


@given(
    st.floats(1e-7, 10.0),
    st.integers(1, 10**7),
    st.integers(1, 64),
    st.integers(1, 1 << 28),
    st.integers(0, 1 << 40),
)
def test_tasks_are_small_alike_and_enough(window_s, n_windows, workers, row_bytes, free_bytes):
    rows = auto_chunk_rows(window_s, n_windows, workers, row_bytes, free_bytes)
    assert 1 <= rows <= n_windows
    tasks = math.ceil(n_windows / rows)
    if rows > 1:
        # a window more than the limits allow at most, as the parts are rounded up
        assert (rows - 1) * window_s <= module.TASK_S
        assert (rows - 1) * TASKS_A_WORKER * workers < n_windows
        assert (rows - 1) * row_bytes * workers * module.MEMORY_PARTS <= free_bytes
    assert tasks >= min(n_windows, workers)
