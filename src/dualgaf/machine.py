"""What this machine can give: memory headroom, CPUs, disk, shared memory, huge pages.

Every figure is read when it is asked for, never remembered: another process may take the memory in
the next second. psutil is used here and nowhere else.

Headroom is the least of

1. MemAvailable of the kernel;
2. for each memory cgroup from this process up to the root: limit - usage + inactive_file (page
   cache that the kernel gives back by itself); v1 and v2;
3. what RLIMIT_AS leaves of this process' address space.
"""

import contextlib
import os
import platform
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from dualgaf.errors import ConfigError

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_NO_LIMIT = 1 << 60  # cgroup v1 writes "no limit" as about 2^63
SAMPLE_S = 0.02


def parse_bytes(text: str | int) -> int:
    """Bytes of a text such as ``8GiB``, ``512 MB`` or ``1000``; units are powers of 1024.

    Raises:
        ConfigError: the text is not a size, or is zero.

    Example:
        >>> parse_bytes("8GiB"), parse_bytes("1.5 kb")
        (8589934592, 1536)
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]?)(i?b)?\s*", str(text).lower())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise ConfigError(
            f"{text!r} is not a size; allowed: a number above 0 and B, KiB, MiB, GiB, TiB; "
            "type 8GiB"
        )
    return size


def format_bytes(n: float) -> str:
    """A size for people, in powers of 1024.

    Example:
        >>> format_bytes(1536), format_bytes(12)
        ('1.50 KiB', '12 B')
    """
    if n < 1024:
        return f"{int(n)} B"
    for unit in ("KiB", "MiB", "GiB"):
        n /= 1024
        if n < 1024:
            return f"{n:.2f} {unit}"
    return f"{n / 1024:.2f} TiB"


@dataclass(frozen=True)
class Headroom:
    """Memory that may still be taken, and what sets the limit."""

    bytes: int
    """At least 0."""
    limited_by: str
    """``MemAvailable``, the cgroup's path, or ``RLIMIT_AS``."""


def memory_headroom(root: Path = Path("/")) -> Headroom:
    """Memory that this process may still take right now.

    Args:
        root: where ``proc`` and ``sys`` lie; another folder in tests.

    Returns:
        The least of all limits.

    Example:
        >>> memory_headroom().bytes > 0
        True
    """
    found = [Headroom(_mem_available(root), "MemAvailable"), *_cgroup_headrooms(root)]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        found.append(Headroom(soft - psutil.Process().memory_info().vms, "RLIMIT_AS"))
    least = min(found, key=lambda headroom: headroom.bytes)
    return Headroom(max(0, least.bytes), least.limited_by)


def cpu_count(root: Path = Path("/")) -> int:
    """CPUs that this process may use: affinity, and the quota of its cgroups, at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cpus = float(affinity or os.cpu_count() or 1)
    for folder in _cgroup_folders(root, "cpu"):
        quota, period = _cpu_quota(folder)
        if quota > 0:
            cpus = min(cpus, quota / period)
    return max(1, int(-(-cpus // 1)))


def shm_free() -> int | None:
    """Free bytes of /dev/shm; None where there is none."""
    try:
        return disk_free(Path("/dev/shm"))
    except OSError:
        return None


def disk_free(folder: Path) -> int:
    """Bytes that an ordinary user may still write into this folder's file system."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def is_in_memory(folder: Path) -> bool:
    """Whether files of this folder take memory, not disk (tmpfs); many systems mount /tmp so."""
    folder = folder.resolve()
    mounts = [
        (len(Path(part.mountpoint).parts), part.fstype)
        for part in psutil.disk_partitions(all=True)
        if folder.is_relative_to(part.mountpoint)
    ]
    # The longest mount point holds the folder; of several on one point the last hides the others.
    deepest = max((depth for depth, _ in mounts), default=0)
    kinds = [kind for depth, kind in mounts if depth == deepest]
    return bool(kinds) and kinds[-1] in ("tmpfs", "ramfs")


@dataclass(frozen=True)
class Machine:
    """What this machine offers at the moment of `read`; ``print`` shows it."""

    cpus: int
    """CPUs this process may use."""
    memory_total: int
    """Bytes of RAM in the machine."""
    headroom: Headroom
    """What may still be taken."""
    shm_free: int | None
    """Free bytes of /dev/shm; None where it is missing."""
    thp: str
    """Transparent huge pages of private memory: always, madvise, never, or unknown."""
    shmem_thp: str
    """The same for shared memory."""
    kernel: str
    """Kernel version."""
    python: str
    """Python version."""

    @classmethod
    def read(cls) -> Self:
        """Read everything now."""
        pages = Path("/sys/kernel/mm/transparent_hugepage")
        return cls(
            cpus=cpu_count(),
            memory_total=psutil.virtual_memory().total,
            headroom=memory_headroom(),
            shm_free=shm_free(),
            thp=_chosen(pages / "enabled"),
            shmem_thp=_chosen(pages / "shmem_enabled"),
            kernel=platform.release(),
            python=platform.python_version(),
        )

    def __str__(self) -> str:
        free = "missing" if self.shm_free is None else f"{format_bytes(self.shm_free)} free"
        rows = (
            ("CPUs", f"{self.cpus} for this process"),
            ("memory", f"{format_bytes(self.memory_total)} in the machine"),
            ("headroom", f"{format_bytes(self.headroom.bytes)} ({self.headroom.limited_by})"),
            ("/dev/shm", f"{free} (used by loader workers only, not by the store)"),
            ("huge pages", f"private {self.thp}, shared {self.shmem_thp}"),
            ("kernel", self.kernel),
            ("Python", self.python),
        )
        return "\n".join(f"{name:11} {value}" for name, value in rows)


class MemoryMeter:
    """Peak of extra memory while its block runs: private memory of the process tree and a store.

    A thread samples every 20 ms the private resident memory (Pss_Anon of smaps_rollup) of this
    process and its descendants, and adds the bytes that ``store_bytes`` reports. Shared-memory
    pages are thereby counted once, however many processes map them. Where a sample is slow (many
    processes, much memory), the pause grows to five times its cost.

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
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        pause_s = SAMPLE_S
        while not self._stop.wait(pause_s):
            # processor time, not wall time: a busy machine must not make the meter miss the peak
            began_s = time.thread_time()
            self._sample()
            pause_s = max(SAMPLE_S, 5 * (time.thread_time() - began_s))

    def _sample(self) -> None:
        # Memory that others in this process give back meanwhile must not hide the store.
        private = max(0, _private_bytes_of_tree() - self._start)
        self.peak_bytes = max(self.peak_bytes, private + self._store_bytes())


def _private_bytes_of_tree() -> int:
    me = psutil.Process()
    total = 0
    for process in [me, *me.children(recursive=True)]:
        with contextlib.suppress(psutil.Error, OSError):
            total += _private_bytes(process)
    return total


def _private_bytes(process: psutil.Process) -> int:
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except FileNotFoundError:  # not Linux, or a process that has just ended
        return int(process.memory_full_info().uss)
    found = re.search(r"^Pss_Anon:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _mem_available(root: Path) -> int:
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return int(psutil.virtual_memory().available)
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else int(psutil.virtual_memory().available)


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The cgroup of this process and every one above it, v2 and v1."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    top = root / "sys/fs/cgroup"
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            base = top
        elif controller in controllers.split(","):
            base = top / controller if (top / controller).is_dir() else top / controllers
        else:
            continue
        own = base / path.lstrip("/")
        # In a container the path may be the host's, and only its root is mounted here.
        folder = own if own.is_dir() else base
        while True:
            yield folder
            if folder == base or base not in folder.parents:
                break
            folder = folder.parent


def _cgroup_headrooms(root: Path) -> Iterator[Headroom]:
    for folder in _cgroup_folders(root, "memory"):
        limits = [
            _number(folder / name)
            for name in ("memory.max", "memory.high", "memory.limit_in_bytes")
        ]
        limit = min((n for n in limits if n is not None), default=None)
        usage = _number(folder / "memory.current")
        if usage is None:
            usage = _number(folder / "memory.usage_in_bytes")
        if limit is None or limit >= _NO_LIMIT or usage is None:
            continue
        spare = limit - usage + _inactive_file(folder)
        yield Headroom(spare, f"cgroup {folder.relative_to(root)}")


def _inactive_file(folder: Path) -> int:
    try:
        text = (folder / "memory.stat").read_text()
    except OSError:
        return 0
    # v1 has both; the plain line leaves out the child groups, which the usage counts.
    found = re.search(r"^total_inactive_file (\d+)", text, re.MULTILINE) or re.search(
        r"^inactive_file (\d+)", text, re.MULTILINE
    )
    return int(found[1]) if found else 0


def _cpu_quota(folder: Path) -> tuple[float, float]:
    with contextlib.suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return (0.0, 1.0) if quota == "max" else (float(quota), float(period))
    quota_us = _number(folder / "cpu.cfs_quota_us")
    period_us = _number(folder / "cpu.cfs_period_us")
    if quota_us is None or not period_us:
        return 0.0, 1.0
    return float(quota_us), float(period_us)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
        return int(text)
    except (OSError, ValueError):  # "max" is no limit
        return None


def _chosen(path: Path) -> str:
    try:
        found = re.search(r"\[(\w+)\]", path.read_text())
    except OSError:
        return "unknown"
    return found[1] if found else "unknown"
