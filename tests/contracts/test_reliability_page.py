"""docs/reliability.md says what the committed runs say, and every fault has a test that ran."""

import importlib.util
from pathlib import Path

import pytest

from fault_rows import FAULTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def reliability():
    spec = importlib.util.spec_from_file_location(
        "reliability", ROOT / "benchmarks" / "reliability.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_committed_runs(reliability):
    told = reliability.load()
    assert reliability.PAGE.read_text() == reliability.page(**told), (
        "run: python benchmarks/reliability.py"
    )


def test_every_fault_was_injected_and_survived_every_time(reliability):
    rows = reliability.load()["faults"]["rows"]
    for number in FAULTS:
        row = rows[str(number)]
        assert row["injected"] == row["survived"] > 0, number


def test_every_recorded_test_is_there(reliability):
    for row in reliability.load()["faults"]["rows"].values():
        for test in row["tests"]:
            file, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / file).read_text(), test


def test_the_soak_was_long_enough_and_flat(reliability):
    soak = reliability.load()["soak"]
    assert soak["cycles"] >= 200
    assert all(soak["flat"].values())


def test_however_many_ranks_there_is_one_build_and_one_copy(reliability):
    rows = reliability.load()["ranks"]["rows"]
    assert {row["ranks"] for row in rows} == {1, 2, 4}
    for row in rows:
        shared, stages = row["shared"], {"fit": 1, "test": 2}
        assert shared["builds"] == stages[row["stage"]]
        assert shared["pss_bytes"] == pytest.approx(shared["store_bytes"], rel=0.02)
