"""Folds of a sweep taken together: each window was tested once, by a network that did not learn it.

The mean of the folds' scores is another figure, and often none: a fold that is one day has one
class. So labels and predictions of all folds are put together and counted once.
"""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from dualgaf.plots.sweep import FOLD, Row, swept_overrides
from dualgaf.plots.training import draw_confusion
from dualgaf.system.whole_file import write_csv
from dualgaf.training.report import write_class_report

Line = dict[str, str]
"""Of ``test_predictions.csv``."""

log = logging.getLogger(__name__)


def pool_folds(folder: Path, rows: Sequence[Row]) -> list[list[str]]:
    """Put the tests of all folds together.

    Writes ``folds.csv``, a line per test window with the number of its job; and where nothing but
    folds was swept ``report.csv`` and ``folds.png`` as a run has them.

    Args:
        folder: of the sweep, with a folder for each job.
        rows: of the sweep's table.

    Returns:
        Lines of a table, its head first: for each setting accuracy, macro F1, windows and folds.
        Empty where folds were not swept, or a job has tested nothing.
    """
    swept = swept_overrides(rows)
    if FOLD not in swept:
        return []
    others = [name for name in swept if name != FOLD]
    settings: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        settings.setdefault(tuple(str(row.get(name, "")) for name in others), []).append(row)
    table = [[*others, "accuracy", "macro F1", "windows", "folds"]]
    told: list[tuple[str, Line]] = []
    for setting, jobs in settings.items():
        lines = [(str(job["job"]), line) for job in jobs for line in _tested(folder, job)]
        if not lines:
            continue
        _check_once(lines, len(jobs))
        names, label, predicted = _classes([line for _, line in lines])
        right = float((label == predicted).float().mean())
        # one class, as of one day that is left out, is none for it
        f1 = float(multiclass_f1_score(predicted, label, max(2, len(names)), average="macro"))
        table.append([*setting, f"{right:.4f}", f"{f1:.4f}", f"{len(lines)}", f"{len(jobs)}"])
        told += lines
    if not told:
        return []
    columns = list(dict.fromkeys(key for _, line in told for key in line))
    body = ([job, *(line.get(key, "") for key in columns)] for job, line in told)
    write_csv(folder / "folds.csv", ["job", *columns], body)
    if not others and len(names) > 1:
        _draw(folder, names, label, predicted)
    return table


def _tested(folder: Path, job: Row) -> list[Line]:
    path = folder / str(job["job"]) / "test_predictions.csv"
    if not path.is_file():
        log.warning("job %s has tested nothing: its fold is not among those together", job["job"])
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _check_once(lines: Sequence[tuple[str, Line]], n_folds: int) -> None:
    """Say where folds are not those of one deal."""
    jobs_of: dict[tuple[str, str], set[str]] = {}
    for job, line in lines:
        jobs_of.setdefault((line["source"], line["group"]), set()).add(job)
    twice = sorted(group for (_, group), jobs in jobs_of.items() if group and len(jobs) > 1)
    if twice:
        log.warning(
            "%d groups were tested in several of %d folds (%s): they are not folds of one deal",
            len(twice),
            n_folds,
            ", ".join(twice[:4]),
        )


def _classes(lines: Sequence[Line]) -> tuple[list[str], Tensor, Tensor]:
    """Names of the classes, and (N,) true and predicted ones."""
    names = sorted({line[key] for line in lines for key in ("label", "predicted")})
    label, predicted = (
        torch.tensor([names.index(line[key]) for line in lines]) for key in ("label", "predicted")
    )
    return names, label, predicted


def _draw(folder: Path, names: Sequence[str], label: Tensor, predicted: Tensor) -> None:
    write_class_report(folder / "report.csv", label, predicted, names)
    counts = multiclass_confusion_matrix(predicted, label, len(names)).numpy()
    title = f"All folds: {len(label)} windows, {(label == predicted).float().mean():.1%} right"
    draw_confusion(counts, names, title.replace("%", " %")).savefig(folder / "folds.png", dpi=100)
