"""From what was typed to a configuration and a DataModule, with errors that name what is allowed.

Hydra says that a key is not there; it does not say which are. `check_overrides` does, before Hydra
starts.
"""

import os

# Threads of a small network meet thousands of times a second. Where another program wants the same
# CPUs, waiting in a loop for one that sleeps makes an epoch seven times as long (97 s against 14 s
# for GunPoint beside one busy process). The setting counts only before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, DualGAFError
from dualgaf.plan.preset import conf_folder
from dualgaf.renamed import check_typed, current_choice, current_config


def load_config(overrides: Sequence[str]) -> DictConfig:
    """``conf/train.yaml`` with overrides, outside a Hydra run; paths lead to the current folder.

    Raises:
        ConfigError: a group, a key or a value is not allowed.
    """
    check_overrides(overrides)
    try:
        return _compose(["paths.run_dir=.", *overrides])
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split("Config search path")[0].split())) from error


def load_run_config(checkpoint: Path, overrides: Sequence[str]) -> DictConfig:
    """The configuration of the run that wrote a checkpoint, with overrides.

    Args:
        checkpoint: RUN/checkpoints/NAME.ckpt; without RUN/.hydra/config.yaml it is `load_config`.
        overrides: ``key=value``; they replace what was typed for the run.

    Raises:
        ConfigError: a group, a key or a value is not allowed.
    """
    folder = checkpoint.resolve().parent.parent / ".hydra"
    if not (folder / "config.yaml").is_file():
        return load_config(overrides)
    saved = in_current_names(cast(DictConfig, OmegaConf.load(folder / "config.yaml")))
    choices = OmegaConf.load(folder / "hydra.yaml").hydra.runtime.choices
    # data.working_column is a key only beside data=ahu, say.
    chosen = [current_choice(f"{group}={choices[group]}") for group in ("data", "model")]
    typed = {text.split("=")[0] for text in overrides}
    kept = [text for text in chosen if text.split("=")[0] not in typed]
    fresh = load_config([*kept, *overrides])
    for text in overrides:
        key = text.split("=")[0].lstrip("+")
        if key not in fresh and OmegaConf.select(fresh, key) is None:
            raise ConfigError(
                f"{text} cannot change the configuration of a run ({folder / 'config.yaml'}); "
                "allowed: data=..., and key=value such as data.root=FOLDER"
            )
        OmegaConf.update(saved, key, OmegaConf.select(fresh, key), merge=False, force_add=True)
    saved.paths.run_dir = "."
    return saved


def in_current_names(cfg: DictConfig) -> DictConfig:
    """A configuration that an earlier version has written, in today's names; others as they are."""
    stored = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))
    current = current_config(stored)
    return cfg if current == stored else OmegaConf.create(current)


def make_data(cfg: DictConfig) -> DualGAFDataModule:
    """The DataModule of a configuration.

    Raises:
        ConfigError: a value is missing or not allowed.
    """
    try:
        data: DualGAFDataModule = instantiate(cfg.datamodule, _convert_="all")
    except MissingMandatoryValue as error:
        key = (error.full_key or "").replace("datamodule.source.", "data.")
        raise ConfigError(f"{key} is missing; type {key}=...") from error
    except InstantiationException as error:
        raise own_error(error) or error from error
    return data


def own_error(error: BaseException) -> DualGAFError | None:
    """The package's own error in a chain of causes, which Hydra wraps; None where there is none."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, DualGAFError):
        found = found.__cause__
    return found


def check_overrides(overrides: Sequence[str]) -> None:
    """Name the allowed keys where one of ``key=value`` is not in the configuration.

    Args:
        overrides: what was typed; flags such as ``-m`` are passed over.

    Raises:
        ConfigError: a key is not there; the text lists those beside it.

    Example:
        >>> check_overrides(["parallel.chunk_size=50,100", "-m"])
        >>> check_overrides(["data.nme=GunPoint"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: there is no data.nme; allowed after 'data.': name, root, ...
    """
    groups, keys = [], []
    for text in overrides:
        if text.startswith("-") or "=" not in text:
            continue
        try:
            override = OverridesParser.create().parse_override(text)
        except HydraException:
            return  # Hydra shows the place of a syntax error itself
        check_typed(text)
        if (conf_folder() / override.key_or_group).is_dir():
            groups.append(text)
        elif not override.is_add() and not override.is_delete():
            keys.append(override.key_or_group)
    try:
        cfg = _compose(["paths.run_dir=.", *(text for text in groups if "," not in text)])
    except HydraException:
        return  # an unknown option of a group: Hydra lists the options itself
    for key in keys:
        _check_key(cfg, key)


def _check_key(cfg: DictConfig, key: str) -> None:
    if key.startswith("hydra."):
        return
    node: Any = cfg
    above: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return
        if part not in node.keys():  # noqa: SIM118  # a missing ??? is a key, but not "in"
            allowed = [str(name) for name in node if not str(name).startswith("_")]
            place = "".join(f"{name}." for name in above)
            close = (get_close_matches(part, allowed, n=1, cutoff=0.0) or ["KEY"])[0]
            raise ConfigError(
                f"there is no {place}{part}; allowed after {place or 'the start'!r}: "
                f"{', '.join(allowed)}; type {place}{close}=..."
            )
        if OmegaConf.is_missing(node, part):
            return
        node = node[part]
        above.append(part)


def _compose(overrides: list[str]) -> DictConfig:
    with initialize_config_dir(str(Path(conf_folder()).resolve()), version_base="1.3"):
        return compose("train", overrides=overrides)
