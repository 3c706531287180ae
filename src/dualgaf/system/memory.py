"""Memory of this process and its descendants: `memory_used` now, `MemoryMeter` at most."""

import contextlib
import os
import re
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

_LIBRARY = re.compile(r"\.so(\.|$)")
SAMPLE_S = 0.02


class MemoryMeter:
    """Peak of extra memory while its block runs: private memory of the process tree and a store.

    A thread samples every 20 ms the anonymous resident memory (statm: resident less shared) of this
    process and its descendants, and adds the bytes that ``store_bytes`` reports. Shared-memory
    pages are thereby counted once, however many processes map them. A sample takes a fraction of a
    millisecond; where it takes more, the pause grows to five times its cost.

    Args:
        store_bytes: bytes that the store has taken so far.

    Example:
        >>> with MemoryMeter(lambda: 1000) as meter:
        ...     pass
        >>> meter.peak_bytes >= 1000
        True
    """

    def __init__(self, store_bytes: Callable[[], int]) -> None:
        self.peak_bytes = 0
        self._store_bytes = store_bytes
        self._start = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dualgaf-memory", daemon=True)

    def __enter__(self) -> Self:
        self._start = _private_bytes_of_tree()
        with contextlib.suppress(RuntimeError):  # no thread to be had: the end is seen at least
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        with contextlib.suppress(OSError):
            self._sample()

    def _run(self) -> None:
        pause_s = SAMPLE_S
        while not self._stop.wait(pause_s):
            # processor time, not wall time: a busy machine must not make the meter miss the peak
            began_s = time.thread_time()
            with contextlib.suppress(OSError):  # no open file to be had: the next may be luckier
                self._sample()
            pause_s = max(SAMPLE_S, 5 * (time.thread_time() - began_s))

    def _sample(self) -> None:
        # Memory that others in this process give back meanwhile must not hide the store.
        private = max(0, _private_bytes_of_tree() - self._start)
        self.peak_bytes = max(self.peak_bytes, private + self._store_bytes())


def memory_used() -> int:
    """Bytes of RAM that this process and its descendants take now, each page counted once.

    That is private memory, programs and libraries, and shared memory: what is mapped, or what is
    held open where that is more (a store that was filled and not read yet). Pages of other files,
    such as a store on disk, are not counted: the kernel drops them by itself.

    Example:
        >>> memory_used() > 2**20
        True
    """
    private = shared = 0
    held: dict[int, int] = {}
    for process in _tree():
        with contextlib.suppress(psutil.Error, OSError):
            pss = _pss(process)
            private += pss["Anon"] + _program_bytes(process)
            shared += pss["Shmem"]
            held.update(_open_memfds(process))
    return private + max(shared, sum(held.values()))


def private_bytes() -> int:
    """Bytes that this process alone takes now, and that a second one like it would take again.

    Example:
        >>> 2**20 < private_bytes()
        True
    """
    return _anonymous_bytes(os.getpid())


def _tree() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def _private_bytes_of_tree() -> int:
    return sum(map(_anonymous_bytes, _pids_of_tree()))


def _pids_of_tree() -> list[int]:
    """This process and all descendants, from the kernel's own lists: psutil reads every process."""
    found = [os.getpid()]
    if not Path(f"/proc/self/task/{found[0]}/children").exists():  # a kernel without them
        return [process.pid for process in _tree()]
    for pid in found:
        with contextlib.suppress(OSError):  # it has just ended
            for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  # twice as fast
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                found.extend(map(int, text.split()))
    return found


def _anonymous_bytes(pid: int) -> int:
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    except FileNotFoundError:  # not Linux, or a process that has just ended
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(pid).memory_full_info().uss)
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()


def _pss(process: psutil.Process) -> dict[str, int]:
    """Proportional share of a process in bytes: ``Anon`` and ``Shmem``."""
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except FileNotFoundError:  # not Linux, or a process that has just ended
        return {"Anon": int(process.memory_full_info().uss), "Shmem": 0}
    found = dict(re.findall(r"^Pss_(\w+):\s+(\d+) kB", text, re.MULTILINE))
    return {kind: int(found.get(kind, 0)) * 1024 for kind in ("Anon", "Shmem")}


def _program_bytes(process: psutil.Process) -> int:
    """Its share of the pages of programs and libraries; psutil takes ten times as long for it."""
    program, total, counts = process.exe(), 0, False
    for line in Path(f"/proc/{process.pid}/smaps").read_text().splitlines():
        key, _, rest = line.partition(" ")
        if not key.endswith(":"):
            path = rest.split(maxsplit=4)[4:]
            counts = bool(path) and (path[0] == program or bool(_LIBRARY.search(path[0])))
        elif counts and key in ("Pss:", "Anonymous:"):
            kib = int(rest.split()[0])
            total += kib if key == "Pss:" else -kib
    return max(0, total * 1024)


def _open_memfds(process: psutil.Process) -> dict[int, int]:
    """Inode -> bytes of the anonymous shared memory that a process holds open."""
    found = {}
    for path in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder
            if str(path.readlink()).startswith("/memfd:"):
                status = path.stat()
                found[status.st_ino] = status.st_blocks * 512
    return found
