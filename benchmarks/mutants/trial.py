"""One broken line before the tests of one tree."""

import os
import queue
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutants.breaks import broken
from benchmarks.mutants.draw import Key, Mutant, lines_of
from benchmarks.mutants.running import Ended, Runner
from benchmarks.mutants.statements import Pair, Statement
from benchmarks.mutants.touched import Touched

LIMIT_S = 120.0
"""Of all tests of a line together."""
BUDGET_S = 60.0
"""Tests are taken, fast ones first, up to this many seconds as they were measured."""
HANG_S = 40.0
"""Tests that took less than this, unbroken, and are killed at the limit hang."""
CHECK_LIMIT_S = 600.0


@dataclass(frozen=True)
class Trial:
    """What is needed to try a line.

    Attributes:
        tree: a copy, which this trial has for itself.
        file: relative to the copy.
        source: of the file, broken.
        tests: in order.
        seconds: they took while nothing was broken.
    """

    tree: Path
    file: str
    source: bytes
    tests: tuple[str, ...]
    seconds: float

    def run(self, runner: Runner) -> dict[str, Any]:
        """Break the line, run the tests, mend the line.

        Returns:
            ``outcome`` is ``caught`` or ``survived``; ``how`` and ``by`` say more.

        Raises:
            StoppedError: the user wants to end; the line is mended.
        """
        if not self.tests:
            return _told("survived", "no sound test")
        with self._broken():
            fresh = b"njit" in self.source
            ended = _run(runner, self.tree, self.tests, fresh_kernels=fresh, options=("-x",))
        return {**self._verdict(ended), "seconds": ended.seconds, "tests": len(self.tests)}

    def _verdict(self, ended: Ended) -> dict[str, Any]:
        if ended.status == 0:
            return _told("survived", "tests pass")
        if ended.status == 5:
            return _told("survived", "its tests were not found")
        culprit = ended.culprit
        if ended.status is None:
            hangs = self.seconds < HANG_S
            return _told(*(("caught", "hang") if hangs else ("survived", "time")), culprit)
        if culprit not in self.tests:
            return _told("caught", "tests do not start", culprit)
        return _told("caught", "test fails" if ended.failed else "process ends", culprit)

    @contextmanager
    def _broken(self) -> Iterator[None]:
        """The file with its broken line; after it with its old times, so kernels still fit."""
        path = self.tree / self.file
        whole, times = path.read_bytes(), path.stat()
        try:
            path.write_bytes(self.source)
            yield
        finally:
            path.write_bytes(whole)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


class Trials:
    """Trials of mutants in copies that one of them at a time has for itself.

    Args:
        mutants: all that may be tried.
        sound: of each tree, whether a test passes without a broken line; read at each trial.
        touched: by which tests, of both trees.
        pairs: statements of both trees.
        workers: copies of each tree.
    """

    def __init__(
        self,
        mutants: Iterable[Mutant],
        sound: Mapping[str, Mapping[str, bool]],
        touched: list[Touched],
        pairs: list[Pair],
        workers: int,
    ) -> None:
        by_key: dict[Key, Pair] = {(pair.new.text, pair.new.guard): pair for pair in pairs}
        self.pairs = {mutant.key: by_key[mutant.key] for mutant in mutants}
        self.trees = {one.tree.name: one.tree for one in touched}
        self.sound = sound
        self.seconds = {one.tree.name: one.seconds() for one in touched}
        self.tests = {
            one.tree.name: one.tests(
                lines_of(getattr(pair, one.tree.name) for pair in self.pairs.values())
            )
            for one in touched
        }
        self.free: dict[str, queue.Queue[Path]] = {name: queue.Queue() for name in self.trees}
        for name, tree in self.trees.items():
            for copy in tree.copies(workers):
                self.free[name].put(copy)

    def run(self, mutant: Mutant, name: str, runner: Runner) -> dict[str, Any]:
        """Try a mutant in one tree."""
        statement: Statement = getattr(self.pairs[mutant.key], name)
        covering = set[str]().union(
            *(self.tests[name].get(line, ()) for line in lines_of([statement]))
        )
        sound, seconds = self.sound[name], self.seconds[name]
        tests = chosen((test for test in covering if sound.get(test, True)), seconds)
        copy = self.free[name].get()
        try:
            source = (copy / statement.file).read_bytes()
            source = broken(source, statement, mutant.kind, mutant.index).source
            took = sum(seconds[test] for test in tests)
            told = Trial(copy, statement.file, source, tests, took).run(runner)
            return {**told, "covering": len(covering), **self.trees[name].told}
        finally:
            self.free[name].put(copy)


def sound_tests(runner: Runner, tree: Path, tests: Iterable[str]) -> set[str]:
    """Those of some tests that pass, together in one process, while nothing is broken."""
    wanted = tuple(sorted(tests))
    if not wanted:
        return set()
    ended = _run(runner, tree, wanted, limit_s=CHECK_LIMIT_S)
    passed = {line["test"] for line in ended.log if line.get("outcome") == "passed"}
    ends_early = {ended.culprit} if ended.status not in (0, 1) else set()
    return passed.intersection(wanted) - set(ended.failed) - ends_early


def chosen(covering: Iterable[str], seconds: Mapping[str, float]) -> tuple[str, ...]:
    """Tests for a line: fast ones first within the budget, those of a file one after the other."""
    order = {test: place for place, test in enumerate(seconds)}
    left, taken = BUDGET_S, list[str]()
    for test in sorted(covering, key=lambda test: (seconds[test], order[test])):
        if taken and seconds[test] > left:
            break
        left -= seconds[test]
        taken.append(test)
    of_file: dict[str, float] = {}
    for test in taken:
        of_file[_file(test)] = of_file.get(_file(test), 0.0) + seconds[test]
    return tuple(sorted(taken, key=lambda test: (of_file[_file(test)], _file(test), order[test])))


def _run(
    runner: Runner, tree: Path, tests: tuple[str, ...], limit_s: float = LIMIT_S, **more: Any
) -> Ended:
    files = dict.fromkeys(_file(test) for test in tests)
    return runner.run(tree, files, limit_s, wanted=tests, **more)


def _told(outcome: str, how: str, by: str | None = None) -> dict[str, Any]:
    return {"outcome": outcome, "how": how, "by": by, "seconds": 0.0, "tests": 0}


def _file(test: str) -> str:
    return test.partition("::")[0]
