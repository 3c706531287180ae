"""Limits that Linux control groups set to this process: memory and CPU time, v1 and v2.

A limit of any group from this process up to the root counts: a container's, a pod's, a job's.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

_NO_LIMIT = 1 << 60  # v1 writes "no limit" as about 2^63


def memory_left(root: Path) -> Iterator[tuple[str, int]]:
    """Each memory cgroup with a limit, and the bytes that it leaves, which may be below 0.

    What is left is limit - usage + inactive_file (page cache that the kernel gives back by itself).

    Args:
        root: where ``proc`` and ``sys`` lie; another folder in tests.
    """
    for folder in _folders(root, "memory"):
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
        yield str(folder.relative_to(root)), limit - usage + _inactive_file(folder)


def oom_kills(root: Path) -> int:
    """Processes of this process' memory cgroup that the kernel has ended for want of memory.

    A kill is counted in the group of the victim before it gets its signal, whichever limit was
    reached. 0 where there is no such group.

    Args:
        root: where ``proc`` and ``sys`` lie; another folder in tests.
    """
    for folder in _folders(root, "memory"):
        for name in ("memory.events", "memory.oom_control"):
            if (count := _field(folder / name, "oom_kill")) is not None:
                return count
    return 0


def cpu_quotas(root: Path) -> Iterator[float]:
    """CPUs that each cgroup with a quota allows, such as 1.5.

    Args:
        root: where ``proc`` and ``sys`` lie; another folder in tests.
    """
    for folder in _folders(root, "cpu"):
        quota, period = _cpu_quota(folder)
        if quota > 0:
            yield quota / period


def _folders(root: Path, controller: str) -> Iterator[Path]:
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


def _inactive_file(folder: Path) -> int:
    # v1 has both; the plain line leaves out the child groups, which the usage counts.
    total = _field(folder / "memory.stat", "total_inactive_file")
    return total if total is not None else _field(folder / "memory.stat", "inactive_file") or 0


def _field(path: Path, name: str) -> int | None:
    """The number on the line of this name."""
    try:
        found = re.search(rf"^{name} (\d+)", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


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
