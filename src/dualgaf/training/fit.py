"""`fit`: a training that is watched, then one on all windows that may be learned.

1. The network learns the train split. The val split tells after each epoch how it does: which epoch
   is kept, when to stop, and what ``val/acc`` says. The kept one is ``checkpoints/best.ckpt``.
2. With ``refit=true`` a second network with the same settings and seed learns both splits, for
   twice as many steps (`dualgaf.training.epochs`) or ``trainer.max_epochs``, and is not watched. It
   is what is tested. From then on it is ``best.ckpt``, and the first is ``validated.ckpt``.

Each training writes its state after each epoch (`dualgaf.training.progress`). One that was stopped
goes on from there, to the weights that it would have had.

The second training takes twice the time of the first. It gives a small set the fifth of its windows
back that was held out, and does not let ten windows choose the epoch: in two-fold cross-validation
on training splits it took the fraction of errors from 0.22 to 0.10 (ECG200), from 0.14 to 0.04
(GunPoint) and from 0.19 to 0.12 (RacketSports), then with trainings of one length. The images are
those of the first: nothing is built anew.
"""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger, Logger
from omegaconf import DictConfig, ListConfig

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plots.training import Epoch
from dualgaf.system.whole_file import whole_file
from dualgaf.training.classifier import make_classifier
from dualgaf.training.epochs import FIRST_STEPS, STEPS
from dualgaf.training.loggers import OptionsLogged
from dualgaf.training.options import (
    as_begun,
    checkpoints,
    kept_callbacks,
    trainer_options,
    unwatched,
)
from dualgaf.training.progress import (
    BEST,
    FIRST,
    REFIT,
    VALIDATED,
    LastCheckpoint,
    Progress,
    begin_anew,
    keep_logs,
    settle_in,
)
from dualgaf.training.ranks import is_first, on_one_device, ranks_started
from dualgaf.training.report import EpochCurves
from dualgaf.training.trainer import in_one_line, is_off, make_trainer

log = logging.getLogger(__name__)


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
    before: Progress | None = None,
    watching: Sequence[L.Callback] = (),
) -> Learned:
    """Train as a configuration says, in every rank.

    Args:
        cfg: of the run.
        data: the DataModule; it may have images already.
        make_model: a new classifier for these data.
        loggers: of the run; the second training has a ``refit/metrics.csv``.
        before: where the first training goes on, of the run's folder.
        watching: further callbacks of the first training.

    Raises:
        ConfigError: an option is not allowed.
    """
    model, curves, folder = make_model(), EpochCurves(), checkpoints(cfg)
    is_watched = "val" in data.windows.indices and not is_off(cfg, "val")
    twice = bool(cfg.refit and is_watched)
    data.further_networks = int(twice)
    options = trainer_options(cfg, data, *((FIRST_STEPS, "first training") if twice else (STEPS,)))
    options["max_epochs"] = length = as_begun(cfg, options["max_epochs"], before)
    goes_on = before is None or before.goes_on(options["max_epochs"])
    if before is not None:
        _tell(before, goes_on, folder, options["max_epochs"])
    if not is_watched:
        options = unwatched(options)
    kept = kept_callbacks(options["callbacks"], cfg)
    options["callbacks"] = [*kept, *_own_callbacks(cfg, curves, watching)]
    trainer = make_trainer(cfg, **options, logger=loggers)
    started = time.perf_counter()
    # One block: a second trainer finds the ranks that the first has started.
    with ranks_started(trainer) as take, in_one_line():
        if trainer.world_size > 1:
            _build_before_ranks(trainer, model, data)
        if goes_on:
            start = cfg.ckpt_path if before is None else before.checkpoint
            trainer.fit(model, datamodule=data, ckpt_path=start, weights_only=True)
            # Not of the trainer, which has counted nothing where its ranks were spawned.
            epochs, validated = curves.taken(trainer), _best_or_last(trainer, cfg)
        else:
            assert before is not None
            validated, epochs, curves.epochs = before.best, before.trained, [*before.epochs]
        metrics: dict[str, Any] = {"fit/epochs": epochs}
        final, seconds = model, 0.0 if before is None else before.seconds
        if twice:
            final, metrics["refit/epochs"], earlier = _refit(
                cfg, data, make_model, epochs, length, take
            )
            seconds += earlier
    metrics["fit/seconds"] = seconds + time.perf_counter() - started
    if is_first():
        _keep_learned(cfg, model, final, validated)
    return Learned(model, final, metrics, curves.epochs)


def _own_callbacks(
    cfg: DictConfig, curves: EpochCurves, watching: Sequence[L.Callback]
) -> list[L.Callback]:
    """Of the first training, beside those that are configured."""
    return [curves, OptionsLogged(cfg), *watching, *_newest(cfg, FIRST)]


def _build_before_ranks(
    trainer: L.Trainer, model: DualGAFClassifier, data: DualGAFDataModule
) -> None:
    """Have images before there are other ranks.

    An error is said once, and ranks that are spawned get a handle, where one that they built would
    end with them.
    """
    data.trainer = trainer
    trainer.strategy.connect(model)  # the plan counts it
    data.setup("fit")


def _keep_learned(
    cfg: DictConfig, model: DualGAFClassifier, final: DualGAFClassifier, validated: Path | None
) -> None:
    """Give the first network the weights that the val split chose, and files their names."""
    folder = checkpoints(cfg)
    if (folder / VALIDATED).is_file() and final is not model:
        validated = folder / VALIDATED
    if validated is not None:
        Checkpoint(validated).load_into(model)
    if final is not model:
        _keep_both(validated, folder)
    elif validated is not None and _writes(cfg):
        _keep_as_best(validated, folder)


def _newest(cfg: DictConfig, name: str) -> list[LastCheckpoint]:
    """What writes the newest state of a training; nothing where no checkpoint is wanted."""
    return [LastCheckpoint(checkpoints(cfg) / name)] if _writes(cfg) else []


def _tell(before: Progress, goes_on: bool, folder: Path, max_epochs: int | None) -> None:
    """Say from where a run goes on; in the first rank also put its files in order for that."""
    if not is_first():
        return
    settle_in(before, folder)
    what = "goes on" if goes_on else "is over"
    log.info("this run has trained %d epochs; its first training %s", before.trained, what)
    if before.max_epochs not in (None, max_epochs):
        log.info(
            "trainer.max_epochs=%s, it was %s: from here on the learning rate is that of a "
            "training of this length",
            max_epochs,
            before.max_epochs,
        )
        begin_anew(folder)


def single_device(cfg: DictConfig) -> dict[str, Any]:
    """Options of a `Trainer` that starts no rank."""
    return on_one_device(cfg.trainer.devices)


def _writes(cfg: DictConfig) -> bool:
    return cfg.trainer.get("enable_checkpointing") is not False and not cfg.trainer.get(
        "fast_dev_run"
    )


def _best_or_last(trainer: L.Trainer, cfg: DictConfig) -> Path | None:
    """See `_best_of`; where none was written and files are wanted, the last weights are kept."""
    found = _best_of(trainer, cfg)
    if found is None and _writes(cfg):
        log.info("no epoch was validated: the weights of the last step are kept")
        found = checkpoints(cfg) / BEST
        trainer.save_checkpoint(found)
    return found


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
    length: int | None,
    take: Callable[[L.Trainer], None],
) -> tuple[DualGAFClassifier, int, float]:
    """A network that has learned the train and the val split.

    Args:
        cfg: of the run.
        data: the DataModule, with its images.
        make_model: a new classifier.
        epochs: what the first training took; for one without a limit of its own.
        length: what it might have taken; one that an earlier version began is as long as that.
        take: of `ranks_started`.

    Returns:
        The network, its epochs, and the seconds that it took before it was stopped.
    """
    _let_go(data.trainer)
    folder = checkpoints(cfg)
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    model = make_model()
    options = unwatched(trainer_options(cfg, data, STEPS, "second training"))
    if options["max_epochs"] is None or options["max_epochs"] < 0:  # early stopping was to end it
        options["max_epochs"] = max(1, epochs)  # steps or time may have ended the first epoch
    before = Progress.read(folder, REFIT)
    done = before if before is not None else _refitted(folder)
    if cfg.trainer.get("max_epochs") == "auto":
        options["max_epochs"] = as_begun(cfg, max(options["max_epochs"], length or 0), done)
    if done is not None and done.ended and done.max_epochs == options["max_epochs"]:
        Checkpoint(done.checkpoint).load_into(model)
        return model, done.trained, done.seconds
    # Lines of its own: the steps of the first training would be there twice.
    loggers = [CSVLogger(cfg.paths.run_dir, name="refit", version="")]
    counted = EpochCurves()
    options["callbacks"] += [counted, *_newest(cfg, REFIT)]
    trainer = make_trainer(cfg, **options, logger=loggers)
    take(trainer)
    n_windows = sum(len(data.windows.indices[split]) for split in ("train", "val"))
    log.info("refit: %d epochs on all %d windows of train and val", trainer.max_epochs, n_windows)
    if before is not None and is_first():
        log.info("refit: goes on after epoch %d", before.trained)
        settle_in(before, folder)
        keep_logs(loggers, before.steps)
    data.with_val = True
    data.trainer = trainer  # spawned ranks get what it refers to: not the first trainer's network
    try:
        start = None if before is None else before.checkpoint
        trainer.fit(model, datamodule=data, ckpt_path=start, weights_only=True)
    finally:
        data.with_val = False
    return model, counted.taken(trainer), 0.0 if before is None else before.seconds


def _refitted(folder: Path) -> Progress | None:
    path = folder / BEST
    is_there = path.is_file() and Checkpoint(path).learned_val
    return Progress.read(folder, BEST) if is_there else None


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
    refit, kept = folder / REFIT, folder / VALIDATED
    if not refit.is_file():
        return
    if validated is not None and not (kept.exists() and validated.samefile(kept)):
        with whole_file(kept) as draft:
            shutil.copyfile(validated, draft)
    refit.replace(folder / BEST)


def _keep_as_best(validated: Path, folder: Path) -> None:
    """Give what is tested the name ``best.ckpt``, where options or an earlier run named it else."""
    best = folder / BEST
    if not (best.exists() and validated.samefile(best)):
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(best) as draft:
            shutil.copyfile(validated, draft)
