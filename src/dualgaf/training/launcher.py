"""What starts the jobs of a sweep: Hydra's launchers, and how ranks inside their workers start.

A launcher of several jobs at a time runs each in a process of its own program, joblib's, say.
Lightning starts the other ranks of a training by running the program of its process again, and that
would be the launcher's. So `as_command` leaves in the environment which program has started the
sweep (`remember_command`), and in a worker `our_command` puts that in its place.
"""

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dualgaf.errors import ConfigError
from dualgaf.system.termination import is_started_rank

log = logging.getLogger(__name__)

COMMAND = "DUALGAF_COMMAND"
"""Variable with the words, as JSON, that a command of this package was started by."""
_PLUGINS = {
    "here": ("hydra_joblib_launcher", "joblib"),
    "joblib": ("hydra_joblib_launcher", "joblib"),
    "slurm": ("hydra_submitit_launcher", "slurm"),
    "submitit_slurm": ("hydra_submitit_launcher", "slurm"),
    "submitit_local": ("hydra_submitit_launcher", "slurm"),
}
"""Package and extra of this package, by ``launcher=`` and ``hydra/launcher=``."""
_WORKERS = ("joblib.externals.loky", "submitit", "ray")
"""Packages whose programs run functions of others."""


def check_launcher(typed: Sequence[str], one_run: bool) -> None:
    """Refuse a launcher that is not installed, or that has no sweep to start.

    Args:
        typed: what was typed after the command.
        one_run: whether it is no sweep.

    Raises:
        ConfigError: with what to install, or what to type.
    """
    for text in typed:
        key, _, name = text.partition("=")
        if key not in ("launcher", "hydra/launcher") or name not in _PLUGINS:
            continue
        package, extra = _PLUGINS[name]
        if not _is_there(f"hydra_plugins.{package}"):
            raise ConfigError(
                f"{text} needs {package.replace('_', '-')}, which is not installed; type pip "
                f'install "dualgaf[{extra}]"'
            )
        resumes = any(other.startswith("resume=") for other in typed)
        if one_run and not resumes and not is_started_rank():
            raise ConfigError(
                f"{text} starts the jobs of a sweep, and this is one run; type -m {text}, which "
                "makes it a sweep of one job, or leave it out"
            )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def remember_command(first_words: Sequence[str]) -> None:
    """Leave to the workers of a launcher which program this is.

    Args:
        first_words: what it has before its overrides.
    """
    spec: Any = getattr(sys.modules.get("__main__"), "__spec__", None)
    program = str(Path(sys.argv[0]).absolute()) if spec is None else spec.name
    flags = [text for text in sys.argv[1:] if is_flag(text)]
    told = {"module": spec is not None, "program": program, "words": [*first_words]}
    os.environ[COMMAND] = json.dumps({**told, "flags": flags})


def is_flag(text: str) -> bool:
    """Whether a word is no override, such as ``--config-dir FOLDER``, nor makes a command a sweep.

    Example:
        >>> [is_flag(text) for text in ("-cd", "conf", "-m", "seed=1", "~logger")]
        [True, True, False, False, False]
    """
    if text.startswith("-"):
        return text not in ("-m", "--multirun")
    return "=" not in text and not text.startswith("~")


def remembered() -> dict[str, Any] | None:
    """The command of this package that has started this process, or that it is."""
    told: dict[str, Any] | None = json.loads(os.environ.get(COMMAND, "null"))
    return told


def launcher() -> str:
    """The class of the launcher that has started this job; empty where there is no sweep."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return ""
    hydra: Any = HydraConfig.get()
    return str(OmegaConf.select(hydra, "launcher._target_")).rpartition(".")[2]


def is_at_once(target: str) -> bool:
    """Whether a launcher may run several jobs at the same time.

    Example:
        >>> is_at_once("hydra._internal.core_plugins.basic_launcher.BasicLauncher")
        False
    """
    return target.rpartition(".")[2] not in ("", "None", "BasicLauncher")


def is_worker() -> bool:
    """Whether this is a worker of joblib, submitit or Ray: their program runs functions of others.

    Example:
        >>> is_worker()
        False
    """
    if is_at_once(launcher()):
        return True
    main = sys.modules.get("__main__")
    name = getattr(getattr(main, "__spec__", None), "name", None) or ""
    in_ray = "/ray/_private/workers/" in str(getattr(main, "__file__", ""))
    return in_ray or any(name == known or name.startswith(f"{known}.") for known in _WORKERS)


def check_measuring(config: DictConfig) -> None:
    """Refuse, or warn of, a sweep over ``parallel.*`` whose jobs run at the same time.

    What such a sweep measures is how fast the build is alone. A job beside it takes its CPUs, and
    one with the same images finds the other's instead of drawing them.

    Args:
        config: of the sweep, with Hydra's own.

    Raises:
        ConfigError: the jobs run on one machine.
    """
    hydra = config.hydra
    target = str(OmegaConf.select(config, "hydra.launcher._target_"))
    if not is_at_once(target):
        return
    options = hydra.launcher
    typed = [str(text).lstrip("+") for text in hydra.overrides.task]
    typed += [f"{key}={value}" for key, value in (hydra.sweeper.get("params") or {}).items()]
    swept = [text.partition("=")[0] for text in typed if is_swept(text)]
    measured = next((key for key in swept if key.partition(".")[0] == "parallel"), None)
    if measured is None:
        return
    why = (
        f"a sweep over {measured} measures the build, and jobs of one machine at the same time "
        "measure each other"
    )
    if target.endswith("SlurmLauncher"):
        alone = "exclusive" in (options.get("additional_parameters") or {})
        if not alone and options.get("array_parallelism") != 1:
            log.warning(
                "%s; for a node for each type "
                "'+hydra.launcher.additional_parameters={exclusive: true}', for one after the "
                "other hydra.launcher.array_parallelism=1",
                why,
            )
    elif options.get("n_jobs") != 1:
        raise ConfigError(f"{why}; type launcher=basic")


def is_swept(text: str) -> bool:
    """Whether an override has several values, one a job.

    Example:
        >>> [is_swept(text) for text in ("seed=0,1", "seed=range(3)", "a=[0,1]", "seed=1")]
        [True, True, False, False]
    """
    try:
        return OverridesParser.create().parse_override(text).is_sweep_override()
    except HydraException:
        return False


@contextmanager
def our_command(own: Sequence[str], starts: bool) -> Iterator[list[str]]:
    """A block in which a process runs our command when it runs its own program again.

    Args:
        own: the program of this process, and its first words.
        starts: whether it runs it again; else nothing has to be known of the command.

    Yields:
        The same; in a job of a sweep with its flags, in the worker of a launcher those of the
        command that has started the sweep.

    Raises:
        ConfigError: this process is a worker, and nobody has said of which command.
    """
    target = launcher()
    if not (starts and is_worker()):
        flags = [text for text in sys.argv[1:] if is_flag(text)] if target else []
        yield [*own, *flags]
        return
    told = remembered()
    if told is None or not target:
        raise ConfigError(
            "several ranks are started by running the same command again, and this process is a "
            "worker of another program, which does not say by which command; start a sweep as "
            "python train.py -m or python -m dualgaf train -m, or type trainer.devices=1 "
            "trainer.num_nodes=1, or have srun or torchrun start the ranks of trainer=cluster"
        )
    main: Any = sys.modules["__main__"]
    kept = getattr(main, "__spec__", None)
    main.__spec__ = find_spec(told["program"]) if told["module"] else None
    try:
        yield [told["program"], *told["words"], *told["flags"]]
    finally:
        main.__spec__ = kept
