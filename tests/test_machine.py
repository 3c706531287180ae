"""Sizes as text, headroom from fake and real limits, CPU quota, the memory meter."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dualgaf import machine
from dualgaf.errors import ConfigError
from dualgaf.machine import (
    Headroom,
    Machine,
    MemoryMeter,
    cpu_count,
    disk_free,
    format_bytes,
    memory_headroom,
    parse_bytes,
    shm_free,
)

GIB = 2**30
MIB = 2**20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8GiB", 8 * GIB),
        ("8gb", 8 * GIB),
        ("8G", 8 * GIB),
        (" 512 MB ", 512 * MIB),
        ("1.5k", 1536),
        (".5KiB", 512),
        ("2TiB", 2 * 2**40),
        ("1000", 1000),
        ("7B", 7),
        (4096, 4096),
    ],
)
def test_parse_bytes(text: str | int, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("junk", ["", "GiB", "8 GiX", "-1GiB", "1e9", "eight", "1 2", "8GiB!", "0"])
def test_parse_bytes_refuses_junk(junk: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bytes(junk)
    assert str(caught.value).startswith(f"{junk!r} is not a size; allowed: a number")


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (5 * MIB, "5.00 MiB"),
        (8 * GIB, "8.00 GiB"),
        (3 * 2**40, "3.00 TiB"),
        (5000 * 2**40, "5000.00 TiB"),
    ],
)
def test_format_bytes(n: int, expected: str) -> None:
    assert format_bytes(n) == expected


@pytest.mark.parametrize("n", [1, 700, 1024, 3 * MIB, 8 * GIB, 2 * 2**40])
def test_format_then_parse_is_the_identity(n: int) -> None:
    assert parse_bytes(format_bytes(n)) == n


class FakeMachine:
    """A tree with ``proc`` and ``sys`` under a temporary folder."""

    def __init__(self, root: Path, available: int = 100 * GIB) -> None:
        self.root = root
        self.write("proc/meminfo", f"MemTotal: 1 kB\nMemAvailable: {available // 1024} kB\n")

    def write(self, path: str, text: str | int) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}")

    def cgroup(self, folder: str, **files: str | int) -> None:
        for name, text in files.items():
            name = name.replace("memory_", "memory.").replace("cpu_", "cpu.")
            self.write(f"sys/fs/cgroup/{folder}/{name}", text)


@pytest.fixture
def fake(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_headroom_without_cgroups_is_mem_available(fake: FakeMachine) -> None:
    assert memory_headroom(fake.root) == Headroom(100 * GIB, "MemAvailable")


def test_headroom_of_cgroup_v2(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "0::/job\n")
    fake.cgroup(
        "job",
        memory_max=4 * GIB,
        memory_high="max",
        memory_current=3 * GIB,
        memory_stat=f"anon 5\ninactive_file {GIB}\nactive_file 9\n",
    )
    assert memory_headroom(fake.root) == Headroom(2 * GIB, "cgroup sys/fs/cgroup/job")


def test_memory_high_counts_as_a_limit(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "0::/job\n")
    fake.cgroup("job", memory_max=9 * GIB, memory_high=5 * GIB, memory_current=3 * GIB)
    assert memory_headroom(fake.root).bytes == 2 * GIB


def test_the_limit_of_a_parent_counts(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "0::/pod/job/inner\n")
    fake.cgroup("pod", memory_max=2 * GIB, memory_current=GIB)
    fake.cgroup("pod/job", memory_max="max", memory_current=GIB)
    fake.cgroup("pod/job/inner", memory_max=8 * GIB, memory_current=GIB // 2)
    assert memory_headroom(fake.root) == Headroom(GIB, "cgroup sys/fs/cgroup/pod")


def test_headroom_of_cgroup_v1(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "9:cpu,cpuacct:/other\n4:memory:/a/b\n0::/x\n")
    fake.cgroup("memory", memory_limit_in_bytes=9223372036854771712, memory_usage_in_bytes=7 * GIB)
    fake.cgroup(
        "memory/a",
        memory_limit_in_bytes=3 * GIB,
        memory_usage_in_bytes=2 * GIB,
        memory_stat=f"inactive_file 4096\nactive_file 7\ntotal_inactive_file {GIB // 2}\n",
    )
    fake.cgroup("memory/a/b", memory_limit_in_bytes=9223372036854771712, memory_usage_in_bytes=GIB)
    # The group's usage holds that of its children: their page cache counts too.
    assert memory_headroom(fake.root) == Headroom(3 * GIB // 2, "cgroup sys/fs/cgroup/memory/a")


def test_in_a_container_the_mounted_root_counts(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "4:memory:/docker/0123abcd\n")
    fake.cgroup("memory", memory_limit_in_bytes=2 * GIB, memory_usage_in_bytes=GIB)
    assert memory_headroom(fake.root) == Headroom(GIB, "cgroup sys/fs/cgroup/memory")


def test_an_overdrawn_cgroup_leaves_nothing(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "0::/job\n")
    fake.cgroup("job", memory_max=GIB, memory_current=2 * GIB)
    assert memory_headroom(fake.root).bytes == 0


def test_damaged_cgroup_files_are_no_limit(fake: FakeMachine) -> None:
    fake.write("proc/self/cgroup", "0::/job\n")
    fake.cgroup("job", memory_max="junk", memory_current="", memory_stat="")
    assert memory_headroom(fake.root).limited_by == "MemAvailable"


def test_headroom_without_proc(tmp_path: Path) -> None:
    assert memory_headroom(tmp_path / "nothing").bytes > 0


def test_address_space_limit_counts() -> None:
    code = (
        "import resource\n"
        "from dualgaf.machine import memory_headroom\n"
        "free = memory_headroom().bytes\n"
        "assert free > 2**30, free\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "found = memory_headroom()\n"
        "print(found.limited_by, 0 < found.bytes < 2**30)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["RLIMIT_AS", "True"]


def test_own_machine_has_headroom() -> None:
    found = memory_headroom()
    assert found.bytes > 0
    assert found.limited_by


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 8)],
)
def test_cpu_quota_of_cgroup_v2(
    fake: FakeMachine, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    fake.write("proc/self/cgroup", "0::/pod/job\n")
    fake.cgroup("pod", cpu_max=quota)
    fake.cgroup("pod/job", cpu_max="max 100000")
    assert cpu_count(fake.root) == expected


@pytest.mark.parametrize(("quota", "expected"), [(300000, 3), (-1, 8), (50000, 1)])
def test_cpu_quota_of_cgroup_v1(
    fake: FakeMachine, monkeypatch: pytest.MonkeyPatch, quota: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    fake.write("proc/self/cgroup", "3:cpu,cpuacct:/job\n")
    fake.cgroup("cpu,cpuacct/job", cpu_cfs_quota_us=quota, cpu_cfs_period_us=100000)
    assert cpu_count(fake.root) == expected


def test_cpu_affinity_counts(fake: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert cpu_count(fake.root) == 1


def test_cpu_count_without_affinity(fake: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpu_count(fake.root) == 1


def test_free_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert disk_free(tmp_path) > 0

    def refuse(folder: Path) -> int:
        raise FileNotFoundError(folder)

    monkeypatch.setattr(machine, "disk_free", refuse)
    assert shm_free() is None


def test_memory_folders_are_told_from_disks(tmp_path: Path) -> None:
    if not os.path.ismount("/dev/shm"):
        pytest.skip("/dev/shm is not mounted here")
    assert machine.is_in_memory(Path("/dev/shm"))
    assert not machine.is_in_memory(Path("/proc"))
    assert not machine.is_in_memory(Path("/"))


def test_machine_prints_what_it_offers() -> None:
    rows = str(Machine.read()).splitlines()
    assert [row.split()[0] for row in rows] == [
        "CPUs",
        "memory",
        "headroom",
        "/dev/shm",
        "huge",
        "kernel",
        "Python",
    ]
    assert "missing" in str(Machine(1, GIB, Headroom(GIB, "MemAvailable"), None, "", "", "", ""))


def test_unreadable_huge_page_setting_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "enabled"
    assert machine._chosen(file) == "unknown"
    file.write_text("always [madvise] never")
    assert machine._chosen(file) == "madvise"


SIZE = 64 * MIB


def test_meter_sees_memory_of_this_process() -> None:
    with MemoryMeter(lambda: 0) as meter:
        block = np.ones(SIZE, dtype=np.uint8)
        time.sleep(0.3)
        del block
    assert 0.9 * SIZE < meter.peak_bytes < 1.5 * SIZE


def test_meter_sees_memory_of_a_child() -> None:
    code = (
        "import sys, numpy as np\n"
        f"block = np.ones({SIZE}, dtype=np.uint8)\n"
        "print('up', flush=True)\nsys.stdin.read()\n"
    )
    with MemoryMeter(lambda: 0) as meter:
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.3)
        child.communicate()
    # The child's interpreter and NumPy are its own memory too.
    assert 0.9 * SIZE < meter.peak_bytes < SIZE + 64 * MIB


def test_meter_adds_the_store_and_keeps_the_peak() -> None:
    sizes = iter([10 * MIB, 900 * MIB, 10 * MIB])
    meter = MemoryMeter(lambda: next(sizes, 0))
    with meter:
        time.sleep(0.4)
    assert 850 * MIB < meter.peak_bytes < 1000 * MIB


def test_meter_ends_its_thread_when_the_block_raises() -> None:
    meter = MemoryMeter(lambda: 0)
    with pytest.raises(KeyError), meter:
        raise KeyError("x")
    assert not meter._thread.is_alive()
