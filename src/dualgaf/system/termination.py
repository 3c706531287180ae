"""`stoppable`: a build that is told to end ends in order.

SIGTERM's default action ends a process at once. While a build runs it raises SystemExit(143)
instead, so that workers are ended and the cache's journal is closed. Only where nobody else has a
handler: Lightning installs its own later, and a user's stays.

A rank whose launcher is gone would build on for nobody: the launcher's end reaches the other ranks
only where they next talk to it. So it looks for its parent between two chunks.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STATUS = 128 + signal.SIGTERM
"""Exit status of a process that SIGTERM ended."""


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
