"""What a run leaves in its directory, beside checkpoints and loggers' files.

``metrics.json`` is what programs read: flat keys and numbers. For people there are

====================== ==========================================================================
test_predictions.csv   a line per test window: true class, predicted class, probabilities
report.csv             a line per class: precision, recall, F1, windows; and their mean over classes
confusion.png          which class was taken for which
reliability.png        how sure the network is, and how often it is right then
outside.csv            by split and channel, what is outside of the training range
unlike.csv             by split and channel, windows that are unlike the training
curves.png             loss, accuracy and learning rate by epoch; after a fit
about.json             versions, machine, and what was understood of the data
====================== ==========================================================================

Two callbacks collect what is needed while Lightning runs anyway: no split is read again, and no
logger is asked.
"""

import json
import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from dualgaf.build import BuildReport
from dualgaf.data.calibration import Calibration, reliability, tempered
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.imaging.bounds import Outside
from dualgaf.inference.predictions import Prediction, write_predictions
from dualgaf.inference.unlike import Unlike
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plots.reliability import draw_reliability
from dualgaf.plots.training import Epoch, draw_confusion, draw_curves
from dualgaf.system.whole_file import whole_file, write_csv
from dualgaf.training.about import write_about
from dualgaf.training.by_channel import channel_metrics
from dualgaf.training.outside import write_outside
from dualgaf.training.unlike import write_unlike

log = logging.getLogger(__name__)

STOPPED = "fit/stopped"
"""Key of ``metrics.json`` of a run that is not done: the signal that has stopped it."""
_SCORES = {
    "precision": multiclass_precision,
    "recall": multiclass_recall,
    "f1": multiclass_f1_score,
}
_LOGGED = ("train/loss", "train/acc", "val/loss", "val/acc")


_TOLD = "dualgaf told"


class EpochCurves(L.Callback):
    """Keeps what was logged in each epoch of a fit, in ``epochs``; where it goes on, of all.

    Ranks that are spawned (``trainer.strategy=ddp_spawn``) have ended with all that they counted
    when the fit is over. Lightning hands the callback metrics of the first one over.
    """

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self._validated = -1

    def state_dict(self) -> dict[str, Any]:
        """The epochs so far, for the checkpoint."""
        return {"epochs": [dict(epoch) for epoch in self.epochs]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after the epochs of a checkpoint."""
        self.epochs = [*state_dict["epochs"]]

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note that this epoch has a validation: what was logged stays until the next one."""
        self._validated = trainer.current_epoch

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note loss and accuracy of the epoch, and the rate that its last step left."""
        logged = trainer.callback_metrics
        own = [key for key in _LOGGED if key in logged]
        if self._validated != trainer.current_epoch:
            own = [key for key in own if key.startswith("train/")]
        found = {key: float(logged[key]) for key in own}
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        if getattr(pl_module, "mixup", 0):
            found["mixed"] = 1.0
        self.epochs.append({"epoch": trainer.current_epoch + 1, "learning_rate": rate, **found})

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """In a rank that was spawned: put where Lightning takes it from what `taken` reads."""
        if multiprocessing.parent_process() is not None:
            told = json.dumps([trainer.current_epoch, self.epochs]).encode()
            trainer.callback_metrics[_TOLD] = torch.tensor(list(told), dtype=torch.uint8)

    def taken(self, trainer: L.Trainer) -> int:
        """How many epochs a training took that is over; ``epochs`` are known then."""
        told = trainer.callback_metrics.pop(_TOLD, None)
        if told is None:
            return trainer.current_epoch
        count, self.epochs[:] = json.loads(bytes(told.tolist()))
        return int(count)


class ProbabilityKeeper(L.Callback):
    """Keeps the probabilities of the windows that are tested."""

    def __init__(self) -> None:
        self._parts: list[Tensor] = []

    @property
    def probabilities(self) -> npt.NDArray[Any] | None:
        """(N, K) in the order of the loader; None where nothing was tested."""
        return torch.cat(self._parts).numpy() if self._parts else None

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget an earlier test."""
        self._parts.clear()

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *others: Any
    ) -> None:
        """Keep what `DualGAFClassifier.test_step` gave."""
        self._parts.append(outputs.cpu())


@dataclass(frozen=True)
class Outcome:
    """What a run has found."""

    metrics: dict[str, Any]
    """What ``metrics.json`` says."""
    probabilities: npt.NDArray[Any] | None = None
    """(N, K) of the test split as the network gives them, where it was evaluated."""
    epochs: Sequence[Epoch] = ()
    """Of a fit."""
    outside: Mapping[str, Outside] = field(default_factory=dict)
    """Of `outside_training`: by split, what is outside of the training range."""
    unlike: Mapping[str, Unlike] = field(default_factory=dict)
    """Of `unlike_training`: by split, what is unlike the training."""
    calibration: Calibration | None = None
    """Of the network: what becomes of ``probabilities`` in tables."""
    novelty: npt.NDArray[Any] | None = None
    """(N,) of these windows, see `Novelty`."""
    model: DualGAFClassifier | None = None
    """The network that was tested."""


def write_outcome(
    folder: Path, data: DualGAFDataModule, outcome: Outcome, pictures: bool = True
) -> None:
    """Write the tables and pictures, then ``metrics.json``, and log where they are.

    A run that has ``metrics.json`` is done, so that comes last.

    Args:
        folder: the run directory.
        data: the DataModule of the run; its images are not needed.
        outcome: what was found.
        pictures: whether there are any.
    """
    folder.mkdir(parents=True, exist_ok=True)
    metrics = outcome.metrics
    if outcome.outside:
        metrics = metrics | channel_metrics("outside", outcome.outside, data.channel_names)
    metrics = metrics | channel_metrics("unlike", outcome.unlike, data.channel_names)
    if STOPPED in metrics:  # there may be seconds left
        _write_metrics(folder, metrics)
    lines = (f"  {key:18} {_shown(value)}" for key, value in metrics.items())
    log.info("metrics:\n%s", "\n".join(lines))
    try:
        if outcome.outside:
            write_outside(folder / "outside.csv", outcome.outside, data.channel_names)
        facts = data.imaging_state().facts if outcome.unlike else None
        if facts is not None:
            write_unlike(folder / "unlike.csv", outcome.unlike, data.channel_names, facts)
        write_about(folder, data)
        written = write_report(folder, data, outcome, pictures)
        if written:
            log.info("report: %s in %s", ", ".join(written), folder)
    except OSError as error:
        # The run has done what it was for: its figures and its checkpoint are there.
        log.warning("the report could not be written to %s: %s", folder, error)
    finally:
        _write_metrics(folder, metrics)


def _write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    with whole_file(folder / "metrics.json") as draft:
        draft.write_text(json.dumps(metrics, indent=2) + "\n")


def build_metrics(reports: Sequence[BuildReport]) -> dict[str, Any]:
    """The ``build/`` keys of ``metrics.json``: sums over the builds of a run.

    Args:
        reports: of the builds; none where no image was built.
    """
    if not reports:
        keys = ("windows", "bytes", "peak_bytes", "workers", "chunk_size")
        named = {"backing": "none", "backend": "none", "cache": "off"}
        found = {"seconds": 0.0, **dict.fromkeys(keys, 0), **named}
    else:
        caches = [report.cache for report in reports]
        found = {
            **vars(reports[0]),
            "seconds": sum(report.seconds for report in reports),
            "windows": sum(report.windows for report in reports),
            "bytes": sum(report.bytes for report in reports),
            "peak_bytes": max(report.peak_bytes for report in reports),
            # "hit" is said only where nothing was built
            "cache": next(state for state in ("miss", "off", "hit") if state in caches),
        }
    return {f"build/{key}": value for key, value in found.items()}


def write_report(
    folder: Path, data: DualGAFDataModule, outcome: Outcome, pictures: bool = True
) -> list[str]:
    """Write the tables and pictures of a run.

    Args:
        folder: the run directory.
        data: the DataModule that was tested.
        outcome: of the run.
        pictures: whether they are wanted, too.

    Returns:
        The names of the files that were written.
    """
    written, probabilities = [], outcome.probabilities
    if outcome.epochs and pictures:
        draw_curves(outcome.epochs).savefig(folder / "curves.png", dpi=100)
        written.append("curves.png")
    if probabilities is None:
        return written
    unlike = outcome.unlike.get("test")
    calibration = outcome.calibration
    temperature = 1.0 if calibration is None else calibration.temperature
    calibrated = tempered(probabilities, temperature)
    found = Prediction.of_split(
        data,
        calibrated,
        split="test",
        unlike=unlike,
        calibration=calibration,
        novelty=outcome.novelty,
    )
    write_predictions(folder / "test_predictions.csv", found)
    rows = data.windows.indices["test"][: len(probabilities)]
    label = torch.from_numpy(data.windows.labels[rows])
    predicted = torch.from_numpy(probabilities).argmax(dim=1)
    names = data.class_names
    write_class_report(folder / "report.csv", label, predicted, names)
    tables = ["report.csv", "test_predictions.csv"]
    if not pictures:
        return tables
    counts = multiclass_confusion_matrix(predicted, label, len(names)).numpy()
    accuracy = float(np.trace(counts) / counts.sum())
    title = f"Test split: {len(label)} windows, {accuracy:.1%} right".replace("%", " %")
    draw_confusion(counts, names, title).savefig(folder / "confusion.png", dpi=100)
    sides = {
        name: reliability(p, label.numpy())
        for name, p in (("as the network gives them", probabilities), ("calibrated", calibrated))
    }
    title = f"Test split: {len(label)} windows, temperature {temperature:.3g}"
    draw_reliability(sides, title).savefig(folder / "reliability.png", dpi=100)
    return [*written, "confusion.png", "reliability.png", *tables]


def write_class_report(
    path: Path, label: Tensor, predicted: Tensor, class_names: Sequence[str]
) -> None:
    """Write precision, recall and F1 of each class, and their mean.

    Args:
        path: the CSV file to write. Its last line, ``macro``, is the mean over the classes that
            occur or were predicted, as in ``test/f1_macro``.
        label: (N,) true classes.
        predicted: (N,) predicted classes.
        class_names: K names.
    """
    n_classes = len(class_names)
    columns = []
    for score in _SCORES.values():
        by_class = score(predicted, label, n_classes, average="none").tolist()
        columns.append([*by_class, float(score(predicted, label, n_classes, average="macro"))])
    support = [*torch.bincount(label, minlength=n_classes).tolist(), len(label)]
    lines = zip([*class_names, "macro"], *columns, support, strict=True)
    rows = ([name, *(f"{score:.4f}" for score in scores), count] for name, *scores, count in lines)
    write_csv(path, ["class", *_SCORES, "support"], rows)


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
