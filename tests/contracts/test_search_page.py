"""docs/search.md is made by `python -m benchmarks.search`, of the rows that are there."""

import csv
import json

from benchmarks.search import NOT_YET, PAGE, RESULTS, SETS, compared, page, read_results


def test_the_page_is_that_of_the_rows():
    assert PAGE.read_text() == page(read_results(RESULTS)), (
        "run: python -m benchmarks.search --page"
    )


def run_of(folder, right):
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"fit/seconds": 60.0}))
    with (folder / "test_predictions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["group", "label", "predicted"])
        days = ["Monday", "Tuesday", "Tuesday", "Tuesday", "Sunday"]
        rows = zip(days, right, strict=True)
        table.writerows([day, "a", "a" if each else "b"] for day, each in rows)


def test_both_sides_are_counted_window_by_window(tmp_path):
    run_of(tmp_path / "default", [1, 1, 0, 0, 0])
    run_of(tmp_path / "study/best-0001", [1, 0, 1, 1, 0])
    (tmp_path / "study/trials.csv").write_text(
        "trial,state,val/loss,val/acc,epochs,s,model.dropout,why\n"
        "0,ended,0.5,0.9,9,30,0.2,\n1,ended,0.25,0.9,9,30,0.4,\n2,pruned,0.1,0.9,9,60,0.1,worse\n"
    )
    row = compared(tmp_path / "default", tmp_path / "study")
    assert (row["default"], row["search"], row["better"], row["worse"]) == (0.4, 0.6, 2, 1)
    assert row["groups"] == [3, 1, 0]  # Tuesday: three windows, one lost and two won
    assert (row["best"], row["pruned"], row["seconds"]) == (1, 1, 180.0)
    told = page(dict.fromkeys(SETS, row))
    assert NOT_YET not in told
    assert "| NATOPS | 5 | 3 | 0.400 | 0.600 | 2 | 1 | 1.00 |" in told
    assert "| NATOPS | 3 | 1 | 0 | 0.500 | 0.250 | 3 |" in told
    assert "| NATOPS | model.dropout 0.4 (0.2) |" in told
    assert "The search has more windows right on 4 of 4 (NATOPS; " in told
    assert page({}).count(NOT_YET) == 3 * len(SETS)
