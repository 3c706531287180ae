"""What this machine can give: memory headroom, CPUs, disk, shared memory, huge pages.

Every figure is read when it is asked for, never remembered: another process may take the memory in
the next second. psutil is used here and in `memory_use` only.

Headroom is the least of

1. MemAvailable of the kernel;
2. for each memory cgroup from this process up to the root: limit - usage + inactive_file (page
   cache that the kernel gives back by itself); v1 and v2;
3. what RLIMIT_AS leaves of this process' address space.
"""

import contextlib
import math
import os
import platform
import re
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from dualgaf.errors import ConfigError
from dualgaf.system import cgroups

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_bytes(text: str | int, option: str = "") -> int:
    """Bytes of a text such as ``8GiB``, ``512 MB`` or ``1000``; units are powers of 1024.

    Args:
        text: a size.
        option: where it was typed; empty for no option.

    Raises:
        ConfigError: the text is not a size, or is zero.

    Example:
        >>> parse_bytes("8GiB"), parse_bytes("1.5 kb")
        (8589934592, 1536)
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]?)(i?b)?\s*", str(text).lower())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        place = f"{option}=" if option else ""
        raise ConfigError(
            f"{place}{text!r} is not a size; allowed: a number above 0 and B, KiB, MiB, GiB, TiB; "
            f"type {place}8GiB"
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
    found = [Headroom(_mem_available(root), "MemAvailable")]
    found.extend(Headroom(left, f"cgroup {name}") for name, left in cgroups.memory_left(root))
    found.extend(left for left in process_limits() if left.limited_by == "RLIMIT_AS")
    least = min(found, key=lambda headroom: headroom.bytes)
    return Headroom(max(0, least.bytes), least.limited_by)


def process_limits() -> list[Headroom]:
    """What ``ulimit -v`` (RLIMIT_AS) and ``ulimit -d`` (RLIMIT_DATA) leave; none where unlimited.

    Example:
        >>> all(left.bytes >= 0 for left in process_limits())
        True
    """
    used, found = psutil.Process().memory_info(), []
    for name, taken in (("RLIMIT_AS", used.vms), ("RLIMIT_DATA", getattr(used, "data", 0))):
        soft, _ = resource.getrlimit(getattr(resource, name))
        if soft != resource.RLIM_INFINITY:
            found.append(Headroom(max(0, soft - taken), name))
    return found


def cpu_count(root: Path = Path("/")) -> int:
    """CPUs that this process may use: affinity, and the quota of its cgroups, at least 1."""
    return max(1, math.ceil(min([_cpus_allowed(), *cgroups.cpu_quotas(root)])))


def _cpus_allowed() -> int:
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return affinity or os.cpu_count() or 1


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
    """What this machine offers at the moment of `read`; ``print`` shows it.

    Example:
        >>> machine = Machine.read()
        >>> 1 <= machine.cpus <= machine.cpus_present, machine.headroom.bytes > 0
        (True, True)
    """

    cpus: int
    """CPUs this process may use, by affinity and quota."""
    cpus_allowed: int
    """CPUs of its affinity; more than ``cpus`` where a cgroup has a quota."""
    cpus_present: int
    """CPUs in the machine."""
    memory_total: int
    """Bytes of RAM in the machine."""
    memory_available: int
    """Bytes the kernel could still give; more than the headroom where a limit is set."""
    headroom: Headroom
    """What may still be taken."""
    memlock: int | None
    """Bytes that may be locked in RAM (RLIMIT_MEMLOCK); None without a limit."""
    shm_free: int | None
    """Free bytes of /dev/shm; None where it is missing."""
    thp: str
    """Transparent huge pages of private memory: always, madvise, never, or unknown."""
    shmem_thp: str
    """The same for shared memory; also within_size, advise, deny, force."""
    gives_back: bool
    """A virtual machine that gives free memory back to its host (free page reporting)."""
    kernel: str
    """Kernel version."""
    python: str
    """Python version."""

    @classmethod
    def read(cls) -> Self:
        """Read everything now."""
        root = Path("/")
        pages = root / "sys/kernel/mm/transparent_hugepage"
        locked, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        return cls(
            cpus=cpu_count(),
            cpus_allowed=_cpus_allowed(),
            cpus_present=os.cpu_count() or 1,
            memory_total=psutil.virtual_memory().total,
            memory_available=_mem_available(root),
            headroom=memory_headroom(),
            memlock=None if locked == resource.RLIM_INFINITY else locked,
            shm_free=shm_free(),
            thp=_huge_pages(pages, "enabled"),
            shmem_thp=_huge_pages(pages, "shmem_enabled"),
            gives_back=_reports_free_pages(root),
            kernel=platform.release(),
            python=platform.python_version(),
        )

    def __str__(self) -> str:
        free = "missing" if self.shm_free is None else f"{format_bytes(self.shm_free)} free"
        host = ", given back to the host while it is free" if self.gives_back else ""
        rows = (
            ("CPUs", f"{self.cpus} for this process, of {self.cpus_present} in the machine"),
            ("memory", f"{format_bytes(self.memory_total)} in the machine{host}"),
            ("headroom", f"{format_bytes(self.headroom.bytes)} ({self.headroom.limited_by})"),
            ("/dev/shm", f"{free} (used by loader workers only, not by the store)"),
            ("huge pages", f"private {self.thp}, shared {self.shmem_thp}"),
            ("kernel", self.kernel),
            ("Python", self.python),
        )
        return "\n".join(f"{name:11} {value}" for name, value in rows)


def _mem_available(root: Path) -> int:
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:
        return int(psutil.virtual_memory().available)
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else int(psutil.virtual_memory().available)


def _huge_pages(folder: Path, name: str) -> str:
    """What holds for the large page size: its own choice, or the general one that it inherits."""
    general = _chosen(folder / name)
    try:
        size = int((folder / "hpage_pmd_size").read_text())
    except (OSError, ValueError):
        return general
    own = _chosen(folder / f"hugepages-{size // 1024}kB" / name)
    overruled = own in ("inherit", "unknown") or general in ("deny", "force")
    return general if overruled else own


def _reports_free_pages(root: Path) -> bool:
    """Whether a virtio balloon (device 5) has agreed on free page reporting (feature 5)."""
    for device in (root / "sys/bus/virtio/devices").glob("*"):
        with contextlib.suppress(OSError, ValueError):
            number = int((device / "device").read_text(), 16)
            if number == 5 and (device / "features").read_text()[5:6] == "1":
                return True
    return False


def _chosen(path: Path) -> str:
    try:
        found = re.search(r"\[(\w+)\]", path.read_text())
    except OSError:
        return "unknown"
    return found[1] if found else "unknown"
