"""`KeptImages`: the DataModules of a search, one for each recipe of images."""

import copy
import json
import logging
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import BudgetError
from dualgaf.training.config import make_data

log = logging.getLogger(__name__)


class KeptImages:
    """DataModules whose images outlive a trial, however it ends.

    Trials whose options of the data are the same share one: the source is read once, and the images
    are built once. Where those of another recipe do not fit beside them, they are let go.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[DualGAFDataModule, int]] = {}

    def of(self, cfg: DictConfig) -> DualGAFDataModule:
        """The DataModule of a trial.

        Args:
            cfg: of the trial.

        Raises:
            ConfigError: a value is missing or not allowed.
        """
        told = cfg.datamodule.batch_size
        key = _recipe(cfg)
        if key not in self._kept:
            own = copy.deepcopy(cfg)
            own.datamodule.batch_size = "auto"
            data = make_data(own)
            data.closes_on_exception = False
            self._make_room(data)
            self._kept[key] = data, data.batch_size
        data, auto = self._kept[key]
        data.batch_size = auto if told == "auto" else told
        return data

    @property
    def has_built(self) -> bool:
        """Whether a trial has images, or draws them, already."""
        return bool(self._kept)

    def close(self) -> None:
        """Let go of all of them."""
        for data, _ in self._kept.values():
            data.close()
        self._kept.clear()

    def _make_room(self, data: DualGAFDataModule) -> None:
        if not self._kept:
            return
        try:
            plan = data.plan("fit")
            fits = plan is None or plan.place != "file"
        except BudgetError:
            fits = False
        if not fits:
            log.info("the images of other trials are let go: those of the next do not fit beside")
            self.close()


def _recipe(cfg: DictConfig) -> str:
    """What tells DataModules apart whose images, or splits, are others."""
    told: Any = OmegaConf.to_container(cfg.datamodule, resolve=True)
    del told["batch_size"]
    return json.dumps(told, sort_keys=True, default=str)
