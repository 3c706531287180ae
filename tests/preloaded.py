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
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO

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
    *arguments: str,
    cwd: Path,
    program: Sequence[str] = (TRAIN,),
    others: int = 0,
    status: int | None = 0,
) -> str:
    """What it says, output and errors; its status must be ``status``, or any where that is None."""
    process = start(*arguments, cwd=cwd, program=program, others=others)
    output, _ = process.communicate()
    assert status in (None, process.returncode), f"status {process.returncode}\n{output}"
    return output


@functools.cache
def server() -> str:
    """Where it listens; started at the first call, for this process."""
    folder = tempfile.TemporaryDirectory(prefix="dualgaf-tests-")
    path = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("preloaded_server.py"), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROOM": " " * 65536},  # for the environment of each program
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"

    @atexit.register
    def end() -> None:
        server.communicate()  # closes its standard input
        folder.cleanup()

    return path
