"""The tests that touch a line: one run of each suite, in batches that are kept."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from benchmarks.mutants.running import Ended, Runner
from benchmarks.mutants.trees import Tree

NOT_MEASURED = ("tests/faults/", "tests/fuzz/", "tests/benchmarks/", "tests/test_learning.py")
"""They start programs, whose lines are not seen, or take minutes each."""
BATCH_FILES = 5
BATCH_LIMIT_S = 1800.0
TEST_LIMIT_S = 300
"""More than for a trial: lines that are traced are slower."""
SLOWEST_S = 30.0
"""Tests that took longer do not count: they would leave no time for others."""

Line = tuple[str, int]
"""A file, relative to the tree, and a number from 1."""


@dataclass(frozen=True)
class Batch:
    """Test files that run in one process."""

    files: tuple[str, ...]
    key: str
    """Changes with their contents and with the source."""

    def path(self, work: Path, suffix: str) -> Path:
        return work / "coverage" / f"{self.key}.{suffix}"

    def is_done(self, work: Path) -> bool:
        return self.path(work, "json").is_file()


@dataclass(frozen=True)
class Touched:
    """What the batches of one tree have measured."""

    tree: Tree
    work: Path
    batches: tuple[Batch, ...]

    def seconds(self) -> dict[str, float]:
        """How long each test took that passed and counts."""
        found: dict[str, float] = {}
        for batch in self.batches:
            found |= json.loads(batch.path(self.work, "json").read_text())["passed"]
        return {test: seconds for test, seconds in found.items() if seconds <= SLOWEST_S}

    def lines(self, wanted: Iterable[Line]) -> set[Line]:
        """Those lines that a test touches which counts."""
        counts = self.seconds().keys()
        return {line for line, tests in self._tests(wanted) if not counts.isdisjoint(tests)}

    def tests(self, wanted: Iterable[Line]) -> dict[Line, set[str]]:
        """The tests that touch each line and count."""
        counts = self.seconds().keys()
        found: dict[Line, set[str]] = {}
        for line, tests in self._tests(wanted):
            found.setdefault(line, set()).update(counts & set(tests))
        return found

    def _tests(self, wanted: Iterable[Line]) -> Iterator[tuple[Line, list[str]]]:
        import coverage

        by_file: dict[str, set[int]] = {}
        for file, line in wanted:
            by_file.setdefault(file, set()).add(line)
        for batch in self.batches:
            path = batch.path(self.work, "coverage")
            if not path.is_file():  # no test of it touched anything
                continue
            data = coverage.CoverageData(basename=str(path))
            data.read()
            for file, lines in by_file.items():
                told = data.contexts_by_lineno(str(self.tree.folder / file))
                for line in lines & told.keys():
                    yield (file, line), told[line]
            data.close()


def batches(tree: Tree, only: tuple[str, ...] = ()) -> tuple[Batch, ...]:
    """The suite of a tree, cut to pieces.

    Args:
        tree: of the tests.
        only: beginnings of paths; nothing for the whole suite with its doctests.
    """
    files = {
        file: blob
        for file, blob in sorted(tree.test_files().items())
        if not file.startswith(NOT_MEASURED) and (not only or file.startswith(only))
    }
    found = []
    for _, group in groupby(files, key=lambda file: file.split("/")[1]):
        names = list(group)
        for first in range(0, len(names), BATCH_FILES):
            some = names[first : first + BATCH_FILES]
            found.append((tuple(some), [files[name] for name in some]))
    if not only or "src" in only:
        found.append((("src",), []))
    return tuple(
        Batch(names, f"{tree.name}-{_short([tree.src, *names, *blobs])}") for names, blobs in found
    )


def _short(texts: list[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:16]


def measure(batch: Batch, tree: Tree, runner: Runner, say: Callable[[str], None]) -> None:
    """Run a batch and keep what it touched; one that was measured before is left as it is.

    Raises:
        RuntimeError: it could not be run.
    """
    if batch.is_done(runner.work):
        return
    target = batch.path(runner.work, "coverage")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    options = ("--continue-on-collection-errors", f"--timeout={TEST_LIMIT_S}")
    ended = runner.run(tree.folder, batch.files, BATCH_LIMIT_S, coverage=target, options=options)
    if ended.status not in (0, 1, 3, 5):
        raise RuntimeError(f"{tree.name} {' '.join(batch.files)}: {ended.status}\n{ended.tail}")
    passed, failed = _outcomes(ended)
    told = {"files": batch.files, "seconds": ended.seconds, "passed": passed, "failed": failed}
    batch.path(runner.work, "json").write_text(json.dumps(told, indent=1))
    more = f", {len(failed)} failed and do not count" if failed else ""
    more += ", pytest ended early" if ended.status == 3 else ""
    name = batch.files[0] if len(batch.files) == 1 else f"{batch.files[0]} ..."
    say(f"{tree.name} coverage: {name}: {len(passed)} tests, {ended.seconds:.0f} s{more}")


def _outcomes(ended: Ended) -> tuple[dict[str, float], list[str]]:
    seconds: dict[str, float] = {}
    failed = []
    for line in ended.log:
        if line.get("outcome") == "failed":
            failed.append(line["test"])
        seconds[line["test"]] = seconds.get(line["test"], 0.0) + line.get("seconds", 0.0)
    passed = {test: round(took, 3) for test, took in seconds.items() if test not in failed}
    return passed, failed
