"""How many faults were injected and survived: told after the tests, kept with --fault-report.

Each report of a test carries its own counts, so they arrive from another process of the suite too.
"""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from fault_rows import FAULTS

PROPERTY = "fault"


class FaultReport:
    """What was injected, by row of ``tests/fault_rows.py``; a plugin of pytest."""

    def __init__(self, output: Path | None) -> None:
        self.output = output
        self.rows: dict[int, dict] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add what one phase of a test tells."""
        for told in (value for name, value in report.user_properties if name == PROPERTY):
            row = self.rows.setdefault(
                told["row"], {"injected": 0, "survived": 0, "skipped": [], "tests": set()}
            )
            row["tests"].add(told["test"])
            row["skipped"] += told["skipped"]
            row["injected"] += told["injected"]
            row["survived"] += told["survived"]

    def pytest_terminal_summary(self, terminalreporter) -> None:
        """One line, one for each skipped test, and the file that was asked for."""
        if not self.rows:
            return
        total = {
            key: sum(row[key] for row in self.rows.values()) for key in ("injected", "survived")
        }
        skipped = sum(len(row["skipped"]) for row in self.rows.values())
        terminalreporter.write_line(
            f"faults: {total['injected']} injected, {total['survived']} survived, "
            f"{skipped} tests skipped"
        )
        for number, row in sorted(self.rows.items()):
            for reason in row["skipped"]:
                terminalreporter.write_line(f"faults: row {number} skipped: {reason}")
        if self.output is not None:
            from dualgaf.bench.results import machine  # not at every start of pytest

            rows = {
                number: row | {"tests": sorted(row["tests"])}
                for number, row in sorted(self.rows.items())
            }
            told = {"date": date.today().isoformat(), "rows": rows, "machine": machine()}
            self.output.write_text(json.dumps(told, indent=1) + "\n")


def tell(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put what this phase of a test injected, survived or skipped into its report."""
    times, injected, survived, skipped = getattr(item, "injected_times", 1), 0, 0, []
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        skipped = [f"{item.name}: {reason.removeprefix('Skipped: ')}"]
    elif report.when == "call":
        injected = times
        item.passed = report.passed
    elif report.when == "teardown" and report.passed:  # the oracle is content, too
        survived = times if getattr(item, "passed", False) else 0
    for number in _rows(item):
        assert number in FAULTS, f"fault {number} is not in tests/fault_rows.py"
        told = {"row": number, "test": item.nodeid.partition("[")[0], "skipped": skipped}
        report.user_properties.append(
            (PROPERTY, told | {"injected": injected, "survived": survived})
        )


def _rows(item: pytest.Item) -> Iterator[int]:
    marker = item.get_closest_marker("fault")
    return iter(() if marker is None else marker.args)
