"""Filling a store by a pool or a job, and the array that comes of it; for the tests of both."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool.fill import FillJob, FillReport, fill
from dualgaf.pool.messages import Job, share_windows
from dualgaf.pool.supervisor import ProcessPool
from dualgaf.store.backing import open_writer
from fills import bounds_of, layout_of

Array = npt.NDArray[Any]


def filled(job: FillJob, progress: Callable[[int], None] | None = None) -> tuple[FillReport, Array]:
    """Report and array of a job."""
    with job.writer:
        report = fill(job, progress)
        store = job.writer.seal()
    array = store.array.copy()
    store.close()
    return report, array


def fill_by(
    pool: ProcessPool,
    windows: Windows,
    recipe: ImagingRecipe,
    progress: Callable[[int, int], None] = lambda first, last: None,
) -> Array:
    """The array that a pool fills in chunks of 7 windows, in a store of its own."""
    layout, bounds = layout_of(windows, recipe), bounds_of(windows, recipe)
    source, arrays = share_windows(windows, bounds)
    job = Job(
        recipe=recipe,
        layout=layout,
        place="memfd",
        window_size=windows.window_size,
        arrays=arrays,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, source)
        writer = stack.enter_context(open_writer(layout, ["memfd"]))
        left = dict(enumerate(layout.chunks(7)))
        pool.fill(
            job, (source, *writer.segments.descriptors), left, writer.check_headroom, progress
        )
        assert left == {}
        store = writer.seal()
    array = store.array.copy()
    store.close()
    return array
