"""A plugin of pytest: which tests run, how each ends and, on demand, which lines it touches.

It is copied into a folder of its own and loaded by name, so that tests of another build see no
module of this package. The variable ``MUTANTS`` names the files it reads and writes:

    log       a line of JSON for each step of a test
    wanted    the tests to run, in this order; without it all that were collected
    coverage  where the touched lines go, by test; without it nothing is measured
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_options: dict[str, str] = json.loads(os.environ["MUTANTS"])
_log = Path(_options["log"]).open("a", buffering=1)  # noqa: SIM115, closed at the end
_coverage = None


def _untrace_numba() -> None:
    """numba compiles five times as slowly while lines are traced, and runs none of them."""
    try:
        from numba.core.dispatcher import Dispatcher
    except ImportError:
        return
    compile_traced = Dispatcher.compile

    def compile_untraced(dispatcher: Any, signature: Any) -> Any:
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return compile_traced(dispatcher, signature)
        finally:
            sys.settrace(tracer)
            _called()

    Dispatcher.compile = compile_untraced


def _called() -> None:
    """A tracer that was set anew takes over at the next call."""


if "coverage" in _options:  # before conftest.py imports what is measured
    import coverage

    _coverage = coverage.Coverage(
        data_file=_options["coverage"], source=[str(Path("src").resolve())], config_file=False
    )
    # pytest makes errors of warnings
    _unheard = ["no-data-collected", "module-not-imported", "module-not-measured", "no-ctracer"]
    _coverage.set_option("run:disable_warnings", _unheard)
    _coverage.start()
    _untrace_numba()


def _write(**line: Any) -> None:
    _log.write(json.dumps(line) + "\n")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "wanted" not in _options:
        return
    wanted = json.loads(Path(_options["wanted"]).read_text())
    place = {test: index for index, test in enumerate(wanted)}
    others = [item for item in items if item.nodeid not in place]
    items[:] = sorted(
        (item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid]
    )
    config.hook.pytest_deselected(items=others)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _write(test=item.nodeid, step="start")
    if _coverage is not None:
        _coverage.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        if _coverage is not None:
            _coverage.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _write(test=report.nodeid, step=report.when, outcome=report.outcome, seconds=report.duration)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _write(test=report.nodeid, step="collect", outcome="failed", seconds=0.0)


def pytest_unconfigure() -> None:
    _log.close()


def pytest_sessionfinish() -> None:
    if _coverage is not None:
        _coverage.stop()
        _coverage.save()
