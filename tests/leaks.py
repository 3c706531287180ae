"""What a test of the store or the pool may not leave behind: processes, names, open files."""

import contextlib
import gc
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import psutil


def open_files() -> dict[str, str]:
    """Where each open descriptor of this process points."""
    found = {}
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder
            found[path.name] = str(path.readlink())
    return found


CLOSED_WITHIN_S = 5.0
_held_before: Counter[str] = Counter()
_pages_before: Counter[str] = Counter()


def held_stores() -> list[str]:
    """Shared memory of dualgaf that this test keeps alive, by an open file or a map."""
    return list((_all_held_stores() - _held_before).elements())


def _all_held_stores() -> Counter[str]:
    maps = Path("/proc/self/maps").read_text().splitlines()
    return Counter(link for link in [*open_files().values(), *maps] if "memfd:dualgaf" in link)


def children() -> set[int]:
    """Process ids of all descendants, zombies too."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def shared_names() -> set[str]:
    """Names in /dev/shm."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _left_by_us(names: set[str]) -> set[str]:
    ours = {name for name in names if "dualgaf" in name or "torch" in name}
    return {name for name in ours if not _is_of_another_program(name)}


def _is_of_another_program(name: str) -> bool:
    """Whether a living process that is not of these tests uses a name of torch."""
    found = re.match(r"torch_(\d+)_", name)
    if found is None or int(found[1]) in {os.getpid(), *children()}:
        return False
    return psutil.pid_exists(int(found[1]))


def store_pages() -> Counter[str]:
    """Bytes of stores mapped in this test: ``Rss`` were read, ``Anonymous`` are own copies."""
    return _all_store_pages() - _pages_before


def _all_store_pages() -> Counter[str]:
    found = mapped(os.getpid(), "dualgaf")
    return Counter({key: found[key] for key in ("Rss", "Anonymous")})


def mapped(pid: int, name: str) -> Counter[str]:
    """Bytes of a process' maps whose line holds this name, by field of ``/proc/PID/smaps``."""
    found, ours = Counter[str](), False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        key, *rest = line.split()
        if not key.endswith(":"):
            ours = name in line
        elif ours and rest[-1:] == ["kB"]:
            found[key[:-1]] += int(rest[0]) << 10
    return found


def is_gone(pid: int, within_s: float) -> bool:
    """Whether the process ends (or is a zombie) within this time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def leaves_nothing() -> Iterator[None]:
    """Body of a fixture: compares processes, names and open files before and after a test."""
    resource_tracker.ensure_running()  # multiprocessing keeps it for good once it was used
    files, processes, names = open_files(), children(), shared_names()
    for before, now in ((_held_before, _all_held_stores()), (_pages_before, _all_store_pages())):
        before.clear()
        before.update(now)
    yield
    gc.collect()
    assert children() <= processes, "a child process is left"
    deadline = time.monotonic() + CLOSED_WITHIN_S
    left = shared_names() - names
    while (left := _left_by_us(left & shared_names())) and time.monotonic() < deadline:
        time.sleep(0.05)  # a batch of another program has a name for a moment, too
    assert not left, f"names are left in /dev/shm: {sorted(left)}"
    while len(after := open_files()) > len(files) and time.monotonic() < deadline:
        time.sleep(0.05)  # a thread of a loader may be about to close its pipe
        gc.collect()
    assert len(after) <= len(files), f"files are left open: {set(after.values())}"
