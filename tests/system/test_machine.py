"""Sizes as text, headroom from fake and real limits, CPU quota, the memory meter."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dualgaf.errors import ConfigError
from dualgaf.system import machine
from dualgaf.system.machine import (
    Headroom,
    Machine,
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
        "from dualgaf.system.machine import memory_headroom\n"
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
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5} if pid == 0 else {3})
    assert cpu_count(fake.root) == 2


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
    found = Machine.read()
    rows = str(found).splitlines()
    assert [row.split()[0] for row in rows] == [
        "CPUs",
        "memory",
        "headroom",
        "/dev/shm",
        "huge",
        "kernel",
        "Python",
    ]
    other = replace(found, cpus=2, cpus_present=8, shm_free=None, gives_back=True)
    assert "2 for this process, of 8 in the machine" in str(other)
    assert "missing" in str(other)
    assert "given back to the host" in str(other)
    assert "given back" not in str(replace(other, gives_back=False))


def test_what_a_machine_has_is_at_least_what_may_be_used() -> None:
    found = Machine.read()
    assert 1 <= found.cpus <= found.cpus_allowed <= found.cpus_present
    assert 0 < found.memory_available <= found.memory_total
    assert found.memlock is None or found.memlock >= 0


@pytest.mark.parametrize(
    ("general", "size", "own", "expected"),
    [
        ("always [madvise] never", None, None, "madvise"),
        ("always within_size advise [never]", "2097152", "always [inherit] never", "never"),
        ("always within_size advise [never]", "2097152", "inherit [within_size]", "within_size"),
        ("[deny] never", "2097152", "inherit [within_size]", "deny"),
        ("[force] never", "2097152", "inherit [never]", "force"),
        ("always [advise]", "2097152", None, "advise"),
        (None, None, None, "unknown"),
        ("junk", "junk", None, "unknown"),
    ],
)
def test_huge_pages_follow_the_choice_of_their_size_and_what_it_inherits(
    tmp_path: Path, general: str | None, size: str | None, own: str | None, expected: str
) -> None:
    files = {"shmem_enabled": general, "hpage_pmd_size": size}
    for name, text in {**files, "hugepages-2048kB/shmem_enabled": own}.items():
        if text is not None:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
    assert machine._huge_pages(tmp_path, "shmem_enabled") == expected


@pytest.mark.parametrize(
    ("device", "features", "expected"),
    [
        ("0x0005", "0110010100", True),
        ("0x0005", "1111101111", False),  # a balloon that does not report
        ("0x0001", "1111111111", False),  # a network card
        ("junk", "1111111111", False),
        ("0x0005", "", False),
    ],
)
def test_a_balloon_that_reports_free_pages_is_seen(
    fake: FakeMachine, device: str, features: str, expected: bool
) -> None:
    fake.write("sys/bus/virtio/devices/virtio0/device", "0x0002\n")
    fake.write("sys/bus/virtio/devices/virtio3/device", f"{device}\n")
    fake.write("sys/bus/virtio/devices/virtio3/features", f"{features}\n")
    assert machine._reports_free_pages(fake.root) is expected


def test_a_machine_without_virtio_reports_nothing(tmp_path: Path) -> None:
    assert machine._reports_free_pages(tmp_path) is False
