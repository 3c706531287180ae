"""`python -m benchmarks.mutants`: break lines of two builds, count what their tests catch.

Each line is one that both builds have word for word, in functions of the same name, and that a test
of each touches. Its tests run with -x, 120 s at most, in a copy: nothing of the project is changed.
Only what is committed is looked at. Ctrl-C loses the trials at work and no other; the same command
goes on. At a later commit with the same src only what survived is tried again.

With --checks it breaks conditions of the new build alone: an ``if`` that raises never does.
"""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.mutants.breaks import CHECK, KINDS
from benchmarks.mutants.checks import checks, fired
from benchmarks.mutants.draw import Mutant, draw, lines_of, touched_pairs
from benchmarks.mutants.results import Results, described
from benchmarks.mutants.running import Runner
from benchmarks.mutants.statements import Pair, common_statements
from benchmarks.mutants.touched import Touched, batches, measure
from benchmarks.mutants.trees import make_tree
from benchmarks.mutants.trial import Trials, sound_tests

ROOT = Path(__file__).resolve().parents[2]
OLD = "837ca8d"
"""The build before the house of docs/design/0015."""

EXAMPLES = """examples:
  python -m benchmarks.mutants
  python -m benchmarks.mutants --count 4 --tests tests/imaging --work runs/mutants-small
  python -m benchmarks.mutants --checks --count 40 --leave-out src/dualgaf/series/tables
  python -m benchmarks.mutants --report
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 where too few are caught or fewer than before, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    path = _path(options)
    if options.report:
        results = Results.read(path)
        if results is None:
            _say(f"{path} is not there; leave --report out")
            return 1
    elif find_spec("coverage") is None:
        _say("it needs coverage; type pip install coverage")
        return 1
    else:
        try:
            with Runner(options.work.resolve(), options.workers) as runner:
                results = Job(options.project.resolve(), runner, options.workers).run(options)
        except KeyboardInterrupt:
            _say("interrupted; the same command goes on")
            return 130
    print(results.table())
    return 0 if results.is_good() else 1


def _path(options: argparse.Namespace) -> Path:
    """Of the results; coverage serves both kinds of work."""
    return Path(options.work, "checks.json" if options.checks else "results.json").resolve()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mutants",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--count", type=int, default=60, help="lines to break")
    parser.add_argument("--workers", type=int, default=2, help="trials side by side")
    parser.add_argument(
        "--tests", nargs="+", default=[], help="beginnings of paths; only these tests count"
    )
    parser.add_argument("--checks", action="store_true", help="break conditions that raise")
    parser.add_argument(
        "--leave-out", nargs="+", default=[], help="with --checks: beginnings of paths of src"
    )
    parser.add_argument("--old", default=OLD, help="commit of the build before")
    parser.add_argument("--new", default="HEAD", help="commit of the build after")
    parser.add_argument("--project", type=Path, default=ROOT, help="the checkout to read")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/mutants"), help="copies, coverage and results.json"
    )
    parser.add_argument("--again", action="store_true", help="forget results; keep coverage")
    parser.add_argument("--report", action="store_true", help="print the table and do nothing")
    return parser


class Job:
    """The whole work, or what is left of it.

    Args:
        project: the checkout, which is only read.
        runner: its work folder takes all that is made.
        workers: trials side by side.
    """

    def __init__(self, project: Path, runner: Runner, workers: int) -> None:
        self.project, self.runner, self.workers = project, runner, workers
        self.work = runner.work
        self.lock = threading.Lock()

    def run(self, options: argparse.Namespace) -> Results:
        """Measure, draw, try; what is done already is not done again."""
        started = time.monotonic()
        commits = {"old": options.old, "new": options.new}
        if options.checks:
            del commits["old"]
        trees = [make_tree(self.project, self.work, *one) for one in commits.items()]
        path = _path(options)
        before = None if options.again else Results.read(path)
        settings = {"seed": options.seed, "count": options.count, "tests": options.tests}
        if options.checks:
            settings |= {"checks": True, "leave_out": options.leave_out}
        results = Results(path, settings, {tree.name: tree.told for tree in trees}, since=started)
        if before is not None and before.is_of(results):
            results.go_on(before)
        touched = [Touched(tree, self.work, batches(tree, tuple(options.tests))) for tree in trees]
        try:
            self._measure(touched)
        finally:
            if before is None or results.mutants:  # else what was known would be lost
                results.save()
        folders = [tree.folder for tree in trees]
        if options.checks:
            pairs = checks(*folders, options.leave_out)
            results.fired = fired(pairs, *touched)
        else:
            pairs = common_statements(*folders)
        if not results.mutants:
            results.mutants = _drawn(settings, touched, pairs)
            if before is not None and before.settings["tests"] == options.tests:
                known = {one.name: one.runs for one in before.mutants}
                for mutant in results.mutants:
                    mutant.runs = known.get(mutant.name, {})
        results.save()
        trials = Trials(results.mutants, results.sound, touched, pairs, self.workers)
        while True:
            self._try_all(results, trials)
            self._side_by_side(lambda name: self._check(results, trials, name), results.trees)
            if not any(results.left(mutant) for mutant in results.mutants):
                return results

    def _measure(self, touched: list[Touched]) -> None:
        """Coverage of both suites."""
        self._side_by_side(
            lambda job: measure(job[0], job[1], self.runner, _say),
            [(batch, one.tree) for one in touched for batch in one.batches],
        )

    def _try_all(self, results: Results, trials: Trials) -> None:
        def attempt(number: int) -> None:
            mutant = results.mutants[number]
            for name in results.left(mutant):
                run = trials.run(mutant, name, self.runner)
                with self.lock:
                    mutant.runs[name] = run
                    results.save()
                by = f" by {run['by']}" if run["by"] else ""
                _say(
                    f"{number + 1}/{len(results.mutants)} {name} {described(mutant, name)}: "
                    f"{run['outcome']}, {run['how']}{by}; {run['seconds']:.0f} s"
                )

        self._side_by_side(attempt, range(len(results.mutants)))

    def _check(self, results: Results, trials: Trials, name: str) -> None:
        """Which tests caught something and fail without a broken line, too; they do not count."""
        tests = results.unchecked(name)
        sound = sound_tests(self.runner, trials.trees[name].folder, tests)
        with self.lock:
            results.sound[name] |= {test: test in sound for test in tests}
            results.save()
        for test in sorted(tests - sound):
            _say(f"{name}: {test} fails without a broken line, too, and does not count")

    def _side_by_side(self, work: Callable[[Any], None], jobs: Iterable[Any]) -> None:
        """Do jobs in threads. The first error, or Ctrl-C, ends what the others have started."""

        def one(job: Any) -> None:
            if not self.runner.stop.is_set():
                work(job)

        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for done in as_completed([pool.submit(one, job) for job in jobs]):
                    done.result()
            except BaseException:
                self.runner.stop.set()
                raise


def _drawn(settings: dict[str, Any], touched: list[Touched], pairs: list[Pair]) -> list[Mutant]:
    lines = [one.lines(lines_of(getattr(pair, one.tree.name) for pair in pairs)) for one in touched]
    old, new = touched[0], touched[-1]  # the same where there is one tree
    usable = touched_pairs(pairs, lines[0], lines[-1])
    kinds = (CHECK,) if settings.get("checks") else KINDS
    folders = old.tree.folder, new.tree.folder
    mutants = draw(usable, folders, settings["seed"], settings["count"], kinds)
    what = "checks" if old is new else "statements in both"
    _say(f"{len(pairs)} {what}, {len(usable)} touched, {len(mutants)} drawn")
    return mutants


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    sys.exit(main())
