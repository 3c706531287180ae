"""What benchmarks/mutants breaks, what it leaves alone, and the whole of it on a tiny tree."""

import ast
import json
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest
from benchmarks.mutants import __main__ as program
from benchmarks.mutants import running
from benchmarks.mutants.breaks import KINDS, broken, count_breaks
from benchmarks.mutants.draw import draw
from benchmarks.mutants.results import Results
from benchmarks.mutants.running import Ended, Runner, StoppedError
from benchmarks.mutants.statements import common_statements
from benchmarks.mutants.trial import Trial, chosen

pytest.importorskip("coverage")

BODY = '''
def clip(values, low, high):
    """Texts with 3 numbers < 4 stay."""
    log.info("values %d", 3 + len(values))
    name: Literal[1] = f"{low + 1} of the values"
    limit = larger(low, high, timeout=3)
    limit = limit + 10 if low == high else (
        limit - 1)
    if high < low and limit is not None:
        raise ValueError(f"{high} is below {low}", 3)
    values.append(limit)
    return max(low, high) + sum(values) + 0.5


class Named:
    def __repr__(self):
        return "a name of some length" + str(1 + 1)
'''


def tree(folder: Path, file: str, text: str) -> Path:
    path = folder / "src" / "pkg" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


@pytest.fixture
def tiny(monkeypatch):
    """A runner whose sessions load little."""
    monkeypatch.setattr(running, "NOT_NEEDED", (*running.NOT_NEEDED, "hypothesispytest"))
    return partial(Runner, preloaded=("pytest",))


@pytest.fixture
def pairs(tmp_path):
    """Of two trees that differ in the file, in layout, and in one more function."""
    other = (
        BODY.replace("(\n        limit - 1)", "limit - 1") + "\n\ndef more():\n    return 12345\n"
    )
    old = tree(tmp_path / "old", "one.py", BODY)
    return common_statements(old, tree(tmp_path / "new", "room/two.py", other))


def test_common_statements_are_those_of_the_same_text_and_function(pairs):
    assert {pair.new.function for pair in pairs} == {"clip"}
    assert {(pair.old.file, pair.new.file) for pair in pairs} == {
        ("src/pkg/one.py", "src/pkg/room/two.py")
    }
    (longest,) = [pair for pair in pairs if pair.new.text.startswith("limit = limit")]
    assert list(longest.old.lines) == [7, 8]
    assert list(longest.new.lines) == [7]
    heads = [pair.new for pair in pairs if isinstance(pair.new.node, ast.If)]
    assert sorted((list(head.lines), head.guard) for head in heads) == [([8], False), ([8], True)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "comparison",
            [
                "limit = limit + 10 if low != high else limit - 1",
                "if high < low and limit is None:",
                "if high <= low and limit is not None:",
            ],
        ),
        (
            "constant",
            [
                "limit = limit + 10 if low == high else limit - 2",
                "limit = limit + 11 if low == high else limit - 1",
                "return max(low, high) + sum(values) + 1.5",
            ],
        ),
        ("removed line", ["pass"] * 5),  # two times limit, the guard, what it raises, append
        ("swapped arguments", ["limit = larger(high, low, timeout=3)"]),
    ],
)
def test_each_kind_breaks_what_a_test_can_notice(pairs, kind, expected):
    found = []
    for pair in pairs:
        for index in range(count_breaks(pair.old, kind)):
            done = broken(BODY.encode(), pair.old, kind, index)
            ast.parse(done.source)
            assert done.source != BODY.encode()
            found.append(done.after)
    assert sorted(found) == sorted(expected)


def test_a_draw_is_spread_repeated_by_its_seed_and_takes_a_function_once(tmp_path):
    text = ""
    for number in range(12):
        text += (
            f"def f{number}(values, low):\n    values[{number}] = larger_of(low, {number})\n"
            f"    return low < {number} + len(values)\n"
        )
    old, new = (tmp_path / name for name in ("old", "new"))
    for place in (old, new):
        for room in ("a", "b"):
            tree(place, f"{room}/file.py", text.replace("low", f"low_{room}"))
    found = common_statements(old, new)
    first = draw(found, (old, new), seed=0, count=8)
    assert Counter(mutant.kind for mutant in first) == dict.fromkeys(KINDS, 2)
    assert Counter(mutant.file.split("/")[2] for mutant in first) == {"a": 4, "b": 4}
    assert len({(mutant.file, mutant.function) for mutant in first}) == 8
    assert draw(found, (old, new), seed=0, count=8) == first
    assert draw(found, (old, new), seed=1, count=8) != first
    fewer = [pair for pair in found if pair.new.text != first[0].text]  # others hardly change
    again = draw(fewer, (old, new), seed=0, count=8)
    assert len({mutant.name for mutant in again} & {mutant.name for mutant in first}) > 5


def test_fast_tests_are_taken_and_fast_files_come_first():
    seconds = {"b::2": 20.0, "a::slow": 25.0, "a::1": 2.0, "b::1": 0.1, "c::1": 30.0}
    assert chosen(seconds, seconds) == ("b::2", "b::1", "a::slow", "a::1")  # of a file as they ran
    assert chosen(["c::1"], seconds) == ("c::1",)


@pytest.mark.parametrize(
    ("status", "seconds", "log", "expected"),
    [
        (0, 3.0, [], ("survived", "tests pass", None)),
        (5, 3.0, [], ("survived", "its tests were not found", None)),
        (None, 39.0, [("b", "start")], ("caught", "hang", "b")),
        (None, 41.0, [("b", "start")], ("survived", "time", "b")),
        (1, 3.0, [("a", "failed"), ("b", "start")], ("caught", "test fails", "a")),
        (2, 3.0, [("file.py", "failed")], ("caught", "tests do not start", "file.py")),
        (-11, 3.0, [("a", "passed"), ("b", "start")], ("caught", "process ends", "b")),
    ],
)
def test_what_counts_as_caught(tmp_path, status, seconds, log, expected):
    lines = [{"test": test, "outcome": outcome} for test, outcome in log]
    trial = Trial(tmp_path, "file.py", b"", ("a", "b"), seconds)
    told = trial._verdict(Ended(status, 3.0, lines, ""))
    assert (told["outcome"], told["how"], told["by"]) == expected


def test_what_a_session_started_ends_with_it(tmp_path, tiny):
    """Two children of a test: one in the session of pytest, one in its own."""
    (tmp_path / "src").mkdir()
    (tmp_path / "test_sleep.py").write_text(
        "import subprocess, time\n"
        "def test_sleep():\n"
        "    for alone in (False, True):\n"
        "        child = subprocess.Popen(['sleep', '60'], start_new_session=alone)\n"
        f"        open({str(tmp_path / 'pids')!r}, 'a').write(f'{{child.pid}}\\n')\n"
        "    time.sleep(60)\n"
    )
    pids = tmp_path / "pids"
    with tiny(tmp_path / "work", 1) as runner:
        assert runner.run(tmp_path, ["test_sleep.py"], limit_s=0.0).status is None
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(runner.run, tmp_path, ["test_sleep.py"], limit_s=60.0)
            wait_until(lambda: pids.is_file() and pids.read_text().count("\n") == 2)
            runner.stop.set()
            assert isinstance(run.exception(), StoppedError)
    numbers = pids.read_text().split()
    wait_until(lambda: not any(psutil.pid_exists(int(pid)) for pid in numbers))


CHECKS = """
def checked(values, low=0):
    if not values:
        raise ValueError("no values")
    if low > 5 and (worst := min(values)) < low:
        told = f"{worst} is below {low}"
        raise ValueError(told)
    elif low < 0:
        raise ValueError("low is negative")
    return low + 1 if len(values) > 3 else low


def seldom(values):
    if len(values) > 9:
        raise ValueError("too many")
"""
CHECK_TESTS = """
import pytest
from pkg.one import checked, seldom

def test_none():
    with pytest.raises(ValueError):
        checked([])

def test_no_matter_what():
    with pytest.raises(ValueError):
        checked([3], 7)
    assert checked([1]) == 0
    seldom([1])
"""


def test_checks_of_one_tree(tmp_path, tiny, monkeypatch, capsys):
    """Of four, one is never fired; breaking it is noticed by nobody, as is the way to a report."""
    folder = tmp_path / "project"
    tree(folder, "one.py", CHECKS)
    tree(folder, "room/left_out.py", CHECKS)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text(CHECK_TESTS)
    committed(folder, "one")
    monkeypatch.setattr(program, "Runner", tiny)
    words = ["--project", str(folder), "--work", str(tmp_path / "work"), "--checks"]
    words += ["--leave-out", "src/pkg/room", "--tests", "tests"]
    assert program.main([*words, "--count", "4"]) == 1
    table = capsys.readouterr().out
    assert table.startswith(
        "4 checks, 4 touched, 2 fired by the tests; not fired:\n"
        "  src/pkg/one.py:8 checked\n  src/pkg/one.py:14 seldom\n"
    )
    told = json.loads((tmp_path / "work" / "checks.json").read_text())
    caught = {one["function"]: one["runs"]["new"]["outcome"] for one in told["mutants"]}
    assert caught == {"checked": "caught", "seldom": "survived"}  # one of a function
    assert all(one["after"].endswith(" and False:") for one in told["mutants"])
    assert program.main([*words, "--report"]) == 1
    assert capsys.readouterr().out == table


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


SOURCE = """
def scaled(values, factor):
    return [value * factor + 1 for value in values if value is not None]


def nobody_looks(values, factor):
    return len(values) + int(factor) + 1234
"""
TESTS = """
from pkg.{module} import nobody_looks, scaled
from pathlib import Path

def test_scaled():
    assert scaled([1, None, 3], 2) == [3, 7]

def test_nothing_of_it():
    nobody_looks([1], 2)

def test_fails_each_time_but_the_first():
    nobody_looks([1], 2)
    once = Path("once")
    assert not once.exists()
    once.touch()
"""


@pytest.fixture
def project(tmp_path):
    """Two commits; in the second one the module has another name."""
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    for module in ("one", "two"):
        for path in folder.glob("src/pkg/*.py"):
            path.unlink()
        tree(folder, f"{module}.py", SOURCE)
        (folder / "tests" / "test_it.py").write_text(TESTS.format(module=module))
        committed(folder, module)
    return folder


def committed(folder, message):
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(folder)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", message]):
        subprocess.run([*git, *words], check=True)


def test_two_commits_from_coverage_to_the_table(project, tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr(program, "Runner", tiny)
    work = tmp_path / "work"
    words = ["--project", str(project), "--work", str(work), "--old", "HEAD~1", "--count", "2"]
    assert program.main([*words, "--tests", "tests"]) == 1  # one of two survives
    table, lines = capsys.readouterr()
    told = json.loads((work / "results.json").read_text())
    caught = {
        mutant["function"]: [mutant["runs"][name]["outcome"] for name in ("old", "new")]
        for mutant in told["mutants"]
    }
    assert caught == {"scaled": ["caught"] * 2, "nobody_looks": ["survived"] * 2}
    by = {mutant["runs"]["new"]["by"] for mutant in told["mutants"]}
    assert by == {"tests/test_it.py::test_scaled", None}
    assert table.splitlines()[5].split() == ["all", "2", "1", "1"]
    assert "survived after: src/pkg/two.py:7 nobody_looks, constant (tests pass)" in table
    assert "and does not count" in lines
    for copy in (work / "trees").glob("*-*"):
        changed = subprocess.run(["git", "-C", copy, "diff", "--quiet"], check=False)
        assert changed.returncode == 0

    # Nothing is left to do; a mutant that is forgotten is tried again, in one tree
    del told["mutants"][0]["runs"]["old"]
    (work / "results.json").write_text(json.dumps(told))
    assert program.main([*words, "--tests", "tests"]) == 1
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("1/2 old")]
    results = Results.read(work / "results.json")
    assert not any(results.left(mutant) for mutant in results.mutants)
    assert program.main(["--work", str(work), "--report"]) == 1
    assert capsys.readouterr().out.startswith("kind ")
