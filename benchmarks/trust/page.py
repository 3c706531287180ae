"""docs/trust.md, from the rows that are there."""

from typing import Any

import numpy as np

from benchmarks.accuracy.sets import SETS
from benchmarks.made import made_lines
from benchmarks.trust.shown import COVERAGES, JUDGED, METHODS, WITH_NEW

HEAD = """# What a network knows of what it does not know

Made by `python -m benchmarks.trust`; no number here is typed by hand. What the columns are called
is on the [interface page](interface.md#predictions), what was tried on
[a design page](design/0021-trust.md).

## Calibrated

After the first training the network judges the val split, whole groups of windows (days, runs,
subjects) that it has not learned. A temperature by which their classes are most likely divides
the logits; the class of a window never changes. Where the temperature of other groups does not
help a group that is left out, it stays 1. With fewer than 5 windows or 2 groups it stays 1, too,
and the log says so.

With `refit=true` a second training learns all windows, and nothing can be measured on it any
more. It gets the temperature of the first. It has learned more, so it is right a little more
often than it was measured: its probabilities err on the careful side, if at all. The last two
columns are of that second network and of test windows, which neither has seen: expected
calibration error over 15 bins, before and after. `reliability.png` of a run shows the same bins.

Each set, trained once, seed 0:
""".splitlines()
SETS_TEXT = """
## Sets

The column `set` holds each class that cannot be excluded. Windows of one day resemble each other,
so what counts are groups. Of a new group like the n that were held out, a window that is drawn at
random has its class in its set with the probability that was asked for, or more; that is an
average over such groups and draws (Lee, Barber & Willett, 2023). It is promised whatever the
network is, for the network that was measured: the first one. It is **not** promised

- of one day: all windows of a bad day may lack their class. With few groups one of ten may be
  such a day.
- of another plant, another season, or a class that was never learned: these are no groups like
  those.
- of the network of the second training, which was not measured; the table shows what it reaches.
- beyond the temperature, which was fitted on the same windows: one number, of all of them.

By `calibration.folds=5` five networks leave out a fifth of the groups each, so that every group of
train and val counts. AHU MZVAV-2-2, which has no val split, is shown so, with a third of its days
tested.

n groups give n / (n + 1) at most, so 90 % takes 9 groups and 95 % takes 19. What is higher is
refused.

Coverage that was reached on test windows beside its promise, and how many classes a set has on
average:
""".splitlines()
NEW_TEXT = """
## Something new

The column `novelty` is between 0 and 1: the share of training windows that look less strange. Two
things make a window strange: it is far from the nearest training window, and the network
hesitates (the entropy of its probabilities). Distances are in what the kernels of the MiniRocket
branch count and in statistics of the signals, in the 64 directions in which training windows vary
most, each weighed so that they vary as much. Each of the two counts as the share of training
windows that have as much of it while they are not learned: distances to windows of other groups,
and the probabilities of the windows that the network was calibrated by. Their logarithms are
added, so that much of one is enough. Without such windows (no val split) the distance alone
counts. An `.onnx` and a `.pt2` give probabilities alone, so the column is empty there.

AUROC of windows of a class that was left out of training, against test windows of the other
classes: 0.5 is by chance, 1 is perfect. For each class a network is trained without it. Up to 6
classes a set, drawn by a seed, one training each. Beside it an isolation forest, and the distance
to the nearest training window, both on the 10 000 MiniRocket features of aeon. The rule was chosen
on other sets (robot failures).
""".splitlines()

NOT_YET = "not measured yet"


def page(results: dict[str, Any]) -> str:
    """docs/trust.md."""
    judged, new = results["judged"], results["new"]
    lines = [*HEAD, "", *_judged_table(judged), *SETS_TEXT, "", *_sets_table(judged)]
    rows = [*judged.values(), *(row for of_set in new.values() for row in of_set.values())]
    where = ["", "## Where and when", "", made_lines(rows)] if rows else []
    return "\n".join([*lines, *NEW_TEXT, "", *_new_table(new), *where, ""])


def _judged_table(rows: dict[str, Any]) -> list[str]:
    lines = [
        "| set | groups held out | temperature | test accuracy | ECE before | ECE after |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in JUDGED:
        row = rows.get(name)
        if row is None:
            lines.append(f"| {SETS[name].title} | {NOT_YET} | | | | |")
            continue
        cells = [_shown(row[key]) for key in ("temperature", "acc", "ece_before", "ece")]
        lines.append(f"| {SETS[name].title} | {row['groups']} | {' | '.join(cells)} |")
    return [*lines, *_made_worse(rows)]


def _made_worse(rows: dict[str, Any]) -> list[str]:
    """Where a temperature does harm."""
    titles = [SETS[name].title for name in JUDGED if name in rows and _is_worse(rows[name])]
    if not titles:
        return []
    more = "A temperature is of networks that have learned fewer groups than the tested one."
    return ["", f"The error has become **larger** on {', '.join(titles)}. {more}"]


def _is_worse(row: dict[str, Any]) -> bool:
    return bool(row["ece"] > row["ece_before"])


def _sets_table(rows: dict[str, Any]) -> list[str]:
    heads = " | ".join(f"{coverage:.0%}" for coverage in COVERAGES)
    lines = [f"| set | groups held out | {heads} |", "|---|---:|" + "---:|" * len(COVERAGES)]
    for name in JUDGED:
        row = rows.get(name)
        if row is None:
            lines.append(f"| {SETS[name].title} | {NOT_YET} |" + " |" * len(COVERAGES))
            continue
        cells = []
        for coverage in COVERAGES:
            found = row["coverage"].get(str(coverage))
            cells.append("too few groups" if found is None else f"{found[0]:.1%} ({found[1]:.2f})")
        lines.append(f"| {SETS[name].title} | {row['groups']} | {' | '.join(cells)} |")
    return [*lines, *_below_promise(rows)]


def _below_promise(rows: dict[str, Any]) -> list[str]:
    """Where fewer windows than promised have their class in their set."""
    below = [
        f"{SETS[name].title} at {float(coverage):.0%} ({found[0]:.1%})"
        for name in JUDGED
        for coverage, found in rows.get(name, {"coverage": {}})["coverage"].items()
        if found[0] < float(coverage)
    ]
    if not below:
        return []
    more = "A promise is of the average over draws of groups, and a test split is one draw."
    return ["", f"**Below** the promise: {', '.join(below)}. {more}"]


def _new_table(rows: dict[str, Any]) -> list[str]:
    lines = [
        "| set | classes left out | novelty | isolation forest | nearest, MiniRocket |",
        "|---|---:|---:|---:|---:|",
    ]
    means = []
    for name in WITH_NEW:
        own = list(rows.get(name, {}).values())
        if not own:
            lines.append(f"| {SETS[name].title} | {NOT_YET} | | | |")
            continue
        mean = [float(np.mean([row[method] for row in own])) for method in METHODS]
        means.append(mean)
        lines.append(
            f"| {SETS[name].title} | {len(own)} | {' | '.join(f'{m:.3f}' for m in mean)} |"
        )
    if len(means) == len(WITH_NEW):
        cells = " | ".join(f"{m:.3f}" for m in np.mean(means, axis=0))
        lines.append(f"| **mean of the sets** | | {cells} |")
    return lines


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
