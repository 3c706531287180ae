"""docs/trust.md is made by `python -m benchmarks.trust`, of the rows that are there."""

import pytest
from benchmarks.trust import rows, shown
from benchmarks.trust.__main__ import PAGE, RESULTS, read_results, write_results
from benchmarks.trust.page import NOT_YET, page

from dualgaf import SimulatedSource
from dualgaf.data.windowed import read_windows


def test_the_page_is_that_of_the_rows():
    assert PAGE.read_text() == page(read_results(RESULTS)), "run: python -m benchmarks.trust --page"


def test_the_rule_was_chosen_on_other_sets_than_are_shown():
    assert not {*shown.CHOSEN_ON} & {*shown.WITH_NEW, *shown.JUDGED}


def test_rows_that_are_missing_are_said_and_those_that_are_there_are_shown(tmp_path):
    assert page(read_results(tmp_path / "none.json")).count(NOT_YET) == 2 * len(shown.JUDGED) + len(
        shown.WITH_NEW
    )
    judged = {"temperature": 1.5, "acc": 0.9, "ece_before": 0.2, "ece": 0.05, "groups": 12}
    judged |= {"windows": 7, "coverage": {"0.5": [0.75, 1.25]}}
    new = dict(zip(shown.METHODS, (0.9, 0.7, 0.8), strict=True))
    results = {
        "judged": {"natops": judged},
        "new": {name: {"a": new, "b": new} for name in shown.WITH_NEW},
    }
    write_results(tmp_path / "some.json", results)
    told = page(read_results(tmp_path / "some.json"))
    assert "| NATOPS | 12 | 1.500 | 0.900 | 0.200 | 0.050 |" in told
    assert "| NATOPS | 12 | 75.0% (1.25) | too few groups | too few groups |" in told
    assert "| NATOPS | 2 | 0.900 | 0.700 | 0.800 |" in told
    assert "| **mean of the sets** | | 0.900 | 0.700 | 0.800 |" in told
    assert "larger** on" not in told
    results["judged"] |= {"epilepsy": judged | {"ece": 0.21}, "ecg200": judged | {"ece": 0.2}}
    assert "The error has become **larger** on Epilepsy. " in page(results)
    assert "**Below**" not in told
    few = {"coverage": {"0.5": [0.5, 1.0], "0.9": [0.894, 1.1]}}
    results["judged"] |= {"natops": judged | few}
    assert "**Below** the promise: NATOPS at 90% (89.4%). " in page(results)


def test_a_class_that_is_left_out_has_no_window_that_is_learned():
    whole = SimulatedSource(n_windows=80, window_size=24)
    name = read_windows(whole, seed=0).class_names[1]
    windowed = read_windows(rows.without(whole, name), seed=0)
    assert name not in windowed.class_names
    assert (windowed.labels[windowed.indices["predict"]] == -1).all()
    assert (windowed.labels[windowed.indices["test"]] >= 0).all()


@pytest.mark.slow
def test_a_row_of_each_kind_is_made(tmp_path, monkeypatch):
    pytest.importorskip("aeon")
    quick = ["trainer.max_epochs=1", "model.width=8", "refit=false"]
    monkeypatch.setattr(rows, "MORE", quick)
    new = rows.new_row("basic_motions", "Running", tmp_path / "new")
    assert new["new"] == 20
    assert all(0 <= new[method] <= 1 for method in shown.METHODS)
    judged = rows.judged_row("basic_motions", tmp_path)
    assert 0 <= judged["ece"] <= 1
    assert "0.5" in judged["coverage"]
