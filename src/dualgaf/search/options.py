"""What is typed after ``python -m dualgaf tune``: options of the search and of its trials."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from dualgaf.errors import ConfigError, check_whole, not_allowed, unknown_choice
from dualgaf.plan.preset import conf_folder
from dualgaf.search.space import Space, probes, shown_space, space_of
from dualgaf.training.config import load_config
from dualgaf.training.meant import in_shell
from dualgaf.training.overrides import check_overrides
from dualgaf.training.resume import key_of

OWN = {
    "study": ("storage", "journal", "study_name"),
    "n_trials": ("trials", "ntrials", "num_trials", "n_iter"),
    "search": ("space", "search_space"),
    "sampler": ("algorithm",),
    "pruner": ("pruning",),
}
"""Options of the search, and what the same is called elsewhere."""
EMPTY = "none"
"""``search=none``: what is typed as ``search.KEY=...`` alone."""
SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")
REFUSED = {
    "task": "a search trains; leave {} out",
    "resume": "the same command again goes on with a study; leave {} out",
    "ckpt_path": "each trial begins anew; leave {} out",
    "hydra": "the folder of the runs lies beside study=FILE; leave {} out",
    "paths": "the folder of the runs lies beside study=FILE; leave {} out",
    "sweep": "a search is no sweep; leave {} out",
    "launcher": "the same command may be started several times for one study; leave {} out",
}
"""Options of ``train.py`` that are not typed here."""


@dataclass(frozen=True)
class Asked:
    """A search that is asked for."""

    journal: Path
    """``study=FILE``."""
    n_trials: int
    """Finished trials, in all."""
    space: Space
    typed: tuple[str, ...]
    """Overrides of every trial."""
    cfg: DictConfig
    """What a trial has where nothing is searched."""
    sampler: str = "tpe"
    pruner: str = "median"

    @property
    def folder(self) -> Path:
        """Of the runs."""
        return self.journal.with_suffix("")


def asked_of(arguments: Sequence[str]) -> Asked:
    """Read what was typed.

    Args:
        arguments: ``key=value``; what is no option of the search is one of ``train.py``.

    Raises:
        ConfigError: a key or a value is not allowed.
    """
    own: dict[str, str] = {}
    of_space: list[str] = []
    typed: list[str] = []
    for text in arguments:
        key, name = key_of(text), key_of(text).partition(".")[0]
        if text.startswith("-"):
            raise ConfigError(f"{text} is not known; leave it out; python -m dualgaf tune --help")
        if name in REFUSED:
            raise ConfigError(f"{text}: {REFUSED[name].format(text)}")
        if name == "search" and key != name:
            of_space.append(text)
        elif key in OWN:
            own[key] = _plain(text)
        else:
            typed.append(text)
    _check_meant(typed)
    journal = _journal(own.get("study", ""))
    n_trials = _whole("n_trials", own.get("n_trials", "20"))
    for option, choices in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        if (value := own.get(option, choices[0])) not in choices:
            raise ConfigError(unknown_choice(option, value, choices))
    cfg = load_config(typed)
    _check_devices(cfg)
    space = _space(own.get("search", "default"), of_space, typed, cfg)
    sampler, pruner = own.get("sampler", SAMPLERS[0]), own.get("pruner", PRUNERS[0])
    return Asked(journal, n_trials, space, tuple(typed), cfg, sampler, pruner)


def spaces() -> dict[str, Path]:
    """Files of ``conf/search``."""
    return {path.stem: path for path in sorted((conf_folder() / "search").glob("*.yaml"))}


def read_space(path: Path) -> dict[str, Any]:
    """What a file of a search says, with what its ``defaults`` name; not checked.

    Raises:
        ConfigError: Hydra cannot read it.
    """
    try:
        with initialize_config_dir(str(path.resolve().parent), version_base="1.3"):
            found = OmegaConf.to_container(compose(path.stem), resolve=True)
    except HydraException as error:
        told = " ".join(str(error).split("Config search path")[0].split())
        raise ConfigError(f"search={path} cannot be read: {told}; type search=default") from error
    if not isinstance(found, Mapping):
        raise ConfigError(f"search={path} has no keys; type search=default")
    return {str(key): value for key, value in found.items()}


def _space(name: str, typed_space: Sequence[str], typed: Sequence[str], cfg: DictConfig) -> Space:
    files = spaces()
    path = None if name == EMPTY else files.get(name, Path(name))
    if path is not None and (path.suffix not in (".yaml", ".yml") or not path.is_file()):
        allowed = [*files, EMPTY, "a file FILE.yaml"]
        close = f"search={_near(name, files)}"
        raise ConfigError(unknown_choice("search", name, allowed, instead=close))
    told = {} if path is None else read_space(path)
    source = dict.fromkeys(told, str(path))
    for text in typed_space:
        override = _parsed(text)
        key = override.key_or_group.removeprefix("search.")
        if override.is_delete():
            if key not in told:
                raise ConfigError(
                    unknown_choice("~search", key, told, instead=f"'~search.{_near(key, told)}'")
                )
            del told[key]
            continue
        told[key], source[key] = _value(override), ""
    fixed = {key_of(text) for text in typed}
    told = {key: value for key, value in told.items() if key not in fixed}
    space = space_of(told, cfg)
    for key in space:
        _check_key(key, space, typed, source[key])
    return space


def _parsed(text: str) -> Override:
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException as error:
        key = text.partition("=")[0]
        typed = in_shell(f"{key}={{low:0.1,high:0.5}}")
        raise ConfigError(f"{text} cannot be read by Hydra; type {typed}") from error


def _value(override: Override) -> Any:
    sweeps = override.is_choice_sweep() or override.is_range_sweep()
    return [*override.sweep_iterator()] if sweeps else override.value()


def _plain(text: str) -> str:
    """The value of an option of the search, without the quotes that Hydra asks for."""
    try:
        return str(OverridesParser.create().parse_override(text).value())
    except HydraException:
        return text.partition("=")[2]


def _check_key(key: str, space: Space, typed: Sequence[str], path: str) -> None:
    """Say which key is meant where there is none, in the words of the search."""
    groups = [text for text in typed if (conf_folder() / key_of(text)).is_dir()]
    try:
        for text in probes(space, key):
            check_overrides([*groups, text])
    except ConfigError as error:
        told, _, advice = str(error).rpartition("; type ")
        meant = re.match(r"'?([\w.]+)=", advice)
        if meant is None:
            raise
        if path:
            raise ConfigError(f"{told}; write {meant[1]} in {path}") from error
        given = in_shell(f"search.{meant[1]}={shown_space(space, key)}")
        raise ConfigError(f"{told}; type {given}") from error


def _check_meant(typed: Sequence[str]) -> None:
    for text in typed:
        key, _, value = text.partition("=")
        if "." in key or (conf_folder() / key).is_dir():
            continue
        for name, others in OWN.items():
            if key.lower() in others or get_close_matches(key, [name], cutoff=0.75):
                raise ConfigError(
                    f"there is no {key}; allowed: {', '.join(OWN)}, and options of train.py; type "
                    f"{in_shell(f'{name}={value}')}"
                )


def _check_devices(cfg: DictConfig) -> None:
    told = {name: cfg.trainer.get(name, 1) for name in ("devices", "num_nodes")}
    for name, value in told.items():
        is_one = len(value) == 1 if isinstance(value, ListConfig) else str(value) == "1"
        if not is_one:
            raise ConfigError(
                f"trainer.{name}={value}: each trial is trained on one device, and the same "
                f"command may be started several times for one study; type trainer.{name}=1"
            )


def _journal(text: str) -> Path:
    if not text or text == "null":
        raise ConfigError("which study? its file is made where it is not there; type study=search")
    path = Path(text)
    return path if path.suffix else path.with_suffix(".journal")


def _whole(option: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise ConfigError(
            not_allowed(option, text, "whole numbers from 1 on", f"{option}=20")
        ) from None
    check_whole(option, value, 1, 20)
    return value


def _near(name: str, allowed: Any) -> str:
    return str(get_close_matches(name, [*allowed], n=1, cutoff=0.0)[0])
