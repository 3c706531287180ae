"""Programs of a test start out of a process that has loaded torch and Lightning already.

``python train.py`` takes seconds to import them, and the suite starts it a hundred times. A server
imports them once, without using them, and forks for each program: `start` gives what
`subprocess.Popen` would. The program runs as ``__main__`` of a session of its own, with its own
arguments, folder, environment and output, and its exit is the interpreter's.

Not for tests of what is imported, of variables that are read while it is (``OMP_NUM_THREADS``), and
of faults: what a process has inherited is read from ``/proc``, where a fork shows its server's.
"""

import atexit
import functools
import json
import os
import runpy
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRAIN = str(ROOT / "train.py")
MODULE = ("-m", "dualgaf")


class Program:
    """A running program: the part of `subprocess.Popen` that tests use. Its pid leads a group."""

    def __init__(self, request: dict[str, object]) -> None:
        reading, writing = os.pipe()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(_server())
        socket.send_fds(self._socket, [json.dumps(request).encode()], [writing])
        os.close(writing)
        self.stdout = os.fdopen(reading, encoding="utf-8", errors="replace")
        self.pid = int(self._socket.recv(64))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, negative where a signal ended it."""
        if self.returncode is None:
            if not select.select([self._socket], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("program", timeout or 0.0)
            self.returncode = int(self._socket.recv(64))
            self._socket.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """All that it still says, and its end."""
        while not select.select([self.stdout], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("program", timeout or 0.0)
        with self.stdout:
            output = self.stdout.read()
        self.wait(timeout)
        return output, None


def start(*arguments: str, cwd: Path, program: Sequence[str] = (TRAIN,)) -> Program:
    """``python PROGRAM ARGUMENTS`` in a folder, with this process's environment."""
    return Program(
        {"argv": [*program, *arguments], "cwd": str(cwd), "environment": dict(os.environ)}
    )


def run(
    *arguments: str, cwd: Path, program: Sequence[str] = (TRAIN,), status: int | None = 0
) -> str:
    """What it says, output and errors; its status must be ``status``, or any where that is None."""
    process = start(*arguments, cwd=cwd, program=program)
    output, _ = process.communicate()
    assert status in (None, process.returncode), f"status {process.returncode}\n{output}"
    return output


@functools.cache
def _server() -> str:
    folder = tempfile.TemporaryDirectory(prefix="dualgaf-tests-")
    path = f"{folder.name}/socket"
    server = subprocess.Popen(
        [sys.executable, __file__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
    print("ready", flush=True)
    running = 0
    while listener in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _accompany(connection)
        connection.close()
        running += 1
        while running and os.waitpid(-1, os.WNOHANG)[0]:
            running -= 1
    for _ in range(running):
        os.wait()
    return None


def _accompany(connection: socket.socket) -> list[str]:
    """Fork the program, tell its number and later its status; returns in the program only."""
    message, (output,), *_ = socket.recv_fds(connection, 1 << 20, 1)
    request = json.loads(message)
    program = os.fork()
    if program:
        os.close(output)
        connection.send(str(program).encode())
        _, status = os.waitpid(program, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    connection.close()
    os.setsid()
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    return list(request["argv"])


def _load() -> None:
    """What every run of train.py imports, at its start and on its way."""
    from hydra.core.plugins import Plugins

    import dualgaf.training.run  # noqa: F401
    from dualgaf.imaging.compiled import gather_kernel, kernel

    kernel(), gather_kernel(), Plugins.instance()


def _main() -> None:
    _load()
    argv = _serve(sys.argv[1])
    if argv is None:
        return
    search = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if argv[0] == "-m":
        sys.argv, sys.path = argv[1:], [str(Path.cwd()), *search, *sys.path[1:]]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path = argv, [str(Path(argv[0]).parent), *search, *sys.path[1:]]
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    _main()
