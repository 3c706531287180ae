"""`WandbLogger`: Lightning's logger of Weights & Biases, for runs of this package.

Nothing leaves the machine unless it is asked to: ``mode`` is ``offline``, and what goes wrong is
not told to the makers of wandb. Each run is ended with its job, so the next job of a sweep begins
one of its own.
"""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers.wandb import WandbLogger as LightningWandbLogger
from lightning.pytorch.utilities import rank_zero_only

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.training.run_logger import RunLogger, check_installed, leniently

MODES = ("offline", "online", "disabled")
"""What is typed; wandb has older names of the first two."""
_OLD = {"dryrun": "offline", "run": "online"}
_MODE = "logger.wandb.mode"

log = logging.getLogger(__name__)


class WandbLogger(RunLogger, LightningWandbLogger):
    """Lightning's logger of Weights & Biases; an error of its service ends no training.

    Args:
        save_dir: the folder in which ``wandb/`` is made.
        mode: ``offline`` writes files alone, which ``wandb sync`` sends; ``online`` sends at once;
            ``disabled`` does nothing.
        project: of the run.
        name: None gives it a random one.
        entity: user or team.
        group: of runs that belong together.
        job_type: as ``train``.
        tags: of the run.
        notes: a text.
        log_model: whether checkpoints of callbacks are kept; needs ``online``.
        id: of a run that goes on.
        settings: of ``wandb.Settings``.

    Raises:
        ConfigError: a mode that is not known, or one that does not send what is to be kept.
        DependencyError: wandb is not installed.

    Example:
        >>> WandbLogger(mode="ofline")
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: logger.wandb.mode='ofline' is not known; allowed: offline, ...
    """

    option = "wandb"
    id_option = "id"

    def __init__(
        self,
        save_dir: str | Path = ".",
        mode: str = "offline",
        project: str = "dualgaf",
        name: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        tags: Sequence[str] | None = None,
        notes: str | None = None,
        log_model: Literal["all"] | bool = False,
        id: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        mode = _OLD.get(mode, mode)
        if mode not in MODES:
            raise ConfigError(unknown_choice(_MODE, mode, MODES))
        if log_model and mode != "online":
            raise ConfigError(
                f"logger.wandb.log_model={str(log_model).lower()} sends checkpoints, and {_MODE}="
                f"{mode} sends nothing; type {_MODE}=online, or logger.wandb.log_model=false"
            )
        check_installed(self.option)
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        super().__init__(
            name=name,
            save_dir=save_dir,
            project=project,
            id=id,
            log_model=log_model,
            mode=mode,
            entity=entity,
            group=group,
            job_type=job_type,
            tags=None if tags is None else [*tags],
            notes=notes,
            settings=dict(settings or {}),
        )
        self._wandb_init.pop("anonymous")  # of which wandb says that it has no effect

    @property
    def has_begun(self) -> bool:
        """Whether there is a run."""
        return self._experiment is not None

    def check(self) -> None:
        """Nothing is made before the run."""

    def begin(self) -> None:
        """Begin the run, or go on with it.

        Raises:
            ConfigError: wandb refuses it, say because nobody has logged in.
        """
        try:
            Path(self._save_dir or ".").mkdir(parents=True, exist_ok=True)
            _ = self.experiment
        except Exception as error:
            raise self.refused(error, f"{_MODE}=offline") from error

    @rank_zero_only
    @leniently
    def log_hyperparams(self, params: Any) -> None:
        """Log options."""
        super().log_hyperparams(params)

    @rank_zero_only
    @leniently
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log figures."""
        super().log_metrics(metrics, step)

    @rank_zero_only
    @leniently
    def finalize(self, status: str) -> None:
        """Keep checkpoints, where that is asked for."""
        super().finalize(status)

    @leniently
    def keep(self, metrics: Mapping[str, float], classes: Sequence[str], files: list[Path]) -> None:
        """See `RunLogger.keep`."""
        self.begin()
        run: Any = self.experiment
        run.config.update({f"class_{n}": name for n, name in enumerate(classes)})
        for path in files:
            if path.suffix == ".png":
                self.log_image(path.stem, [str(path)])
            else:
                copy = shutil.copy(path, run.dir)  # wandb would link it, and say so for each
                run.save(copy, base_path=run.dir, policy="now")
        run.summary.update(dict(metrics))

    @leniently
    def close(self, status: str) -> None:
        """See `RunLogger.close`."""
        run: Any = self._experiment
        if run is None:
            return
        self._experiment = None
        run.finish(exit_code=int(status != "success"))
        if self._wandb_init["mode"] == "offline":
            log.info("wandb has sent nothing; to send it type wandb sync %s", Path(run.dir).parent)
