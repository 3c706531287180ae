"""The table of a prediction: a line per window."""

import csv
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.series.series import clock_text


def write_predictions(
    path: Path, data: DualGAFDataModule, probabilities: npt.NDArray[Any], *, split: str
) -> None:
    """Write window, group, start time, label, class and the probability of each class.

    Args:
        path: the CSV file to write; its label column is empty where a window has none.
        data: the DataModule whose loader gave the windows.
        probabilities: (N, K) of the first N windows of the split, in the loader's order.
        split: the split, such as ``test``.
    """
    windowed = data.windows
    names = windowed.class_names
    rows = windowed.indices[split][: len(probabilities)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        scores_of = (f"p({name})" for name in names)
        table.writerow(["window", "group", "start_time", "label", "class", *scores_of])
        for number, (row, scores) in enumerate(zip(rows, probabilities, strict=True)):
            times = windowed.start_times
            time = "" if times is None else clock_text(times[row])
            known = int(windowed.labels[row])
            label = names[known] if known >= 0 else ""
            best = names[int(scores.argmax())]
            shown = (f"{p:.6f}" for p in scores)
            table.writerow([number, windowed.groups[row], time, label, best, *shown])
