"""Means, ranks and p, by hand; what has no figure is in none."""

import csv
from pathlib import Path

import numpy as np
import pytest

from dualgaf.training.comparison.asked import asked_for
from dualgaf.training.comparison.ranking import ranks, standings
from dualgaf.training.comparison.scores import Predictions, write_labels
from dualgaf.training.comparison.table import compared, shown, write_tables

WORDS = ["experiment=natops,epilepsy", "seed=0,1", "baselines=[1nn,forest]"]
FIGURES = {
    ("natops", "dualgafnet"): (0.9, 1.0),
    ("natops", "1nn"): (0.8, 0.8),
    ("natops", "forest"): (0.95, 0.95),
    ("epilepsy", "dualgafnet"): (0.7, 0.8),
    ("epilepsy", "1nn"): (0.5, 0.6),
    ("epilepsy", "forest"): (0.9, 0.7),
}


def done(accuracy, **more):
    times = {"fit_s": 2.0, "job_s": 4.0, "windows": 10, "run": "r"}
    return {"state": "done", "accuracy": accuracy, "f1_macro": accuracy / 2, **times, **more}


def rows_of(asked):
    seeds = {"seed=0": 0, "seed=1": 1}
    return {job: done(FIGURES[job.set, job.method][seeds[job.overrides[-1]]]) for job in asked.jobs}


def test_means_deviations_and_ranks(tmp_path):
    asked = asked_for([*WORDS, f"compare.dir={tmp_path}"])
    found = compared(asked, rows_of(asked))
    write_tables(asked, rows_of(asked), found)
    with (tmp_path / "comparison.csv").open() as file:
        lines = {(line["set"], line["method"]): line for line in csv.DictReader(file)}
    assert len(lines) == 6
    own = lines["natops", "dualgafnet"]
    assert float(own["accuracy"]) == pytest.approx(0.95)
    assert float(own["accuracy_std"]) == pytest.approx(0.1 / 2**0.5)
    assert float(own["f1_macro"]) == pytest.approx(0.475)
    assert [own[key] for key in ("repeats", "failed", "fit_s", "job_s")] == ["2", "0", "2.0", "4.0"]
    # equal means share a rank
    assert [float(lines["natops", m]["rank"]) for m in asked.methods] == [1.5, 3.0, 1.5]
    assert [float(lines["epilepsy", m]["rank"]) for m in asked.methods] == [2.0, 3.0, 1.0]
    mean = {one.method: one.rank for one in found.standings}
    assert mean == {"forest": 1.25, "dualgafnet": 1.75, "1nn": 3.0}
    for text in (shown(found), (tmp_path / "comparison.md").read_text()):
        assert "0.950 ± 0.071 (2)" in text
        assert "Over 2 sets." in text
    assert (tmp_path / "rows.csv").read_text().count("done") == 12


def test_a_set_without_a_figure_of_a_method_is_in_no_mean_rank():
    asked = asked_for(WORDS)
    rows = rows_of(asked)
    for job in asked.jobs:
        if (job.set, job.method) == ("epilepsy", "1nn"):
            rows[job] = {"state": "failed", "reason": "no room", "run": "r", "job_s": 1.0}
    found = compared(asked, rows)
    assert found.sets == ["natops"]
    assert "Over 1 sets (not epilepsy: a method has no figure there)." in shown(found)
    assert "failed: epilepsy 1nn seed=0: no room" in shown(found)
    ranks_there = {cell.method: cell.rank for cell in found.cells if cell.set == "epilepsy"}
    assert ranks_there == {"dualgafnet": 2.0, "1nn": None, "forest": 1.0}
    # a method without any figure keeps no set from the others
    for job in asked.jobs:
        if job.method == "1nn":
            rows[job] = {"state": "failed", "reason": "no room", "run": "r", "job_s": 1.0}
    assert compared(asked, rows).sets == ["natops", "epilepsy"]


def test_a_mean_is_over_the_repeats_that_are_done():
    asked = asked_for(WORDS)
    some = {job: row for job, row in rows_of(asked).items() if job.overrides[-1] == "seed=0"}
    found = compared(asked, some)
    assert {len(cell.fit_s) for cell in found.cells} == {1}
    assert "0.900 (1)" in shown(found)
    assert shown(compared(asked, {})).count(" - ") >= 6


def test_windows_of_folds_are_counted_together(tmp_path):
    asked = asked_for(["data=simulated", "data.split.method=fold", "data.split.fold=0,1"])
    rows = {}
    for job, labels, predicted in zip(
        asked.jobs, (["a"] * 3, ["b"]), (["a", "b", "a"], ["b"]), strict=True
    ):
        run = tmp_path / repr(job.repeat[0][1])
        run.mkdir()
        write_labels(run, Predictions(labels, predicted, 0.0, 0.0))
        rows[job] = done(0.0, run=str(run))
    (cell,) = compared(asked, rows).cells
    # a: precision 1, recall 2/3, F1 0.8; b: precision 1/2, recall 1, F1 2/3
    assert cell.scores["accuracy"] == [0.75]
    assert cell.scores["f1_macro"] == [pytest.approx(0.733333)]
    assert (cell.fit_s, cell.job_s) == ([4.0], [8.0])
    del rows[asked.jobs[1]]  # half of the windows are no figure
    (cell,) = compared(asked, rows).cells
    assert cell.scores["accuracy"] == []


def test_p_is_two_sided():
    """Six sets, all above: both tails have one of 2^6 signs each."""
    scores = np.array([[0.9, 0.8 - n / 100] for n in range(6)])
    first, second = standings(["a", "b"], scores, "a")
    assert (first.method, first.rank, first.p) == ("a", 1.0, None)
    assert (second.above, second.same, second.below) == (6, 0, 0)
    assert second.p == pytest.approx(2 / 2**6)
    assert standings(["a", "b"], scores, "b")[0].p == second.p
    assert standings(["a", "b"], np.ones((3, 2)), "a")[1].p is None


def test_ranks_are_of_what_tables_show():
    assert ranks(np.array([[0.90001, 0.90004, 0.1]])).tolist() == [[1.5, 1.5, 3.0]]


def test_the_picture_needs_three_methods_and_two_sets(tmp_path):
    pytest.importorskip("aeon")
    from dualgaf.plots.critical_difference import write_critical_difference

    scores = np.array([[0.9, 0.8, 0.7], [0.8, 0.9, 0.6]])
    path = tmp_path / "a.svg"
    assert not write_critical_difference(path, scores[:, :2], ["a", "b"])
    assert not write_critical_difference(path, scores[:1], ["a", "b", "c"])
    assert not write_critical_difference(path, np.ones((4, 3)), ["a", "b", "c"])  # 0 / 0 in aeon
    assert not path.exists()
    assert write_critical_difference(path, scores, ["first", "second", "third"])
    assert "second" in Path(path).read_text()
    alike = np.array([[0.9, 0.9, 0.7], [0.8, 0.8, 0.6]])
    assert write_critical_difference(path, alike, ["first", "second", "third"])
