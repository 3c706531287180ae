"""Processes that a program keeps ready, to become what it starts with the same Python.

Lightning, torchrun and ``ddp_spawn`` start their ranks as new interpreters, each of which imports
torch and Lightning. A program of `preloaded` that is to start some forks as many of itself before
it does anything: they are its children, of its session, and wait. What starts a rank hands its
arguments, folder, environment and open files to the next one. All else stays as it was: exit
status, signals, and who is whose parent. One that is never asked ends with the program.

They do not have what the program does to itself later: mounts, limits, filters.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

PASSED_FILES_FROM = 512
"""Descriptors come here first, so that none is where another one has to be."""
_waiting: list[tuple[int, socket.socket]] = []


def keep(count: int) -> dict[str, Any] | None:
    """Have so many processes wait. In one of them: what it is asked to become; else None."""
    for _ in range(count):
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if (pid := os.fork()) == 0:
            for _, other in _waiting:
                other.close()
            _waiting.clear()
            here.close()
            return _wait(there)
        there.close()
        _waiting.append((pid, here))
    _ask_where_ranks_are_started()
    return None


def _wait(asked: socket.socket) -> dict[str, Any]:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    message, files, *_ = socket.recv_fds(asked, 1 << 20, 200)
    if not message:  # the program has ended
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asked.close()
    request: dict[str, Any] = json.loads(message)
    high = [fcntl.fcntl(file, fcntl.F_DUPFD, PASSED_FILES_FROM) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(high, request["files"], strict=True):
        os.dup2(file, number)
        os.close(file)
    if request["new_session"]:
        os.setsid()
    return request


def _ask(
    argv: Sequence[str],
    cwd: str | None,
    environment: dict[str, str] | None,
    files: Sequence[int] = (),
    new_session: bool = False,
) -> int | None:
    """Pid of the process that becomes this one; None where none waits any more."""
    if not _waiting:
        return None
    pid, connection = _waiting.pop(0)
    request = {
        "argv": [*argv],
        "cwd": cwd or os.getcwd(),  # noqa: PTH109
        "environment": dict(os.environ if environment is None else environment),
        "files": [*files],
        "new_session": new_session,
    }
    with connection:
        socket.send_fds(connection, [json.dumps(request).encode()], [*files])
    return pid


class Rank(subprocess.Popen[Any]):
    """`subprocess.Popen` of this Python: a process that waits becomes it."""

    def __init__(
        self,
        args: Sequence[str],
        *,
        env: dict[str, str],
        cwd: str | None = None,
        stdout: None = None,
        stderr: None = None,
        start_new_session: bool = False,
    ) -> None:
        assert args[0] == sys.executable
        assert (stdout, stderr) == (None, None)
        words = args[2:] if args[1] == "-u" else args[1:]
        self._asked = (words, cwd, env, (), start_new_session)
        super().__init__(args, env=env, cwd=cwd, start_new_session=start_new_session)

    def _execute_child(self, *arguments: Any) -> None:
        pid = _ask(*self._asked)
        if pid is None:
            super()._execute_child(*arguments)  # type: ignore[misc]
        else:
            self.pid, self._child_created = pid, True


def _ask_where_ranks_are_started() -> None:
    from multiprocessing import util

    from lightning.pytorch.strategies.launchers import subprocess_script
    from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

    spawn = util.spawnv_passfds

    def spawnv_passfds(path: Any, args: Sequence[Any], passfds: Sequence[int]) -> int:
        pid = None
        if "--multiprocessing-fork" in args:  # else it is multiprocessing's tracker
            pid = _ask(args[args.index("-c") :], None, None, sorted(passfds))
        return spawn(path, args, passfds) if pid is None else pid

    util.spawnv_passfds = spawnv_passfds
    subprocess_script.subprocess = SimpleNamespace(Popen=Rank)
    subprocess_handler.Popen = Rank
