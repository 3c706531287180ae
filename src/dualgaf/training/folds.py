"""``calibration.folds=k``: every window of train and val judged by a network that did not learn it.

k networks, with the settings, the seed and the length of the second training, learn all groups but
a k-th each, and judge those. So every group counts for the calibration, not those of the val split
alone; it takes k times the second training. They are trained on one device, and anew where a run
that was stopped goes on.
"""

import logging
from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
from omegaconf import DictConfig

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, check_whole
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.training.epochs import STEPS, epochs_for
from dualgaf.training.fit import single_device
from dualgaf.training.options import trainer_options, unwatched
from dualgaf.training.trainer import make_trainer

Array = npt.NDArray[Any]

log = logging.getLogger(__name__)


def out_of_fold(
    cfg: DictConfig,
    data: DualGAFDataModule,
    make_model: Callable[[], DualGAFClassifier],
    judge: Callable[[DualGAFClassifier, DualGAFDataModule, Array], Array],
) -> tuple[Array, Array, Array]:
    """Train ``calibration.folds`` networks.

    Args:
        cfg: of the run.
        data: its DataModule.
        make_model: a new classifier for these data.
        judge: probabilities of windows.

    Returns:
        (M,) windows, (M,) the fold of each, and (M, K) what a network says of it that did not learn
        its group. A class with one group alone is not among them: nothing could be learned of it.

    Raises:
        ConfigError: there are fewer groups than folds.
    """
    windows = data.windows
    rows = np.concatenate([windows.indices[s] for s in ("train", "val") if s in windows.indices])
    groups = [windows.groups[row] for row in rows]
    fold = dealt(windows.labels[rows], groups, cfg.calibration.folds, cfg.seed)
    found: list[Array] = []
    for one in range(fold.max() + 1):
        held_out = rows[fold == one]
        log.info("calibration: fold %d of %d, %d windows", one + 1, fold.max() + 1, len(held_out))
        found.append(judge(_learned_without(cfg, data, make_model, held_out), data, held_out))
    order = np.argsort(fold[fold >= 0], kind="stable")
    return rows[fold >= 0][order], fold[fold >= 0][order], np.concatenate(found)


def dealt(labels: Array, groups: list[str], folds: int, seed: int) -> Array:
    """(N,) the fold of each window; -1 where its class has one group alone.

    Groups are whole, and those of a class are dealt to all folds in turn.

    Raises:
        ConfigError: ``folds`` is no number from 2 on, or there are fewer groups.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1, 2])
        >>> dealt(labels, list("aabbcde"), 2, seed=0).tolist()
        [0, 0, 1, 1, 0, 1, -1]
    """
    check_whole("calibration.folds", folds, 2, 5)
    names, of_window = np.unique(np.array(groups), return_inverse=True)
    has = np.zeros((labels.max() + 1, len(names)), dtype=bool)
    has[labels, of_window] = True
    alone = has.sum(axis=1) == 1
    kept = ~alone[labels]
    shuffled = np.random.default_rng(seed).permutation(len(names))
    usable = [group for group in shuffled if kept[of_window == group].any()]
    if len(usable) < folds:
        raise ConfigError(
            f"calibration.folds={folds} needs as many groups of classes that have two or more, and "
            f"there are {len(usable)}; type "
            + (f"calibration.folds={len(usable)}" if len(usable) > 1 else "calibration.folds=null")
        )
    usable.sort(key=lambda group: int(has[:, group].argmax()))
    fold_of = {group: place % folds for place, group in enumerate(usable)}
    return np.array(
        [
            fold_of[group] if keeps else -1
            for group, keeps in zip(of_window.tolist(), kept.tolist(), strict=True)
        ]
    )


def _learned_without(
    cfg: DictConfig,
    data: DualGAFDataModule,
    make_model: Callable[[], DualGAFClassifier],
    held_out: Array,
) -> DualGAFClassifier:
    L.seed_everything(cfg.seed, workers=True, verbose=False)
    model = make_model()
    options = {**unwatched(trainer_options(cfg, data, STEPS)), **single_device(cfg)}
    if options["max_epochs"] is None or options["max_epochs"] < 0:  # early stopping was to end it
        options["max_epochs"] = epochs_for(len(data.windows.indices["train"]), data.batch_size)
    trainer = make_trainer(cfg, **options, logger=False, enable_checkpointing=False)
    data.with_val, data.held_out, data.trainer = True, held_out, trainer
    try:
        trainer.fit(model, datamodule=data)
    finally:
        data.with_val, data.held_out = False, None
    return model
