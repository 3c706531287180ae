"""`fit`: a training that is watched, then one on all windows that may be learned.

1. The network learns the train split. The val split tells after each epoch how it does: which epoch
   is kept, when to stop, and what ``val/acc`` says. The kept one is ``checkpoints/best.ckpt``.
2. With ``refit=true`` a second network with the same settings and seed learns both splits, for as
   many epochs as the first might have taken, and is not watched. It is what is tested. From then on
   it is ``best.ckpt``, and the first is ``validated.ckpt``.

The second training costs as much time again. It gives a small set the fifth of its windows back
that was held out, and does not let ten windows choose the epoch: in two-fold cross-validation on
training splits it took the fraction of errors from 0.22 to 0.10 (ECG200), from 0.14 to 0.04
(GunPoint) and from 0.19 to 0.12 (RacketSports). The images are those of the first: nothing is built
anew.
"""

import logging
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Checkpoint as CheckpointCallback
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger
from omegaconf import DictConfig, ListConfig

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, not_allowed, unknown_choice
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plots.training import Epoch
from dualgaf.training.classifier import make_classifier
from dualgaf.training.ranks import is_first, on_one_device, ranks_started
from dualgaf.training.report import EpochCurves

log = logging.getLogger(__name__)

STEPS = 1500
"""Steps of the optimiser that ``trainer.max_epochs=auto`` aims at. In cross-validation on training
splits 1000 were enough for most sets, and NATOPS was better with 2000."""
EPOCHS = (20, 150)
"""The fewest and the most epochs that it takes."""
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Images and series are float32: weights of another kind do not go with them."""


@dataclass(frozen=True)
class Learned:
    """What a fit has left."""

    validated: DualGAFClassifier | None
    """Of the epoch that the val split chose; None where that split tells nothing."""
    final: DualGAFClassifier
    """What is tested and kept: the same, or that of the second training."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """``fit/seconds`` of all trainings, ``fit/epochs`` of the first, ``refit/epochs``."""
    epochs: Sequence[Epoch] = ()
    """Curves of the first."""


def fit(
    cfg: DictConfig,
    data: DualGAFDataModule,
    make_model: Callable[[], DualGAFClassifier],
    loggers: list[Logger],
) -> Learned:
    """Train as a configuration says, in every rank.

    Args:
        cfg: of the run.
        data: the DataModule; it may have images already.
        make_model: a new classifier for these data.
        loggers: of the run; the second training has a ``refit/metrics.csv``.
    """
    model, curves = make_model(), EpochCurves()
    is_watched = "val" in data.windows.indices
    data.further_networks = int(cfg.refit and is_watched)
    options = trainer_options(cfg, data)
    if not is_watched:  # the last epoch is the best that is known
        options = _unwatched(options)
        best = ModelCheckpoint(_folder(cfg), "best", enable_version_counter=False)
        options["callbacks"].append(best)
    options["callbacks"].append(curves)
    trainer: L.Trainer = instantiate(cfg.trainer, **options, logger=loggers)
    started = time.perf_counter()
    # One block: a second trainer finds the ranks that the first has started.
    with ranks_started(trainer):
        if trainer.world_size > 1:
            # Before there are other ranks: an error is said once, and those that are spawned get a
            # handle, where one that they built would end with them.
            data.trainer = trainer
            trainer.strategy.connect(model)  # the plan counts it
            data.setup("fit")
        trainer.fit(model, datamodule=data, ckpt_path=cfg.ckpt_path, weights_only=True)
        validated = _best_of(trainer, cfg)
        metrics: dict[str, Any] = {"fit/epochs": trainer.current_epoch}
        final = model
        if cfg.refit and is_watched:
            final, metrics["refit/epochs"] = _refit(cfg, data, make_model, trainer.current_epoch)
    metrics["fit/seconds"] = time.perf_counter() - started
    if is_first():
        if validated is not None:
            Checkpoint(validated).load_into(model)
        if final is not model:
            _keep_both(validated, _folder(cfg))
    return Learned(model, final, metrics, curves.epochs)


def trainer_options(cfg: DictConfig, data: DualGAFDataModule) -> dict[str, Any]:
    """What a `Trainer` gets beside ``cfg.trainer``: callbacks, progress bar, number of epochs.

    Raises:
        ConfigError: ``trainer.max_epochs`` is neither a number nor ``auto``, or the precision is
            not one of `PRECISIONS`.
    """
    precision = cfg.trainer.get("precision", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise ConfigError(unknown_choice("trainer.precision", precision, PRECISIONS))
    epochs = cfg.trainer.get("max_epochs")
    if epochs == "auto":
        a_step = data.batch_size * cfg.trainer.get("accumulate_grad_batches", 1)
        epochs = epochs_for(len(data.windows.indices["train"]), a_step)
    if isinstance(epochs, str):
        raise ConfigError(
            not_allowed("trainer.max_epochs", epochs, "auto, or a number", "trainer.max_epochs=100")
        )
    return {
        "max_epochs": epochs,
        "callbacks": list(instantiate(cfg.callbacks or {}).values()),
        # A bar that is redrawn fills a log file with thousands of lines.
        "enable_progress_bar": cfg.trainer.get("enable_progress_bar", True) and sys.stderr.isatty(),
    }


def epochs_for(n_windows: int, a_step: int) -> int:
    """Epochs that take about `STEPS` steps of so many windows in one rank, within `EPOCHS`.

    Example:
        >>> [epochs_for(n, 16) for n in (100, 180, 600, 20_000)]
        [150, 125, 39, 20]
    """
    fewest, most = EPOCHS
    return min(most, max(fewest, round(STEPS / -(-n_windows // a_step))))


def single_device(cfg: DictConfig) -> dict[str, Any]:
    """Options of a `Trainer` that starts no rank."""
    return on_one_device(cfg.trainer.devices)


def _unwatched(options: dict[str, Any]) -> dict[str, Any]:
    kept = [
        c for c in options["callbacks"] if not isinstance(c, CheckpointCallback | EarlyStopping)
    ]
    return {**options, "callbacks": kept, "limit_val_batches": 0}


def _best_of(trainer: L.Trainer, cfg: DictConfig) -> Path | None:
    """The checkpoint of the epoch that the val split chose; None where none was written."""
    found = Path(getattr(trainer.checkpoint_callback, "best_model_path", ""))
    if not found.is_file():
        return None
    # A training that goes on in its own folder, and gets no better, names the file that was the
    # best then. A refit has taken its place since.
    return Path(cfg.ckpt_path) if cfg.ckpt_path and Checkpoint(found).learned_val else found


def _refit(
    cfg: DictConfig,
    data: DualGAFDataModule,
    make_model: Callable[[], DualGAFClassifier],
    epochs: int,
) -> tuple[DualGAFClassifier, int]:
    """A network that has learned the train and the val split, and the epochs that it took.

    Args:
        cfg: of the run.
        data: the DataModule, with its images.
        make_model: a new classifier.
        epochs: what the first training took; for one without a limit of its own.
    """
    _let_go(data.trainer)
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    model = make_model()
    options = _unwatched(trainer_options(cfg, data))
    if options["max_epochs"] is None or options["max_epochs"] < 0:  # early stopping was to end it
        options["max_epochs"] = epochs
    # Lines of its own: the steps of the first training would be there twice.
    loggers = [CSVLogger(cfg.paths.run_dir, name="refit", version="")]
    trainer = instantiate(cfg.trainer, **options, logger=loggers, enable_checkpointing=False)
    n_windows = sum(len(data.windows.indices[split]) for split in ("train", "val"))
    log.info("refit: %d epochs on all %d windows of train and val", trainer.max_epochs, n_windows)
    data.with_val = True
    try:
        trainer.fit(model, datamodule=data)
        if not cfg.trainer.get("fast_dev_run"):
            trainer.save_checkpoint(_folder(cfg) / "refit.ckpt")
    finally:
        data.with_val = False
    return model, trainer.current_epoch


def planned_network(
    cfg: DictConfig, data: DualGAFDataModule
) -> tuple[DualGAFClassifier | None, int]:
    """The network and the number of ranks that `fit` would train on the CPU, for a plan.

    None and 1 where nothing is trained, or on another device.
    """
    on_cpu = cfg.trainer.get("accelerator") == "cpu" or not torch.cuda.is_available()
    if cfg.task != "fit" or not on_cpu:
        return None, 1
    data.further_networks = int(cfg.refit and "val" in data.windows.indices)
    devices = cfg.trainer.get("devices")
    ranks = len(devices) if isinstance(devices, ListConfig) else devices
    return make_classifier(cfg, data, None), ranks if isinstance(ranks, int) and ranks > 0 else 1


def _let_go(trainer: L.Trainer | None) -> None:
    """Give gradients and moments of a training back that is over: three times its weights."""
    if trainer is not None and trainer.lightning_module is not None:
        trainer.strategy.optimizers, trainer.strategy.lr_scheduler_configs = [], []
        trainer.lightning_module.zero_grad(set_to_none=True)


def _keep_both(validated: Path | None, folder: Path) -> None:
    """What the val split chose becomes ``validated.ckpt``, and the refit ``best.ckpt``.

    Whenever this process is killed, there is a ``best.ckpt``.
    """
    refit, kept = folder / "refit.ckpt", folder / "validated.ckpt"
    if not refit.is_file():
        return
    if validated is not None and not (kept.exists() and validated.samefile(kept)):
        shutil.copyfile(validated, kept)
    refit.replace(folder / "best.ckpt")


def _folder(cfg: DictConfig) -> Path:
    return Path(cfg.paths.run_dir) / "checkpoints"
