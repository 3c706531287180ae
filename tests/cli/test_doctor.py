"""Advice for made-up machines: each rule on its own, none for a good machine; the real one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dualgaf.cli import facts as facts_module
from dualgaf.cli.advice import WIDTH, advise
from dualgaf.cli.doctor import report
from dualgaf.cli.facts import Facts
from dualgaf.system.machine import Headroom, Machine

GIB = 2**30

MACHINE = Machine(
    cpus=8,
    cpus_allowed=8,
    cpus_present=8,
    memory_total=64 * GIB,
    memory_available=60 * GIB,
    headroom=Headroom(60 * GIB, "MemAvailable"),
    memlock=None,
    shm_free=32 * GIB,
    thp="madvise",
    shmem_thp="within_size",
    gives_back=False,
    kernel="6.18",
    python="3.11",
)
GOOD = Facts(
    MACHINE, broken="", kernel_cache=Path("cache"), disk_folder=True, omp_wait_policy="PASSIVE"
)


def facts(**changes: Any) -> Facts:
    own = {name: changes.pop(name) for name in list(changes) if hasattr(GOOD, name)}
    return replace(GOOD, machine=replace(MACHINE, **changes), **own)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"thp": "always", "shmem_thp": "always"},
        {"thp": "unknown", "shmem_thp": "unknown"},
        {"omp_wait_policy": ""},  # train.py sets it
        {"headroom": Headroom(59 * GIB, "cgroup pod")},  # a limit that hardly limits
        {"cpus": 2, "cpus_allowed": 2, "cpus_present": 2},
        {"broken": "", "memlock": 65536},
    ],
    ids=str,
)
def test_a_good_machine_gets_no_advice(changes: dict[str, Any]) -> None:
    found = facts(**changes)
    assert advise(found) == ()
    assert report(found).endswith("no setting of this machine is known to make it faster")


SHMEM = "echo within_size | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled"
ONE = [
    ({"shmem_thp": "never"}, "huge pages of shared memory", "shmem_enabled=never", SHMEM),
    ({"shmem_thp": "advise"}, "huge pages of shared memory", "shmem_enabled=advise", SHMEM),
    (
        {"thp": "never"},
        "huge pages of private memory",
        "enabled=never",
        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
    ),
    ({"gives_back": True}, "free memory of this virtual machine", "given back", "on the host: "),
    ({"cpus": 2}, "CPU quota", "allows 2 of 8 CPUs", "docker run --cpus=8"),
    (
        {"cpus": 2, "cpus_allowed": 2},
        "CPU affinity",
        "may use 2 of 8 CPUs",
        "taskset -c 0-7 python train.py",
    ),
    (
        {"cpus": 1, "cpus_allowed": 1, "cpus_present": 1},
        "number of CPUs",
        "1 in the machine",
        "nothing here",
    ),
    (
        {"headroom": Headroom(4 * GIB, "cgroup sys/fs/cgroup/pod")},
        "memory limit",
        "4.00 GiB left (cgroup sys/fs/cgroup/pod), 60.00 GiB available",
        "docker run --memory=60g",
    ),
    (
        {"headroom": Headroom(4 * GIB, "RLIMIT_AS")},
        "memory limit",
        "4.00 GiB left (RLIMIT_AS)",
        "ulimit -v unlimited",
    ),
    ({"shm_free": 64 << 20}, "/dev/shm", "64.00 MiB free", "--shm-size=2g"),
    ({"shm_free": None}, "/dev/shm", "missing", "datamodule.num_workers=0"),
    (
        {"broken": "needs NumPy 2.0", "kernel_cache": None},
        "compiled kernels",
        "needs NumPy 2.0",
        "pip install --upgrade --force-reinstall numba",
    ),
    (
        {"kernel_cache": None},
        "cache of the compiled kernels",
        "can be written",
        "export NUMBA_CACHE_DIR=FOLDER",
    ),
    ({"disk_folder": False}, "temporary folder", "lie in memory", "export TMPDIR=FOLDER"),
    (
        {"omp_wait_policy": "active"},
        "waiting threads",
        "OMP_WAIT_POLICY=active",
        "unset OMP_WAIT_POLICY",
    ),
]


@pytest.mark.parametrize(("changes", "setting", "now", "typed"), ONE, ids=str)
def test_one_bad_setting_gives_its_own_advice_and_no_other(
    changes: dict[str, Any], setting: str, now: str, typed: str
) -> None:
    (advice,) = advise(facts(**changes))
    assert advice.setting == setting
    assert now in advice.now
    assert advice.type_this.startswith(typed) or f" {typed}" in advice.type_this
    assert any(word in advice.gain for word in ("instead of", "times", "26 GB/s", "no speed"))
    assert advice.cost


@pytest.mark.parametrize(
    ("changes", "root"), [({"shmem_thp": "never"}, True), ({"cpus": 2}, False)]
)
def test_advice_that_needs_root_says_so(changes: dict[str, Any], root: bool) -> None:
    (advice,) = advise(facts(**changes))
    assert ("needs root" in advice.cost) is root
    assert ("sudo" in advice.type_this) is root


def test_all_that_is_bad_is_told_and_the_largest_gain_comes_first() -> None:
    changes: dict[str, Any] = {}
    for one, *_ in ONE:
        changes |= one
    found = advise(facts(**changes))
    settings = [advice.setting for advice in found]
    assert settings[:2] == ["compiled kernels", "huge pages of shared memory"]
    assert len(settings) == len(set(settings)) == 9


def test_the_report_shows_facts_then_advice_in_lines_of_a_terminal() -> None:
    text = report(facts(shmem_thp="never", memlock=8 << 20))
    assert text.index("CPUs") < text.index("what would make this machine faster (1)")
    assert "memlock     8.00 MiB" in text
    assert SHMEM in text  # in one line, so that it can be copied
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    for name in ("now", "type", "gain", "cost"):
        assert f"\n    {name:5} " in text


def test_facts_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    found = Facts.read()
    assert found.broken == ""
    assert found.kernel_cache is None or found.kernel_cache.is_dir()
    assert found.omp_wait_policy == "ACTIVE"
    assert "waiting threads" in {advice.setting for advice in advise(found)}
    monkeypatch.setattr(facts_module, "is_in_memory", lambda folder: True)
    assert not Facts.read().disk_folder
    assert "OMP_WAIT_POLICY=ACTIVE" in report(found)
