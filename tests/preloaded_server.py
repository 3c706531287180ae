"""The process out of which `preloaded` has programs forked; what it does in them, too."""

import contextlib
import ctypes
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import spares


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

    import dualgaf.training.run

    with contextlib.suppress(ImportError):
        import dualgaf.search.tune  # noqa: F401
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
