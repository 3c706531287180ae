"""What a program does when it is told to end: SIGTERM, and SIGINT, which Ctrl-C sends.

`stop_on_signals` is for a whole program: both signals raise `Stopped` in the main thread. So what
is under way is wound up, and the exit status is that of the signal. A second signal while that
lasts ends the program at once. In a job of SLURM the same holds for SIGUSR1, which says that its
time is nearly over.

`stoppable` is for a build in a program that has no such handler. SIGTERM's default action ends a
process at once. While a build runs it raises SystemExit(143) instead, so that workers are ended and
the cache's journal is closed. Only where nobody else has a handler: a user's stays.

Of several ranks of a training the first decides, and ends those that it has started. These ignore
both signals: where one of them ended by itself, the others would wait for it. A rank whose launcher
is gone would build on for nobody, so it looks for its parent between two chunks.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from types import FrameType
from typing import Any

STATUS = 128 + signal.SIGTERM
"""Exit status of a process that SIGTERM ended."""
REQUEUE = signal.SIGUSR1
"""What ``sbatch --signal=USR1@SECONDS`` sends before a job of SLURM is out of time."""
SIGNALS = (
    *(signal.SIGINT, signal.SIGTERM),
    *([REQUEUE] if "SLURM_JOB_ID" in os.environ else []),
)
"""Those that ask a program to end."""
FIRST_RANK = "DUALGAF_FIRST_RANK"
"""Variable with the process id of the rank that has started this one."""
ENDS_WITH = "DUALGAF_ENDS_WITH"
"""Variable with the process id of the program that has started this one and is to end it."""
LOOKS_EVERY_S = 0.5
"""Between two looks for that program."""
AGAIN_AFTER_S = 1.0
"""A signal that comes so long after the first is a second one, not another copy of it."""

_first: "tuple[Stopped, float] | None" = None
_watching = 0
"""Process in which signals raise; one that it has forked is another."""


class Stopped(SystemExit):
    """A signal has told this program to end; its exit status is 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    def __str__(self) -> str:
        if self.number == signal.SIGINT:
            return "interrupted"
        return f"ended by {signal.Signals(self.number).name}"


def stop_on_signals() -> None:
    """Raise `Stopped` in this thread, which must be the main one, when a signal comes.

    Ranks and workers that another process of this program has started ignore both signals from
    here on; that one ends them. SIGINT stays ignored where the parent wanted it so, as a shell does
    for what runs in the background.
    """
    global _first, _watching
    ours = parent_process() is None and not is_started_rank()
    _first, _watching = None, os.getpid()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop if ours else _ignore)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # see `signals_held_back`
    starter = os.environ.pop(ENDS_WITH, None)  # what is started from here has another
    if starter is not None:
        threading.Thread(target=_end_with, args=(int(starter),), daemon=True).start()


def _end_with(starter: int) -> None:
    """SIGTERM to this process when who has started it is gone, killed before it could say so."""
    while os.getppid() == starter:
        time.sleep(LOOKS_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)


def is_started_rank() -> bool:
    """Whether the first rank has started this process; a launcher such as torchrun has not."""
    return os.environ.get(FIRST_RANK) == str(os.getppid())


def check_stopped() -> None:
    """Raise `Stopped` again where the first was lost: Python drops it in a destructor, say."""
    if _first is not None and os.getpid() == _watching:
        raise _first[0]


@contextmanager
def stops_before_errors() -> Iterator[None]:
    """A block in which an error that comes after a signal is `Stopped`.

    Where `Stopped` passes through code of others it may become something else: what they have half
    done raises an error of its own, or they end the program with a status of theirs.
    """
    try:
        yield
    except (Exception, SystemExit):
        check_stopped()
        raise


@contextmanager
def signals_held_back() -> Iterator[None]:
    """A block in which neither signal reaches this thread, nor a process that is started in it.

    What comes meanwhile arrives at the end of the block. A process that was started keeps them back
    until its own `stop_on_signals`, so that none ends it before; one that is forked until it
    unblocks `SIGNALS`: Python drops a signal that comes while it forks, the system does not.
    """
    # Another thread does not block them, and a handler runs in the main thread whoever gets one.
    came: list[int] = []
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler is not None and handler is not signal.SIG_IGN:
                handlers[number] = signal.signal(number, lambda number, frame: came.append(number))
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for each in came:
            signal.raise_signal(each)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """SIGTERM raises SystemExit(143) inside the block, if this is the main thread.

    Yields:
        A check to call between two steps: it raises SystemExit(143) in a rank (``LOCAL_RANK`` above
        0) whose parent is gone.

    Example:
        >>> with stoppable() as check:
        ...     check()
    """
    parent = os.getppid()
    is_rank = os.environ.get("LOCAL_RANK", "0") != "0"

    def check() -> None:
        if is_rank and os.getppid() != parent:
            raise SystemExit(STATUS)
        check_stopped()

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if ours:
        signal.signal(signal.SIGTERM, _exit)
    try:
        yield check
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(STATUS)


def _stop(number: int, frame: FrameType | None) -> None:
    global _first
    if os.getpid() != _watching:
        os._exit(128 + number)  # a worker that was forked: its parent sees to the rest
    if _first is None:
        _first = Stopped(number), time.monotonic()
        raise _first[0]
    if time.monotonic() - _first[1] > AGAIN_AFTER_S:
        os._exit(128 + number)  # workers and ranks end with their parent


def _ignore(number: int, frame: FrameType | None) -> None:
    """A function, so that processes that are started from here have the default action again."""
