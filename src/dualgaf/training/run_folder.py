"""One folder, one run: whether a command may write into a folder, and what it finds there.

A folder that holds a run is entered again by ``resume=RUN``, or by the same options with
``hydra.run.dir=RUN``. Then the run goes on, or is done already. Other options would make another
run, whose files would stand among those of the first: they are refused, and nothing is touched.

Options that change no result do not count (`NOT_COUNTED`, and but for ``task=build`` `MACHINE`).
With ``resume=RUN`` another ``trainer.max_epochs`` is allowed: a longer training.
"""

import inspect
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import lightning
import yaml
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.renamed import current_config
from dualgaf.series.tables.databases.uri import check_logged_uris, check_no_password
from dualgaf.store.lock import locked
from dualgaf.system.whole_file import DRAFT, whole_file
from dualgaf.training.cluster import placed
from dualgaf.training.code_stamp import is_of_this_code, stamp
from dualgaf.training.command import goes_on_in
from dualgaf.training.ranks import is_first
from dualgaf.training.report import STOPPED
from dualgaf.training.resume import (
    SWEEP,
    as_typed_words,
    key_of,
    resume_command,
    shown,
    typed_folder,
)

RECORD = Path(".hydra/run.yaml")
"""The configuration of a folder's run. Hydra's own files are those of the last command."""
NOT_COUNTED = (
    *("paths", "resume", "logger", "quiet", "report", "skip_finished", "launcher"),
    *(f"trainer.{key}" for key in ("enable_progress_bar", "enable_model_summary", "profiler")),
    *("trainer.log_every_n_steps", "trainer.default_root_dir"),
)
"""Where files go, what is shown and logged."""
MACHINE = (
    *("hardware", "parallel", "cache"),
    *(f"datamodule.{key}" for key in ("hardware", "parallel", "num_workers")),
    *("datamodule.cache_dir", "datamodule.cache_verify"),
)
"""How images are drawn and kept, which changes none of them."""
LONGER = "trainer.max_epochs"
_SHOWS = ("ProgressBar", "ModelSummary", "Monitor")
RESULTS = (
    *("metrics.json", "report.html", "curves.png", "confusion.png", "reliability.png"),
    *("report.csv", "outside.csv", "unlike.csv"),
    *("test_predictions.csv", "predictions.csv", "events.csv", "predictions.png"),
)
"""Files that a run leaves, beside checkpoints and those of loggers."""
_LOGS = ("csv", "tensorboard", "refit", "wandb")
NAMED = 4
"""Options that differ, in the text of an error."""


class RunFolderCheck(Callback):
    """Hydra callback: looks at the folder of a run or a sweep before Hydra writes into it.

    Example:
        ``conf/hydra/default.yaml`` has Hydra make it:

        >>> from hydra.utils import instantiate
        >>> isinstance(instantiate({"_target_": "dualgaf.RunFolderCheck"}), Callback)
        True
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a folder that holds another run.

        Raises:
            SystemExit: with the text of the error.
        """
        folder = Path(str(OmegaConf.select(config, "hydra.run.dir"))).absolute()
        goes_on_in(folder)
        exit_on_error(_check_uri, config)
        exit_on_error(_check_one_run, config)
        cfg = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        own = OmegaConf.to_container(cfg.paths, resolve=False)["run_dir"]  # type: ignore
        if "${" not in str(own):
            folder = Path(str(own)).absolute()
        if is_first():
            exit_on_error(lambda: _check_run(placed(cfg), folder))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a folder that holds another sweep.

        Raises:
            SystemExit: with the text of the error.
        """
        folder = Path(str(OmegaConf.select(config, "hydra.sweep.dir"))).absolute()
        goes_on_in(folder)
        exit_on_error(_check_uri, config)
        if is_first():
            exit_on_error(_check_sweep, config, folder)


def check_folder(cfg: DictConfig, folder: Path, *, before_hydra: bool = False) -> bool:
    """Whether a folder holds this run already.

    Args:
        cfg: of the command.
        folder: its run directory.
        before_hydra: whether Hydra's files in it are still those of the command before.

    Returns:
        False for a folder without results of a run.

    Raises:
        ConfigError: the run in it is another one.
    """
    if not traces(folder):
        return False
    found = record(folder, before_hydra)
    if found is None:
        first = ", ".join(traces(folder)[:NAMED])
        raise ConfigError(
            f"{shown(folder)} holds files of a run whose options are not known ({first}); nothing "
            f"was changed; type {other_folder(folder)}"
        )
    allowed = (LONGER,) if cfg.get("resume") is not None else ()
    differing = differences(counted(found), counted(cfg), allowed)
    if differing:
        raise ConfigError(
            f"{shown(folder)} holds a run with other options ({differing}), and files of two runs "
            f"are not mixed; nothing was changed; to go on with that run type "
            f"{resume_command(folder)}; for a new one type {other_folder(folder)}"
        )
    return True


def finished(cfg: DictConfig, folder: Path) -> dict[str, Any] | None:
    """``metrics.json`` of a training that is done and asked for again; None where there is none.

    Raises:
        ConfigError: the run in the folder is another one.
    """
    if not check_folder(cfg, folder) or cfg.task != "fit":
        return None
    recorded = record(folder, before_hydra=False)
    is_longer = recorded is not None and differences(counted(recorded), counted(cfg), ())
    try:
        found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    except (OSError, ValueError):
        return None
    if STOPPED in found or is_longer:
        return None
    if cfg.get("skip_finished") and not is_of_this_code(folder):
        raise ConfigError(
            f"the run in {shown(folder)} is done by other code than this, so skip_finished=true "
            "does not take it for this one; leave hydra.sweep.subdir out, or type "
            "skip_finished=false"
        )
    return found


@contextmanager
def entered(cfg: DictConfig, folder: Path) -> Iterator[None]:
    """Have a folder for this run alone; what it holds of it is put away, but for checkpoints.

    Args:
        cfg: of the run.
        folder: its run directory, made where it is not there.

    Raises:
        ConfigError: it holds another run, or another process is writing it.
    """

    def refuse() -> None:
        raise ConfigError(
            f"another process is at work on the run in {shown(folder)}; wait for its end, or type "
            f"{other_folder(folder)}"
        )

    check_folder(cfg, folder)
    (folder / RECORD).parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder / RECORD.with_suffix(".lock"), refuse):
        for name in RESULTS:
            (folder / name).unlink(missing_ok=True)
        for draft in folder.glob(f"checkpoints/*{DRAFT}"):
            draft.unlink(missing_ok=True)
        anew = not list(folder.glob("checkpoints/*.ckpt"))
        stamp(folder, anew)
        if anew:
            for name in _LOGS:
                shutil.rmtree(folder / name, ignore_errors=True)
        with whole_file(folder / RECORD) as draft:
            OmegaConf.save(cfg, draft)
        yield


@contextmanager
def _lock(path: Path, refuse: Any) -> Iterator[None]:
    lock = locked(path, refuse)
    try:
        lock.__enter__()
    except ConfigError:
        raise
    except OSError:  # a file system without locks
        yield
        return
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _check_uri(config: DictConfig) -> None:
    """Refuse a password that stands in a file of options: Hydra would store it."""
    plain = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))
    uri = (plain.get("data") or {}).get("uri")
    check_no_password([f"data.uri={uri}"])
    check_logged_uris(
        f"logger.{key}={text}" for key, text in flat(plain.get("logger") or {}).items()
    )


def _check_one_run(config: DictConfig) -> None:
    if config.get("skip_finished") and is_first():  # other ranks have what their sweep was given
        raise ConfigError(
            "skip_finished=true is for the jobs of a sweep; type -m skip_finished=true "
            "hydra.sweep.dir=FOLDER, or leave it out"
        )


def _check_run(cfg: DictConfig, folder: Path) -> None:
    record = folder / RECORD
    if check_folder(cfg, folder, before_hydra=True) and not record.is_file():
        # Of an earlier version: Hydra is about to write over what tells its options.
        with whole_file(record) as draft:
            shutil.copyfile(folder / ".hydra/config.yaml", draft)


def _check_sweep(config: DictConfig, folder: Path) -> None:
    if config.get("skip_finished"):  # each job has its own place then
        return
    if not (folder / SWEEP).is_file() or not any(traces(job) for job in folder.glob("*/")):
        return

    def typed(sweep: Any) -> list[str]:
        return as_typed_words(sweep.hydra.overrides.task)

    before = OmegaConf.load(folder / SWEEP)
    longer = (LONGER,) if any(key_of(t) == "resume" for t in typed(config)) else ()
    left_out = ({*NOT_COUNTED} - {"skip_finished"}) | {*longer}

    def asked(sweep: Any) -> list[str]:
        texts = [t for t in typed(sweep) if not _is_below(key_of(t), left_out)]
        swept = OmegaConf.select(sweep, "hydra.sweeper.params") or {}
        return [*texts, *(f"{key}={value}" for key, value in swept.items())]

    there, here = asked(before), asked(config)
    if there != here:
        raise ConfigError(
            f"{shown(folder)} holds another sweep ({' '.join(there)}), and files of two are not "
            f"mixed; nothing was changed; to go on with that sweep type {resume_command(folder)}; "
            f"for a new one type {other_folder(folder, 'hydra.sweep.dir')}"
        )


def exit_on_error(check: Any, *arguments: Any, **named: Any) -> None:
    """Have a callback end the program with an error's text.

    Raises:
        SystemExit: Hydra makes a warning of every other exception of a callback.
    """
    try:
        check(*arguments, **named)
    except ConfigError as error:
        raise SystemExit(f"dualgaf: {error}") from error


def traces(folder: Path) -> list[str]:
    """Results of a run that are there."""
    found = [name for name in RESULTS if (folder / name).is_file()]
    found += [f"checkpoints/{path.name}" for path in sorted(folder.glob("checkpoints/*.ckpt"))]
    return found + [name for name in _LOGS if any((folder / name).glob("*"))]


def record(folder: Path, before_hydra: bool) -> Any:
    """The configuration of the run in a folder, not resolved; None where it is not known.

    Args:
        folder: of the run.
        before_hydra: whether Hydra's files in it are still those of the command before.
    """
    paths = [folder / RECORD, *([folder / ".hydra/config.yaml"] if before_hydra else [])]
    path = next((path for path in paths if path.is_file()), None)
    return None if path is None else OmegaConf.load(path)


def counted(cfg: Any) -> dict[str, Any]:
    """The options that make a run what it is, by dotted key; not resolved."""
    plain = yaml.safe_load(OmegaConf.to_yaml(cfg, resolve=False))  # as a record is read
    stored = current_config(cast(dict[str, Any], plain))
    shows = [
        f"callbacks.{name}"
        for name, callback in (stored.get("callbacks") or {}).items()
        if str((callback or {}).get("_target_", "")).endswith(_SHOWS)
    ]
    left_out = (*NOT_COUNTED, *shows, *(MACHINE if stored.get("task") != "build" else ()))
    kept = {key: value for key, value in flat(stored).items() if not _is_below(key, left_out)}
    # What the Trainer does unasked is no option: an earlier version does not have all of them.
    own = inspect.signature(lightning.Trainer).parameters
    unasked = {f"trainer.{name}": parameter.default for name, parameter in own.items()}
    return {
        key: value for key, value in kept.items() if key not in unasked or value != unasked[key]
    }


def flat(node: Any, above: str = "") -> dict[str, Any]:
    """A configuration in plain values, by dotted key."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        inside = isinstance(value, Mapping) and value
        found |= flat(value, f"{above}{key}.") if inside else {f"{above}{key}": value}
    return found


def _is_below(key: str, nodes: Iterable[str]) -> bool:
    return any(key == node or key.startswith(f"{node}.") for node in nodes)


def differences(there: dict[str, Any], here: dict[str, Any], allowed: tuple[str, ...] = ()) -> str:
    """Options that differ, as an error tells them; empty where none does."""
    keys = [key for key in {**here, **there} if not _is_below(key, allowed)]
    told = [
        f"{key}={_text(there, key)} there, {_text(here, key)} here"
        for key in keys
        if there.get(key, "") != here.get(key, "")
    ]
    more = [f"and {len(told) - NAMED} more"] if len(told) > NAMED else []
    return "; ".join([*told[:NAMED], *more])


def _text(options: dict[str, Any], key: str) -> str:
    if key not in options:
        return "none"
    value = options[key]
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if (value is None or isinstance(value, bool))
        else str(value)
    )


def free_folder(folder: Path) -> Path:
    """A folder of a name like this one's that is not there yet."""
    numbered = (folder.with_name(f"{folder.name}-{n}") for n in range(2, 1000))
    return next(path for path in numbered if not path.exists())


def other_folder(folder: Path, key: str = "hydra.run.dir") -> str:
    """What to type for a folder that is not there yet."""
    return typed_folder(key, free_folder(folder))
