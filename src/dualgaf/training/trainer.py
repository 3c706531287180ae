"""`make_trainer`: the Lightning `Trainer` of a run."""

from typing import Any

import lightning as L
from hydra.utils import instantiate
from omegaconf import DictConfig

from dualgaf.training.in_order import StopCheck, keep_sigterm, plugins


def make_trainer(cfg: DictConfig, **options: Any) -> L.Trainer:
    """The Trainer of a run.

    Args:
        cfg: of the run; ``cfg.trainer`` has its options.
        **options: these replace them.
    """
    options["callbacks"] = [*options.get("callbacks", ()), StopCheck()]
    trainer: L.Trainer = instantiate(cfg.trainer, **options, plugins=plugins(cfg))
    keep_sigterm(trainer)
    return trainer
