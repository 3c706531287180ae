"""`RunLogger`: what loggers with a back end beyond the run's folder have in common.

Their errors do not end a run: what is logged is in the run's own files as well. One that cannot be
begun is refused before the training, because nobody looks for a missing log after hours.
"""

import functools
import logging
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, ParamSpec

from lightning.pytorch.loggers import Logger

from dualgaf.errors import ConfigError, DependencyError

log = logging.getLogger(__name__)

P = ParamSpec("P")


def leniently(method: Callable[P, None]) -> Callable[P, None]:
    """Let an error of a `RunLogger` turn it off, which is said once, and not end the run."""

    @functools.wraps(method)
    def call(*given: P.args, **named: P.kwargs) -> None:
        logger: Any = given[0]
        if logger.is_off:
            return
        try:
            method(*given, **named)
        except Exception as error:  # of a server, a disk, any library below
            logger.is_off = True
            log.warning(
                "logger=%s has failed, and gets nothing more; the run goes on, its own files have "
                "all of it: %s",
                logger.option,
                one_line(error),
            )

    return call


class RunLogger(Logger):
    """A logger that gets a run's options, its figures and its files, and may fail."""

    option: ClassVar[str]
    """Its name in ``logger=NAME``, and of the extra that it needs."""
    id_option: ClassVar[str]
    """Keyword with which a run that is there goes on."""
    is_off: bool = False
    """Whether it has failed; nothing is logged from then on."""

    @property
    @abstractmethod
    def has_begun(self) -> bool:
        """Whether its back end has a run for it."""

    @abstractmethod
    def check(self) -> None:
        """Refuse a back end that cannot be used, before there is a run in it.

        Raises:
            ConfigError: it cannot be used; with what to type.
        """

    @abstractmethod
    def begin(self) -> None:
        """Begin the run.

        Raises:
            ConfigError: the back end refuses it.
        """

    @abstractmethod
    def keep(self, metrics: Mapping[str, float], classes: Sequence[str], files: list[Path]) -> None:
        """Keep what a run has found.

        Args:
            metrics: its last figures; they replace those of the last epoch.
            classes: names, in the order of the numbers of ``metrics``.
            files: pictures and tables.
        """

    @abstractmethod
    def close(self, status: str) -> None:
        """End the run: ``success``, ``failed`` or ``KILLED``."""

    @leniently
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Keep a checkpoint, where that is asked for."""
        super().after_save_checkpoint(checkpoint_callback)

    def refused(self, error: BaseException, typed: str) -> ConfigError:
        """The back end cannot be used."""
        return ConfigError(
            f"logger={self.option} cannot be used: {one_line(error)}; type {typed}, or leave "
            f"{self.option} out of logger=..."
        )


class SilentLogger(Logger):
    """In the place of a `RunLogger` in ranks other than the first."""

    name = None
    version = None

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Nothing."""

    def log_hyperparams(self, *given: Any, **named: Any) -> None:
        """Nothing."""


def one_line(error: BaseException) -> str:
    """The text of an error, without what could be a password."""
    text = " ".join(str(error).split()) or type(error).__name__
    return without_user(text if len(text) <= 300 else f"{text[:300]}...")


def without_user(text: str) -> str:
    """A text whose URIs have neither user nor password.

    Example:
        >>> without_user("no access to http://me:s3cret@host:5000/x")
        'no access to http://host:5000/x'
    """
    return re.sub(r"://[^\s/]*@", "://", text)


def check_installed(package: str) -> None:
    """Refuse a logger whose package is not there.

    Raises:
        DependencyError: it is not installed.
    """
    if find_spec(package) is None:
        raise DependencyError(
            f"logger={package} needs {package}, which is not installed; type pip install "
            f'"dualgaf[{package}]"'
        )
