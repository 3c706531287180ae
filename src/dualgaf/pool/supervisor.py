"""`ProcessPool`: worker processes that may die, stop or hang without taking the build with them.

1. Each worker is an own program (`worker`) with a private socket pair, so the user's ``__main__``
   is never imported, nothing needs /dev/shm, and the death of one touches no other.
2. A worker has one chunk at a time. When it dies or is silent for longer than the timeout, it is
   replaced and its chunk goes to another.
3. A chunk that has cost two workers ends the build with `ChunkError`, which names the chunk, its
   windows, the signal and the last lines of the worker. It is never tried in this process.
4. Workers that die before they say hello end the pool with `PoolError`; the ladder goes on.
5. Whatever happens, `close` leaves no process: sockets closed, then wait, then SIGKILL.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dualgaf import errors
from dualgaf.errors import ChunkError, DualGAFError, PoolError
from dualgaf.pool.messages import Job, receive, send

STARTUP_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 5.0
MAX_LOSSES_AT_START = 3
LOSSES_OF_ONE_CHUNK = 2

Bounds = tuple[int, int]


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    channel: socket.socket
    stderr: IO[bytes]
    ready: bool = False
    chunk: int | None = None
    since: float = field(default_factory=time.monotonic)

    def last_words(self) -> str:
        self.stderr.seek(0, os.SEEK_END)
        self.stderr.seek(max(0, self.stderr.tell() - 4000))
        return self.stderr.read().decode(errors="replace").strip()


class ProcessPool:
    """Worker processes that fill chunks. Use it in a ``with`` block.

    Args:
        n_workers: how many, at least 1.
        chunk_timeout_s: seconds that a worker may take for one chunk.
    """

    def __init__(self, n_workers: int, chunk_timeout_s: float) -> None:
        self.retries = 0
        self._n_workers = n_workers
        self._timeout_s = chunk_timeout_s
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._losses_at_start = 0
        self._losses: dict[int, int] = {}

    def fill(
        self,
        job: Job,
        descriptors: tuple[int, int],
        chunks: list[Bounds],
        between: Callable[[], None],
        progress: Callable[[int], None],
    ) -> None:
        """Fill all chunks of one store.

        Args:
            job: what to draw.
            descriptors: the open files of the store and of the input.
            chunks: (first, last) windows of each.
            between: called before each chunk is handed out; may raise to end the build.
            progress: called with the number of windows of each finished chunk.

        Raises:
            ChunkError: a chunk failed, or cost two workers.
            PoolError: no worker could be started.
            SeriesError, StoreFullError: as the worker met it.
        """
        todo, open_chunks = deque(range(len(chunks))), len(chunks)
        while len(self._workers) < self._n_workers:
            self._start(job, descriptors)
        while open_chunks:
            for worker in self._workers:
                if worker.ready and worker.chunk is None and todo:
                    between()
                    self._hand_out(worker, todo.popleft(), chunks)
            for worker in self._next_events():
                message = self._hear(worker)
                if message is None:
                    self._replace(worker, todo, chunks, job, descriptors)
                elif message["kind"] == "done":
                    first, last = chunks[message["chunk"]]
                    worker.chunk = None
                    open_chunks -= 1
                    progress(last - first)
                elif message["kind"] == "failed":
                    raise _as_error(message, chunks)

    def close(self) -> None:
        """End all workers; returns when they are gone."""
        for worker in self._workers:
            self._forget(worker)
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.stderr.close()
        self._workers.clear()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            for worker in self._workers:
                worker.process.kill()  # it may be stopped, or deep in a long chunk
        self.close()

    def _start(self, job: Job, descriptors: tuple[int, int]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the worker
        try:
            process = subprocess.Popen(
                [*_command(), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=_environment(),
            )
        except OSError as error:
            ours.close()
            stderr.close()
            raise PoolError(f"a worker process cannot be started: {error}") from error
        finally:
            theirs.close()
        worker = _Worker(process, ours, stderr)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(ours, job.to_message(), descriptors)  # waits in the socket until it is up

    def _hand_out(self, worker: _Worker, chunk: int, chunks: list[Bounds]) -> None:
        worker.chunk, worker.since = chunk, time.monotonic()
        first, last = chunks[chunk]
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # its end comes as an event
            send(worker.channel, {"kind": "chunk", "chunk": chunk, "first": first, "last": last})

    def _next_events(self) -> list[_Worker]:
        """Workers that said something or hung up; one that is silent too long is killed here."""
        now = time.monotonic()
        waits = [
            worker.since + (self._timeout_s if worker.ready else STARTUP_TIMEOUT_S) - now
            for worker in self._workers
            if worker.chunk is not None or not worker.ready
        ]
        events = self._selector.select(max(0.0, min(waits, default=1.0)))
        if not events:
            now = time.monotonic()
            for worker in self._workers:
                limit = self._timeout_s if worker.ready else STARTUP_TIMEOUT_S
                busy = worker.chunk is not None or not worker.ready
                if busy and now - worker.since >= limit:
                    worker.process.kill()
        return [key.data for key, _ in events]

    def _hear(self, worker: _Worker) -> dict[str, Any] | None:
        message, _ = receive(worker.channel)
        if message is not None and message["kind"] == "hello":
            worker.ready = True
            self._losses_at_start = 0
            if message["torch"]:
                raise PoolError("a worker has loaded torch, which costs 142 MB each; report this")
        return message

    def _replace(
        self,
        worker: _Worker,
        todo: deque[int],
        chunks: list[Bounds],
        job: Job,
        descriptors: tuple[int, int],
    ) -> None:
        self._forget(worker)
        worker.process.kill()
        status = worker.process.wait()
        words = worker.last_words()
        worker.stderr.close()
        self._workers.remove(worker)
        if worker.chunk is not None:
            chunk = worker.chunk
            self._losses[chunk] = self._losses.get(chunk, 0) + 1
            if self._losses[chunk] >= LOSSES_OF_ONE_CHUNK:
                first, last = chunks[chunk]
                raise ChunkError(
                    f"chunk {chunk} (windows {first} to {last - 1}) cost {LOSSES_OF_ONE_CHUNK} "
                    f"workers: {_ending(status)}; last words of the worker: {words or 'none'}"
                )
            todo.appendleft(chunk)
            self.retries += 1
        elif not worker.ready:
            self._losses_at_start += 1
            if self._losses_at_start >= MAX_LOSSES_AT_START:
                raise PoolError(
                    f"{MAX_LOSSES_AT_START} workers ended before they were ready: "
                    f"{_ending(status)}; last words: {words or 'none'}"
                )
        self._start(job, descriptors)

    def _forget(self, worker: _Worker) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.channel)
        worker.channel.close()


def _command() -> list[str]:
    # -P: a folder with a numpy.py in it must not be where a worker imports from.
    return [sys.executable, "-P", "-X", "faulthandler", "-m", "dualgaf.pool"]


def _environment() -> dict[str, str]:
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    return {**os.environ, "PYTHONPATH": path, **single}


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def _as_error(message: dict[str, Any], chunks: list[Bounds]) -> DualGAFError:
    if message["error"] in ("SeriesError", "StoreFullError"):
        kind: type[DualGAFError] = getattr(errors, message["error"])
        return kind(message["text"])
    first, last = chunks[message["chunk"]]
    return ChunkError(
        f"chunk {message['chunk']} (windows {first} to {last - 1}) failed in a worker:\n"
        f"{message['trace']}"
    )
