"""docs/performance.md says what the committed results say, and nothing else."""

import importlib.util
from pathlib import Path

import pytest
from benchmarks.typed import words

from dualgaf.bench import Result
from dualgaf.bench.runner import Reading

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def report():
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_committed_results(report):
    results = report.load_results()
    assert set(results) >= set(report.SUITES)
    assert report.PAGE.read_text() == report.page(results), "run: python -m benchmarks.report"


def test_every_goal_names_a_ratio_that_its_suite_measures(report):
    results = report.load_results()
    for what, suite, ratio, _ in report.REACH:
        if suite in results:
            assert ratio in results[suite].reading.ratios, what


def test_a_goal_is_reached_from_its_least_value_on(report):
    size = report.load_results()["build"].size
    ratio = f"{report.WARM}, x earlier"
    for measured, verdict in ((50.0, "yes"), (49.9, "no"), (None, "not measured")):
        ratios = {} if measured is None else {ratio: measured}
        result = Result("build", size, Reading([{"side": "a"}], ratios, []), {})
        (line,) = (
            line
            for line in report.page({"build": result}).splitlines()
            if line.startswith("| shared memory, warm processes: times the earlier")
        )
        assert line.endswith(f"| {verdict} |")


def test_the_command_names_what_differs_from_the_defaults(report):
    result = report.load_results()["build"]
    changed = Result("sweep", {**result.size, "n_windows": 123, "repeats": 7}, result.reading, {})
    assert report.command(changed).startswith("python -m benchmarks.speed sweep --n-windows 123 ")
    assert "--repeats 7" in report.command(changed)


def test_the_command_of_a_program_is_what_was_typed(report):
    reading = Reading([{"side": "a"}], {}, [])
    typed = Result("start", {"repeats": 3, "typed": ["experiment=natops"]}, reading, {})
    assert report.command(typed) == "python -m benchmarks.start experiment=natops"
    assert "\nMedians, repeats=3.\n" in report.page({"start": typed})


def test_options_are_named_that_differ_from_their_defaults():
    told = {"repeats": 5, "n_windows": [64, 1], "commit": "abc1234"}
    defaults = {"repeats": 5, "n_windows": [1], "commit": "837ca8d", "other": None}
    assert words(told, defaults) == ["--n-windows", "64", "1", "--commit", "abc1234"]
