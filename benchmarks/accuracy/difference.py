"""Which method is ahead over all sets: mean ranks, and docs/critical_difference.svg.

The picture is aeon's: methods in the order of their mean ranks, and a line over those that are not
told apart by Wilcoxon tests, one-sided in the direction that is seen, with Holm's correction. The
table beside it has two-sided p of scipy, for aeon's are all 1 where Friedman's test finds nothing.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.results import METHODS, Row
from benchmarks.accuracy.sets import ROOT, SETS
from dualgaf.plots.critical_difference import ALPHA, LEAST_METHODS, write_critical_difference
from dualgaf.training.comparison.ranking import DIGITS, standings
from dualgaf.training.text_tables import markdown

PICTURE = ROOT / "docs" / "critical_difference.svg"
OWN = "dualgafnet"

Scores = npt.NDArray[np.float64]

HEAD = """## Over all sets

Mean rank of each method over the {sets} sets, 1 is the best: of test accuracy on UCR and UEA sets,
of macro F1 on plants and robots. Methods that have a row of every set. p is that of a Wilcoxon
signed-rank test of DualGAFNet against the other, two-sided, not corrected.
"""
SHOWN = """
![Mean ranks; methods under one line are not told apart](critical_difference.svg)

Made by `python -m benchmarks.accuracy --page` with aeon's `plot_critical_difference`: lines join
what one-sided Wilcoxon tests with Holm's correction do not tell apart (alpha {alpha}).
"""


def scores_of(rows: Sequence[Row]) -> tuple[list[str], Scores]:
    """Methods that have every set, and their means over seeds: (sets, methods)."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        score = "f1_macro" if SETS[row["set"]].reach is None else "accuracy"
        found.setdefault((row["set"], row["method"]), []).append(row[score])
    methods = [each for each in METHODS if all((name, each) in found for name in SETS)]
    means = [[statistics.fmean(found[name, each]) for each in methods] for name in SETS]
    return methods, np.round(np.array(means).reshape(len(SETS), len(methods)), DIGITS)


def section(rows: Sequence[Row]) -> str:
    """The section of docs/accuracy.md; empty where there is nothing to compare."""
    methods, scores = scores_of(rows)
    if OWN not in methods or len(methods) < LEAST_METHODS:
        return ""
    lines = []
    for one in standings(methods, scores, OWN):
        told = "-" if one.method == OWN else f"{one.above} / {one.same} / {one.below}"
        p = "-" if one.p is None else f"{one.p:.2g}"
        lines.append([METHODS[one.method], f"{one.rank:.2f}", told, p])
    head = ["method", "mean rank", "DualGAFNet above / same / below", "p"]
    return "\n".join(
        [HEAD.format(sets=len(SETS)), markdown(head, lines, texts=(0,)), SHOWN.format(alpha=ALPHA)]
    )


def draw(rows: Sequence[Row], path: Path = PICTURE) -> None:
    """Write the picture; none where there is nothing to compare."""
    methods, scores = scores_of(rows)
    if OWN in methods:
        names = [METHODS[method] for method in methods]
        write_critical_difference(path, scores, names)
