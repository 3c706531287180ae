"""How far the training of a run has come, in its folder.

``checkpoints/last.ckpt`` is the state after the newest epoch of the first training, and
``checkpoints/refit.ckpt`` that of the second one. `LastCheckpoint` writes them, `Progress` says
what is there, and so from where a run goes on. Both trainings are over where ``best.ckpt`` is the
second's.
"""

import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint as CheckpointCallback
from lightning.pytorch.loggers import CSVLogger, Logger

from dualgaf.errors import ConfigError, not_allowed
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.plots.training import Epoch
from dualgaf.system.whole_file import whole_file
from dualgaf.training.report import EpochCurves

FIRST, REFIT, BEST, VALIDATED = (f"{name}.ckpt" for name in ("last", "refit", "best", "validated"))
TWICE = 200
"""Lines back that one may be repeated from; a logger writes after 100 steps."""


class LastCheckpoint(CheckpointCallback):
    """Writes the state of a training after each epoch, and once more at its end.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ended = False
        self._max_epochs: int | None = None
        self._seconds = 0.0
        self._since = time.perf_counter()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Refuse ranks of which some go on and others begin.

        Raises:
            ConfigError: the ranks do not see the same folder.
        """
        self._ended, self._since, self._max_epochs = False, time.perf_counter(), trainer.max_epochs
        steps = trainer.strategy.broadcast(trainer.global_step)
        if steps != trainer.global_step:
            raise ConfigError(
                f"rank {trainer.global_rank} is at step {trainer.global_step}, the first rank at "
                f"{steps}: {self.path.parent} is not the same folder for both; type hydra.run.dir="
                "... with a folder that all ranks share"
            )

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write it, and what loggers hold back."""
        self._save(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note that it is over."""
        self._ended = True
        self._save(trainer)

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        seconds = self._seconds + time.perf_counter() - self._since
        return {"ended": self._ended, "max_epochs": self._max_epochs, "seconds": seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Where a training goes on."""
        self._seconds = state_dict["seconds"]

    def _save(self, trainer: L.Trainer) -> None:
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(self.path, weights_only=False)


@dataclass(frozen=True)
class Progress:
    """Where a training stands."""

    checkpoint: Path
    """Its newest state."""
    steps: int
    """Of the optimiser."""
    trained: int
    """Epochs that are over."""
    max_epochs: int | None
    """``trainer.max_epochs`` then; None in a checkpoint that does not say so."""
    ended: bool
    """Whether the training is over."""
    seconds: float
    """That it took."""
    epochs: Sequence[Epoch]
    """Its curves."""
    best: Path | None
    """The checkpoint of the epoch that the val split chose."""

    @classmethod
    def read(cls, folder: Path, name: str = FIRST) -> Self | None:
        """Of a folder of checkpoints; None where there is nothing to go on from.

        Args:
            folder: RUN/checkpoints.
            name: `FIRST`, or `REFIT`. A run of an earlier version has no ``last.ckpt``: it goes on
                from the epoch that the val split chose.
        """
        path = folder / name
        if name == FIRST and not path.is_file():
            others = (folder / other for other in (VALIDATED, BEST))
            path = next((other for other in others if other.is_file()), path)
        if not path.is_file():
            return None
        checkpoint = Checkpoint(path)
        if checkpoint.learned_val and name == FIRST:
            return None
        found = checkpoint.content
        states = found.get("callbacks") or {}
        own = states.get(LastCheckpoint.__qualname__, {})
        chosen = [
            state["best_model_path"] for state in states.values() if "best_model_path" in state
        ]
        best = folder / Path(chosen[0]).name if chosen else None
        return cls(
            path,
            int(found["global_step"]),
            int(found["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]),
            own.get("max_epochs"),
            bool(own.get("ended", False)),
            float(own.get("seconds", 0.0)),
            states.get(EpochCurves.__qualname__, {}).get("epochs", ()),
            best if best is not None and best.is_file() else None,
        )

    def goes_on(self, max_epochs: int | None) -> bool:
        """Whether there is more to train.

        Args:
            max_epochs: what is asked for now.

        Raises:
            ConfigError: fewer than are trained already.
        """
        if max_epochs is None or max_epochs < 0:
            return not self.ended
        if max_epochs < self.trained:
            raise ConfigError(
                not_allowed(
                    "trainer.max_epochs",
                    max_epochs,
                    f"{self.trained} and more, which this run has trained",
                    f"trainer.max_epochs={self.trained}",
                )
            )
        stopped_early = self.max_epochs is not None and self.trained < self.max_epochs
        return not self.ended or (max_epochs > self.trained and not stopped_early)


def settle_in(progress: Progress, folder: Path) -> None:
    """Let a checkpoint name the files of its folder, which may have been moved.

    Args:
        progress: of the folder.
        folder: RUN/checkpoints.
    """
    content = Checkpoint(progress.checkpoint).content
    there = {
        state["dirpath"]
        for state in (content.get("callbacks") or {}).values()
        if state.get("dirpath") not in (None, str(folder))
    }
    if not there:
        return
    for old in there:
        content["callbacks"] = _moved(content["callbacks"], old, str(folder))
    with whole_file(progress.checkpoint) as draft:
        torch.save(content, draft)


def begin_anew(folder: Path) -> None:
    """Put the second training away: the first goes on, and what it chose is ``best.ckpt`` again.

    Args:
        folder: RUN/checkpoints.
    """
    if (folder / VALIDATED).is_file():
        (folder / VALIDATED).replace(folder / BEST)
    (folder / REFIT).unlink(missing_ok=True)


def keep_logs(loggers: Sequence[Logger], steps: int) -> None:
    """Keep the lines of CSV loggers before a step; a new logger would remove them all.

    Args:
        loggers: of a training that goes on, before it does; in the first rank.
        steps: that the optimiser has made then.
    """
    for logger in loggers:
        if not isinstance(logger, CSVLogger):
            continue
        path = Path(logger.log_dir) / "metrics.csv"
        kept = _lines_before(path, steps) if path.is_file() else []
        logger.experiment.metrics.extend(kept)
        logger.save()


def _lines_before(path: Path, steps: int) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    last = 0
    with path.open(newline="") as file:
        for cells in csv.DictReader(file):
            line = {key: cell for key, cell in cells.items() if cell}
            step = int(line["step"]) if line.get("step", "x").isdigit() else -1
            # Not those of the evaluation, whose steps begin anew; nor lines that come twice, of a
            # logger that was interrupted as it wrote.
            if last <= step < steps and line not in kept[-TWICE:]:
                kept.append(line)
                last = step
    return kept


def _moved(node: Any, old: str, new: str) -> Any:
    if isinstance(node, dict):
        return {_moved(key, old, new): _moved(value, old, new) for key, value in node.items()}
    if isinstance(node, str) and (node == old or node.startswith(f"{old}/")):
        return new + node.removeprefix(old)
    return node
