"""What a run asks of `lightning.Trainer`: refused in one line where it cannot be meant so.

Everything that ``trainer.*`` names goes to the Trainer. What it does not take, or what would train
nothing, is an error before the training.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig

from dualgaf.errors import ConfigError, DualGAFError, check_whole, not_allowed, unknown_choice
from dualgaf.models.classifier import PRECISIONS
from dualgaf.training.in_order import StopCheck, keep_sigterm, plugins

OF_THE_RUN = {
    "logger": "type logger=csv, or ~logger for none",
    "callbacks": "type +callbacks.NAME._target_=PACKAGE.CLASS",
}
"""Options of the Trainer that a run gives itself."""
_LARGEST_SEED = 2**32 - 1


def check_trainer(cfg: DictConfig) -> None:
    """Refuse options that no training can have.

    Args:
        cfg: of the run; nothing is made for it.

    Raises:
        ConfigError: an option of the Trainer, or the seed, has a value that is not allowed.
    """
    asked = cfg.trainer
    seed = cfg.seed
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _LARGEST_SEED:
        allowed = f"whole numbers from 0 to {_LARGEST_SEED}"
        raise ConfigError(not_allowed("seed", seed, allowed, "seed=0"))
    for option, typed in OF_THE_RUN.items():
        if asked.get(option) is not None:
            raise ConfigError(f"trainer.{option} is what the run gives the Trainer itself; {typed}")
    precision = asked.get("precision", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise ConfigError(unknown_choice("trainer.precision", precision, PRECISIONS))
    check_whole("trainer.accumulate_grad_batches", asked.get("accumulate_grad_batches", 1), 1, 1)
    epochs = asked.get("max_epochs")
    if epochs not in (None, "auto", -1):
        allowed = "auto, or a number of epochs; -1 = until something else ends it"
        _check_count("trainer.max_epochs", epochs, allowed, "trainer.max_epochs=100")
    if (steps := asked.get("max_steps")) not in (None, -1):
        _check_count("trainer.max_steps", steps, "-1, or a number of steps", "trainer.max_steps=9")
    if asked.get("limit_train_batches") == 0:
        allowed = "a fraction above 0, or a number of batches"
        typed = "trainer.limit_train_batches=1.0"
        raise ConfigError(not_allowed("trainer.limit_train_batches", 0, allowed, typed))


def make_trainer(cfg: DictConfig, **options: Any) -> L.Trainer:
    """The Trainer of a run.

    Args:
        cfg: of the run; ``cfg.trainer`` has its options.
        **options: these replace them.

    Raises:
        ConfigError: the Trainer refuses its options.
    """
    options["callbacks"] = [*options.get("callbacks", ()), StopCheck()]
    try:
        trainer: L.Trainer = instantiate(cfg.trainer, **options, plugins=plugins(cfg))
    except InstantiationException as error:
        raise _refused(error.__cause__ or error) from error
    keep_sigterm(trainer)
    return trainer


@contextmanager
def in_one_line() -> Iterator[None]:
    """A block in which a Trainer may find that its options or callbacks do not fit.

    Raises:
        ConfigError: they do not.
    """
    try:
        yield
    except (MisconfigurationException, ValueError) as error:
        if isinstance(error, DualGAFError) or not _is_lightnings(error):
            raise
        raise _refused(error) from error
    except RuntimeError as error:
        # What EarlyStopping says where its metric is not logged.
        if (found := re.match(r"Early stopping conditioned on metric `(.*?)`", str(error))) is None:
            raise
        known = re.findall(r"`([^`]*)`", str(error).partition("of the following:")[2])
        raise ConfigError(
            f"callbacks.early_stopping.monitor={found[1]} is logged nowhere; there are: "
            f"{', '.join(known)}; type callbacks.early_stopping.monitor=val/loss"
        ) from error


def is_off(cfg: DictConfig, split: str) -> bool:
    """Whether ``trainer.limit_SPLIT_batches=0`` says that a split is not looked at."""
    return bool(cfg.trainer.get(f"limit_{split}_batches") == 0)


def _is_lightnings(error: BaseException) -> bool:
    """Whether Lightning itself has raised an error; what is raised below it is no refusal."""
    found = error.__traceback__
    while found is not None and found.tb_next is not None:
        found = found.tb_next
    module = "" if found is None else str(found.tb_frame.f_globals.get("__name__"))
    return module.startswith("lightning.")


def _check_count(option: str, value: object, allowed: str, typed: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(not_allowed(option, value, allowed, typed))


def _refused(error: BaseException) -> ConfigError:
    text = " ".join(str(error).split())
    return ConfigError(
        f"the Trainer refuses what trainer.* and callbacks.* say: {text}; type python train.py "
        "--cfg job --package trainer to see what it gets, and leave out what it refuses"
    )
