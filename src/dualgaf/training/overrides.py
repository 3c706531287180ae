"""What was typed, before Hydra reads it: what is not known is answered in one line.

Hydra says that a key is not there; it does not say which are, nor which was meant. It shows the
exception of its lexer where a name has a letter that it does not know. `check_overrides` says what
to type.
"""

import re
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from dualgaf.errors import ConfigError, typed_option, unknown_choice
from dualgaf.plan.preset import conf_folder
from dualgaf.renamed import check_typed
from dualgaf.series.tables.databases.uri import check_logged_uris, check_no_password
from dualgaf.training.launcher import check_launcher
from dualgaf.training.meant import in_shell, no_key, taken_by

OPTIONAL = ("callbacks", "logger")
"""Groups that a run can be without: ``~callbacks``."""
UNSET = ("experiment", "ablation", "sweep", "debug")
"""Groups of which no option is in force when nothing is typed."""
NEEDED = {
    "data": "ucr",
    "hardware": "auto",
    "parallel": "default",
    "model": "dualgafnet",
    "loss": "cross_entropy",
    "trainer": "default",
    "paths": "default",
}
"""Groups that it cannot be without, and what each is when nothing is typed."""
LAUNCHER = {"launcher": "basic"}
"""The same of what starts the jobs of a sweep, which makes no run another."""
_LOOKS_UP = re.compile(r"data\.uri=|^\+?logger=.*mlflow")
"""Options whose value may be looked up in the environment, and be a URI with a password."""
_ELSEWHERE = ("--config", "-cd", "-cp", "-cn")
"""Flags with which groups may have options that are not in this package."""


def check_overrides(overrides: Sequence[str]) -> None:
    """Say what to type where one of ``key=value`` cannot be meant so.

    Args:
        overrides: what was typed; flags such as ``-m`` are passed over.

    Raises:
        ConfigError: a key or an option of a group is not there, a group is needed, a name needs
            quotes, a URI has a password, or there are several values for one run.

    Example:
        >>> check_overrides(["parallel.chunk_size=50,100", "-m"])
        >>> check_overrides(["epochs=5"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: there is no epochs; allowed ...; type trainer.max_epochs=5
    """
    check_logged_uris(overrides)  # before anything repeats what was typed
    check_no_password(overrides)
    flags = [text for text in overrides if text.startswith("-")]
    if "--resolve" in flags and any(_LOOKS_UP.search(text) for text in overrides):
        raise ConfigError("--resolve shows what is looked up, a password too; leave it out")
    one_run = not {"-m", "--multirun"} & {*flags} and "hydra.mode=MULTIRUN" not in overrides
    groups, keys = [], []
    for given in overrides:
        if given.startswith("-") or not ("=" in given or given.startswith("~")):
            continue
        text, override = _parsed(given)
        if override is None:
            return  # Hydra shows the place of a syntax error itself
        check_typed(text)
        if not (conf_folder() / override.key_or_group).is_dir():
            keys.append((given, text, override))
            continue
        if not any(flag.startswith(_ELSEWHERE) for flag in flags):
            _check_group(text, override)
        if one_run and override.is_sweep_override():
            raise ConfigError(_several_options(text))
        groups.append((text, override))
    check_launcher(overrides, one_run)
    try:
        cfg = of_groups(tuple(text for text, each in groups if not each.is_sweep_override()))
    except HydraException:
        return  # an option that is not in this package
    for given, text, override in keys:
        _check_override(cfg, text, override)
        if text != given:
            raise ConfigError(
                f"{given} cannot be read: a value with brackets, or with letters beyond a to z, "
                f"needs quotes inside quotes; type {in_shell(text)}"
            )
        if one_run and override.is_sweep_override():
            raise ConfigError(_several(cfg, text, override.key_or_group))


def composed(overrides: list[str]) -> DictConfig:
    """``conf/train.yaml`` with overrides, whatever Hydra is at."""
    under_way = GlobalHydra.instance()
    kept = under_way.hydra
    under_way.clear()  # it takes no second one beside that of the run
    try:
        with initialize_config_dir(str(Path(conf_folder()).resolve()), version_base="1.3"):
            return compose("train", overrides=overrides)
    finally:
        under_way.hydra = kept


@cache
def of_groups(groups: tuple[str, ...]) -> DictConfig:
    """The keys that there are; nobody changes it."""
    return composed(["paths.run_dir=.", *groups])


def _parsed(given: str) -> tuple[str, Override | None]:
    """An override as Hydra reads it, in quotes where it needs them; None where none help."""
    parser = OverridesParser.create()
    try:
        return given, parser.parse_override(given)
    except HydraException:
        key, _, value = given.partition("=")
    if value[:1] + value[-1:] == "[]":
        names = [name.strip().strip("\"'") for name in value[1:-1].split(",")]
        typed = typed_option(key, names)
    elif value[:1] in "[{'\"" or value[:2] == "${":
        return given, None
    else:
        typed = typed_option(key, value)
    (quoted,) = shlex.split(typed)
    try:
        return quoted, parser.parse_override(quoted)
    except HydraException:
        return given, None


def _check_group(text: str, override: Override) -> None:
    group = override.key_or_group
    value = text.partition("=")[2]
    if override.is_delete() or value == "null":
        _check_left_out(text, group, override)
        return
    if override.is_add() and group in (*NEEDED, *LAUNCHER, *OPTIONAL, *UNSET):
        raise ConfigError(f"{group} is there already; type {text.lstrip('+')}")
    if group == "search":
        raise ConfigError(
            f"{text}: a training searches nothing; type python -m dualgaf tune study=search {text}"
        )
    options = sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
    names = [name.strip() for name in value.strip("[]").split(",")]
    for name in names if "(" not in value else ():
        if name not in options:
            known = [n if n in options else get_close_matches(n, options, 1, 0.0)[0] for n in names]
            instead = f"{group}=[{','.join(known)}]" if value.startswith("[") else None
            raise ConfigError(unknown_choice(group, name, options, instead=instead))


def _check_left_out(text: str, group: str, override: Override) -> None:
    """Hydra leaves a group out by a tilde alone."""
    if group in UNSET:
        raise ConfigError(f"{text}: no {group} is in force unless one is typed; leave {text} out")
    if group not in OPTIONAL:
        raise ConfigError(
            f"{text}: no run is without {group}; allowed to be left out: {', '.join(OPTIONAL)}; "
            f"type {group}={(NEEDED | LAUNCHER).get(group, 'default')}"
        )
    if not override.is_delete():
        raise ConfigError(f"{text}: a group is left out by a tilde; type ~{group}")


def _check_override(cfg: DictConfig, text: str, override: Override) -> None:
    key, value = override.key_or_group, text.partition("=")[2]
    if key.startswith(("hydra.", "hydra/")) or "@" in key:
        return
    if override.is_delete():
        _check_key(cfg, key, value)
        if "." not in key:
            kept = OmegaConf.select(cfg, key, throw_on_resolution_failure=False)
            plain = str(kept).lower() if isinstance(kept, bool | None) else kept
            is_group = isinstance(kept, DictConfig)
            typed = f"leave {text} out" if is_group else f"type {key}={plain}"
            raise ConfigError(f"{text}: no run is without {key}; {typed}")
        return
    if not (override.is_add() or override.is_force_add()):
        _check_key(cfg, key, value)
        return
    place, _, part = key.rpartition(".")
    node = OmegaConf.select(cfg, place, throw_on_resolution_failure=False) if place else cfg
    if not isinstance(node, DictConfig):
        return
    known = OmegaConf.select(cfg, key, throw_on_missing=False, throw_on_resolution_failure=False)
    if part in node.keys() and known is not None and not override.is_force_add():  # noqa: SIM118
        raise ConfigError(f"{key} is there already; type {in_shell(f'{key}={value}')}")
    taken = taken_by(node)
    if taken is not None and part not in node.keys() and part not in taken:  # noqa: SIM118
        raise ConfigError(no_key(cfg, place, part, value))


def _check_key(cfg: DictConfig, key: str, value: str) -> None:
    node: Any = cfg
    above: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return
        if part not in node.keys():  # noqa: SIM118  # a missing ??? is a key, but not "in"
            whole = key if len(above) + 1 < key.count(".") + 1 else None
            raise ConfigError(no_key(cfg, ".".join(above), part, value, whole))
        if OmegaConf.is_missing(node, part):
            return
        node = node[part]
        above.append(part)


def _several_options(text: str) -> str:
    group, _, value = text.partition("=")
    ways = [f"type -m {text}"]
    if group in OPTIONAL:
        ways.insert(0, f"type {group}=[{value}] for all of them at once")
    else:
        ways.append(f"type {group}={value.split(',')[0]} for one run")
    return f"{text} has several values, for a sweep of as many runs; {', or '.join(ways)}"


def _several(cfg: DictConfig, text: str, key: str) -> str:
    value = text.partition("=")[2]
    known = OmegaConf.select(cfg, key, throw_on_missing=False, throw_on_resolution_failure=False)
    if isinstance(known, ListConfig) or key == "data.channels":
        ways = [f"type {in_shell(f'{key}=[{value}]')} for a list"]
    else:
        ways = [f"type -m {text}", f"type {typed_option(key, value)} for one name"]
    return f"{text} has several values, for a sweep of as many runs; {', or '.join(ways)}"
