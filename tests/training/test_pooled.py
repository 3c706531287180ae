"""Folds of a sweep taken together, beside counts by hand."""

import csv
import logging

import pytest

from dualgaf.plots.sweep import best_job
from dualgaf.training.pooled import pool_folds
from preloaded import run


def fold(folder, number, lines, **more):
    """A job with its tests: (group, label, predicted)."""
    (folder / f"{number}").mkdir(parents=True)
    with (folder / f"{number}/test_predictions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["window", "source", "group", "start", "label", "predicted"])
        table.writerows([n, "plant", group, "", *of] for n, (group, *of) in enumerate(lines))
    return {"job": f"{number}", "data.split.fold": f"{number}", "test/acc": 0.0, **more}


def test_all_windows_are_counted_once_and_together(tmp_path):
    rows = [
        fold(tmp_path, 0, [("d1", "ok", "ok"), ("d1", "ok", "leak"), ("d1", "ok", "ok")]),
        fold(tmp_path, 1, [("d2", "leak", "leak")]),
    ]
    # ok: precision 1, recall 2/3, F1 0.8; leak: precision 1/2, recall 1, F1 2/3
    assert pool_folds(tmp_path, rows) == [
        ["accuracy", "macro F1", "windows", "folds"],
        ["0.7500", "0.7333", "4", "2"],
    ]
    with (tmp_path / "folds.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["job"], line["group"]) for line in lines] == [
        *[("0", "d1")] * 3,
        ("1", "d2"),
    ]
    report = (tmp_path / "report.csv").read_text().splitlines()
    assert report[1:] == [
        "leak,0.5000,1.0000,0.6667,1",
        "ok,1.0000,0.6667,0.8000,3",
        "macro,0.7500,0.8333,0.7333,4",
    ]
    assert (tmp_path / "folds.png").stat().st_size > 5000
    assert best_job(rows) is None  # folds are no rivals


def test_each_setting_has_a_line(tmp_path):
    lines = [("d1", "a", "a")], [("d2", "b", "b")], [("d1", "a", "b")], [("d2", "b", "b")]
    rows = [fold(tmp_path, n, own, seed=f"{n // 2}") for n, own in enumerate(lines)]
    for row in rows:
        row["data.split.fold"] = f"{int(row['job']) % 2}"
    found = pool_folds(tmp_path, rows)
    assert [line[:2] for line in found] == [["seed", "accuracy"], ["0", "1.0000"], ["1", "0.5000"]]
    assert not (tmp_path / "report.csv").exists()


def test_a_fold_without_a_test_and_groups_tested_twice_are_said(tmp_path, caplog):
    rows = [fold(tmp_path, n, [("d1", "a", "a")]) for n in range(2)]
    rows.append({"job": "2", "data.split.fold": "2"})
    with caplog.at_level(logging.WARNING):
        pool_folds(tmp_path, rows)
    assert "1 groups were tested in several of 3 folds (d1)" in caplog.text
    assert "job 2 has tested nothing" in caplog.text


@pytest.mark.parametrize("key", ["seed", "model.width"])
def test_a_sweep_over_something_else_has_no_folds(tmp_path, key):
    assert pool_folds(tmp_path, [{"job": "0", key: "1"}, {"job": "1", key: "2"}]) == []
    assert not (tmp_path / "folds.csv").exists()


def test_a_sweep_over_folds_ends_with_one_table(tmp_path):
    said = run(
        *("-m", "sweep=folds", "data.split.n_folds=2", "data.split.fold=0,1", "data=simulated"),
        *("data.n_windows=40", "data.window_size=12", "datamodule.image_size=4", "model.width=8"),
        *("model.use_minirocket=false", "model.use_forest=false", "refit=false", "report=false"),
        *("trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=csv", "hydra.sweep.dir=all"),
        cwd=tmp_path,
    )
    with (tmp_path / "all/folds.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len({(line["group"], line["start"]) for line in lines}) == 40
    right = sum(line["label"] == line["predicted"] for line in lines) / 40
    assert f"  {right:.4f}" in said.partition("all folds together")[2]
    assert "highest" not in said
    assert not (tmp_path / "all/sweep.png").exists()
