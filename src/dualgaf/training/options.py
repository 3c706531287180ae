"""What `fit` gives a `lightning.Trainer` beside ``cfg.trainer``: callbacks, number of epochs."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Checkpoint as CheckpointCallback
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, ProgressBar
from omegaconf import DictConfig, OmegaConf

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, not_allowed
from dualgaf.training.cluster import ranks_of
from dualgaf.training.epochs import STEPS, epochs_for
from dualgaf.training.progress import Progress
from dualgaf.training.progress_bar import TrainingBar
from dualgaf.training.trainer import check_trainer

MONITORED = ("val/loss", "val/acc", "val/f1_macro")
"""What a validation logs."""


def checkpoints(cfg: DictConfig) -> Path:
    """The folder of a run's checkpoints."""
    return Path(cfg.paths.run_dir) / "checkpoints"


def trainer_options(
    cfg: DictConfig, data: DualGAFDataModule, steps: int = STEPS, title: str = "training"
) -> dict[str, Any]:
    """What a `Trainer` gets beside ``cfg.trainer``: callbacks, progress bar, number of epochs.

    Args:
        cfg: of the run.
        data: the DataModule, with its windows.
        steps: that ``trainer.max_epochs=auto`` stands for.
        title: of the progress bar.

    Raises:
        ConfigError: see `check_trainer`.
    """
    check_trainer(cfg)
    epochs = cfg.trainer.get("max_epochs")
    if epochs == "auto":
        a_step = data.batch_size * cfg.trainer.get("accumulate_grad_batches", 1) * ranks_of(cfg)
        epochs = epochs_for(len(data.windows.indices["train"]), a_step, steps)
    callbacks = _callbacks(cfg)
    if cfg.trainer.get("enable_checkpointing") is False:
        callbacks = [c for c in callbacks if not isinstance(c, CheckpointCallback)]
    # A bar that is redrawn fills a log file with thousands of lines.
    has_bar = cfg.trainer.get("enable_progress_bar") is not False and sys.stderr.isatty()
    if has_bar and not any(isinstance(callback, ProgressBar) for callback in callbacks):
        callbacks.append(TrainingBar(title))
    return {"max_epochs": epochs, "callbacks": callbacks, "enable_progress_bar": has_bar}


def as_begun(cfg: DictConfig, epochs: int | None, before: Progress | None) -> int | None:
    """Epochs of a training that goes on: an earlier version may have meant more by ``auto``."""
    begun = None if before is None else before.max_epochs
    return begun if begun is not None and cfg.trainer.get("max_epochs") == "auto" else epochs


def unwatched(options: dict[str, Any]) -> dict[str, Any]:
    """The same for a training without validation."""
    kept = [
        c for c in options["callbacks"] if not isinstance(c, CheckpointCallback | EarlyStopping)
    ]
    return {**options, "callbacks": kept, "limit_val_batches": 0}


def kept_callbacks(callbacks: Sequence[L.Callback], cfg: DictConfig) -> list[L.Callback]:
    """Callbacks of which one writes ``best.ckpt``: the last epoch, where none was asked for."""
    if cfg.trainer.get("enable_checkpointing") is False:
        return list(callbacks)
    for callback in callbacks:
        if isinstance(callback, EarlyStopping) and callback.monitor in MONITORED:
            callback.strict = False  # steps or time may end the training before the first of them
    if any(isinstance(callback, CheckpointCallback) for callback in callbacks):
        return list(callbacks)
    return [*callbacks, ModelCheckpoint(checkpoints(cfg), "best", enable_version_counter=False)]


class KeptEpochs(ModelCheckpoint):
    """The best epochs, each in a file of its own, beside the ``best.ckpt`` of another callback.

    Lightning tells callbacks that watch the same apart by their class.
    """


def _callbacks(cfg: DictConfig) -> list[L.Callback]:
    """Those of ``cfg.callbacks``; with another ``save_top_k`` than 1 one more keeps these epochs.

    ``best.ckpt`` is the best epoch in any case: it is what is tested.

    Raises:
        ConfigError: ``save_top_k`` keeps no epoch.
    """
    option = "callbacks.checkpoint.save_top_k"
    kept = OmegaConf.select(cfg, option, default=1)
    if isinstance(kept, bool) or not isinstance(kept, int) or not (kept == -1 or kept >= 1):
        allowed = "whole numbers from 1 on, -1 for every epoch; best.ckpt is what is tested"
        raise ConfigError(not_allowed(option, kept, allowed, f"{option}=1"))
    if kept == 1:
        return _in_their_folders(cfg, instantiate(cfg.get("callbacks") or {}))
    told = cfg.callbacks.checkpoint
    best_alone = OmegaConf.merge(cfg, OmegaConf.from_dotlist([f"{option}=1"]))
    name = str(told.get("filename") or "best")
    own = {str(key): value for key, value in told.items() if not str(key).startswith("_")}
    own["filename"] = name if "{" in name else f"{name}-{{epoch}}"
    return [*_in_their_folders(cfg, instantiate(best_alone.callbacks)), KeptEpochs(**own)]


def _in_their_folders(cfg: DictConfig, callbacks: Mapping[str, L.Callback]) -> list[L.Callback]:
    """Callbacks whose checkpoints go into the run's folder, whichever logger is the first.

    Lightning would put them into the folder of that logger, or beside all runs where it has none.
    """
    for name, callback in callbacks.items():
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            own = checkpoints(cfg)
            callback.dirpath = str(own if name == "checkpoint" else own / name)
    return [*callbacks.values()]
