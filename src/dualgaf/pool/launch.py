"""Starting a worker program, and what is left of it when it ends.

``python -m dualgaf.pool DESCRIPTOR`` is started like any other program, not by multiprocessing:
that works from a notebook, from a script on stdin, without a ``__main__`` guard, and in a daemonic
process; it needs no named semaphore.
"""

import contextlib
import os
import signal
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dualgaf.errors import PoolError

LAST_WORDS_BYTES = 4000


@dataclass(eq=False)
class Program:
    """A started worker."""

    process: subprocess.Popen[bytes]
    """The process."""
    channel: socket.socket
    """Our end of the socket pair."""
    stderr: IO[bytes]
    """What it wrote to stderr."""

    def last_words(self) -> str:
        """The last lines that it wrote to stderr; read them when it has ended."""
        size = self.stderr.seek(0, os.SEEK_END)
        self.stderr.seek(max(0, size - LAST_WORDS_BYTES))
        return self.stderr.read().decode(errors="replace").strip()

    def close(self) -> None:
        """Give back what is held here; the process must have been waited for."""
        self.channel.close()
        self.stderr.close()


def launch() -> Program:
    """Start a worker; it says hello on the channel when it is ready.

    Raises:
        PoolError: the system refuses the process, a socket or a file.
    """
    with contextlib.ExitStack() as undo:
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.callback(ours.close)
            with theirs:
                stderr = undo.enter_context(_nameless_file())
                process = subprocess.Popen(
                    [*_command(), str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env=_environment(),
                )
        except OSError as error:
            raise PoolError(f"a worker process cannot be started: {error}") from error
        undo.pop_all()
    return Program(process, ours, stderr)


def ending(status: int) -> str:
    """How a process ended, from its exit status.

    Example:
        >>> ending(-9), ending(1)
        ('killed by SIGKILL', 'ended with exit status 1')
    """
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def _nameless_file() -> IO[bytes]:
    try:
        return os.fdopen(os.memfd_create("dualgaf-stderr", os.MFD_CLOEXEC), "w+b")
    except (OSError, AttributeError):
        return tempfile.TemporaryFile()


def _command() -> list[str]:
    if not sys.executable:
        raise PoolError("the path of the Python interpreter is not known (sys.executable is empty)")
    # -P: a folder with a numpy.py in it must not be where a worker imports from.
    return [sys.executable, "-P", "-X", "faulthandler", "-m", "dualgaf.pool"]


def _environment() -> dict[str, str]:
    single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    environment = {**os.environ, **single}
    package = Path(__file__).resolve().parents[2]
    # An installed package is found anyway, and PYTHONPATH comes before the standard library: a
    # backport named like a module of it (enum, typing) would hide that in the worker.
    found = {
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        site.getusersitepackages(),
    }
    if package not in {Path(folder).resolve() for folder in found}:
        path = [str(package), os.environ.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    return environment
