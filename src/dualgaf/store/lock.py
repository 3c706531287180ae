"""`locked`: one holder at a time, over all processes and threads of a machine.

``flock`` on a file: the kernel frees it when the holder ends, however it ends. It is asked for
again and again instead of waited for, so that a waiter can look around meanwhile. The holder
removes the file as it leaves; whoever got the lock of a removed file starts over.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05


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
    descriptor = _take(path, while_waiting)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a folder that was cleared or became read-only
            path.unlink()
        # Freed by name: a child that was forked meanwhile holds the descriptor, too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


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
    os.close(descriptor)
    return False


def remove_free_lock(path: Path) -> None:
    """Remove a lock file that nobody holds: its holder was killed."""
    with contextlib.suppress(OSError):
        descriptor = _try(path, os.O_RDWR)
        if descriptor is not None:
            path.unlink()
            os.close(descriptor)


def _take(path: Path, while_waiting: Callable[[], None] | None) -> int:
    pause = FIRST_PAUSE_S
    while True:
        descriptor = _try(path)
        if descriptor is not None:
            return descriptor
        if while_waiting is not None:
            while_waiting()
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _try(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int | None:
    """The locked file; None where somebody else has it."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, os.fstat(descriptor)):
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_at(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), found)
    except FileNotFoundError:
        return False
