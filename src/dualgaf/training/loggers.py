"""The loggers of a run, from its options to the end of its last file.

``logger=[csv,mlflow]`` are several at once. Each gets the options when a training starts and what
Lightning logs by step; a `RunLogger` and TensorBoard get the pictures of the run as well, and a
`RunLogger` its last figures and tables. Those are logged after ``metrics.json`` is there: the run
is done then, whatever becomes of a server.
"""

import contextlib
import copy
import csv
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import lightning as L
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from omegaconf import DictConfig, OmegaConf

from dualgaf.system.termination import Stopped
from dualgaf.system.whole_file import whole_file
from dualgaf.training.config import own_error
from dualgaf.training.progress import Progress, keep_logs
from dualgaf.training.ranks import is_first
from dualgaf.training.run_folder import RESULTS, flat
from dualgaf.training.run_logger import RunLogger, SilentLogger, one_line

IDS = Path(".hydra/loggers.json")
"""In the folder of a run: what its back ends call it, so that it goes on there, too."""
SCORES = ("val/acc", "val/f1_macro", "test/acc", "test/f1_macro")
"""Figures by which TensorBoard compares runs."""
_OURS = ("dualgaf.MLFlowLogger", "dualgaf.WandbLogger")

log = logging.getLogger(__name__)


def loggers_of(cfg: DictConfig, before: Progress | None) -> list[Logger]:
    """Those of a configuration; where a run goes on, with what they have of it.

    Raises:
        ConfigError: one of them cannot be used.
    """
    folder = Path(cfg.paths.run_dir)
    ids = _read_ids(folder) if before is not None else {}
    # A copy: what is looked up, a password too, would be written into it.
    nodes = copy.deepcopy(cfg).get("logger") or {}
    found: list[Logger] = []
    for name, node in nodes.items():
        target = str(node.get("_target_"))
        if target in _OURS and not is_first():
            found.append(SilentLogger())  # Lightning counts on one in each rank
            continue
        known: dict[str, Any] = {}
        if before is not None and target.endswith("TensorBoardLogger"):
            known["purge_step"] = before.steps
        if target in _OURS:
            known = _own_options(str(name), node, target, folder, ids)
        found.append(_made(node, known))
    if before is not None and is_first():
        keep_logs(found, before.steps)
    return found


def _own_options(
    name: str, node: DictConfig, target: str, folder: Path, ids: Mapping[str, str]
) -> dict[str, Any]:
    title, own_id = ("run_name", "run_id") if "MLFlow" in target else ("name", "id")
    asked = {title: "/".join(folder.absolute().parts[-2:]), own_id: ids.get(name)}
    return {key: value for key, value in asked.items() if node.get(key) is None}


def _made(node: DictConfig, known: Mapping[str, Any]) -> Logger:
    try:
        logger: Logger = instantiate(node, **known, _convert_="all")
    except InstantiationException as error:
        raise own_error(error) or error from error
    if isinstance(logger, RunLogger):
        logger.check()
    return logger


class OptionsLogged(L.Callback):
    """Gives loggers the options of a run when its training starts, not before.

    A run that is refused leaves no file then; and a logger that has written keeps columns of its
    own, which are those of no rank that is spawned.

    Args:
        cfg: of the run.
    """

    def __init__(self, cfg: DictConfig) -> None:
        self._told = hyperparameters(cfg)
        self._names = [str(name) for name in cfg.get("logger") or {}]
        self._folder = Path(cfg.paths.run_dir)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Lightning has the first rank do it."""
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger) and trainer.is_global_zero:
                logger.begin()
            logger.log_hyperparams(self._told)
            if isinstance(logger, TensorBoardLogger) and trainer.is_global_zero:
                # Lightning has written one without options, and writes none over it.
                Path(logger.log_dir, logger.NAME_HPARAMS_FILE).unlink(missing_ok=True)
        if trainer.is_global_zero:
            _write_ids(self._folder, dict(zip(self._names, trainer.loggers, strict=False)))


def hyperparameters(cfg: DictConfig) -> dict[str, Any]:
    """What a logger keeps of a configuration: its values by dotted key, and no secret.

    A value that is looked up (``${...}``) is there under its own key, or is nobody's to keep. Nor
    is a URI kept, whoever has looked it up: it may have a password.

    Example:
        >>> from omegaconf import OmegaConf
        >>> cfg = {"seed": 0, "images": "auto", "datamodule": {"images": "${images}"}}
        >>> hyperparameters(OmegaConf.create(cfg))
        {'seed': 0, 'images': 'auto'}
    """
    return {
        key: value
        for key, value in flat(OmegaConf.to_container(cfg, resolve=False)).items()
        if not (isinstance(value, str) and ("${" in value or "://" in value))
        and value is not None
        and not key.startswith("paths.")
    }


@contextlib.contextmanager
def closed_at_end(loggers: Sequence[Logger]) -> Iterator[None]:
    """A block after which the runs of `RunLogger` have ended: done, failed or stopped."""
    status = "failed"
    try:
        yield
        status = "success"
    except (Stopped, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        for logger in loggers:
            if isinstance(logger, RunLogger) and is_first():
                logger.close(status)


def log_results(cfg: DictConfig, loggers: Sequence[Logger], classes: Sequence[str]) -> None:
    """Log what the folder of a run has now: figures, pictures, tables.

    Args:
        cfg: of the run.
        loggers: of the run.
        classes: their names; figures of a class have its number.
    """
    folder = Path(cfg.paths.run_dir)
    # Of one batch there is nothing to keep; and the Trainer itself logs nothing.
    if cfg.trainer.get("fast_dev_run") or not is_first():
        return
    files = [folder / name for name in RESULTS if (folder / name).is_file()]
    figures = _figures(folder)
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            scores = {key: figures[key] for key in SCORES if key in figures}
            _show(logger, files, hyperparameters(cfg), scores)
        if not isinstance(logger, RunLogger):
            continue
        if not logger.has_begun:
            logger.log_hyperparams(hyperparameters(cfg))
        logger.keep(figures, classes, files)


def _show(
    board: TensorBoardLogger,
    files: Sequence[Path],
    options: Mapping[str, Any],
    scores: dict[str, float],
) -> None:
    """Pictures, and a line on the page that compares runs, for which TensorBoard wants both."""
    from matplotlib.image import imread

    try:
        board.log_hyperparams(dict(options), scores)
        for path in files:
            if path.suffix == ".png":
                board.experiment.add_image(path.stem, imread(path), dataformats="HWC")
        board.save()
    except OSError as error:
        log.warning("logger=tensorboard does not have the pictures: %s", one_line(error))


def _figures(folder: Path) -> dict[str, float]:
    """Numbers of ``metrics.json``, and those of each class, by its number, of ``report.csv``."""
    told = json.loads((folder / "metrics.json").read_text())
    found = {
        key: float(value)
        for key, value in told.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    report = folder / "report.csv"
    if not report.is_file():
        return found
    with report.open(newline="") as file:
        rows = [*csv.DictReader(file)][:-1]  # the last is their mean
    for number, row in enumerate(rows):
        for score in ("precision", "recall", "f1"):
            found[f"test/{score}_class_{number}"] = float(row[score])
    return found


class LoggersReady(Callback):
    """Hydra callback: what the jobs of a sweep share of their back ends is there before the first.

    Four jobs that made the tables of one new database at the same time would end three of them.

    Example:
        >>> from omegaconf import OmegaConf
        >>> LoggersReady().on_multirun_start(OmegaConf.create({"logger": {}}))
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Make it.

        Raises:
            SystemExit: with the text of the error.
        """
        if not is_first():
            return
        try:
            for node in (copy.deepcopy(config).get("logger") or {}).values():
                if str(node.get("_target_")) in _OURS:
                    # The folder of a job is not known before it.
                    _made(node, {"save_dir": "."} if "save_dir" in node else {})
        except Exception as error:
            # Hydra makes a warning of every exception of a callback but this one.
            raise SystemExit(f"dualgaf: {own_error(error) or one_line(error)}") from error


def _read_ids(folder: Path) -> dict[str, str]:
    try:
        return cast(dict[str, str], json.loads((folder / IDS).read_text()))
    except (OSError, ValueError):
        return {}


def _write_ids(folder: Path, loggers: Mapping[str, Logger]) -> None:
    ids = {
        name: logger.version
        for name, logger in loggers.items()
        if isinstance(logger, RunLogger) and logger.has_begun
    }
    if ids:
        (folder / IDS).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / IDS) as draft:
            draft.write_text(json.dumps(ids) + "\n")
