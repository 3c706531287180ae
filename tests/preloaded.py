"""Programs of a test start out of a process that has loaded torch and Lightning already.

``python train.py`` takes seconds to import them, and the suite starts it a hundred times. A server
imports them once, without using them, and forks for each program: `start` gives what
`subprocess.Popen` would. The program runs as ``__main__`` of a session of its own, with its own
arguments, folder, environment and output, and its exit is the interpreter's. The ranks that it
starts need no import either where the test says how many those are, see `spares`.

Not for tests of what is imported, of variables that are read while it is (``OMP_NUM_THREADS``), and
of the memory of a process: it shares pages with the server.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import IO, Any, BinaryIO

import spares

ROOT = Path(__file__).resolve().parents[1]
TRAIN = str(ROOT / "train.py")
MODULE = ("-m", "dualgaf")


class Program:
    """A running program: the part of `subprocess.Popen` that tests use. Its pid leads a group."""

    stdin: BinaryIO | None = None

    def __init__(self, request: dict[str, object], into: IO[str] | None) -> None:
        reading, writing = os.pipe()
        files = [into.fileno() if into else writing]
        if request["listens"]:
            listening, speaking = os.pipe()
            files.append(listening)
            self.stdin = os.fdopen(speaking, "wb", buffering=0)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(server())
        socket.send_fds(self._socket, [json.dumps(request).encode()], files)
        for file in {writing, *files[1:]}:
            os.close(file)
        self.stdout = os.fdopen(reading, "rb", buffering=0)
        self.pid = int(self._socket.recv(64))
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        """To this process alone, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, negative where a signal ended it."""
        if self.returncode is None:
            if not select.select([self._socket], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("program", timeout or 0.0)
            self.returncode = int(self._socket.recv(64))
            self._socket.close()
        return self.returncode

    def poll(self) -> int | None:
        """Exit status, None while it runs."""
        if self.returncode is None and select.select([self._socket], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """All that it still says, and its end."""
        ends_at = None if timeout is None else time.monotonic() + timeout
        parts = []
        while True:
            left = None if ends_at is None else max(0.0, ends_at - time.monotonic())
            if not select.select([self.stdout], [], [], left)[0]:
                raise subprocess.TimeoutExpired("program", timeout or 0.0)
            parts.append(os.read(self.stdout.fileno(), 1 << 16))
            if not parts[-1]:
                break
        self.stdout.close()
        self.wait(timeout)
        return b"".join(parts).decode(errors="replace"), None


def start(
    *arguments: str,
    cwd: Path,
    program: Sequence[str] = (TRAIN,),
    others: int = 0,
    listens: bool = False,
    into: IO[str] | None = None,
) -> Program:
    """``python PROGRAM ARGUMENTS`` in a folder, with this process's environment.

    It starts ``others`` processes with the same Python, such as its ranks. It has an input where it
    ``listens``, and writes to its ``stdout`` or ``into`` a file.
    """
    request = {
        "argv": [*program, *arguments],
        "cwd": str(cwd),
        "environment": dict(os.environ),
        "others": others,
        "listens": listens,
    }
    return Program(request, into)


def run(
    *arguments: str, cwd: Path, program: Sequence[str] = (TRAIN,), status: int | None = 0
) -> str:
    """What it says, output and errors; its status must be ``status``, or any where that is None."""
    process = start(*arguments, cwd=cwd, program=program)
    output, _ = process.communicate()
    assert status in (None, process.returncode), f"status {process.returncode}\n{output}"
    return output


@functools.cache
def server() -> str:
    """Where it listens; started at the first call, for this process."""
    folder = tempfile.TemporaryDirectory(prefix="dualgaf-tests-")
    path = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, __file__, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROOM": " " * 65536},  # see _show_environment
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"

    @atexit.register
    def end() -> None:
        server.communicate()  # closes its standard input
        folder.cleanup()

    return path


def _serve(path: str) -> list[str] | None:
    """The arguments, in the process of a program; None in the server when its parent is gone."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking.fileno())
    running: dict[int, socket.socket] = {}
    print("ready", flush=True)
    while sys.stdin not in (ready := select.select([listener, woken, sys.stdin], [], [])[0]):
        if listener in ready:
            connection, _ = listener.accept()
            message, files, *_ = socket.recv_fds(connection, 1 << 20, 2)
            if (program := os.fork()) == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (listener, woken, waking, connection, *running.values()):
                    each.close()
                return _become(json.loads(message), *files)
            for file in files:
                os.close(file)
            connection.send(str(program).encode())
            running[program] = connection
        if woken in ready:
            woken.recv(1 << 16)
            while running and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                with running.pop(ended[0]) as connection, contextlib.suppress(OSError):
                    connection.send(str(os.waitstatus_to_exitcode(ended[1])).encode())
    return None


def _become(request: dict[str, Any], output: int, listening: int | None = None) -> list[str]:
    """Make this process one of its own, as a shell would; the program's arguments.

    Returns in the processes that wait beside it, too, when they are asked for.
    """
    os.setsid()
    if listening is None:
        listening = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((listening, 0), (output, 1), (output, 2)):
        os.dup2(file, number)
    os.close(listening)
    os.close(output)
    _take_place(request)
    if request["others"] and (asked := spares.keep(request["others"])):
        _take_place(asked)
        return list(asked["argv"])
    return list(request["argv"])


def _take_place(request: dict[str, Any]) -> None:
    """The folder and the environment of a request; what Lightning has read of it at its import."""
    from lightning.fabric.utilities.rank_zero import _get_rank, rank_zero_only

    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    _show_environment()
    rank_zero_only.rank = _get_rank() or 0


def _show_environment() -> None:
    """Write the environment where ``/proc/PID/environ`` shows that of the server.

    By it the tests of faults find what a test has started, and its orphans.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    block = b"".join(name + b"=" + value + b"\0" for name, value in os.environb.items())
    assert len(block) <= end - start
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, block, len(block))


def _load() -> None:
    """What every run of train.py imports, at its start and on its way, and its compiled code."""
    from hydra.core.plugins import Plugins
    from matplotlib.figure import Figure

    import dualgaf.training.run  # noqa: F401
    from dualgaf.imaging.compiled import gather_kernel
    from dualgaf.imaging.gaf import dual_gaf

    dual_gaf([[[0.0, 1.0]]]), gather_kernel(), Plugins.instance()
    figure = Figure()
    figure.subplots().set_title("fonts")
    figure.savefig(io.BytesIO())
    gc.collect()
    gc.freeze()  # a program looks through what is its own, and copies no page of the rest


def _main() -> None:
    _load()
    argv = _serve(sys.argv[1])
    if argv is None:
        return
    search = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if argv[0] == "-m":
        sys.argv, sys.path = argv[1:], [str(Path.cwd()), *search, *sys.path[1:]]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    elif argv[0] == "-c":
        sys.argv, sys.path = [argv[0], *argv[2:]], ["", *search, *sys.path[1:]]
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(argv[1], main.__dict__)
    else:
        sys.argv, sys.path = argv, [str(Path(argv[0]).parent), *search, *sys.path[1:]]
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    _main()
