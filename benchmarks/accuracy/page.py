"""docs/accuracy.md, from rows and from nothing else: a test compares the two."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.accuracy.ablation import ablations
from benchmarks.accuracy.difference import section
from benchmarks.accuracy.results import METHODS, NETWORKS, Row, seconds_of
from benchmarks.accuracy.sets import ROOT, SETS, BenchmarkSet
from benchmarks.made import commit_lines
from dualgaf.training.text_tables import markdown, summary

PAGE = ROOT / "docs" / "accuracy.md"
BASELINES = tuple(method for method in METHODS if method not in NETWORKS)
TOO_SMALL = 5e-4
"""Means are compared as they are shown, with three digits: 0.9996 of 40 windows is no goal."""

HEAD = """# Accuracy

Made by `python -m benchmarks.accuracy` from `benchmarks/results/accuracy.json`; no number here is
typed by hand. `python train.py experiment=NAME seed=SEED` makes a run of DualGAFNet again; where
parts are left out in turn (AHU, robots), `'data.split.test_groups=[...]'` says which.

A cell says mean ± standard deviation over seeds (number of seeds). A dash: not measured.
"""

PROTOCOL = """## How it was measured

**DualGAFNet** is the default recipe of `conf/train.yaml`, the same for every set. Files in
`conf/experiment` say where the data are and how they are cut, and nothing of the recipe. A fifth
of the training split is held out, by the seed, in a first training, which says `val/acc`. What is
tested, once, is a second network that learned the whole training split for a number of epochs that
follows from the number of windows. The recipe was chosen by cross-validation on training splits,
see `docs/design/0011-small-sets-and-one-recipe.md` and the two pages after it. One rule is in it:
several signals are scaled by the training split to [0, 1] and read along the diagonals of their
images; one signal is scaled window by window to [-1, 1] and read by large kernels, and the kernel
branch reads its differences, too. When the kernel
branch was added, when it was bettered, and when diagonals were, test results of what was before
were known; what was done, and how, was chosen by cross-validation all the same. One fault was found
by a test result: on Tennessee Eastman, where each class has a single training run,
cross-validation of the MiniRocket branch held whole classes out; that was mended, and the rows made
anew. Images have a pixel for each step of the window, at most 64 a side.

Two members of its ensemble, each of the same weight as the images, read the window and not the
images. The MiniRocket branch: 84 fixed kernels of MiniRocket at twelve dilations and four biases,
4032 numbers, five statistics of each signal, and a ridge regression on them, see
`docs/design/0012-kernels-beside-the-images.md`. The forest: quantiles of intervals of each signal,
of its differences and of its spectrum, the same statistics, and 100 extra trees, see
`docs/design/0020-a-forest-beside-the-images.md`. When the forest was added, test results of what
was before and of QUANT were known: that there should be one follows from them. Its options were
chosen by cross-validation on training splits of RacketSports, ECG200, ItalyPowerDemand,
JapaneseVowels and NATOPS, and, of plants and robots, of LP1, LP4 and Tennessee Eastman; the other
six chose nothing.

**Earlier recipe**: the recipe of the earlier system, as far as it bears on accuracy. Every window
is scaled by itself; windows are shuffled before a fifth is held out for validation, so that
overlapping ones are on both sides; two branches (large kernel, adaptive fusion, channel
attention) see stored bytes, 1 to 255; no statistics, no kernels, no mixup, no augmentation;
cross-entropy, RAdam (rate 0.001), half the rate on a plateau. Its test split is the same as in
every other column: the earlier system reported its shuffled validation. The extractors keep a grid
of cells, as all of this package but `diagonal` do, where the earlier ones averaged over the image,
and the earlier learning rate is not known.

**MiniRocket**: `MiniRocketClassifier` of aeon as it comes, 10 000 features and a ridge
classifier. **MultiRocket-Hydra**: `MultiRocketHydraClassifier` of aeon as it comes. **QUANT**:
`QUANTClassifier` of aeon as it comes, quantiles of intervals and 200 extra trees. **1-NN**:
Euclidean distance, each channel standardised by the training split; nothing is random, so there is
one run. **Random forest**: 500 trees on mean, deviation, slope, least and largest value of each
channel. These five learn the whole training split, for they hold nothing out.

**UCR and UEA sets**: the official split of the archive. JapaneseVowels: words are resampled to
the length of the longest training word. What is known best was not measured here: the UCR figures
are means over 30 resamples of the split, and the UEA file does not say which split it used. Such
a figure can differ by some cases either way.

**AHU**: windows of 60 minutes, every 30 minutes, of occupied hours (06:00 to 18:00). Each day is
left out once, the others train; windows of one day are never on both sides, for a fault lasts a
day. The predictions of all days are counted together: a left-out day has one class, so an F1 of
its own would mean nothing. MZVAV-2-2: four classes, 26 days. SZCAV: which of three components is
faulty, 14 fault days; gaps of one channel are interpolated. MZVAV-2-1: normal or a leak, 15 days,
without the return and exhaust dampers, whose coding tells the label. No day is held out for
validation, so there is one training for each left-out day.

**Tennessee Eastman**: windows of 60 steps (3 hours), every 20 steps, 22 classes. Runs of the
training file train, runs of the test file are tested; the last fifth of each training run is the
validation of the first training, and is learned by the second. Test runs of faults become faulty
at step 161; the steps before are dropped.

**Robot failures**: forces and torques after a failure, 47 to 164 cases of 15 steps. There is no
official split: the cases of each class are dealt to five parts, each part is left out once, and
the predictions of all are counted together. No case is held out for validation, for some classes
have three.

Peak memory is the largest resident set of the process that made a row, with everything that it
loads; fit is the time of all trainings of a row (each part that is left out has its own, and
DualGAFNet's is both trainings), without tests, and for the networks with the drawing of the images.
Networks had one thread. Times are of the machine below as it was, which may have had other work.
"""

MEMBERS = ("images and statistics", "kernels and statistics", "forest")
SIDES = """## What the images say, what the kernels, and what the forest

Test accuracy of the same networks. The MiniRocket branch and the forest read the window, not the
images; they learn apart from them (`dualgaf/models/minirocket/branch.py`,
`dualgaf/models/forest/branch.py`), so each column is what that member of the ensemble alone would
reach. All have statistics of the window.
"""


def page(rows: Sequence[Row]) -> str:
    """The text of docs/accuracy.md."""
    archive = [chosen for chosen in SETS.values() if chosen.reach is not None]
    plants = [chosen for chosen in SETS.values() if chosen.reach is None]
    parts = [
        HEAD,
        "## Test accuracy, UCR and UEA sets\n",
        _archive_table(rows, archive),
        "## Macro F1, plants and robots\n",
        _plant_table(rows, plants),
        "## Test accuracy, plants and robots\n",
        _table(rows, plants, "accuracy"),
        "## Macro F1, UCR and UEA sets\n",
        _table(rows, archive, "f1_macro"),
        section(rows),
        SIDES,
        _sides_table(rows),
        "## Cost\n",
        _cost_table(rows),
        ablations(),
        PROTOCOL,
        _machines(rows),
    ]
    return "\n".join(parts)


def _of(rows: Sequence[Row], name: str, method: str) -> list[Row]:
    return [row for row in rows if row["set"] == name and row["method"] == method]


def _mean(rows: Sequence[Row], name: str, method: str, score: str) -> float | None:
    values = [row[score] for row in _of(rows, name, method)]
    return statistics.fmean(values) if values else None


def _cells(rows: Sequence[Row], name: str, score: str) -> list[str]:
    return [summary([row[score] for row in _of(rows, name, method)]) for method in METHODS]


def _archive_table(rows: Sequence[Row], sets: Sequence[BenchmarkSet]) -> str:
    lines = []
    for chosen in sets:
        mean = _mean(rows, chosen.name, "dualgafnet", "accuracy")
        assert chosen.reach is not None
        verdict = "-" if mean is None else _yes(mean > chosen.reach - TOO_SMALL)
        goal = [f">= {chosen.reach:g}", verdict, chosen.best, chosen.source]
        lines.append([chosen.title, *_cells(rows, chosen.name, "accuracy"), *goal])
    head = ["set", *METHODS.values(), "reach", "reached", "known best", "read in"]
    return markdown(head, lines, texts=(0, *range(len(METHODS) + 1, len(head))))


def _plant_table(rows: Sequence[Row], sets: Sequence[BenchmarkSet]) -> str:
    lines = []
    for chosen in sets:
        own = _mean(rows, chosen.name, "dualgafnet", "f1_macro")
        others = [_mean(rows, chosen.name, method, "f1_macro") for method in BASELINES]
        known = [mean for mean in others if mean is not None]
        told = own is not None and len(known) == len(BASELINES)
        verdict = _yes(own > max(known)) if own is not None and told else "-"
        lines.append([chosen.title, *_cells(rows, chosen.name, "f1_macro"), verdict])
    head = ["set", *METHODS.values(), "DualGAFNet above every baseline"]
    return markdown(head, lines, texts=(0, len(METHODS) + 1))


def _table(rows: Sequence[Row], sets: Sequence[BenchmarkSet], score: str) -> str:
    lines = [[chosen.title, *_cells(rows, chosen.name, score)] for chosen in sets]
    return markdown(["set", *METHODS.values()], lines, texts=(0,))


def _sides_table(rows: Sequence[Row]) -> str:
    lines = []
    for chosen in SETS.values():
        own = _of(rows, chosen.name, "dualgafnet")
        scores = ("accuracy", "images_accuracy", "kernels_accuracy", "forest_accuracy")
        cells = [summary([row[score] for row in own if score in row]) for score in scores]
        lines.append([chosen.title, *cells])
    return markdown(["set", "all", *MEMBERS], lines, texts=(0,))


def _cost_table(rows: Sequence[Row]) -> str:
    lines = []
    for chosen in SETS.values():
        found = {method: _of(rows, chosen.name, method) for method in METHODS}
        own = found["dualgafnet"]
        lines.append(
            [
                chosen.title,
                next((str(row["windows"]) for of in found.values() for row in of), "-"),
                next((str(row["trainings"]) for of in found.values() for row in of), "-"),
                f"{own[0]['parameters']}" if own else "-",
                *(_cost(of) for of in found.values()),
            ]
        )
    head = ["set", "test windows", "splits", "parameters", *METHODS.values()]
    told = (
        "Seconds and peak memory; means over seeds, one thread. Parameters are DualGAFNet's.\n"
        "Seconds of CPU where rows have them: a network's from reading to the test, a baseline's\n"
        "of its fit. Marked w: seconds of the clock to fit, of rows made before.\n\n"
    )
    return told + markdown(head, lines, texts=(0,))


def _cost(rows: Sequence[Row]) -> str:
    if not rows:
        return "-"
    seconds, has_cpu = seconds_of(rows)
    peak = statistics.fmean(row["peak_bytes"] for row in rows) / 2**20
    shown = f"{seconds:.3g}" if seconds < 100 else f"{seconds:.0f}"
    return f"{shown} {'s' if has_cpu else 's w'}, {peak:.0f} MiB"


def _machines(rows: Sequence[Row]) -> str:
    lines = ["## Where and when", ""]
    told: dict[str, list[Row]] = {}
    for row in rows:
        told.setdefault(f"{row['cpu']}, {row['cpus']} CPUs; {_versions(row)}", []).append(row)
    for machine, made in told.items():
        dates = sorted({row["date"] for row in made})
        span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        lines.append(f"- {len(made)} rows, {span}: {machine}")
    return "\n".join([*lines, "", commit_lines(rows), ""])


def _versions(row: Mapping[str, Row]) -> str:
    return ", ".join(f"{name} {number}" for name, number in row["versions"].items())


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
