"""`train(cfg)`: one run from a configuration to ``metrics.json``.

1. Everything is instantiated first, so a wrong value fails before data are read.
2. The data are read, the network takes its sizes from them, the trainer runs ``task``.
3. After a fit the best checkpoint, not the last, is validated and tested, by one process alone.
4. The run directory gets ``metrics.json``, the checkpoints, and the loggers' files.

``task=build`` stops after the images: no model, no trainer. With ``cache.dir`` it prepares a later
training, which finds them there; in a sweep over ``parallel.*`` it measures the build alone.

In a sweep the store of one job is kept for the next, unless ``parallel`` is what is swept: then the
build is what is measured.
"""

import gc
import json
import logging
import os
import pickle
import sys
import time
from inspect import signature
from pathlib import Path
from typing import Any

import hydra
import lightning as L
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint
from omegaconf import DictConfig

from dualgaf.command_line import exit_on_unknown_keys, make_data, own_error
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, DualGAFError, SplitError, unknown_choice
from dualgaf.hardware import conf_folder
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.predictions import write_predictions
from dualgaf.quiet import quiet
from dualgaf.ranks import (
    end_with_parent,
    first_words,
    is_first,
    is_sweep,
    on_one_device,
    ranks_started,
    speak_once,
)
from dualgaf.store.store import Store

TASKS = ("fit", "test", "predict", "build")

# A checkpoint is read without running code of its own. Lightning takes the option from 2.6 on;
# before that, torch's default is as safe for checkpoints without objects, and ours have none.
WEIGHTS_ONLY: dict[str, Any] = (
    {"weights_only": True} if "weights_only" in signature(L.Trainer.fit).parameters else {}
)

log = logging.getLogger(__name__)

_kept_stores: list[Store] = []


def train(cfg: DictConfig) -> float | None:
    """Run one configuration of ``conf/train.yaml``.

    Args:
        cfg: the composed configuration.

    Returns:
        val/acc of the best checkpoint, or test/acc where there is no validation split;
        build/seconds for ``task=build``; None for ``task=predict``, and in ranks other than the
        first. A sweep compares it.

    Raises:
        SystemExit: one of the package's own errors, with its text and no stack; set
            HYDRA_FULL_ERROR=1 to see the stack. Status 130 after Ctrl-C.
        CompactHydraException: likewise in a sweep, whose other jobs go on.
    """
    try:
        with quiet():
            return _run(cfg)
    except (DualGAFError, InstantiationException) as error:
        cause = own_error(error)
        if cause is None or _full_error():
            raise
        if is_sweep():
            log.warning("this job failed: %s", cause)
            raise CompactHydraException(f"dualgaf: {cause}") from error
        raise SystemExit(f"dualgaf: {cause}") from error
    except KeyboardInterrupt:
        if _full_error():
            raise
        print("dualgaf: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def main() -> None:
    """``python -m dualgaf train``: `train` with the configuration that the wheel carries."""
    exit_on_unknown_keys()
    first_words[:] = ["train"]
    hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(train)()


def _run(cfg: DictConfig) -> float | None:
    speak_once()
    end_with_parent()
    _check_task(cfg)
    if cfg.task != "fit" and not is_first():
        return None
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    data = make_data(cfg)
    log.info("run directory: %s", cfg.paths.run_dir)
    try:
        _drop_kept_for_others(data)
        metrics = _build(data) if cfg.task == "build" else _with_model(cfg, data)
    finally:
        _keep_for_next_job(data)
    if metrics is None:
        return None
    folder = Path(cfg.paths.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    log.info(
        "metrics:\n%s", "\n".join(f"  {key:18} {_shown(value)}" for key, value in metrics.items())
    )
    if cfg.task == "build":
        return float(metrics["build/seconds"])
    score = metrics.get("val/acc", metrics.get("test/acc"))
    return None if score is None else float(score)


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
            f"ckpt_path={cfg.ckpt_path} is not a file; type ckpt_path=RUN/checkpoints/best.ckpt"
        )


def _build(data: DualGAFDataModule) -> dict[str, Any]:
    # Stage by stage, as a training asks for them, so that it finds the same stores in the cache.
    for stage in ("fit", "test", "predict"):
        data.setup(stage)
    return _build_metrics(data)


def _with_model(cfg: DictConfig, data: DualGAFDataModule) -> dict[str, Any] | None:
    model = _make_model(cfg, data)
    options = _trainer_options(cfg, has_val="val" in data.cases.rows)
    one_device = {**options, **on_one_device(cfg.trainer.devices)}
    trainer = instantiate(cfg.trainer, **(options if cfg.task == "fit" else one_device))
    if cfg.task == "predict":
        return _predict(cfg, trainer, model, data)
    if cfg.task == "test":
        return {**_evaluate(trainer, model, data, cfg.ckpt_path), **_build_metrics(data)}
    fitted = _fit(cfg, trainer, model, data)
    if not is_first():
        return None
    best = getattr(trainer.checkpoint_callback, "best_model_path", "") or None
    if trainer.world_size > 1:
        # Lightning deals the windows out to the ranks and repeats some, so that each rank gets as
        # many; these would be counted twice.
        trainer = instantiate(cfg.trainer, **one_device)
    return {**fitted, **_evaluate(trainer, model, data, best), **_build_metrics(data)}


def _make_model(cfg: DictConfig, data: DualGAFDataModule) -> DualGAFClassifier:
    if cfg.task != "fit":
        model = _load_model(Path(cfg.ckpt_path))
        _check_fits(model, data)
        return model
    known = {"image_size": data.image_size, "channel_names": data.channel_names}
    # A network of one's own need not have them.
    asked = {key: value for key, value in known.items() if cfg.model.get(key, "no") is None}
    net = instantiate(cfg.model)(n_channels=data.n_channels, num_classes=data.num_classes, **asked)
    classifier: DualGAFClassifier = instantiate(
        cfg.classifier, net=net, class_names=list(data.class_names)
    )
    return classifier


def _load_model(path: Path) -> DualGAFClassifier:
    try:
        return DualGAFClassifier.load_from_checkpoint(path, **WEIGHTS_ONLY)
    except (RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"ckpt_path={path} is not a checkpoint of DualGAFClassifier: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _trainer_options(cfg: DictConfig, has_val: bool) -> dict[str, Any]:
    callbacks = list(instantiate(cfg.callbacks or {}).values())
    options: dict[str, Any] = {
        "logger": list(instantiate(cfg.logger or {}).values()),
        # A bar that is redrawn fills a log file with thousands of lines.
        "enable_progress_bar": cfg.trainer.get("enable_progress_bar", True) and sys.stderr.isatty(),
    }
    if not has_val:
        # Nothing to watch: the last epoch is the best that is known.
        callbacks = [c for c in callbacks if not isinstance(c, Checkpoint | EarlyStopping)]
        callbacks.append(ModelCheckpoint(Path(cfg.paths.run_dir) / "checkpoints", "best"))
        options["limit_val_batches"] = 0
    return {**options, "callbacks": callbacks}


def _fit(
    cfg: DictConfig, trainer: L.Trainer, model: DualGAFClassifier, data: DualGAFDataModule
) -> dict[str, float]:
    started = time.perf_counter()
    with ranks_started(trainer):
        if trainer.world_size > 1:
            # Before there are other ranks: an error is said once, and those that are spawned get a
            # handle, where one that they built would end with them.
            data.trainer = trainer
            data.setup("fit")
        trainer.fit(model, datamodule=data, ckpt_path=cfg.ckpt_path, **WEIGHTS_ONLY)
    return {"fit/seconds": time.perf_counter() - started, "fit/epochs": trainer.current_epoch}


def _predict(
    cfg: DictConfig, trainer: L.Trainer, model: DualGAFClassifier, data: DualGAFDataModule
) -> dict[str, Any]:
    probabilities = [
        p for p in trainer.predict(model, datamodule=data) or [] if isinstance(p, torch.Tensor)
    ]
    table = Path(cfg.paths.run_dir) / "predictions.csv"
    write_predictions(table, data, torch.cat(probabilities).numpy())
    log.info("predictions: %s", table)
    return _build_metrics(data)


def _evaluate(
    trainer: L.Trainer, model: DualGAFClassifier, data: DualGAFDataModule, best: str | None
) -> dict[str, float]:
    found: dict[str, float] = {}
    evaluations = (("val", trainer.validate), ("test", trainer.test))
    for split, evaluate in evaluations:
        if split in data.cases.rows:
            (scores,) = evaluate(
                model, datamodule=data, ckpt_path=best, verbose=False, **WEIGHTS_ONLY
            )
            found.update(scores)
    if not found:
        raise SplitError("there is neither a val nor a test split to evaluate")
    return found


def _build_metrics(data: DualGAFDataModule) -> dict[str, Any]:
    reports = data.build_reports
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


def _check_fits(model: DualGAFClassifier, data: DualGAFDataModule) -> None:
    wanted = model.net.settings
    for option, got in (("n_channels", data.n_channels), ("num_classes", data.num_classes)):
        if wanted[option] != got:
            raise ConfigError(
                f"the checkpoint was trained with {option}={wanted[option]}, the data have {got}; "
                "type the data.* options of its run (RUN/.hydra/overrides.yaml)"
            )


def _full_error() -> bool:
    return bool(os.environ.get("HYDRA_FULL_ERROR"))


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
