"""`fill`: fill a store with the backend of the plan, or the next one where it is refused.

    processes -> threads -> this thread

Going to the next backend is one warning that says why and what to type. All backends draw with the
same code and give the same bytes. Errors of the data, a chunk or the store end the build.
"""

import os
import queue
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import (
    ChunkError,
    ConfigError,
    DualGAFError,
    FallbackWarning,
    PoolError,
    unknown_choice,
)
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool.chunk import ChunkFiller, check_limits
from dualgaf.pool.messages import Job, share_windows
from dualgaf.pool.queues import WorkStealingQueues
from dualgaf.pool.settings import PoolSettings
from dualgaf.pool.supervisor import Bounds, ProcessPool
from dualgaf.store.writer import StoreWriter

Array = npt.NDArray[Any]
Finished = Callable[[int, int], None]
Left = dict[int, Bounds]

BACKENDS = ("process", "thread", "serial")


@dataclass(frozen=True, eq=False)
class FillJob:
    """A store to be filled and how.

    Raises:
        SystemRefusedError: a limit of this process leaves no memory to draw.
    """

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
    """The first to try: ``process``, ``thread``, ``serial``."""
    pool: ProcessPool | None = None
    """Warm workers to use and to leave; None starts some for this store alone."""

    def __post_init__(self) -> None:
        # Here, before any thread is started: without memory Python waits for its start for ever.
        check_limits()

    @property
    def chunks(self) -> list[Bounds]:
        """(first, last) windows of each chunk."""
        return self.writer.layout.chunks(self.settings.chunk_rows)

    @property
    def renderer(self) -> Renderer:
        """A renderer of the recipe."""
        return Renderer(self.recipe, self.windows.window_size, self.bounds)


@dataclass(frozen=True)
class FillReport:
    """How a store was filled."""

    backend: str
    """The one that did it."""
    workers: int
    """Its workers at the end; fewer processes than asked for where memory was short."""
    chunks: int
    """Chunks of the store."""
    retries: int
    """Chunks that were given to a second worker."""


def fill(job: FillJob, progress: Callable[[int], None] | None = None) -> FillReport:
    """Fill every row of the store.

    Raises:
        ConfigError: the backend is not known, or processes are asked to fill private memory.
        ChunkError, SeriesError, StoreFullError: a chunk could not be filled.
    """
    if job.backend not in BACKENDS:
        raise ConfigError(unknown_choice("parallel.backend", job.backend, BACKENDS))
    if job.backend == "process" and job.writer.segments is None:
        raise ConfigError(
            "parallel.backend=process cannot fill private memory; type parallel.shm=true"
        )
    fills = {"process": _fill_by_processes, "thread": _fill_by_threads}
    ways = BACKENDS[BACKENDS.index(job.backend) :]
    # Each takes out what it has finished; the next one goes on with the rest.
    left = {n: rows for n, rows in enumerate(job.chunks) if not job.writer.has_rows(*rows)}
    there = job.writer.layout.n_rows - sum(last - first for first, last in left.values())
    if there and progress is not None:
        progress(there)
    if not left:
        return FillReport("none", 0, len(job.chunks), 0)

    def finished(first: int, last: int) -> None:
        job.writer.rows_are_there(first, last)
        if progress is not None:
            progress(last - first)

    for backend, following in pairwise(ways):
        try:
            return fills[backend](job, left, finished)
        except (PoolError, _RefusedError) as error:
            warnings.warn(
                f"parallel.backend={backend} is refused, {following} takes over: {error}; type "
                f"parallel.backend={following} to choose it yourself",
                FallbackWarning,
                stacklevel=3,
            )
    return _fill_here(job, left, finished)


class _RefusedError(Exception):
    """The system does not give this backend what it needs."""


def _fill_by_processes(job: FillJob, left: Left, finished: Finished) -> FillReport:
    if job.pool is not None:
        return _fill_by_pool(job, job.pool, left, finished)
    with ProcessPool(job.workers, job.settings.chunk_timeout_s) as pool:
        pool.start()  # they import while this process compiles and copies
        return _fill_by_pool(job, pool, left, finished)


def _fill_by_pool(job: FillJob, pool: ProcessPool, left: Left, finished: Finished) -> FillReport:
    _compile(job)
    try:
        source, arrays = share_windows(job.windows, job.bounds)
    except OSError as error:
        raise _RefusedError(f"no room for the workers' input ({error})") from error
    qualified_name = Job(
        recipe=job.recipe,
        layout=job.writer.layout,
        place=job.writer.place,
        window_size=job.windows.window_size,
        arrays=arrays,
    )
    assert job.writer.segments is not None
    descriptors, before = (source, *job.writer.segments.descriptors), pool.retries
    try:
        workers = pool.fill(qualified_name, descriptors, left, job.writer.check_headroom, finished)
    finally:
        os.close(source)
    return FillReport("process", workers, len(job.chunks), pool.retries - before)


def _compile(job: FillJob) -> None:
    """Draw a made-up window here, so that the kernel is on disk and no two workers compile it.

    It must not be a window of the job: one that crashes the kernel may cost a worker, not this
    process. Its arrays are read-only, as a worker's are; to the compiler they are another type.
    """
    steps, n_channels = job.windows.window_size, job.windows.n_channels
    ramp = np.linspace(-1.0, 1.0, steps).astype(job.windows.flat.dtype)
    windows = Windows(np.tile(ramp, (n_channels, 1)), np.zeros(1, np.int64), steps)
    windows.flat.flags.writeable = windows.starts.flags.writeable = False
    layout = job.writer.layout
    job.renderer.render(windows, 0, 1, np.empty((1, *layout.row_shape), dtype=layout.dtype))


def _fill_by_threads(job: FillJob, left: Left, finished: Finished) -> FillReport:
    filler = ChunkFiller(job.renderer, job.windows, job.writer)
    bounds, chunks = dict(left), WorkStealingQueues(list(left), job.workers)
    stop, done = threading.Event(), queue.SimpleQueue[int | None]()

    def work(number: int) -> None:
        try:
            while not stop.is_set() and (chunk := chunks.take(number)) is not None:
                job.writer.check_headroom()
                _fill_chunk(filler, chunk, bounds[chunk])
                done.put(chunk)
        except BaseException:
            stop.set()
            raise
        finally:
            done.put(None)

    with ThreadPoolExecutor(job.workers, thread_name_prefix="dualgaf") as threads:
        try:
            futures = _start(threads, work, job.workers)
            running = len(futures)
            while running:
                chunk = done.get()
                if chunk is None:
                    running -= 1
                    continue
                finished(*left.pop(chunk))
        finally:
            stop.set()
    for future in futures:
        future.result()
    return FillReport("thread", len(futures), len(job.chunks), 0)


def _start(
    threads: ThreadPoolExecutor, work: Callable[[int], None], n_queues: int
) -> "list[Future[None]]":
    """A thread for each number; where the system gives fewer, they do the work of all."""
    futures: list[Future[None]] = []
    try:
        futures.extend(threads.submit(work, number) for number in range(n_queues))
    except RuntimeError as error:
        if not futures:
            raise _RefusedError(str(error)) from error
    return futures


def _fill_here(job: FillJob, left: Left, finished: Finished) -> FillReport:
    filler = ChunkFiller(job.renderer, job.windows, job.writer)
    for chunk, (first, last) in list(left.items()):
        job.writer.check_headroom()
        _fill_chunk(filler, chunk, (first, last))
        del left[chunk]
        finished(first, last)
    return FillReport("serial", 1, len(job.chunks), 0)


def _fill_chunk(filler: ChunkFiller, chunk: int, bounds: Bounds) -> None:
    first, last = bounds
    try:
        filler.fill(first, last)
    except DualGAFError:
        raise
    except Exception as error:
        raise ChunkError(
            f"chunk {chunk} (windows {first} to {last - 1}) failed: {error!r}"
        ) from error
