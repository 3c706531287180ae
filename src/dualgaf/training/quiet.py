"""What other libraries print during a run and a user can do nothing with."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_MESSAGES = (
    # advertisements for services of lightning's makers
    "\N{ELECTRIC LIGHT BULB}",
    # said of every machine without one
    "TPU available",
    # a step that takes no time here
    "Loading `train_dataloader` to estimate",
)

_WARNINGS = (
    # The images lie in memory: loader processes would only copy them (docs/design/0002).
    ".*does not have many workers.*",
    # where steps or time end a training before an epoch is validated, `fit` keeps the last weights
    r"`ModelCheckpoint\(monitor='val/.*'\)` could not find the monitored key.*",
    # A folder holds one run, which goes on there (dualgaf/training/run_folder.py).
    r"(Checkpoint|Experiment logs) directory .* exists and is not empty.*",
    # lightning 2.6.6 asks torch 2.13 for something that torch will rename
    r"`isinstance\(treespec, LeafSpec\)` is deprecated.*",
)


_OUTSIDE_SLURM = "The `srun` command is available.*"
"""Lightning's hint on every machine that has Slurm; of use to a job of Slurm only."""


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out these messages and warnings inside the block, and no others.

    What Lightning both prints by itself and hands on to the handlers of the root logger, such as
    Hydra's, is said once, by these.

    Example:
        >>> with quiet():
        ...     warnings.warn("The loader does not have many workers", stacklevel=1)
    """
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(_wanted)
    try:
        with _said_once(), warnings.catch_warnings():
            outside = () if "SLURM_JOB_ID" in os.environ else (_OUTSIDE_SLURM,)
            for message in (*_WARNINGS, *outside):
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logger.removeFilter(_wanted)


@contextmanager
def _said_once() -> Iterator[None]:
    lightning, handlers = logging.getLogger("lightning"), list[logging.Handler]()
    if lightning.propagate and logging.getLogger().handlers:
        handlers = [each for each in lightning.handlers if type(each) is logging.StreamHandler]
    for handler in handlers:
        lightning.removeHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            lightning.addHandler(handler)


@contextmanager
def errors_alone() -> Iterator[None]:
    """Leave out whatever is said on the screen but errors; what goes into files stays.

    Example:
        >>> with errors_alone():
        ...     logging.getLogger().warning("there is little memory")
    """
    known = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    handlers = {handler for logger in known for handler in getattr(logger, "handlers", ())}
    screen = (sys.stdout, sys.stderr)
    shown = [each for each in handlers if getattr(each, "stream", None) in screen]
    levels = [handler.level for handler in shown]
    for handler in shown:
        handler.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for handler, level in zip(shown, levels, strict=True):
            handler.setLevel(level)


def _wanted(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_MESSAGES)
