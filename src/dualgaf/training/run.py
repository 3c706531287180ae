"""`train(cfg)`: one run from a configuration to ``metrics.json``.

1. Everything is instantiated first, so a wrong value fails before data are read.
2. The data are read, the network takes its sizes from them, the trainer runs ``task``.
3. After a fit one process alone validates and tests what was learned, see `dualgaf.training.fit`.
4. The run directory gets ``metrics.json``, the checkpoints, the loggers' files, and the tables and
   pictures of `dualgaf.training.report`, and its page, `dualgaf.training.run_page`.

A run that was stopped goes on where its folder stands, and one that is done says so
(`dualgaf.training.run_folder`). Where SIGTERM or Ctrl-C stops it, its folder has ``metrics.json``
with ``fit/stopped`` and the curves so far.

``task=build`` stops after the images: no model, no trainer. With ``cache.dir`` it prepares a later
training, which finds them there; in a sweep over ``parallel.*`` it measures the build alone.

In a sweep the store of one job is kept for the next, unless ``parallel`` is what is swept: then the
build is what is measured.
"""

import gc
import logging
import math
import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, InstantiationException
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, DualGAFError, OtherDataError, SplitError, unknown_choice
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.predictions import Prediction
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plan.preset import conf_folder
from dualgaf.store.store import Store
from dualgaf.system.termination import Stopped
from dualgaf.training.classifier import make_classifier
from dualgaf.training.cluster import check_started, is_first_of_node, placed
from dualgaf.training.command import as_command
from dualgaf.training.config import in_current_names, make_data, own_error
from dualgaf.training.fit import Learned, fit, single_device
from dualgaf.training.loggers import closed_at_end, log_results, loggers_of
from dualgaf.training.options import checkpoints, trainer_options
from dualgaf.training.outside import outside_training
from dualgaf.training.predicted import write_prediction
from dualgaf.training.progress import Progress
from dualgaf.training.quiet import errors_alone, quiet
from dualgaf.training.ranks import (
    end_with_parent,
    is_first,
    is_sweep,
    silence_other_ranks,
)
from dualgaf.training.report import (
    Outcome,
    ProbabilityKeeper,
    build_metrics,
    write_outcome,
)
from dualgaf.training.resume import first_words
from dualgaf.training.run_folder import entered, finished
from dualgaf.training.run_logger import RunLogger
from dualgaf.training.run_page import write_run_page
from dualgaf.training.standing import (
    how_to_resume,
    score,
    stopped_outcome,
    tell_done,
)
from dualgaf.training.trainer import check_trainer, make_trainer
from dualgaf.training.trust import Trust, tested, trusted
from dualgaf.training.unlike import unlike_training
from dualgaf.training.wording import as_typed

TASKS = ("fit", "test", "predict", "build")
NOTHING_TO_TEST = (
    "there is no window to measure on: neither a test split, nor a val split that the network has "
    "not learned; type data.split.test_fraction=0.2 in a training, and train anew"
)

OF_NEW_FILES = (
    "task=predict reads the data of the training, and predicts its windows without a label, or "
    "its test split; new data need no label and no training data: type python -m dualgaf predict "
    "RUN/checkpoints/best.ckpt --data FOLDER"
)

log = logging.getLogger(__name__)

_kept_stores: list[Store] = []


def train(cfg: DictConfig) -> float | None:
    """Run one configuration of ``conf/train.yaml``.

    Args:
        cfg: the composed configuration.

    Returns:
        val/acc of the epoch that the val split chose; build/seconds for ``task=build``; None where
        neither is measured, and in ranks other than the first. What a search compares is never of
        the test split.

    Raises:
        SystemExit: one of the package's own errors, with its text and no stack; set
            HYDRA_FULL_ERROR=1 to see the stack.
        Stopped: a signal has ended it.
        CompactHydraException: likewise in a sweep, whose other jobs go on.
    """
    try:
        with quiet(), errors_alone() if cfg.get("quiet") else nullcontext():
            return _run(placed(in_current_names(cfg)))
    except (DualGAFError, InstantiationException) as error:
        cause = own_error(error)
        if cause is None or _full_error():
            raise
        told = as_typed(str(cause))
        if cfg.task == "predict" and isinstance(cause, SplitError | OtherDataError):
            told = f"{told.split('; type')[0]}; {OF_NEW_FILES}"  # its advice is for a training
        if is_sweep():
            log.warning("this job failed: %s", told)
            raise CompactHydraException(f"dualgaf: {told}") from error
        raise SystemExit(f"dualgaf: {told}") from error
    except KeyboardInterrupt:  # in a program of one's own, which has no `stop_on_signals`
        if _full_error():
            raise
        raise Stopped(signal.SIGINT) from None


def main() -> int:
    """``python -m dualgaf train``: `train` with the configuration that the wheel carries.

    Returns:
        Its exit status.
    """
    first_words[:] = ["train"]
    program = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")
    return as_command(program(train))


def _run(cfg: DictConfig) -> float | None:
    silence_other_ranks()
    end_with_parent()
    _check_task(cfg)
    check_trainer(cfg)
    check_started(cfg)
    if cfg.task != "fit" and not is_first():
        if cfg.task == "build" and cfg.cache.dir is not None and is_first_of_node():
            _fill_cache_of_node(cfg)
        return None
    folder = Path(cfg.paths.run_dir)
    done = finished(cfg, folder)
    if done is not None:
        return tell_done(folder, done)
    with entered(cfg, folder) if is_first() else nullcontext():
        return _in_folder(cfg, folder)


def _in_folder(cfg: DictConfig, folder: Path) -> float | None:
    begun, pictures = time.perf_counter(), bool(cfg.get("report", True))
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    data = make_data(cfg)
    log.info("run directory: %s", folder)
    loggers: list[Logger] = []
    with closed_at_end(loggers):
        try:
            _drop_kept_for_others(data)
            if cfg.task == "build":
                outcome: Outcome | None = Outcome(_build(data))
            else:
                outcome = _with_model(cfg, data, loggers)
        except Stopped as stopped:
            if cfg.task == "fit" and is_first():
                write_outcome(folder, data, stopped_outcome(cfg, data, stopped), pictures)
            raise
        finally:
            _keep_for_next_job(data)
        if outcome is None:
            return None
        write_outcome(folder, data, outcome, pictures)
        write_run_page(cfg, folder, data, outcome, time.perf_counter() - begun)
        if cfg.task in ("fit", "test"):
            log_results(cfg, loggers, data.class_names)
    return score(outcome.metrics, cfg.task)


def _check_task(cfg: DictConfig) -> None:
    if cfg.task not in TASKS:
        raise ConfigError(unknown_choice("task", cfg.task, TASKS))
    if cfg.task == "build" and cfg.images == "on_device":
        raise ConfigError(
            "task=build has nothing to build with images=on_device; type images=precompute"
        )
    if cfg.task == "build" and cfg.ckpt_path is not None:
        raise ConfigError("task=build uses no model; leave ckpt_path out")
    if cfg.task in ("test", "predict") and cfg.ckpt_path is None:
        raise ConfigError(
            f"task={cfg.task} needs a trained model; type ckpt_path=RUN/checkpoints/best.ckpt"
        )
    if cfg.ckpt_path is not None and not Path(cfg.ckpt_path).is_file():
        raise ConfigError(
            f"ckpt_path={cfg.ckpt_path} is not a file; type "
            + ("resume=RUN" if cfg.task == "fit" else "ckpt_path=RUN/checkpoints/best.ckpt")
        )
    if cfg.ckpt_path is not None and cfg.task == "fit":
        log.info(
            "a new run begins with the training of %s; to go on with its run in its own folder, "
            "type resume=RUN",
            cfg.ckpt_path,
        )


def _build(data: DualGAFDataModule) -> dict[str, Any]:
    # Stage by stage, as a training asks for them, so that it finds the same stores in the cache.
    for stage in ("fit", "test", "predict"):
        data.setup(stage)
    return build_metrics(data.build_reports)


def _fill_cache_of_node(cfg: DictConfig) -> None:
    """``task=build`` by srun: the first rank of each node draws the images for its own cache."""
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    data = make_data(cfg)
    try:
        _build(data)
    finally:
        data.close()


def _with_model(cfg: DictConfig, data: DualGAFDataModule, loggers: list[Logger]) -> Outcome | None:
    before = Progress.read(checkpoints(cfg)) if cfg.task == "fit" else None
    start = cfg.ckpt_path if before is None else before.checkpoint
    checkpoint = None if start is None else Checkpoint(Path(start))

    def make_model() -> DualGAFClassifier:
        return make_classifier(cfg, data, checkpoint)

    trust = Trust.of_checkpoint(checkpoint)
    loggers += loggers_of(cfg, before)
    if cfg.task == "predict":
        options = {**trainer_options(cfg, data), **single_device(cfg)}
        trainer = make_trainer(cfg, **options, logger=loggers)
        return _predict(cfg, trainer, make_model(), data, trust)
    if cfg.task == "fit":
        try:
            learned = fit(cfg, data, make_model, loggers, before)
        except ConfigError as error:
            if start is None:
                raise
            raise ConfigError(f"{error}; {how_to_resume(cfg, before)}") from error
    else:
        model = make_model()
        # Of windows that it has learned, a network knows the answers.
        val = None if checkpoint is not None and checkpoint.learned_val else model
        learned = Learned(validated=val, final=model)
    if not is_first():
        return None
    calibrated: dict[str, float] = {}
    if cfg.task == "fit":
        trust, calibrated = trusted(cfg, data, learned, make_model)
    scores, judged = _evaluate(cfg, learned, data, loggers)
    if not scores and cfg.task == "test":
        raise SplitError(NOTHING_TO_TEST)
    if not scores:
        log.warning("%s; the network is trained all the same", NOTHING_TO_TEST.split(";")[0])
    parameters = sum(p.numel() for p in learned.final.net.parameters() if p.requires_grad)
    metrics = {
        **learned.metrics,
        **scores,
        **calibrated,
        **tested(data, judged, trust.temperature),
        "model/parameters": parameters,
        **build_metrics(data.build_reports),
    }
    unlike = unlike_training(data)
    return Outcome(
        metrics,
        judged,
        learned.epochs,
        outside_training(data),
        unlike,
        trust.calibration,
        trust.shares(learned.final, data, "test", trust.tempered(judged)),
        learned.final,
    )


def _predict(
    cfg: DictConfig,
    trainer: L.Trainer,
    model: DualGAFClassifier,
    data: DualGAFDataModule,
    trust: Trust,
) -> Outcome:
    probabilities = [
        p for p in trainer.predict(model, datamodule=data) or [] if isinstance(p, torch.Tensor)
    ]
    split = "predict" if "predict" in data.windows.indices else "test"
    unlike, facts = unlike_training(data), data.imaging_state().facts
    judged = torch.cat(probabilities).numpy()
    found = Prediction.of_split(
        data,
        judged,
        split=split,
        unlike=unlike.get(split),
        calibration=trust.calibration,
        novelty=trust.shares(model, data, split, judged),
    )
    flagged = math.nan if facts is None or facts.limits is None else facts.limits.flagged
    told = write_prediction(Path(cfg.paths.run_dir), found, flagged=flagged)
    log.info("predictions:\n%s", "\n".join(f"  {line}" for line in told))
    metrics = build_metrics(data.build_reports)
    return Outcome(metrics, outside=outside_training(data), unlike=unlike)


def _evaluate(
    cfg: DictConfig, learned: Learned, data: DualGAFDataModule, loggers: list[Logger]
) -> tuple[dict[str, float], Any]:
    """Scores of both splits, and probabilities (N, K) of the test split, if it is there."""
    kept = ProbabilityKeeper()
    # One process: Lightning deals the windows out to the ranks and repeats some, so that each rank
    # gets as many; these would be counted twice.
    options = {**trainer_options(cfg, data), **single_device(cfg)}
    # One that averages weights would put those of the last epoch in the place of the best.
    others = (c for c in options["callbacks"] if not isinstance(c, WeightAveraging))
    options["callbacks"] = [*others, kept]
    # A `RunLogger` gets the figures at the end of the run, at the step where its training ended.
    local = [logger for logger in loggers if not isinstance(logger, RunLogger)]
    trainer = make_trainer(cfg, **options, logger=local)
    learned.final.temperature = 1.0  # so that both are known, with the temperature and without
    found: dict[str, float] = {}
    evaluations = (
        ("val", trainer.validate, learned.validated),
        ("test", trainer.test, learned.final),
    )
    for split, evaluate, model in evaluations:
        is_off = getattr(trainer, f"limit_{split}_batches") == 0
        if split in data.windows.indices and model is not None and not is_off:
            (scores,) = evaluate(model, datamodule=data, verbose=False)
            found.update(scores)
    return found, kept.probabilities


def _keep_for_next_job(data: DualGAFDataModule) -> None:
    stores = data.stores
    data.close()
    _kept_stores.clear()
    if is_sweep():
        swept = HydraConfig.get().overrides.task
        if not any(override.lstrip("+~").startswith("parallel") for override in swept):
            _kept_stores.extend(stores)
    gc.collect()  # the trainer's loaders are in reference cycles and would hold the old store


def _drop_kept_for_others(data: DualGAFDataModule) -> None:
    """Before a build: two stores at a time may be more than the memory takes."""
    if not all(data.is_there(stage) for stage in ("fit", "test", "predict")):
        _kept_stores.clear()


def _full_error() -> bool:
    return bool(os.environ.get("HYDRA_FULL_ERROR"))
