"""`ProcessPool`: worker processes that may die, stop or hang without taking the build with them.

1. Each worker is an own program (`worker`) with a private socket pair, so the user's ``__main__``
   is never imported, nothing needs /dev/shm, and the death of one touches no other.
2. A worker has one chunk at a time, from its queue (`queues`). When it dies or is silent for
   longer than the timeout, it is replaced and its chunk goes to another.
3. A chunk that has cost two workers ends the build with `ChunkError`, which names the chunk, its
   windows, the signal and the last lines of the worker. It is never tried in this process.
4. Workers that die before they say hello end the pool with `PoolError`; threads take over.
5. A worker that the kernel has ended for want of memory is not replaced: the store is filled by one
   fewer, by one at least.
6. Workers stay for the next store, until `close`. That leaves no process, whatever happens:
   sockets closed, then wait, then SIGKILL. After an error they are killed at once.
"""

import contextlib
import logging
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dualgaf import errors
from dualgaf.errors import ChunkError, DualGAFError, PoolError
from dualgaf.pool.launch import Program, ending, launch
from dualgaf.pool.messages import Job, receive, send
from dualgaf.pool.queues import WorkStealingQueues
from dualgaf.system.cgroups import oom_kills

STARTUP_TIMEOUT_S = 60.0
"""For a worker's start, and beside the timeout for its first chunk: it may compile the kernel."""
CLOSE_TIMEOUT_S = 5.0
LONGEST_WAIT_S = 3600.0
"""The selector takes no wait of many days, nor an endless one."""
MAX_LOSSES_AT_START = 3
LOSSES_OF_ONE_CHUNK = 2
_ROOT = Path("/")

Bounds = tuple[int, int]

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Worker:
    program: Program
    queue: int
    ready: bool = False
    job: int = 0
    chunk: int | None = None
    limit_s: float = STARTUP_TIMEOUT_S
    since: float = field(default_factory=time.monotonic)
    overdue: bool = False

    @property
    def channel(self) -> socket.socket:
        return self.program.channel

    @property
    def overdue_at(self) -> float | None:
        """When it has been silent for too long; None while nothing is expected of it."""
        waiting = self.chunk is not None or not self.ready
        return self.since + self.limit_s if waiting else None


@dataclass(eq=False)
class _Fill:
    job: Job
    descriptors: tuple[int, ...]
    left: dict[int, Bounds]
    todo: WorkStealingQueues
    n_workers: int
    oom_kills: int
    losses: dict[int, int] = field(default_factory=dict)


class ProcessPool:
    """Worker processes that fill chunks. Use it in a ``with`` block; fill any number of stores.

    Args:
        n_workers: how many, at least 1.
        chunk_timeout_s: seconds that a worker may take for one chunk.

    Raises:
        PoolError: by `start` and `fill`: workers cannot be started, or keep dying.
        ChunkError: by `fill`: a chunk failed in two workers.
    """

    def __init__(self, n_workers: int, chunk_timeout_s: float) -> None:
        self.retries = 0
        """Chunks that were given to a second worker, over all fills."""
        self._n_workers = n_workers
        self._timeout_s = chunk_timeout_s
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._losses_at_start = 0
        self._job = 0

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.program.process.pid for worker in self._workers]

    def start(self) -> None:
        """Start the workers without waiting for them; `fill` does it where this was not called.

        Raises:
            PoolError: a process cannot be started.
        """
        self._top_up(self._n_workers)

    def fill(
        self,
        job: Job,
        descriptors: tuple[int, ...],
        left: dict[int, Bounds],
        between: Callable[[], None],
        finished: Callable[[int, int], None],
    ) -> int:
        """Fill chunks of one store.

        Args:
            job: what to draw.
            descriptors: the open file of the input, then those of the store.
            left: (first, last) windows by chunk; a finished chunk is taken out.
            between: called before each chunk is handed out; may raise to end the build.
            finished: called with (first, last) windows of each finished chunk.

        Returns:
            Workers at its end: one less for each that the kernel ended for want of memory.

        Raises:
            ChunkError: a chunk failed, or cost two workers.
            PoolError: no worker could be started.
            SeriesError, StoreFullError: as the worker met it.
        """
        self._job += 1
        self._losses_at_start = 0
        queues = WorkStealingQueues(list(left), self._n_workers)
        fill = _Fill(job, descriptors, left, queues, self._n_workers, oom_kills(_ROOT))
        try:
            for worker in [w for w in self._workers if w.program.process.poll() is not None]:
                self._forget(worker)  # died while it had nothing to do
            while left:
                self._top_up(min(fill.n_workers, len(left)))
                self._hand_out(fill, between)
                for worker in self._next_events():
                    self._hear(worker, fill, finished)
            for worker in self._workers:
                self._tell(worker, {"kind": "end"})
        except BaseException:
            self._end(patience_s=0.0)
            raise
        return fill.n_workers

    def close(self) -> None:
        """End all workers; returns when they are gone."""
        self._end(CLOSE_TIMEOUT_S)
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _top_up(self, n_workers: int) -> None:
        while len(self._workers) < n_workers:
            free = set(range(self._n_workers)) - {worker.queue for worker in self._workers}
            worker = _Worker(launch(), min(free))
            self._workers.append(worker)
            self._selector.register(worker.channel, selectors.EVENT_READ, worker)

    def _hand_out(self, fill: _Fill, between: Callable[[], None]) -> None:
        for worker in self._workers:
            if not worker.ready or worker.chunk is not None:
                continue
            worker.chunk = fill.todo.take(worker.queue)
            if worker.chunk is None:
                continue
            between()
            worker.limit_s = self._timeout_s
            if worker.job != self._job:
                worker.job, worker.limit_s = self._job, self._timeout_s + STARTUP_TIMEOUT_S
                self._tell(worker, fill.job.to_message(), fill.descriptors)
            worker.since = time.monotonic()
            first, last = fill.left[worker.chunk]
            self._tell(
                worker, {"kind": "chunk", "chunk": worker.chunk, "first": first, "last": last}
            )

    def _tell(
        self, worker: _Worker, message: dict[str, Any], descriptors: tuple[int, ...] = ()
    ) -> None:
        # A worker that has just died shows itself as an event; nothing is lost here.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(worker.channel, message, descriptors)

    def _next_events(self) -> list[_Worker]:
        """Workers that said something or hung up; one that is silent too long is killed here."""
        times = [worker.overdue_at for worker in self._workers]
        now = time.monotonic()
        first = min((at for at in times if at is not None), default=now + 1.0)
        events = self._selector.select(min(max(0.0, first - now), LONGEST_WAIT_S))
        heard = [key.data for key, _ in events]
        now = time.monotonic()
        for worker in self._workers:
            at = worker.overdue_at
            if worker not in heard and at is not None and now >= at and not worker.overdue:
                worker.overdue = True
                worker.program.process.kill()
        return heard

    def _hear(self, worker: _Worker, fill: _Fill, finished: Callable[[int, int], None]) -> None:
        message, _ = receive(worker.channel)
        if message is None:
            self._lose(worker, fill)
            return
        if message.get("torch"):
            raise PoolError("a worker has loaded torch, which costs 142 MB each; report this")
        if message["kind"] == "hello":
            worker.ready = True
            self._losses_at_start = 0
        elif message["kind"] == "failed":
            raise _as_error(message, fill.left)
        else:
            worker.chunk = None
            finished(*fill.left.pop(message["chunk"]))

    def _lose(self, worker: _Worker, fill: _Fill) -> None:
        """A worker has died: give its chunk to another, unless it has cost two."""
        status, words = self._forget(worker)
        how = ending(status)
        if worker.overdue:
            how = f"no answer for {worker.limit_s:g} s, so it was {how}"
        elif status == -signal.SIGKILL and oom_kills(_ROOT) > fill.oom_kills:
            fill.oom_kills += 1  # each kill counts for one worker
            fill.n_workers = max(1, fill.n_workers - 1)
            how = f"{how} by the kernel, because memory was short"
        chunk = worker.chunk
        if chunk is not None:
            self._give_away(chunk, fill, how, words)
        elif not worker.ready:
            self._losses_at_start += 1
            if self._losses_at_start >= MAX_LOSSES_AT_START:
                raise PoolError(
                    f"{MAX_LOSSES_AT_START} workers ended before they were ready: {how}; {words}"
                )

    def _give_away(self, chunk: int, fill: _Fill, how: str, words: str) -> None:
        fill.losses[chunk] = fill.losses.get(chunk, 0) + 1
        first, last = fill.left[chunk]
        named = f"chunk {chunk} (windows {first} to {last - 1})"
        if fill.losses[chunk] >= LOSSES_OF_ONE_CHUNK:
            raise ChunkError(
                f"{named} cost {LOSSES_OF_ONE_CHUNK} workers: {how}; {words}. To see it happen in "
                "this process, type parallel.enabled=false; if memory is short (SIGKILL), type "
                "parallel.n_jobs=1"
            )
        log.warning(
            "%s has lost its worker (%s); another does it, of %d", named, how, fill.n_workers
        )
        fill.todo.put_back(chunk)
        self.retries += 1

    def _forget(self, worker: _Worker) -> tuple[int, str]:
        """End a worker; returns its exit status and its last words."""
        self._workers.remove(worker)
        self._selector.unregister(worker.channel)
        try:
            worker.program.process.kill()
            status = worker.program.process.wait()
            words = worker.program.last_words() or "none"
        finally:
            worker.program.close()
        return status, f"last words of the worker: {words}"

    def _end(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        try:
            for worker in self._workers:
                with contextlib.suppress(OSError):  # it may be gone already
                    worker.channel.shutdown(socket.SHUT_RDWR)
            for worker in self._workers:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.program.process.wait(max(0.0, deadline - time.monotonic()))
        finally:  # also after a second Ctrl-C
            while self._workers:
                self._forget(self._workers[-1])


def _as_error(message: dict[str, Any], left: dict[int, Bounds]) -> DualGAFError:
    if message["error"] in ("SeriesError", "StoreFullError"):
        kind: type[DualGAFError] = getattr(errors, message["error"])
        return kind(message["text"])
    first, last = left[message["chunk"]]
    return ChunkError(
        f"chunk {message['chunk']} (windows {first} to {last - 1}) failed in a worker:\n"
        f"{message['trace']}"
    )
