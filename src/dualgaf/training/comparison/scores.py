"""What was predicted of test windows, and how good that is."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualgaf.system.whole_file import write_csv

FILE = "test_predictions.csv"


@dataclass(frozen=True)
class Predictions:
    """What was predicted for the test windows of a training, and how long learning took."""

    label: list[str]
    predicted: list[str]
    fit_s: float
    """Seconds of the clock; beside other jobs they say little."""
    cpu_s: float
    """Seconds of CPU of all threads and children; a network's are those of reading, drawing and
    testing, too."""


def pooled_scores(label: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
    """Accuracy and macro F1 of windows, of one test or of several folds together.

    Averaging a fold's F1 instead would be wrong: a day that is left out has one class.

    Example:
        >>> pooled_scores(["a", "a", "b", "b"], ["a", "b", "b", "b"])
        {'accuracy': 0.75, 'f1_macro': 0.733333, 'windows': 4}
    """
    from sklearn.metrics import accuracy_score, f1_score

    return {
        "accuracy": round(float(accuracy_score(label, predicted)), 6),
        "f1_macro": round(float(f1_score(label, predicted, average="macro")), 6),
        "windows": len(label),
    }


def read_predictions(folder: Path) -> tuple[list[str], list[str]]:
    """True and predicted classes of the test windows of a run.

    Raises:
        OSError: it has tested nothing.
    """
    with (folder / FILE).open(newline="") as file:
        lines = list(csv.DictReader(file))
    return [line["label"] for line in lines], [line["predicted"] for line in lines]


def write_labels(folder: Path, found: Predictions) -> None:
    """Write what `read_predictions` reads."""
    rows = zip(range(len(found.label)), found.label, found.predicted, strict=True)
    write_csv(folder / FILE, ["window", "label", "predicted"], rows)
