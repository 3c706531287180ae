"""`fill`: fill a store with the backend of the plan, or the next one where it is refused.

    processes -> threads -> this thread

Going a rung down is one warning that says why and what to type. All backends draw with the same
code and give the same bytes. Errors of the data or of the store end the build on any rung.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import ConfigError, LadderWarning, PoolError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool.chunk import ChunkFiller
from dualgaf.pool.messages import Job, share_windows
from dualgaf.pool.settings import PoolSettings
from dualgaf.pool.supervisor import Bounds, ProcessPool
from dualgaf.store.writer import StoreWriter

Array = npt.NDArray[Any]
Progress = Callable[[int], None]

RUNGS = ("process", "thread", "serial")


@dataclass(frozen=True, eq=False)
class FillJob:
    """A store to be filled and how."""

    writer: StoreWriter
    """The open store; row n is window n."""
    windows: Windows
    """The N windows."""
    recipe: ImagingRecipe
    """How they are drawn."""
    bounds: Array | None
    """(2, C), for ``scaling=train``."""
    settings: PoolSettings
    """Chunk size and timeout."""
    workers: int
    """Processes or threads."""
    backend: str
    """The first rung to try: ``process``, ``thread``, ``serial``."""

    @property
    def chunks(self) -> list[Bounds]:
        """(first, last) windows of each chunk."""
        return self.writer.layout.chunks(self.settings.chunk_size)

    @property
    def renderer(self) -> Renderer:
        """A renderer of the recipe."""
        return Renderer(self.recipe, self.windows.window_size, self.bounds)


@dataclass(frozen=True)
class FillReport:
    """How a store was filled."""

    backend: str
    """The rung that did it."""
    workers: int
    """Workers of that rung."""
    retries: int
    """Chunks that were given to a second worker."""


def fill(job: FillJob, progress: Progress | None = None) -> FillReport:
    """Fill every row of the store.

    Raises:
        ConfigError: processes are asked to fill private memory.
        ChunkError, SeriesError, StoreFullError: a chunk could not be filled.
    """
    if job.backend == "process" and job.writer.descriptor is None:
        raise ConfigError(
            "parallel.backend=process cannot fill private memory; type parallel.shm=true"
        )
    rungs = {"process": _fill_by_processes, "thread": _fill_by_threads, "serial": _fill_here}
    ways = RUNGS[RUNGS.index(job.backend) :]
    for rung, below in zip(ways, [*ways[1:], None], strict=True):
        try:
            return rungs[rung](job, progress or _silent)
        except (PoolError, _RefusedError) as error:
            if below is None:
                raise
            warnings.warn(
                f"parallel.backend={rung} is refused, {below} takes over: {error}; type "
                f"parallel.backend={below} to choose it yourself",
                LadderWarning,
                stacklevel=3,
            )
    raise AssertionError("the last rung either returns or raises")


class _RefusedError(Exception):
    """The system does not give this rung what it needs."""


def _fill_by_processes(job: FillJob, progress: Progress) -> FillReport:
    # One window here first: the kernel is then compiled on disk, and no two workers compile it.
    layout = job.writer.layout
    sample = np.empty((1, *layout.row_shape), dtype=layout.dtype)
    job.renderer.render(job.windows, 0, 1, sample)
    try:
        source = share_windows(job.windows)
    except (OSError, AttributeError) as error:
        raise _RefusedError(f"no shared memory for the input: {error}") from error
    described = Job(
        recipe=job.recipe,
        bounds=None if job.bounds is None else job.bounds.tolist(),
        layout=layout,
        place=job.writer.place,
        window_size=job.windows.window_size,
        flat_shape=(job.windows.flat.shape[0], job.windows.flat.shape[1]),
        flat_dtype=job.windows.flat.dtype.str,
    )
    assert job.writer.descriptor is not None
    try:
        with ProcessPool(job.workers, job.settings.chunk_timeout_s) as pool:
            pool.fill(
                described,
                (job.writer.descriptor, source),
                job.chunks,
                job.writer.check_headroom,
                progress,
            )
            return FillReport("process", job.workers, pool.retries)
    finally:
        os.close(source)


def _fill_by_threads(job: FillJob, progress: Progress) -> FillReport:
    filler = ChunkFiller(job.renderer, job.windows, job.writer)
    todo: Iterator[Bounds] = iter(job.chunks)
    running: dict[Future[None], Bounds] = {}
    try:
        with ThreadPoolExecutor(job.workers, thread_name_prefix="dualgaf") as threads:
            try:
                for chunk in todo:
                    job.writer.check_headroom()
                    running[threads.submit(filler.fill, *chunk)] = chunk
                    if len(running) > job.workers:
                        _collect(running, progress)
                while running:
                    _collect(running, progress)
            except BaseException:
                threads.shutdown(wait=True, cancel_futures=True)
                raise
    except RuntimeError as error:
        if "can't start new thread" in str(error):
            raise _RefusedError(str(error)) from error
        raise
    return FillReport("thread", job.workers, 0)


def _collect(running: dict[Future[None], Bounds], progress: Progress) -> None:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        first, last = running.pop(future)
        future.result()
        progress(last - first)


def _fill_here(job: FillJob, progress: Progress) -> FillReport:
    filler = ChunkFiller(job.renderer, job.windows, job.writer)
    for first, last in job.chunks:
        job.writer.check_headroom()
        filler.fill(first, last)
        progress(last - first)
    return FillReport("serial", 1, 0)


def _silent(rows: int) -> None:
    """Progress for those who show none."""
