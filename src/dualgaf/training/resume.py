"""``resume=RUN``: what was typed for a run, again, in its folder.

`in_full` puts what the run's folder says it was started with in the place of ``resume=RUN``, before
Hydra reads the command line. The rest follows from the folder: `dualgaf.training.run_folder` says
whether what is typed beside it makes another run of it, and `dualgaf.training.progress` from where
it goes on. RUN may be the folder of a sweep.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from dualgaf.errors import ConfigError, typed_option
from dualgaf.plan.preset import conf_folder
from dualgaf.renamed import current_choice, typed_for

first_words: list[str] = []
"""What the command has before its overrides: ``train`` of ``python -m dualgaf train``."""
SWEEP = "multirun.yaml"
"""What Hydra leaves in the folder of a sweep."""
_PLACES = ("hydra.run.dir", "hydra.sweep.dir")
_OWN = (*_PLACES, "hydra.mode", "resume")
"""Not taken from what was typed for the run."""
_MULTIRUN = ("-m", "--multirun")
_WITH_VALUE = ("--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp")


def _without_needless_plus(told: Sequence[str]) -> list[str]:
    """What an earlier version asked to be added, and is there now: the options of the Trainer."""
    keys = OmegaConf.load(conf_folder() / "trainer" / "default.yaml")
    plus = tuple(f"+trainer.{key!s}=" for key in keys)
    return [text.removeprefix("+") if text.startswith(plus) else text for text in told]


def in_full(typed: Sequence[str]) -> list[str]:
    """The arguments of a command, with what a run was started with for ``resume=RUN``.

    Args:
        typed: what was typed after the command.

    Returns:
        The same where there is no ``resume=RUN``. Else also what was typed for RUN, ``resume=RUN``
        itself, and the folder.

    Raises:
        ConfigError: RUN is not the folder of a run, or another folder or a sweep is asked for, too.

    Example:
        >>> in_full(["seed=1"])
        ['seed=1']
    """
    asked = [text for text in typed if key_of(text) == "resume"]
    run = _run_of(asked[-1]) if asked else None
    if run is None:
        return [*typed]
    others = [text for text in typed if text not in asked]
    for text in others:
        if key_of(text) in _PLACES:
            raise ConfigError(f"resume={run} goes on in {run}; leave {text} out")
    if (run / SWEEP).is_file():
        place, stored, flags = "hydra.sweep.dir", OmegaConf.load(run / SWEEP).hydra, ["-m"]
    else:
        place, stored, flags = "hydra.run.dir", _stored(run), []
        if any(text in _MULTIRUN for text in others):
            raise ConfigError(f"resume={run} goes on with one run; leave -m out")
    others = [text for text in others if text not in _MULTIRUN]
    named, others = _flags(others)
    again = {key_of(text) for text in others}
    told = [*as_typed_words(stored.overrides.task), *as_typed_words(stored.overrides.hydra)]
    told = _without_needless_plus(told)
    kept = [current_choice(text) for text in told if key_of(text) not in {*again, *_OWN}]
    meant = typed_for(_config(run))
    kept += [text for text in meant if key_of(text) not in {*again, *map(key_of, told)}]
    words = (typed_option(key, str(run)) for key in (place, "resume"))
    # Hydra takes no flag behind an override.
    flags += [*named, *_sources(stored, named)]
    return [*flags, *kept, *others, *(shlex.split(word)[0] for word in words)]


def resume_command(folder: Path) -> str:
    """What to type to go on with a run, as it must be typed in this folder.

    Args:
        folder: of the run, or of the sweep.

    Example:
        >>> print(resume_command(Path("my run")).split(" ", 2)[2])
        'resume="my run"'
    """
    return " ".join(["python", program_words(), typed_folder("resume", folder)])


@contextmanager
def typed_as_module() -> Iterator[None]:
    """A block in which a training is typed as ``python -m dualgaf train``."""
    before = [*first_words]
    first_words[:] = ["train"]
    try:
        yield
    finally:
        first_words[:] = before


def program_words() -> str:
    """What stands between ``python`` and the options: ``train.py``, ``-m dualgaf train``."""
    if first_words:
        return " ".join(["-m dualgaf", *first_words])
    return shlex.quote(shown(Path(sys.argv[0])))


def typed_folder(option: str, folder: Path) -> str:
    r"""An option with a folder as it must be typed.

    Example:
        >>> typed_folder("resume", Path("/runs/a")), typed_folder("resume", Path("/my runs/a"))
        ('resume=/runs/a', '\'resume="/my runs/a"\'')
    """
    text = shown(folder)
    below = typed_option(option, text[1:])
    is_plain = text.startswith("/") and below == f"{option}={text[1:]}"
    return f"{option}={text}" if is_plain else typed_option(option, text)


def shown(path: Path) -> str:
    """A path as a user would write it: below the current folder from there on."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def key_of(text: str) -> str:
    """The key of an override; empty for a flag.

    Example:
        >>> [key_of(text) for text in ("seed=1", "+callbacks.a=b", "~logger", "-m")]
        ['seed', 'callbacks.a', 'logger', '']
    """
    return "" if text.startswith("-") else text.lstrip("+~").partition("=")[0]


def as_typed_words(stored: Any) -> list[str]:
    """Overrides that Hydra has stored, as they were typed: ``${oc.env:PLANT_URI}`` stays that.

    Example:
        >>> as_typed_words(OmegaConf.create(["data.uri=${oc.env:PLANT_URI}"]))
        ['data.uri=${oc.env:PLANT_URI}']
    """
    return [str(text) for text in cast(list[Any], OmegaConf.to_container(stored, resolve=False))]


def _run_of(override: str) -> Path | None:
    try:
        value = OverridesParser.create().parse_override(override).value()
    except HydraException as error:
        given = override.partition("=")[2]
        typed = typed_option("resume", given)
        raise ConfigError(f"{override} cannot be read by Hydra; type {typed}") from error
    return None if value in (None, "") else Path(str(value))


def _stored(run: Path) -> Any:
    folder = run / ".hydra"
    if not (folder / "hydra.yaml").is_file():
        close = run.parent.parent if run.suffix == ".ckpt" else Path("RUN")
        raise ConfigError(
            f"resume={run} is not the folder of a run: there is no {folder / 'hydra.yaml'}; type "
            f"{typed_folder('resume', close)}, with the folder that holds checkpoints/"
        )
    return OmegaConf.load(folder / "hydra.yaml").hydra


def _config(run: Path) -> Any:
    """The configuration of a run, as it was written; of one of the runs of a sweep."""
    names = ("*/.hydra/config.yaml", ".hydra/config.yaml", ".hydra/run.yaml")
    files = [path for name in names for path in sorted(run.glob(name))]
    return OmegaConf.to_container(OmegaConf.load(files[-1])) if files else {}


def _flags(typed: Sequence[str]) -> tuple[list[str], list[str]]:
    """Flags with their values, and the rest."""
    flags: list[str] = []
    rest: list[str] = []
    for text in typed:
        is_value = bool(flags) and flags[-1] in _WITH_VALUE
        (flags if text.startswith("-") or is_value else rest).append(text)
    return flags, rest


def _sources(stored: Any, named: Sequence[str]) -> list[str]:
    """Flags by which the run found its configuration."""
    typed = {text.split("=")[0] for text in named}
    found: list[str] = []
    for source in stored.runtime.get("config_sources") or []:
        if source.provider == "command-line" and not typed & {"--config-dir", "-cd"}:
            found += ["--config-dir", source.path]
    name = stored.job.get("config_name")
    if name not in (None, "train") and not typed & {"--config-name", "-cn"}:
        found += ["--config-name", name]
    return found
