"""How far a trained network can be believed, measured on windows that it has not learned.

After a training the first network judges the val split, which it has not learned. What follows from
that (`Calibration`) goes into the checkpoints of the run, and so wherever they are used. The
network of the second training has learned the val split, too, so nothing can be measured on it: it
is given what was measured on the first, which has the same settings and fewer windows.

How new a window is (`Novelty`) follows from numbers that no gradient has touched, so the network
that is kept is compared with all windows that it has learned, each with those of other groups.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig, OmegaConf

from dualgaf.data.calibration import Calibration, calibration_error, tempered
from dualgaf.data.checkpointed import with_tensors
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.novelty import MOST_WINDOWS, Novelty
from dualgaf.imaging.windows import Windows
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.novelty import kinds_of, numbers_of
from dualgaf.inference.probabilities import WindowClassifier
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.system.whole_file import whole_file
from dualgaf.training.fit import Learned
from dualgaf.training.folds import out_of_fold
from dualgaf.training.options import checkpoints
from dualgaf.training.progress import BEST, VALIDATED

Array = npt.NDArray[Any]

MOST_JUDGED = 10_000
"""Windows that are judged; of more, evenly spaced ones are taken."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Trust:
    """What was measured."""

    calibration: Calibration | None = None
    novelty: Novelty | None = None

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint | None) -> Self:
        """What a checkpoint holds; nothing where there is none."""
        imaging = None if checkpoint is None else checkpoint.imaging
        return cls() if imaging is None else cls(imaging.calibration, imaging.novelty)

    @property
    def temperature(self) -> float:
        """Of the probabilities."""
        return 1.0 if self.calibration is None else self.calibration.temperature

    def tempered(self, probabilities: Array | None) -> Array | None:
        """(N, K) with the temperature."""
        return None if probabilities is None else tempered(probabilities, self.temperature)

    def shares(
        self, model: DualGAFClassifier, data: DualGAFDataModule, split: str, judged: Array | None
    ) -> Array | None:
        """(N,) how new the first windows of a split are; None where nothing tells.

        Args:
            model: the network.
            data: whose windows they are.
            split: its name.
            judged: (N, K) their probabilities, with the temperature.
        """
        if self.novelty is None or judged is None:
            return None
        rows = data.windows.indices[split][: len(judged)]
        return self.novelty.share(_numbers(model, data, rows), judged)


def trusted(
    cfg: DictConfig,
    data: DualGAFDataModule,
    learned: Learned,
    make_model: Callable[[], DualGAFClassifier],
) -> tuple[Trust, dict[str, float]]:
    """Measure, and keep it in the checkpoints of a run.

    Args:
        cfg: of the run.
        data: its DataModule.
        learned: of `fit`.
        make_model: a new classifier for these data, for ``calibration.folds``.

    Returns:
        What was found, and ``fit/temperature``, ``val/ece_before`` and ``val/ece`` where it was
        calibrated.
    """
    if not OmegaConf.select(cfg, "calibration.enabled", default=True):
        return Trust(), {}
    held = _held_out(cfg, data, learned.validated, make_model)
    if held is None:
        log.info(
            "calibration: there is no val split, so every window was learned and nothing can be "
            "measured; probabilities are as the network gives them, and no set can be given; "
            "calibration.folds=5 measures with further trainings"
        )
        found, metrics = Trust(None, _novelty(learned.final, data, None, 1.0)), {}
    else:
        labels = data.windows.labels[held.rows]
        groups = [data.windows.groups[row] for row in held.rows]
        calibration = Calibration.of(held.probabilities, labels, groups, held.name)
        temperature = calibration.temperature
        _tell(calibration, len(labels))
        found = Trust(calibration, _novelty(learned.final, data, held, temperature))
        errors = calibration_metrics("val", held.probabilities, labels, temperature)
        metrics = {"fit/temperature": temperature, **errors}
    for name, each in ((BEST, found), (VALIDATED, Trust(found.calibration))):
        if (path := checkpoints(cfg) / name).is_file():
            keep(path, each)
    return found, metrics


@dataclass(frozen=True, eq=False)
class _Held:
    """Windows that a network judged which had not learned them."""

    rows: Array
    fold: Array
    """With which others each was held out."""
    probabilities: Array
    name: str


def _held_out(
    cfg: DictConfig,
    data: DualGAFDataModule,
    model: DualGAFClassifier | None,
    make_model: Callable[[], DualGAFClassifier],
) -> _Held | None:
    if OmegaConf.select(cfg, "calibration.folds") is not None:
        return _Held(*out_of_fold(cfg, data, make_model, judged), "folds")
    if model is None or "val" not in data.windows.indices:
        return None
    rows = data.windows.indices["val"]
    rows = rows[:: -(-len(rows) // MOST_JUDGED)]
    return _Held(rows, np.zeros(len(rows), dtype=int), judged(model, data, rows), "val")


def _novelty(
    model: DualGAFClassifier, data: DualGAFDataModule, held: _Held | None, temperature: float
) -> Novelty | None:
    """By the training windows, those of val too, and what was said of those that were held out."""
    windows = data.windows
    rows = np.concatenate([windows.indices[s] for s in ("train", "val") if s in windows.indices])
    rows = np.sort(rows[:: -(-len(rows) // MOST_WINDOWS)])
    rows = rows[windows.labels[rows] >= 0]
    fold, p = np.full(len(rows), -1), np.ones((len(rows), data.num_classes))
    if held is not None:
        _, here, there = np.intersect1d(rows, held.rows, return_indices=True)
        fold[here], p[here] = held.fold[there], tempered(held.probabilities, temperature)[there]
    groups = [windows.groups[row] for row in rows]
    numbers, kinds = _numbers(model, data, rows), kinds_of(model.net, data.n_channels)
    return Novelty.of(numbers, windows.labels[rows], groups, fold, p, kinds)


def _numbers(model: DualGAFClassifier, data: DualGAFDataModule, rows: Array) -> Array:
    series, _, _ = data.windows.standardised(rows)
    return numbers_of(model.net, torch.from_numpy(series), model.device)


def judged(model: DualGAFClassifier, data: DualGAFDataModule, rows: Array) -> Array:
    """(N, K) probabilities of windows, as the network gives them."""
    windows, state = data.windows.windows, replace(data.imaging_state(), calibration=None)
    own = Windows(windows.flat, windows.starts[rows], windows.window_size)
    classify = WindowClassifier(model, state, data.hparams["images"] == "on_device")
    return classify(own)


def keep(path: Path, found: Trust) -> None:
    """Write it into a checkpoint, which is there whole, before and after."""
    content: dict[str, Any] = Checkpoint(path).content
    for part in content.values():
        if isinstance(part, Mapping) and isinstance(part.get("imaging"), dict):
            for name, each in vars(found).items():
                part["imaging"][name] = None if each is None else with_tensors(each.to_plain())
    with whole_file(path) as draft:
        torch.save(content, draft)


def tested(
    data: DualGAFDataModule, probabilities: Array | None, temperature: float
) -> dict[str, float]:
    """``test/ece_before`` and ``test/ece``; nothing where nothing was tested.

    Args:
        data: the DataModule that was tested.
        probabilities: (N, K) of the first windows of the test split, without the temperature.
        temperature: of the network.
    """
    if probabilities is None:
        return {}
    labels = data.windows.labels[data.windows.indices["test"][: len(probabilities)]]
    return calibration_metrics("test", probabilities, labels, temperature)


def calibration_metrics(
    split: str, probabilities: Array, labels: Array, temperature: float
) -> dict[str, float]:
    """``SPLIT/ece_before`` and ``SPLIT/ece``, without and with the temperature.

    Args:
        split: its name.
        probabilities: (N, K) without it.
        labels: (N,) classes; -1 = not known.
        temperature: of the calibration.
    """
    known = labels >= 0
    if not known.any():
        return {}
    p, label = probabilities[known], labels[known]
    after = tempered(p, temperature)
    return {
        f"{split}/ece_before": calibration_error(p, label),
        f"{split}/ece": calibration_error(after, label),
    }


def _tell(found: Calibration, n: int) -> None:
    most = f"sets of up to {found.most_coverage:.0%}".replace("%", " %")
    log.info(
        "calibration: temperature %.3g, %s, by %d windows of %d groups that were not learned",
        found.temperature,
        most,
        n,
        found.n_groups,
    )
    if found.temperature == 1:
        log.info(
            "calibration: the temperature stays 1: there are too few groups, or none of another "
            "helps a group that is left out"
        )
