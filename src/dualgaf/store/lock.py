"""`locked`: one holder at a time, over all processes and threads of a machine.

A record lock (``fcntl``) on a file: the kernel frees it when the holder ends, however it ends. It
is asked for again and again instead of waited for, so that a waiter can look around meanwhile. The
holder removes the file as it leaves; whoever got the lock of a removed file starts over.

The lock is of a process, not of an open file as ``flock``'s is: a child that was forked while it
was held does not have it, and does not keep it when the holder is killed. For the same reason it
keeps no two threads apart, and any close of the file in this process would free it. So threads of
this process ask each other first, by the path, before one of them opens the file.

The file says who holds it, for those who wait: on a shared disk that may be another host.
"""

import contextlib
import fcntl
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05
SAID_AFTER_S = 5.0
"""Who waits longer says so once, and for whom."""

log = logging.getLogger(__name__)

_UNKNOWN = "a process that does not say who it is"
_asking = threading.Lock()
_ours: set[str] = set()
"""Locks that a thread of this process has, or asks the system for."""


def _after_fork() -> None:
    global _asking
    _asking = threading.Lock()  # the parent may have held it
    _ours.clear()


os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def locked(path: Path, while_waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock that this file stands for.

    Args:
        path: made where it is not there, for its owner only.
        while_waiting: called before each further try; may raise to give up.

    Raises:
        OSError: the file cannot be made or locked there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder) / "x.lock"):
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['x.lock']
    """
    key, holder = _key(path), os.getpid()
    descriptor = _take(path, while_waiting)
    try:
        yield
    finally:
        # A child that was forked meanwhile, and leaves the block, too, is not the holder.
        if os.getpid() == holder:
            with contextlib.suppress(OSError):  # a folder that was cleared or became read-only
                path.unlink()
            _free(key, descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock now; a file that a killed holder has left counts for nothing.

    Raises:
        OSError: there is a file that cannot be opened.
    """
    try:
        descriptor = _try(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    if descriptor is None:
        return True
    _free(_key(path), descriptor)
    return False


def holder(path: Path) -> str:
    """Who holds a lock, as its file says it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder) / "x.lock") as _:
        ...     holder(Path(folder) / "x.lock")
        'another thread of this process'
    """
    with _asking:
        if _key(path) in _ours:
            return "another thread of this process"
        try:  # not while a thread of this process may take it: to close the file would free it
            return path.read_text(errors="replace")[:200].strip() or _UNKNOWN
        except OSError:
            return _UNKNOWN


def remove_free_lock(path: Path) -> None:
    """Remove a lock file that nobody holds: its holder was killed."""
    with contextlib.suppress(OSError):
        descriptor = _try(path, os.O_RDWR)
        if descriptor is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            _free(_key(path), descriptor)


def _take(path: Path, while_waiting: Callable[[], None] | None) -> int:
    pause, say_at = FIRST_PAUSE_S, time.monotonic() + SAID_AFTER_S
    while True:
        descriptor = _try(path)
        if descriptor is not None:
            _sign(descriptor)
            return descriptor
        if while_waiting is not None:
            while_waiting()
        if time.monotonic() > say_at:
            log.info("waiting since %g s for %s, which %s holds", SAID_AFTER_S, path, holder(path))
            say_at = math.inf
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _sign(descriptor: int) -> None:
    text = f"process {os.getpid()} of {os.uname().nodename}\n".encode()
    with contextlib.suppress(OSError):  # a full disk
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)


def _try(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int | None:
    """The locked file; None where somebody else has it."""
    key, descriptor, taken = _key(path), None, False
    with _asking:
        if key in _ours:
            return None
        _ours.add(key)
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        taken = _is_at(path, os.fstat(descriptor))
    except BlockingIOError:
        pass
    finally:
        if not taken:
            _free(key, descriptor)
    return descriptor if taken else None


def _free(key: str, descriptor: int | None) -> None:
    """Close the file, which frees the lock, before another thread may open it."""
    if descriptor is not None:
        os.close(descriptor)
    with _asking:
        _ours.discard(key)


def _key(path: Path) -> str:
    """One for all ways to write a path; the file itself is not followed."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118


def _is_at(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), found)
    except FileNotFoundError:
        return False
