"""The study of chunk sizes and workers, and how near ``auto`` comes to the best of them."""

import contextlib
from collections.abc import Mapping
from typing import Any

from benchmarks.speed.size import SpeedSize
from dualgaf.bench.runner import Measured, Reading, Side, Suite, random_windows
from dualgaf.bench.sides import Job, WarmPools, our_side
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import cpu_count

CHUNK_SIZES = (10, 50, 100, 200, 400, 800, 2000)
N_JOBS = (1, 2)

Setting = dict[str, Any]


def sweep_suite(size: SpeedSize, until_done: contextlib.ExitStack) -> Suite:
    """All chunk sizes with one and two workers, and ``auto``, in private and shared memory."""
    warm = until_done.enter_context(WarmPools())
    windows = random_windows(size.n_windows, size.n_channels, size.window_size)
    job = Job(windows, ImagingRecipe(size.window_size))
    ways = {"private": ("thread", False, None), "shared": ("process", True, warm)}
    grid: list[tuple[int | str, int]] = [
        *((chunk, n) for n in N_JOBS if n <= cpu_count() for chunk in CHUNK_SIZES),
        ("auto", -1),
    ]
    sides: list[Side] = []
    settings: list[Setting] = []
    for memory, (backend, shm, pools) in ways.items():
        for chunk_size, n_jobs in grid:
            asked = {"backend": backend, "shm": shm, "chunk_size": chunk_size, "n_jobs": n_jobs}
            name = f"{memory}, chunk_size={chunk_size}, n_jobs={n_jobs}"
            sides.append(our_side(name, job, PoolSettings.from_mapping(asked), pools))
            settings.append({"memory": memory, "chunk_size": chunk_size, "n_jobs": n_jobs})
    return Suite(sides, lambda found: _read(sides, settings, found))


def _read(sides: list[Side], settings: list[Setting], found: Mapping[str, Measured]) -> Reading:
    rows = []
    for side, setting in zip(sides, settings, strict=True):
        seconds = found[side.name].median_s
        rows.append({**setting, "seconds": seconds, "GB/s": side.n_bytes / seconds / 1e9})
    ratios, notes = {}, []
    for memory in ("private", "shared"):
        own = [row for row in rows if row["memory"] == memory]
        (auto,) = [row for row in own if row["chunk_size"] == "auto"]
        best = min((row for row in own if row is not auto), key=lambda row: row["seconds"])
        ratios[f"{memory}: best fixed time / auto time"] = best["seconds"] / auto["seconds"]
        slower = auto["seconds"] / best["seconds"] - 1
        notes.append(
            f"{memory}: auto is {abs(slower):.0%} {'slower' if slower > 0 else 'faster'} than the "
            f"best fixed setting (chunk_size={best['chunk_size']}, n_jobs={best['n_jobs']})"
        )
    return Reading(rows, ratios, notes)
