"""A pool worker: `python -m dualgaf.pool DESCRIPTOR`. It never loads torch.

It says hello, takes a job, fills chunk after chunk, and ends when its socket closes, which also
happens when the supervisor is killed: a thread watches for that, so a worker deep in a long chunk
ends too. Ctrl-C is the supervisor's to handle. Where memory runs out, the kernel is told to end a
worker before the program that started it: a worker can be replaced.

For tests of faults, ``DUALGAF_FAULT=KIND:CHUNK[:FILE]`` makes the worker that takes this chunk
suffer it: KIND is a signal's name (SIGKILL, SIGSTOP, SIGSEGV, SIGBUS), ``exit``, ``raise``,
``hang`` or ``memory``, which takes 900 MiB for a moment; with FILE only the first time, when the
file is not there yet.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

from dualgaf.imaging.gaf import Renderer
from dualgaf.pool.chunk import ChunkFiller
from dualgaf.pool.messages import TEXT_LIMIT, Job, map_windows, receive, send
from dualgaf.store.segments import Segments
from dualgaf.store.writer import SegmentWriter

OOM_SCORE = 800
"""How much sooner than others the kernel ends a worker where memory runs out; 1000 is the most."""
FAULT_BYTES = 900 << 20
WATCH_S = 1.0
"""How often a worker looks whether its parent is still the same process."""


def run_worker(descriptor: int) -> int:
    """Serve the supervisor behind this socket until it hangs up; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _raise_oom_score()
    channel = socket.socket(fileno=descriptor)
    threading.Thread(target=_end_with, args=(descriptor, os.getppid()), daemon=True).start()
    filler: ChunkFiller | None = None
    try:
        send(channel, {"kind": "hello", "pid": os.getpid(), "torch": "torch" in sys.modules})
        while True:
            message, descriptors = receive(channel)
            if message is None:
                return 0
            if message["kind"] in ("job", "end") and filler is not None:
                filler.writer.abort()
                filler = None
            if message["kind"] == "job":
                filler = _filler(Job.from_message(message), *descriptors)
            elif filler is not None:
                send(channel, _fill(filler, message))
    except (BrokenPipeError, ConnectionResetError):
        return 0  # the supervisor is gone; its kernel objects go with it


def _raise_oom_score() -> None:
    """Be the one whom the kernel ends where memory runs out; everybody may ask for that."""
    path = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):  # not Linux, or not allowed
        if int(path.read_text()) < OOM_SCORE:
            path.write_text(str(OOM_SCORE))


def _end_with(descriptor: int, parent: int) -> None:
    """End this process when the supervisor has hung up or is gone."""
    hang_up = select.poll()
    hang_up.register(descriptor, 0)  # POLLHUP is always reported
    # A child that the supervisor forked may hold the socket open; the parent's id tells then.
    while not hang_up.poll(WATCH_S * 1000) and os.getppid() == parent:
        pass
    os._exit(0)


def _filler(job: Job, source: int, *store: int) -> ChunkFiller:
    windows, bounds = map_windows(job, source)
    os.close(source)
    renderer = Renderer(job.recipe, job.window_size, bounds)
    segments = Segments(store, job.layout.total_bytes)
    return ChunkFiller(renderer, windows, SegmentWriter(job.layout, job.place, segments, b""))


def _fill(filler: ChunkFiller, message: dict[str, int]) -> dict[str, object]:
    chunk = message["chunk"]
    try:
        _inject_fault(chunk)
        filler.fill(message["first"], message["last"])
    except Exception as error:
        return {
            "kind": "failed",
            "chunk": chunk,
            "error": type(error).__name__,
            "text": str(getattr(error, "strerror", None) or error)[:TEXT_LIMIT],
            "trace": traceback.format_exc()[-TEXT_LIMIT:],
        }
    return {"kind": "done", "chunk": chunk, "torch": "torch" in sys.modules}


def _inject_fault(chunk: int) -> None:
    fault = os.environ.get("DUALGAF_FAULT")
    if fault is None:
        return
    kind, number, *flag = fault.split(":")
    if int(number) != chunk or (flag and Path(flag[0]).exists()):
        return
    if flag:
        Path(flag[0]).touch()
    if kind == "exit":
        os._exit(0)
    if kind == "raise":
        raise RuntimeError("a fault on purpose")
    if kind == "hang":
        threading.Event().wait()
    if kind == "memory":
        bytearray(FAULT_BYTES)
        return
    os.kill(os.getpid(), getattr(signal, kind))
