"""What every test of a fault has: the oracle afterwards, and a place in the table of faults.

The oracle: no process that the test started is alive, however its parent ended; no shared memory of
dualgaf is held by one; no name is left in /dev/shm, no open file in this process. Programs that a
test starts inherit an environment variable, by which they and their orphans are found. (``Shmem``
of the machine would count every program of everybody; shared memory without a name lives only as
long as a process holds it.)

``pytest tests/faults --fault-report FILE`` writes what was injected, survived and skipped.
"""

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import fault_report
import leaks
import preloaded

MARK = "DUALGAF_TEST_RUN"
GONE_WITHIN_S = 10.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    fault_report.tell(item, report)
    return report


@pytest.fixture
def injected(request) -> Callable[[int], None]:
    """Call it with how many faults the test injects; one where it is not called."""

    def count(times: int) -> None:
        request.node.injected_times = times

    return count


@pytest.fixture(autouse=True, scope="session")
def _server() -> None:
    """It is there before a test, and after it."""
    preloaded.server()


@pytest.fixture(autouse=True)
def _oracle(monkeypatch) -> Iterator[None]:
    here = leaks.leaves_nothing()
    next(here)
    run = secrets.token_hex(8)
    monkeypatch.setenv(MARK, run)
    yield
    deadline = time.monotonic() + GONE_WITHIN_S
    while (alive := started_by(run)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive, f"processes are left: {alive}"
    for _ in here:
        pass


def started_by(run: str) -> dict[int, str]:
    """Processes that a test started, themselves or through others, and what they are."""
    found = {}
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(MARK) == run
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(process.cmdline())[:200]
        except (psutil.Error, OSError):
            continue
    return found


@pytest.fixture
def memory_group() -> Iterator[Callable[[int], Path]]:
    """Makes memory cgroups of so many bytes, without swap; enter by their ``cgroup.procs``.

    The test is skipped where none can be made.
    """
    made: list[Path] = []
    first = re.search(r"^\d+:memory:(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    # In v2 a group that holds processes can have no children, so it is made below the root.
    base = Path(f"/sys/fs/cgroup/memory{first[1]}" if first else "/sys/fs/cgroup")

    def make(limit_bytes: int) -> Path:
        limit = str(limit_bytes)
        needed, swap = (
            ({"memory.limit_in_bytes": limit}, {"memory.memsw.limit_in_bytes": limit})
            if first
            else ({"memory.max": limit}, {"memory.swap.max": "0"})
        )
        folder = base / f"dualgaf-test-{secrets.token_hex(4)}"
        try:
            folder.mkdir()
            made.append(folder)
            for name, value in {**needed, **swap}.items():
                if name in needed or (folder / name).exists():
                    (folder / name).write_text(value)
        except OSError as error:
            pytest.skip(f"no memory cgroup can be made here: {error}")
        return folder

    yield make
    for folder in made:
        _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
