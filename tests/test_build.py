"""`build_store` as a whole: same bytes by every way, what is reported, and nothing left behind."""

import contextlib
import dataclasses
import errno
import gc
import os
import random
import re
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

import leaks
from dualgaf import build
from dualgaf.build import build_store, explain_miss, store_key
from dualgaf.errors import ChunkError, FallbackWarning, SeriesError, StoreFullError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool import pool_size, supervisor
from dualgaf.pool.settings import PoolSettings
from dualgaf.store import backing, writer
from dualgaf.system.machine import Headroom
from fills import bounds_of, images_of, windows_of

RECIPE = ImagingRecipe(8)
MIB = 2**20


@pytest.fixture(autouse=True)
def _leaves_nothing(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(pool_size, "cpu_count", lambda: 2)
    yield from leaks.leaves_nothing()


def plan_for(windows, recipe=RECIPE, cache_dir=None, **settings):
    request = BuildRequest(len(windows), windows.n_channels, windows.window_size, recipe)
    chosen = PoolSettings(**{"chunk_size": 7, "n_jobs": 2, **settings})
    return make_plan(request, HardwarePreset("mine"), chosen, cache_dir)


def built(windows, recipe=RECIPE, progress=None, cache_dir=None, **settings):
    made = plan_for(windows, recipe, cache_dir, **settings)
    return build_store(windows, made, bounds=bounds_of(windows, recipe), progress=progress)


RECIPES = [
    RECIPE,
    ImagingRecipe(8, layout="packed"),
    ImagingRecipe(5, storage="float16"),
    ImagingRecipe(16, storage="float32", scaling="train"),
    ImagingRecipe(7, storage="uint16", scaling="train", layout="packed"),
]


@pytest.mark.parametrize(
    "recipe", RECIPES, ids=lambda r: f"{r.layout}-{r.storage}-{r.scaling}-{r.image_size}"
)
def test_every_backend_gives_the_bytes_of_the_renderer(recipe):
    windows = windows_of(30)
    expected = images_of(windows, recipe)
    for backend in ("serial", "thread", "process"):
        store, report = built(windows, recipe, backend=backend, n_jobs=2 if recipe is RECIPE else 1)
        np.testing.assert_array_equal(store.array, expected)
        assert store.array.dtype == recipe.dtype
        assert report.backend == backend
        del store  # else the next one would be a hit


def test_a_warm_pool_serves_many_builds_and_is_left_running():
    with supervisor.ProcessPool(2, 60.0) as pool:
        pool.start()
        pids = pool.pids
        for seed in range(3):
            windows = windows_of(30, seed=seed)
            made = plan_for(windows, backend="process")
            store, report = build_store(windows, made, pool=pool)
            np.testing.assert_array_equal(store.array, images_of(windows, RECIPE))
            assert report.backend == "process"
        assert pool.pids == pids


def test_what_a_build_reports():
    windows = windows_of(60)
    rows = []
    store, report = built(windows, progress=rows.append, backend="thread", chunk_size=25)
    assert sorted(rows) == [10, 25, 25]
    assert report.seconds > 0
    assert report.peak_bytes >= store.nbytes
    row_bytes = 2 * 2 * 8 * 8
    assert dataclasses.replace(report, seconds=0, peak_bytes=0) == build.BuildReport(
        seconds=0,
        windows=60,
        bytes=60 * row_bytes,
        peak_bytes=0,
        backing="memfd",
        backend="thread",
        workers=2,
        chunk_size=25,
        cache="off",
    )


def test_the_peak_holds_the_store_but_not_twice():
    windows = windows_of(2500, channels=3, steps=48)
    store, report = built(windows, ImagingRecipe(48), chunk_size=100, backend="thread")
    assert store.nbytes > 32 * MIB
    assert store.nbytes <= report.peak_bytes < 1.5 * store.nbytes


def test_an_equal_build_is_a_hit_and_shares_the_memory():
    windows = windows_of(30)
    first, _ = built(windows)
    again = windows_of(30)  # equal contents, other arrays
    second, report = built(again, chunk_size=3, n_jobs=1, backend="serial")
    assert second is first
    assert (report.cache, report.seconds, report.peak_bytes) == ("hit", 0.0, 0)
    assert (report.windows, report.bytes, report.backing) == (30, first.nbytes, "memfd")


def test_another_recipe_or_other_windows_are_no_hit():
    windows = windows_of(30)
    first, _ = built(windows)
    for other in (windows_of(30, seed=1), windows_of(29), windows_of(30, channels=1)):
        store, report = built(other)
        assert report.cache == "off"
        np.testing.assert_array_equal(store.array, images_of(other, RECIPE))
    for recipe in RECIPES[1:]:
        store, report = built(windows, recipe)
        assert report.cache == "off"
        assert store is not first


def test_other_bounds_are_no_hit():
    windows, recipe = windows_of(30), RECIPES[3]
    bounds = bounds_of(windows, recipe)
    made = plan_for(windows, recipe)
    first, _ = build_store(windows, made, bounds=bounds)
    second, report = build_store(windows, made, bounds=bounds * 1.001)
    assert report.cache == "off"
    assert not np.array_equal(first.array, second.array)


def test_a_store_that_was_dropped_is_built_anew():
    windows = windows_of(30)
    store, _ = built(windows)
    del store
    _, report = built(windows)
    assert report.cache == "off"


def test_a_build_for_the_cache_and_a_later_run(tmp_path):
    windows = windows_of(30)
    store, report = built(windows, cache_dir=tmp_path, backend="process", n_jobs=1)
    assert (report.cache, report.backing, report.backend) == ("miss", "cache", "process")
    del store
    store, report = built(windows, cache_dir=tmp_path)
    assert (report.cache, report.backing) == ("hit", "cache")
    np.testing.assert_array_equal(store.array, images_of(windows, RECIPE))


def test_a_build_for_the_cache_that_was_stopped_is_no_entry_and_is_gone_on_with(tmp_path):
    windows = windows_of(60)
    with pytest.raises(KeyboardInterrupt):
        built(windows, progress=interrupt, cache_dir=tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".part", ".journal"}
    finished = []
    store, report = built(windows, progress=finished.append, cache_dir=tmp_path, backend="thread")
    assert report.cache == "miss"
    assert finished[0] % 7 == 0 < finished[0]
    assert sum(finished) == 60
    np.testing.assert_array_equal(store.array, images_of(windows, RECIPE))


def test_a_miss_is_explained_and_a_hit_is_not(tmp_path):
    windows, bounds = windows_of(30), None
    assert explain_miss(store_key(windows, RECIPE, bounds), None) is None
    told = explain_miss(store_key(windows, RECIPE, bounds), tmp_path)
    assert told == "cache: no entry for these images; the cache is empty"
    store, _ = built(windows, cache_dir=tmp_path)
    assert explain_miss(store_key(windows, RECIPE, bounds), tmp_path) is None
    store.close()
    assert explain_miss(store_key(windows, RECIPE, bounds), tmp_path) is None
    other = Windows(windows.flat + 1, windows.starts, windows.window_size)
    found = explain_miss(
        store_key(other, ImagingRecipe(9, scaling="train"), np.zeros((2, 2))), tmp_path
    )
    assert re.fullmatch(
        r"cache: no entry for these images; the nearest one, [0-9a-f]{32}, has image_size=8 "
        r"\(now 9\), scaling=window \(now train\), other bounds and other values",
        found,
    )
    shorter = Windows(windows.flat, windows.starts, 15)
    found = explain_miss(store_key(shorter, RECIPE, bounds), tmp_path)
    assert found.endswith("has window_size=16 (now 15)")


# ------------------------------------------------------------------ nothing is left

LARGE = windows_of(2000, channels=3, steps=48)  # 27 MiB of images
LARGE_RECIPE = ImagingRecipe(48)


def interrupt(rows):
    raise KeyboardInterrupt


@pytest.mark.faults
@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_ctrl_c_in_the_middle_gives_the_memory_back(backend):
    before, seen = leaks.children(), []

    def sixth_time(rows):
        seen.append(rows)
        if len(seen) == 6:
            assert leaks.held_stores()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built(LARGE, LARGE_RECIPE, sixth_time, backend=backend, chunk_size=200)
    assert leaks.children() == before
    assert not leaks.held_stores()


@pytest.mark.faults
@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_a_failed_build_gives_the_memory_back(backend):
    windows = windows_of(600, channels=3, steps=48)
    windows.flat[2, 500:] = np.inf
    with pytest.raises(SeriesError, match="channel 2 holds a NaN or an infinity"):
        built(windows, LARGE_RECIPE, backend=backend, chunk_size=50, n_jobs=1)
    gc.collect()
    assert not leaks.held_stores()
    assert not build._alive


@pytest.mark.faults
def test_a_poisoned_chunk_ends_the_build_and_leaves_nothing(monkeypatch):
    monkeypatch.setenv("DUALGAF_FAULT", "SIGKILL:5")
    with pytest.raises(ChunkError, match=r"chunk 5 \(windows 35 to 41\) cost 2 workers: killed by"):
        built(windows_of(60), backend="process")
    assert not leaks.held_stores()


def test_ten_builds_leave_no_file_open():
    built(windows_of(30))
    before = len(leaks.open_files())
    for seed in range(10):
        store, _ = built(windows_of(30, seed=seed), backend="thread")
        store.close()
    del store
    assert len(leaks.open_files()) == before


# ------------------------------------------------------------------ places that refuse


def leave(monkeypatch, n):
    for module in (backing, writer):
        monkeypatch.setattr(module, "memory_headroom", lambda: Headroom(n, "cgroup x"))


@pytest.mark.faults
@pytest.mark.parametrize("backend", ["process", "thread"])
def test_memfd_refused_goes_to_a_file_with_one_warning(monkeypatch, backend):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refuse)
    windows = windows_of(30)
    with pytest.warns(FallbackWarning) as caught:
        store, report = built(windows, backend=backend, n_jobs=1)
    assert [str(one.message).split(";")[0] for one in caught] == [
        "the images go to an anonymous disk file instead of memory"
    ]
    assert (report.backing, report.backend) == ("file", backend)
    np.testing.assert_array_equal(store.array, images_of(windows, RECIPE))


@pytest.mark.faults
def test_too_little_memory_goes_to_a_file(monkeypatch):
    leave(monkeypatch, 6000)
    windows = windows_of(30)
    with pytest.warns(FallbackWarning, match="cgroup x"):
        store, report = built(windows)
    assert report.backing == "file"
    np.testing.assert_array_equal(store.array, images_of(windows, RECIPE))


@pytest.mark.faults
def test_no_place_at_all_names_each(monkeypatch):
    leave(monkeypatch, 100)
    monkeypatch.setattr(backing, "disk_free", lambda folder: 100)
    with pytest.raises(StoreFullError) as caught:
        built(windows_of(30))
    text = str(caught.value)
    assert text.startswith("no place for a store of 11.50 KiB: memfd: ")
    assert "; file: " in text
    assert "has 100 B free" in text


@pytest.mark.faults
@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_memory_that_vanishes_between_two_chunks_leads_to_a_file(monkeypatch, backend):
    monkeypatch.setattr(writer, "CHECK_BYTES", MIB)
    done = []

    def vanish(rows):
        done.append(rows)
        if len(done) == 4:
            monkeypatch.setattr(writer, "memory_headroom", lambda: Headroom(0, "cgroup x"))

    with pytest.warns(
        FallbackWarning, match="anonymous disk file instead of memory; memfd: memory became short"
    ):
        store, report = built(
            LARGE, LARGE_RECIPE, vanish, backend=backend, chunk_size=100, n_jobs=1
        )
    assert report.backing == "file"
    assert sum(done) == len(LARGE)  # what is drawn again is not told twice
    np.testing.assert_array_equal(store.array, images_of(LARGE, LARGE_RECIPE))


@pytest.mark.faults
def test_where_the_file_is_refused_too_the_build_ends_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr(writer, "CHECK_BYTES", MIB)
    monkeypatch.setattr(backing, "disk_free", lambda folder: 0)

    def vanish(rows):
        monkeypatch.setattr(writer, "memory_headroom", lambda: Headroom(0, "cgroup x"))

    reasons = "no place for a store of .*: memfd: memory became short .*; file: .* has 0 B free"
    with pytest.raises(StoreFullError, match=reasons):
        built(LARGE, LARGE_RECIPE, vanish, backend="serial", chunk_size=100)
    assert not leaks.held_stores()


# ------------------------------------------------------------------ workers killed from outside


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(3))
def test_workers_killed_at_any_time_change_no_byte(seed, monkeypatch):
    """Kills a worker at two random moments of the build."""
    # Both may hit the same chunk, which would end the build, and rightly.
    monkeypatch.setattr(supervisor, "LOSSES_OF_ONE_CHUNK", 3)
    dice = random.Random(seed)
    me, mine = psutil.Process(), threading.get_ident()
    known = leaks.children()
    killed = []

    def kill_soon(seconds):
        time.sleep(seconds)
        workers = [child for child in me.children() if child.pid not in known]
        if workers:
            victim = dice.choice(workers)
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)
                killed.append(victim.pid)

    killers = []

    def progress(rows):
        assert threading.get_ident() == mine
        if len(killers) < 2 and dice.random() < 0.5:
            killers.append(threading.Thread(target=kill_soon, args=(dice.uniform(0, 0.02),)))
            killers[-1].start()

    windows = windows_of(600, channels=3, steps=48, seed=seed)
    store, report = built(windows, LARGE_RECIPE, progress, backend="process", chunk_size=20)
    for killer in killers:
        killer.join()
    assert killed
    assert report.backend == "process"
    np.testing.assert_array_equal(store.array, images_of(windows, LARGE_RECIPE))


def test_a_closed_store_is_not_taken_for_a_live_one():
    windows = windows_of(10)
    closed, _ = built(windows)
    closed.close()
    store, report = built(windows)
    assert report.cache == "off"
    np.testing.assert_array_equal(store.array, images_of(windows, RECIPE))
