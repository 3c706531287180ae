"""Every cgroup with a limit is seen, from this process up to the root; v1, v2, and damage."""

from pathlib import Path

import pytest

from dualgaf.system import cgroups


def write(root: Path, path: str, text: str | int) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def test_memory_of_each_group_from_the_own_one_upwards(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/pod/job")
    for folder, limit, usage in (("pod/job", 900, 100), ("pod", 500, 600), (".", "max", 700)):
        write(tmp_path, f"sys/fs/cgroup/{folder}/memory.max", limit)
        write(tmp_path, f"sys/fs/cgroup/{folder}/memory.current", usage)
    write(tmp_path, "sys/fs/cgroup/pod/memory.stat", "anon 5\ninactive_file 30")
    found = list(cgroups.memory_left(tmp_path))
    # 900 - 100; 500 - 600 + 30 is overdrawn; the root has no limit
    assert found == [("sys/fs/cgroup/pod/job", 800), ("sys/fs/cgroup/pod", -70)]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("cpu.max", "150000 100000", [1.5]),
        ("cpu.max", "max 100000", []),
        ("cpu.max", "junk", []),
        ("cpu.max", "150000 100000 7", []),
    ],
)
def test_quotas_of_version_two(tmp_path: Path, file: str, text: str, expected: list[float]) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/job")
    write(tmp_path, f"sys/fs/cgroup/job/{file}", text)
    assert list(cgroups.cpu_quotas(tmp_path)) == expected


def test_quotas_of_version_one_with_and_without_a_limit(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "3:cpu,cpuacct:/a/b")
    for folder, quota in (("a/b", -1), ("a", 50000)):
        write(tmp_path, f"sys/fs/cgroup/cpu,cpuacct/{folder}/cpu.cfs_quota_us", quota)
        write(tmp_path, f"sys/fs/cgroup/cpu,cpuacct/{folder}/cpu.cfs_period_us", 100000)
    assert list(cgroups.cpu_quotas(tmp_path)) == [0.5]


def test_a_system_without_cgroups_has_no_limits(tmp_path: Path) -> None:
    assert list(cgroups.memory_left(tmp_path)) == []
    assert list(cgroups.cpu_quotas(tmp_path)) == []


@pytest.mark.parametrize(
    ("line", "file", "text"),
    [
        ("0::/job", "job/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 1"),
        ("4:memory:/job", "memory/job/memory.oom_control", "oom_kill_disable 0\noom_kill 2"),
        ("0::/elsewhere", "memory.events", "oom_kill 2"),  # only the container's root is mounted
    ],
)
def test_kills_of_the_own_group_are_counted(
    tmp_path: Path, line: str, file: str, text: str
) -> None:
    write(tmp_path, "proc/self/cgroup", line)
    write(tmp_path, f"sys/fs/cgroup/{file}", text)
    assert cgroups.oom_kills(tmp_path) == 2


def test_without_a_count_there_are_no_kills(tmp_path: Path) -> None:
    assert cgroups.oom_kills(tmp_path) == 0
    write(tmp_path, "proc/self/cgroup", "4:memory:/job\n0::/")
    write(tmp_path, "sys/fs/cgroup/memory/job/memory.oom_control", "under_oom 0")  # before 4.13
    assert cgroups.oom_kills(tmp_path) == 0


def test_a_colon_is_part_of_the_path(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/cgroup", "0::/job:7")
    write(tmp_path, "sys/fs/cgroup/job:7/cpu.max", "150000 100000")
    assert list(cgroups.cpu_quotas(tmp_path)) == [1.5]
