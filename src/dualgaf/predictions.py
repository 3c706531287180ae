"""The table that ``task=predict`` writes: a line a window."""

import csv
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dualgaf.data.datamodule import DualGAFDataModule


def write_predictions(path: Path, data: DualGAFDataModule, probabilities: npt.NDArray[Any]) -> None:
    """Write window, group, start time, class and the probability of each class.

    Args:
        path: the CSV file to write.
        data: the DataModule whose predict loader gave the windows.
        probabilities: (N, K), in the loader's order.
    """
    cases = data.cases
    rows = cases.rows["predict" if "predict" in cases.rows else "test"]
    names = cases.class_names
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["window", "group", "start_time", "class", *(f"p({n})" for n in names)])
        for number, (row, scores) in enumerate(zip(rows, probabilities, strict=True)):
            time = cases.start_times[row] or ""
            best = names[int(scores.argmax())]
            table.writerow([number, cases.groups[row], time, best, *(f"{p:.6f}" for p in scores)])
