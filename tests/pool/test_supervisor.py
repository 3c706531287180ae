"""Worker processes that fill stores; those that die, stop or hang are in tests/faults."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import leaks
from dualgaf.errors import SeriesError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.fill import fill
from dualgaf.pool.supervisor import ProcessPool
from filling import fill_by, filled
from fills import images_of, job_of, windows_of


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield from leaks.leaves_nothing()


RECIPE = ImagingRecipe(8)


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
            array = fill_by(pool, windows, recipe, lambda a, b, rows=rows: rows.append(b - a))
            np.testing.assert_array_equal(array, images_of(windows, recipe))
            assert sorted(rows) == [2, 7, 7, 7, 7]
        assert pool.pids == pids
        assert pool.retries == 0


def test_an_idle_worker_holds_no_store():
    def links(pid):
        return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]

    with ProcessPool(1, 60.0) as pool:
        fill_by(pool, windows_of(30), RECIPE)
        deadline = time.monotonic() + 10
        while any("dualgaf-store" in link for link in links(pool.pids[0])):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "dualgaf-input" not in Path(f"/proc/{pool.pids[0]}/maps").read_text()


@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_a_window_that_cannot_be_drawn_is_a_series_error_from_every_backend(backend):
    windows = windows_of(60)
    windows.flat[1, 33 + 15] = np.nan  # window 33 is the first that holds it
    job = job_of(windows, RECIPE, backend, workers=1)
    with job.writer, pytest.raises(SeriesError, match="window 33, channel 1 holds a NaN"):
        fill(job)


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
            fill_by(pool, windows_of(60), RECIPE, stop)
        assert pool.pids == []
        # and the pool can be used again
        windows = windows_of(20)
        np.testing.assert_array_equal(fill_by(pool, windows, RECIPE), images_of(windows, RECIPE))
