"""What every test of a fault has: the oracle afterwards, and a place in the table of faults.

The oracle: no process that the test started is alive, however its parent ended; no shared memory of
dualgaf is held by one; no name is left in /dev/shm, no open file in this process. Programs that a
test starts inherit an environment variable, by which they and their orphans are found. (``Shmem``
of the machine would count every program of everybody; shared memory without a name lives only as
long as a process holds it.)

``pytest tests/faults --fault-report FILE`` writes what was injected, survived and skipped.
"""

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest

import leaks
import preloaded
from dualgaf.bench.results import machine
from fault_rows import FAULTS

MARK = "DUALGAF_TEST_RUN"
GONE_WITHIN_S = 10.0

_counts: dict[int, dict[str, int]] = {}
_skipped: dict[int, list[str]] = {}
_tests: dict[int, set[str]] = {}


def pytest_addoption(parser):
    parser.addoption("--fault-report", type=Path, help="JSON file for what was injected")


def pytest_terminal_summary(terminalreporter, config):
    if not _tests:
        return
    injected = sum(row["injected"] for row in _counts.values())
    survived = sum(row["survived"] for row in _counts.values())
    skipped = sum(map(len, _skipped.values()))
    terminalreporter.write_line(
        f"faults: {injected} injected, {survived} survived, {skipped} tests skipped"
    )
    for number, reasons in sorted(_skipped.items()):
        for reason in reasons:
            terminalreporter.write_line(f"faults: row {number} skipped: {reason}")
    report = config.getoption("fault_report", None)  # not there unless this folder was named
    if report is not None:
        rows = {
            number: {
                "injected": _counts.get(number, {}).get("injected", 0),
                "survived": _counts.get(number, {}).get("survived", 0),
                "skipped": _skipped.get(number, []),
                "tests": sorted(_tests[number]),
            }
            for number in sorted(_tests)
        }
        told = {"date": date.today().isoformat(), "rows": rows, "machine": machine()}
        report.write_text(json.dumps(told, indent=1) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    marker = item.get_closest_marker("fault")
    if marker is None:
        return report
    for number in marker.args:
        assert number in FAULTS, f"fault {number} is not in tests/fault_rows.py"
        _tests.setdefault(number, set()).add(item.nodeid.partition("[")[0])
        row = _counts.setdefault(number, {"injected": 0, "survived": 0})
        if report.skipped:
            reason = (
                report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            )
            _skipped.setdefault(number, []).append(
                f"{item.name}: {reason.removeprefix('Skipped: ')}"
            )
        elif report.when == "call":
            times = getattr(item, "injected_times", 1)
            row["injected"] += times
            item.survived_times = times if report.passed else 0
        elif report.when == "teardown" and report.passed:  # the oracle is content, too
            row["survived"] += getattr(item, "survived_times", 0)
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
