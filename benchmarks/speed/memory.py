"""The peak of extra memory while building: the whole process tree and what it shares."""

import contextlib
from collections.abc import Mapping

from benchmarks.speed.peers import EARLIER, earlier_side
from benchmarks.speed.size import SpeedSize
from dualgaf.bench.runner import Measured, Reading, Side, Suite, random_windows
from dualgaf.bench.sides import Job, our_side
from dualgaf.imaging.recipe import ImagingRecipe, Layout
from dualgaf.pool.settings import PoolSettings


def memory_suite(size: SpeedSize, until_done: contextlib.ExitStack) -> Suite:
    """Both layouts, in private and in shared memory, beside the earlier system.

    Processes are started anew, so that what they take themselves is counted.
    """
    windows = random_windows(size.n_windows, size.n_channels, size.window_size)
    layouts: tuple[Layout, ...] = ("dual", "packed")
    jobs = {
        layout: Job(windows, ImagingRecipe(size.window_size, layout=layout)) for layout in layouts
    }
    ways = {
        "threads, private memory": PoolSettings(backend="thread", shm=False),
        "threads, shared memory": PoolSettings(backend="thread"),
        "processes, shared memory": PoolSettings(backend="process"),
    }
    ours = [
        our_side(f"{layout}: {way}", job, settings)
        for layout, job in jobs.items()
        for way, settings in ways.items()
    ]
    earlier, notes = earlier_side(jobs["dual"], size, metered=True)
    sides = [*ours, *earlier]
    return Suite(sides, lambda found: _read(sides, notes, found))


def _read(sides: list[Side], notes: list[str], found: Mapping[str, Measured]) -> Reading:
    peaks = {side.name: found[side.name].median("peak_bytes") for side in sides}
    earlier = peaks.get(EARLIER)
    rows, ratios = [], {}
    for side in sides:
        peak, images = peaks[side.name], side.n_bytes
        rows.append(
            {
                "side": side.name,
                "images GB": images / 1e9,
                "peak GB": peak / 1e9,
                "peak / images": peak / images,
                "peak / earlier peak": peak / earlier if earlier else None,
            }
        )
        if side.name == EARLIER:
            continue
        if peak:  # a small store may fit into memory that this process had before
            ratios[f"{side.name}, images / peak"] = images / peak
        if earlier:
            ratios[f"{side.name}, earlier peak / images"] = earlier / images
    return Reading(rows, ratios, notes)
