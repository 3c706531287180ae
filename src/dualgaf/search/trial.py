"""One trial: a first training, which the val split judges; the test split is never read.

It is the first training that a run with these options has (`dualgaf.training.fit`), so the best one
is what the run begins with that is trained on train and val, and tested.
"""

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from optuna.trial import Trial

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import SplitError
from dualgaf.plots.training import draw_curves
from dualgaf.system.whole_file import whole_file
from dualgaf.training.classifier import make_classifier
from dualgaf.training.epochs import FIRST_STEPS, STEPS, epochs_for
from dualgaf.training.fit import fit
from dualgaf.training.loggers import closed_at_end, log_results, loggers_of
from dualgaf.training.options import checkpoints
from dualgaf.training.progress import FIRST
from dualgaf.training.report import build_metrics

VALUE = "val/loss"
"""What a search makes small."""
BEST_EPOCH = "fit/best_epoch"
PRUNED = "search/pruned"
"""Key of ``metrics.json`` of a trial that was ended early: why."""
NO_VAL = "a search is judged by the val split, and there is none; type data.split.val_fraction=0.2"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """How a trial has ended."""

    metrics: dict[str, Any]
    """Of ``metrics.json``."""

    @property
    def value(self) -> float | None:
        """The lowest val/loss; None where no epoch had one."""
        return self.metrics.get(VALUE)

    @property
    def pruned(self) -> str | None:
        """Why it was ended early; None where it was not."""
        return self.metrics.get(PRUNED)


class Watch(L.Callback):
    """Tells the study of each epoch, and ends a training that is worse than others were.

    An epoch counts with its best validation. One whose loss is no number ends the training at once.

    Args:
        trial: of the study.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._in_epoch: list[dict[str, float]] = []
        self.best: dict[str, float] = {}
        """Metrics of the validation with the lowest loss, and its epoch."""
        self.pruned: str | None = None

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note what a validation has found."""
        if trainer.sanity_checking:
            return
        logged = trainer.callback_metrics
        found = {key: float(value) for key, value in logged.items() if key.startswith("val/")}
        self._in_epoch.append(found)
        if math.isfinite(found[VALUE]) and found[VALUE] < self.best.get(VALUE, math.inf):
            self.best = {BEST_EPOCH: trainer.current_epoch + 1, **found}

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Tell the study; end what is to be ended."""
        validated, self._in_epoch = self._in_epoch, []
        if not validated or self.pruned is not None:
            return
        epoch = trainer.current_epoch + 1
        losses = [found[VALUE] for found in validated]
        if not all(map(math.isfinite, losses)):
            self.pruned = f"val/loss is no number in epoch {epoch}"
        else:
            self._trial.report(min(losses), epoch)
            if epoch != trainer.max_epochs and self._trial.should_prune():
                self.pruned = f"worse than the median of other trials in epoch {epoch}"
        # An end in order: Lightning takes an exception for a failure.
        trainer.should_stop = trainer.should_stop or self.pruned is not None


def train_trial(cfg: DictConfig, data: DualGAFDataModule, trial: Trial) -> Ended:
    """Train a trial, and leave its results in its folder.

    Args:
        cfg: what it has drawn, and its ``paths.run_dir``.
        data: of `KeptImages`.
        trial: of the study.

    Raises:
        SplitError: there is no val split.
        ConfigError: an option is not allowed.
    """
    if "val" not in data.windows.indices:
        raise SplitError(NO_VAL)
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    loggers = loggers_of(cfg, None)
    with closed_at_end(loggers):
        metrics = _fitted(cfg, data, Watch(trial), loggers)
        log_results(cfg, loggers, data.class_names)
    return Ended(metrics)


def _fitted(
    cfg: DictConfig, data: DualGAFDataModule, watch: Watch, loggers: list[Logger]
) -> dict[str, Any]:
    built = len(data.build_reports)
    learned = fit(
        first_training(cfg, data),
        data,
        lambda: make_classifier(cfg, data, None),
        loggers,
        watching=[watch],
    )
    metrics = {
        **learned.metrics,
        **watch.best,
        **({} if watch.pruned is None else {PRUNED: watch.pruned}),
        **build_metrics(data.build_reports[built:]),
    }
    folder = Path(cfg.paths.run_dir)
    (checkpoints(cfg) / FIRST).unlink(missing_ok=True)  # no trial goes on
    if cfg.report:
        draw_curves(learned.epochs).savefig(folder / "curves.png", dpi=100)
    with whole_file(folder / "metrics.json") as draft:
        draft.write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def first_training(cfg: DictConfig, data: DualGAFDataModule) -> DictConfig:
    """The options of a run's first training alone, as long as it is there."""
    own = cfg.copy()
    if own.trainer.get("max_epochs") == "auto":
        a_step = data.batch_size * own.trainer.get("accumulate_grad_batches", 1)
        steps = FIRST_STEPS if own.refit else STEPS
        own.trainer.max_epochs = epochs_for(len(data.windows.indices["train"]), a_step, steps)
    own.refit = False
    return own


def ended_in(folder: Path) -> Ended | None:
    """What a trial has left whose process was killed; None where it had not ended."""
    try:
        return Ended(json.loads((folder / "metrics.json").read_text()))
    except (OSError, ValueError):
        return None


@contextmanager
def less_said(once: bool) -> Iterator[None]:
    """A block in which a training does not say what is the same for all trials.

    Args:
        once: whether it was said already.
    """
    if not once:
        yield
        return
    names = ("dualgaf.training", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
