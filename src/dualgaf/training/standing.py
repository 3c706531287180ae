"""What a run says of where it stands: it is done, was stopped, or goes on."""

import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.system.termination import Stopped
from dualgaf.training.options import checkpoints
from dualgaf.training.progress import Progress
from dualgaf.training.ranks import is_first
from dualgaf.training.report import STOPPED, Outcome, build_metrics
from dualgaf.training.resume import resume_command, shown
from dualgaf.training.run_folder import other_folder

log = logging.getLogger(__name__)


def score(metrics: Mapping[str, Any], task: str = "fit") -> float | None:
    """What a search compares: val/acc, of a build its seconds; never of the test split.

    Example:
        >>> score({"test/acc": 0.9}) is None
        True
    """
    key = "build/seconds" if task == "build" else "val/acc"
    return float(metrics[key]) if key in metrics else None


def tell_done(folder: Path, metrics: Mapping[str, Any]) -> float | None:
    """Say that the run of a folder is done, and what to type for another one; its `score`."""
    if is_first():
        log.info(
            "the run in %s is done; for a longer training type %s trainer.max_epochs=%d, for a new "
            "run %s; metrics:\n%s",
            shown(folder),
            resume_command(folder),
            2 * int(metrics.get("fit/epochs", 1)),
            other_folder(folder),
            "\n".join(f"  {key:18} {value}" for key, value in metrics.items()),
        )
    return score(metrics)


def stopped_outcome(cfg: DictConfig, data: DualGAFDataModule, stopped: Stopped) -> Outcome:
    """What there is of a training that a signal has stopped."""
    progress = Progress.read(checkpoints(cfg))
    epochs = () if progress is None else progress.epochs
    metrics: dict[str, Any] = {
        STOPPED: signal.Signals(stopped.number).name,
        "fit/epochs": 0 if progress is None else progress.trained,
        "fit/seconds": 0.0 if progress is None else progress.seconds,
    }
    validated = [epoch for epoch in epochs if "val/loss" in epoch]
    if validated:
        best = min(validated, key=lambda epoch: epoch["val/loss"])
        metrics |= {key: best[key] for key in ("val/loss", "val/acc") if key in best}
    return Outcome({**metrics, **build_metrics(data.build_reports)}, epochs=epochs)


def how_to_resume(cfg: DictConfig, before: Progress | None) -> str:
    """The end of an error of a training that does not go on from its checkpoint."""
    if before is None:
        return "to go on with the run of a checkpoint, in its folder, type resume=RUN"
    folder = Path(cfg.paths.run_dir)
    return f"so the run in {shown(folder)} cannot go on; for a new one type {other_folder(folder)}"
