"""Which method is ahead over all sets: mean ranks, and docs/critical_difference.svg.

The picture is aeon's: methods in the order of their mean ranks, and a line over those that are not
told apart by Wilcoxon tests, one-sided in the direction that is seen, with Holm's correction. The
table beside it has two-sided p of scipy, for aeon's are all 1 where Friedman's test finds nothing.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.markdown import markdown
from benchmarks.accuracy.results import METHODS, Row
from benchmarks.accuracy.sets import ROOT, SETS

PICTURE = ROOT / "docs" / "critical_difference.svg"
OWN = "dualgafnet"
LEAST_METHODS = 3
"""With fewer there is no picture: aeon draws none of two."""
ALPHA = 0.05
DIGITS = 3
"""Means are ranked as the page shows them; equal ones share a rank."""

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


def mean_ranks(scores: Scores) -> Scores:
    """(sets, methods) -> (methods,), 1 is the best.

    Example:
        >>> mean_ranks(np.array([[0.9, 0.8, 0.7], [0.5, 0.5, 0.1]])).tolist()
        [1.25, 1.75, 3.0]
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(-scores, axis=1).mean(axis=0))


def section(rows: Sequence[Row]) -> str:
    """The section of docs/accuracy.md; empty where there is nothing to compare."""
    methods, scores = scores_of(rows)
    if OWN not in methods or len(methods) < LEAST_METHODS:
        return ""
    ranks, p_of = mean_ranks(scores), _p_values(methods, scores)
    lines = []
    for rank, method in sorted(zip(ranks.tolist(), methods, strict=True)):
        own = scores[:, methods.index(OWN)]
        other = scores[:, methods.index(method)]
        counts = [(own > other).sum(), (own == other).sum(), (own < other).sum()]
        told = "-" if method == OWN else " / ".join(str(count) for count in counts)
        lines.append([METHODS[method], f"{rank:.2f}", told, p_of.get(method, "-")])
    head = ["method", "mean rank", "DualGAFNet above / same / below", "p"]
    return "\n".join(
        [HEAD.format(sets=len(SETS)), markdown(head, lines, texts=(0,)), SHOWN.format(alpha=ALPHA)]
    )


def _p_values(methods: Sequence[str], scores: Scores) -> Mapping[str, str]:
    from scipy.stats import wilcoxon

    own, found = scores[:, methods.index(OWN)], {}
    for number, method in enumerate(methods):
        if method != OWN and (own != scores[:, number]).any():
            found[method] = f"{wilcoxon(own, scores[:, number]).pvalue:.2g}"
    return found


def draw(rows: Sequence[Row], path: Path = PICTURE) -> None:
    """Write the picture; none where there is nothing to compare."""
    import matplotlib as mpl
    from aeon.visualisation import plot_critical_difference

    methods, scores = scores_of(rows)
    if OWN not in methods or len(methods) < LEAST_METHODS:
        return
    # the same rows give the same file
    with mpl.rc_context({"svg.hashsalt": "dualgaf", "svg.fonttype": "none"}):
        names = [METHODS[method] for method in methods]
        figure, _ = plot_critical_difference(scores, names, alpha=ALPHA, highlight=None)
        figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
