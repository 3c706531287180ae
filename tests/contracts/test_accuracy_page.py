"""docs/accuracy.md says what the committed rows say, and nothing else."""

import pytest
from benchmarks.accuracy import archive
from benchmarks.accuracy.ablation import ablations
from benchmarks.accuracy.difference import draw, scores_of
from benchmarks.accuracy.page import PAGE, page
from benchmarks.accuracy.results import (
    METHODS,
    NETWORKS,
    RESULTS,
    add_row,
    job_of,
    load_rows,
    wanted_jobs,
)
from benchmarks.accuracy.row import pooled_scores
from benchmarks.accuracy.sets import SETS

from dualgaf.training.comparison.scores import Predictions
from dualgaf.training.text_tables import summary


def row(method: str, seed: int, accuracy: float, name: str = "natops") -> dict[str, object]:
    return {
        "set": name,
        "method": method,
        "seed": seed,
        "accuracy": accuracy,
        "f1_macro": accuracy,
        "windows": 10,
        "trainings": 1,
        "fit_s": 1.0,
        "parameters": 5,
        "peak_bytes": 1 << 20,
        "overrides": [],
        "date": "2026-01-01",
        "cpu": "c",
        "cpus": 2,
        "versions": {},
    }


def test_the_page_is_made_of_the_committed_rows():
    assert PAGE.read_text() == page(load_rows(RESULTS)), "run: python -m benchmarks.accuracy --page"


def test_a_section_of_the_archive_tutorial_is_made_of_the_same_rows():
    text = archive.PAGE.read_text()
    assert archive.PART.search(text)
    told = "run: python -m benchmarks.accuracy --page"
    assert text == archive.page(text, load_rows(RESULTS)), told


@pytest.mark.parametrize("method", ["minirocket", "quant", "random_forest", "nearest_neighbour"])
def test_every_set_has_its_baselines_of_three_seeds(method):
    there = {job_of(one) for one in load_rows(RESULTS)}
    assert set(wanted_jobs(list(SETS), [method], [0, 1, 2], [])) <= there


def test_a_goal_is_reached_by_the_mean_of_all_seeds():
    for last, verdict in ((0.95, "yes"), (0.94, "no")):
        rows = [row("dualgafnet", 0, 1.0), row("dualgafnet", 1, 0.96), row("dualgafnet", 2, last)]
        line = next(text for text in page(rows).splitlines() if text.startswith("| NATOPS |"))
        assert f"| >= 0.97 | {verdict} |" in line


def test_a_plant_is_won_only_against_every_baseline():
    names = [name for name in METHODS if name not in NETWORKS]
    rows = [row(name, 0, 0.3 + n / 10, "szcav") for n, name in enumerate(names)]

    def verdict(own: float, rows: list[dict[str, object]]) -> str:
        text = page([*rows, row("dualgafnet", 0, own, "szcav")])
        line = next(one for one in text.splitlines() if one.startswith("| AHU SZCAV"))
        return line.split(" | ")[-1].rstrip(" |")

    assert verdict(0.71, rows) == "yes"
    assert verdict(0.69, rows) == "no"
    assert verdict(0.99, rows[:-1]) == "-"  # one is not measured


def test_folds_are_counted_together():
    days = [
        Predictions(["a", "a"], ["a", "b"], 1.0, 1.0),
        Predictions(["b", "b"], ["b", "b"], 1.0, 1.0),
    ]
    scores = pooled_scores(days)
    assert scores["accuracy"] == 0.75
    # a: precision 1, recall 1/2; b: precision 2/3, recall 1
    assert scores["f1_macro"] == round((2 / 3 + 4 / 5) / 2, 6)


def test_a_row_takes_the_place_of_its_like(tmp_path):
    path = tmp_path / "rows.json"
    for one in (row("dualgafnet", 1, 0.5), row("dualgafnet", 0, 0.6), row("dualgafnet", 1, 0.7)):
        add_row(path, one)
    assert [(one["seed"], one["accuracy"]) for one in load_rows(path)] == [(0, 0.6), (1, 0.7)]
    assert summary([one["accuracy"] for one in load_rows(path)]) == "0.650 ± 0.071 (2)"


def test_an_ablation_is_told_beside_what_it_leaves_something_out_of(tmp_path):
    lines = ["job,ablation,seed,refit,test/acc,test/f1_macro"]
    lines += [f"{n},full,{n},false,{acc},0.5" for n, acc in enumerate((0.8, 0.9))]
    (tmp_path / "some.csv").write_text("\n".join([*lines, "2,no_stat,0,false,0.75,0.5"]) + "\n")
    text = ablations(tmp_path)
    assert "-m sweep=ablation refit=false ablation=full,no_stat seed=0,1\n" in text
    what = "without statistics of the window, here or in the regression"
    told = f"| `no_stat` | {what} | 0.750 (1) | 0.500 (1) | -0.100 |"
    assert told in text
    assert ablations(tmp_path / "none") == ""


def everywhere(method: str, accuracy: float) -> list[dict[str, object]]:
    return [row(method, 0, accuracy, name) for name in SETS]


def test_methods_are_ranked_over_all_sets_that_they_have(tmp_path):
    rows = everywhere("dualgafnet", 0.9)
    rows += [row("quant", 0, 0.8 - n / 100, name) for n, name in enumerate(SETS)]
    rows += [*everywhere("minirocket", 0.7), *everywhere("random_forest", 0.6)[1:]]
    assert scores_of(rows)[0] == ["dualgafnet", "minirocket", "quant"]  # the last lacks a set
    text = page(rows)
    # QUANT is ahead of MiniRocket in 10 sets, like it in one and behind it in 7
    assert "| DualGAFNet | 1.00 | - | - |\n" in text
    assert f"| QUANT | {2 + 7.5 / 18:.2f} | 18 / 0 / 0 | {2 / 2**18:.2g} |" in text
    pictures = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for picture in pictures:
        draw(rows, picture)
    assert "QUANT" in pictures[0].read_text()
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_two_methods_have_no_picture(tmp_path):
    rows = [*everywhere("dualgafnet", 0.9), *everywhere("quant", 0.8)]
    draw(rows, tmp_path / "a.svg")
    assert not (tmp_path / "a.svg").exists()
    assert "## Over all sets" not in page(rows)


def test_macro_f1_is_ranked_where_the_page_compares_it():
    rows = [{**one, "f1_macro": 0.1} for one in everywhere("dualgafnet", 0.9)]
    _, scores = scores_of(rows)
    wanted = [0.1 if chosen.reach is None else 0.9 for chosen in SETS.values()]
    assert scores[:, 0].tolist() == wanted
