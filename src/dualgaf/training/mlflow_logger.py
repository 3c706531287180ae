"""`MLFlowLogger`: Lightning's logger of MLflow 3, for runs of this package.

What MLflow or Lightning's logger would do, and this one does not:

- two first starts on one new file of SQLite, or with one new name of an experiment, and one of them
  fails: whoever makes them has them alone
- names of metrics lose their special characters, so that two become one: they stay apart
- values of options above 250 characters are cut: ``options.yaml`` among the artefacts has them all
- each step is a transaction of 20 ms: those of an epoch go together
- MLflow tells its makers that it is used: not from here
"""

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers.mlflow import MLFlowLogger as LightningMLFlowLogger
from lightning.pytorch.utilities import rank_zero_only

from dualgaf.errors import ConfigError, not_allowed
from dualgaf.store.lock import locked
from dualgaf.training.run_logger import (
    RunLogger,
    check_installed,
    leniently,
    without_user,
)

FILE = "sqlite:///mlflow.db"
"""Where runs are kept when nothing is said: in the current folder."""
LONGEST_VALUE = 250
"""Characters of the value of an option."""
MOST_METRICS = 500
"""That are held back; MLflow takes 1000 at once."""
_URI = "logger.mlflow.tracking_uri"
_NAME = "logger.mlflow.experiment_name"
_ALLOWED = "sqlite:///FILE, http://HOST:PORT of a server, postgresql://... and other databases"


class MLFlowLogger(RunLogger, LightningMLFlowLogger):
    """Lightning's logger of MLflow 3; an error of its server ends no training.

    Args:
        tracking_uri: ``sqlite:///FILE``, or what else MLflow 3 keeps runs in.
        experiment_name: made where it is not there.
        run_name: None gives it a random one.
        tags: of the run.
        artifact_location: of an experiment that is made; None is ``mlruns/NAME`` beside a file of
            SQLite, and what a server chooses.
        log_model: whether checkpoints of callbacks are kept as artefacts.
        run_id: of a run that goes on.
        synchronous: whether each call waits for the server.

    Raises:
        ConfigError: the URI is none of MLflow 3, or nothing answers there.
        DependencyError: MLflow is not installed.

    Example:
        >>> MLFlowLogger(tracking_uri="file:mlruns")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: logger.mlflow.tracking_uri='file:mlruns' is not allowed; ...
    """

    option = "mlflow"
    id_option = "run_id"

    def __init__(
        self,
        tracking_uri: str = FILE,
        experiment_name: str = "dualgaf",
        run_name: str | None = None,
        tags: dict[str, Any] | None = None,
        artifact_location: str | None = None,
        log_model: Literal[True, False, "all"] = False,
        run_id: str | None = None,
        synchronous: bool | None = None,
    ) -> None:
        check_uri(tracking_uri)
        check_installed(self.option)
        self._held: list[Any] = []
        self._names: dict[str, str] = {}
        self._last_step = 0
        try:
            with alone(tracking_uri), _unasked():
                super().__init__(
                    experiment_name,
                    run_name,
                    tracking_uri,
                    tags,
                    None,
                    log_model,
                    "",
                    artifact_location,
                    run_id,
                    synchronous,
                )
        except Exception as error:
            raise self._refused(error) from error

    def __getstate__(self) -> dict[str, Any]:
        """A rank that is spawned goes on with the run of this process."""
        _ = self.run_id
        return self.__dict__

    @property
    def has_begun(self) -> bool:
        """Whether there is a run."""
        return self._run_id is not None

    def check(self) -> None:
        """Make the experiment, and look for the run that is to go on.

        Raises:
            ConfigError: the server does not answer, or refuses the name.
        """
        client = self._mlflow_client
        try:
            with alone(self._tracking_uri), _unasked(), _few_tries():
                self._experiment_id = self._ready(client)
                if self._run_id is not None:
                    self._run_id = _known_run(client, self._run_id)
        except ConfigError:
            raise
        except Exception as error:
            raise self._refused(error) from error

    def begin(self) -> None:
        """Begin the run, or go on with it.

        Raises:
            ConfigError: the server does not answer.
        """
        try:
            goes_on = self.has_begun
            client = self.experiment
            if goes_on and client is not None:
                client.update_run(self._run_id, status="RUNNING")
        except Exception as error:
            raise self._refused(error) from error

    @rank_zero_only
    @leniently
    def log_hyperparams(self, params: Any) -> None:
        """Log options; those that the run has already stay, MLflow changes none."""
        client, run = self.experiment, self.run_id
        known = client.get_run(run).data.params
        told = {self._named(key): _cut(str(value)) for key, value in params.items()}
        super().log_hyperparams({key: told[key] for key in told if key not in known})
        client.log_dict(run, {key: _plain(value) for key, value in params.items()}, "options.yaml")

    @rank_zero_only
    @leniently
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hold figures back until the end of the epoch."""
        from mlflow.entities import Metric

        self._last_step = max(self._last_step, step or 0)
        now = int(time.time() * 1000)
        self._held += [
            Metric(key=self._named(key), value=float(value), timestamp=now, step=step or 0)
            for key, value in metrics.items()
            if not isinstance(value, str)
        ]
        if len(self._held) >= MOST_METRICS:
            self._send()

    @rank_zero_only
    @leniently
    def save(self) -> None:
        """Send what is held back."""
        self._send()

    @rank_zero_only
    @leniently
    def finalize(self, status: str = "success") -> None:
        """Send what is held back, and end the run."""
        self._send()
        super().finalize(status)

    @leniently
    def keep(self, metrics: Mapping[str, float], classes: Sequence[str], files: list[Path]) -> None:
        """See `RunLogger.keep`."""
        self.log_metrics(metrics, self._last_step)
        self._send()
        client, run = self.experiment, self.run_id
        for number, name in enumerate(classes):
            client.set_tag(run, f"class_{number}", name)
        for path in files:
            client.log_artifact(run, str(path))

    def close(self, status: str) -> None:
        """See `RunLogger.close`."""
        if self.has_begun:
            self.finalize(status)

    def _send(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self.experiment.log_batch(run_id=self.run_id, metrics=held, **self._log_batch_kwargs)

    def _named(self, name: str) -> str:
        """A name as MLflow takes it; another one for each, for as long as the run is under way."""
        if name not in self._names:
            plain = re.sub(r"[^\w/. -]", "_", name, flags=re.ASCII)
            taken, number = {*self._names.values()}, 2
            found = plain
            while found in taken:
                found, number = f"{plain}_{number}", number + 1
            self._names[name] = found
        return self._names[name]

    def _ready(self, client: Any) -> str:
        from mlflow.exceptions import MlflowException

        name = self._experiment_name
        found = client.get_experiment_by_name(name)
        if found is None:
            place = self._artifact_location or _beside(self._tracking_uri, name)
            try:
                return str(client.create_experiment(name, artifact_location=place))
            except MlflowException:
                found = client.get_experiment_by_name(name)  # another process has made it
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            raise ConfigError(
                f"the experiment {name!r} of MLflow was deleted; type {_NAME}={name}-2, or "
                "restore it"
            )
        return str(found.experiment_id)

    def _refused(self, error: BaseException) -> ConfigError:
        return self.refused(error, f"{_URI}={FILE}")


def check_uri(uri: object) -> None:
    """Refuse what MLflow 3 keeps no runs in.

    Raises:
        ConfigError: it is a folder, or no URI.
    """
    text = str(uri)
    if text == "databricks" or ("://" in text and not text.startswith("file:")):
        return
    is_file = re.fullmatch(r"[\w./-]+\.(db|sqlite3?)", text) is not None
    typed = f"sqlite:///{text}" if is_file else FILE
    raise ConfigError(not_allowed(_URI, without_user(text), _ALLOWED, f"{_URI}={typed}"))


@contextlib.contextmanager
def alone(uri: str) -> Iterator[None]:
    """Have a file of SQLite alone: it may be about to be made."""
    path = _path(uri)
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # a file system without locks
            held.enter_context(locked(path.with_name(f"{path.name}.lock")))
        yield


@contextlib.contextmanager
def _unasked() -> Iterator[None]:
    """Let MLflow neither say that it makes tables nor tell its makers that it is used."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    try:
        import mlflow  # noqa: F401  # which sets a level of its own

        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _few_tries() -> Iterator[None]:
    """Let an absent server be known after seconds: MLflow would try for six minutes."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    is_ours = name not in os.environ
    os.environ.setdefault(name, "2")
    try:
        yield
    finally:
        if is_ours:
            del os.environ[name]


def _path(uri: str) -> Path | None:
    found = re.match(r"sqlite(?:\+\w+)?:///([^?:]+)", uri)
    return None if found is None else Path(found[1]).absolute()


def _beside(uri: str, name: str) -> str | None:
    path = _path(uri)
    folder = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "_"
    return None if path is None else (path.parent / "mlruns" / folder).as_uri()


def _known_run(client: Any, run: str) -> str | None:
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None  # it was logged elsewhere
        raise
    return run if found.info.lifecycle_stage == "active" else None


def _cut(text: str) -> str:
    more = "... (all of it: options.yaml)"
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - len(more)] + more


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None | list) else str(value)
