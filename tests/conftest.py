"""Fixtures that more than one test folder uses."""

import gc
import os
import re
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

import fault_report
import leaks

ROOT = Path(__file__).resolve().parents[1]

NEEDS = {
    "torch": r"^(import torch|from (torch|lightning|dualgaf\.(data|models|training|inference)))",
    "aeon": r"^from dualgaf\.series(\.archive)? import .*[aA]rchive",
}
"""What a file of tests imports that cannot be collected without a package, see `make pythons`."""
_MISSING = [package for package in NEEDS if find_spec(package) is None]
_left_out: set[str] = set()

# As train.py does, before a test loads torch; see dualgaf/training/config.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The networks of the tests are small: a second thread waits more than it works, above all where the
# suite runs in two processes, or beside another job.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that runs the suite in the background ignores Ctrl-C, and so would every program that the
# suite starts: those that are interrupted on purpose would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The first example of a kernel compiles it, so no example has a deadline. The same examples in each
# run: `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("search", deadline=None, max_examples=500)
settings.load_profile("suite")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out files that need a package which is not installed."""
    if not _MISSING or collection_path.suffix != ".py" or not collection_path.is_file():
        return None
    text = collection_path.read_text()
    if any(re.search(NEEDS[package], text, re.MULTILINE) for package in _MISSING):
        _left_out.add(collection_path.name)
        return True
    return None


def pytest_report_collectionfinish() -> list[str]:
    """Which files that were."""
    if not _left_out:
        return []
    return [f"{len(_left_out)} files need {' or '.join(_MISSING)}, which is not installed: "
            f"{', '.join(sorted(_left_out))}"]  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to write what was injected, see tests/fault_report.py."""
    parser.addoption("--fault-report", type=Path, help="JSON file for what was injected")


def pytest_configure(config: pytest.Config) -> None:
    """Count the faults that tests report."""
    config.pluginmanager.register(fault_report.FaultReport(config.getoption("fault_report")))


def pytest_collection_finish() -> None:
    """What imports and the tests themselves hold, a million objects, is not looked through again.

    The garbage collector did that hundreds of times, half a second each: after each module, and at
    the end of each training. Nothing that a test makes is among them.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """With ``-n 2``, one process takes all faults, one after the other, and each file goes to one.

    Faults look at what the machine holds, and take its memory. A test elsewhere looks at its own
    process and at what that has started. What tests of a file share is made once, not in both
    processes. (``--dist loadgroup`` of pytest-xdist 3.8 groups nothing with pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class FaultsInOne(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "faults" if nodeid.startswith("tests/faults/") else nodeid.partition("::")[0]

    return FaultsInOne(config, log)


@pytest.fixture(autouse=True, scope="module")
def _garbage_of_other_modules() -> None:
    """A Trainer and its loaders refer to each other; what they hold is freed before a module."""
    gc.collect()


@pytest.fixture(autouse=True, scope="session")
def _live_stores_of_these_tests(tmp_path_factory) -> None:
    """Stores of other programs of this user are not found, nor do they find those of the tests."""
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("runtime"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the project; its tests are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets (../shared/data) are not here")
    return folder


@pytest.fixture
def leaves_nothing() -> Iterator[None]:
    """For tests that fork or write into shared memory: no process, name or open file is left."""
    yield from leaks.leaves_nothing()
