"""What a run was configured with, and where that is not the default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self, cast

import yaml
from hydra.errors import HydraException
from omegaconf import OmegaConf

from dualgaf.plan.preset import conf_folder
from dualgaf.renamed import current_choice, current_config
from dualgaf.training.overrides import NEEDED, OPTIONAL, UNSET, of_groups
from dualgaf.training.run_folder import RECORD, flat

_LEFT_OUT = ("paths.", "resume", "config_version", "report")
"""Which make no other run."""
_FILES = (RECORD, Path(".hydra/config.yaml"))


@dataclass(frozen=True)
class Settings:
    """The configuration of a run, not resolved: what is looked up, say a password, stays so."""

    cfg: Mapping[str, Any] = field(default_factory=dict)
    """Empty where it is not known."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Group -> option."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Of the folder of a run, in today's names."""
        path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
        if path is None:
            return cls()
        stored = cast(dict[str, Any], yaml.safe_load(path.read_text()))
        hydra = folder / ".hydra/hydra.yaml"
        choices = {}
        if hydra.is_file():
            found = OmegaConf.select(OmegaConf.load(hydra), "hydra.runtime.choices") or {}
            choices = {str(key): str(value) for key, value in found.items() if "/" not in str(key)}
        current = current_config(stored)
        return cls(current, {**_data_group(current), **choices})


def name_of(told: Settings) -> str:
    """A title: the experiment, if it is one, and the data.

    Example:
        >>> name_of(Settings({"data": {"root": "plants/ahu_1"}}, {"experiment": "None"}))
        'ahu_1'
    """
    data = told.cfg.get("data") or {}
    place = PurePosixPath(str(data.get("root") or "")).name
    own = str(data.get("name") or place or told.choices.get("data", "run"))
    experiment = told.choices.get("experiment", "None")
    return own if experiment in ("None", own) else f"{experiment} ({own})"


def differing(told: Settings) -> list[tuple[str, str, str]]:
    """Options and values that are not the defaults of the chosen data, network and so on.

    Args:
        told: of a run.

    Returns:
        Key, value, default; options of groups first.
    """
    if not told.cfg:
        return []
    defaults = {**NEEDED, **dict.fromkeys(OPTIONAL, "default"), **dict.fromkeys(UNSET, "None")}
    rows = [
        (group, told.choices[group], "none" if default == "None" else default)
        for group, default in defaults.items()
        if told.choices.get(group, default) != default
    ]
    here = flat(told.cfg)
    there = _defaults(told.choices)
    for key in sorted({*here, *there}):
        value, default = _text(here.get(key, _NONE)), _text(there.get(key, _NONE))
        if value != default and not key.startswith(_LEFT_OUT):
            rows.append((key, value, default))
    return rows


_NONE = object()


def _data_group(cfg: Mapping[str, Any]) -> dict[str, str]:
    """Of a run in a program of one's own, which Hydra has not started: by its kind of source."""
    target = (cfg.get("data") or {}).get("_target_")
    for path in sorted((conf_folder() / "data").glob("*.yaml")):
        if yaml.safe_load(path.read_text()).get("_target_") == target:
            return {"data": path.stem}
    return {}


def _defaults(choices: Mapping[str, str]) -> dict[str, Any]:
    """Of the groups that were chosen; an option that is not of this package is left out."""
    groups = [f"{name}={choices[name]}" for name in (*NEEDED, *OPTIONAL) if name in choices]
    for typed in (groups, groups[:1], []):
        try:
            cfg = of_groups(tuple(current_choice(text) for text in typed))
        except HydraException:
            continue
        return flat(cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False)))
    return {}


def _text(value: Any) -> str:
    """As it would be typed."""
    if value is _NONE:
        return "not set"
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)
