"""From what was typed to a configuration and a DataModule; errors name what is allowed."""

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, DualGAFError
from dualgaf.renamed import current_choice, current_config
from dualgaf.series.tables.databases.uri import check_no_password, is_uri
from dualgaf.training.overrides import check_overrides, composed


def load_config(overrides: Sequence[str]) -> DictConfig:
    """``conf/train.yaml`` with overrides, outside a Hydra run; paths lead to the current folder.

    Raises:
        ConfigError: a group, a key or a value is not allowed.
    """
    check_overrides(overrides)
    try:
        return composed(["paths.run_dir=.", *overrides])
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


def typed_data_options(overrides: Sequence[str], data: str = "") -> dict[str, Any]:
    """Options of tables that were typed, by the names that `TableSource` gives them.

    Args:
        overrides: ``data.KEY=VALUE``.
        data: ``--data``; with the URI of a database they are those of `SQLSource`.

    Raises:
        ConfigError: it is no option of tables, or cannot be read.

    Example:
        >>> typed_data_options(["data.nan=interpolate", "data.time_column=[Date,Time]"])
        {'nan': 'interpolate', 'time_column': ['Date', 'Time']}
    """
    for text in overrides:
        if not text.lstrip("+").startswith("data."):
            raise ConfigError(
                f"{text} is no option of the files that are read; allowed: data.KEY=VALUE, such as "
                "data.nan=interpolate; leave it out"
            )
    if not overrides:
        return {}
    keys = [text.lstrip("+").partition("=")[0].split(".")[1] for text in overrides]
    base = ["data=energyplus" if "mixed_steps" in keys else "data=ahu", "data.root=here"]
    if is_uri(data):
        base = ["data=sql", "data.uri=here", "data.query=here"]
    cfg = load_config([*base, *overrides])
    values = cast(dict[str, Any], OmegaConf.to_container(cfg.data, resolve=True))
    return {key: values[key] for key in keys}


def looked_up(text: str) -> str:
    """``--data`` with ``${oc.env:PLANT_URI}`` looked up, as it is in a configuration.

    Raises:
        ConfigError: it has a password, or there is no such variable.

    Example:
        >>> import os
        >>> os.environ["PLANT_URI"] = "sqlite:///plant.db"
        >>> looked_up("${oc.env:PLANT_URI}"), looked_up("week.csv")
        ('sqlite:///plant.db', 'week.csv')
    """
    check_no_password([f"data.uri={text}"], "--data '${oc.env:PLANT_URI}'")
    if not is_uri(text):
        return text
    try:
        return str(OmegaConf.create({"data": text}).data)
    except InterpolationResolutionError as error:
        raise ConfigError(_not_found(error)) from None


def _not_found(error: InterpolationResolutionError) -> str:
    """What ``${...}`` asks for is not there."""
    told = str(error).splitlines()[0]
    if name := re.search(r"Environment variable '(\w+)' not found", told):
        return f"the environment has no {name[1]}, which is looked up; type export {name[1]}=..."
    return f"a value of the configuration cannot be looked up: {told}"


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
        # Of a copy: what ``source: ${data}`` looks up would be written into cfg.data, a password
        # too (findings/hydra_instantiate_writes_what_it_looks_up.sh).
        own = copy.deepcopy(cfg)
        data: DualGAFDataModule = instantiate(own.datamodule, _convert_="all")
    except InterpolationResolutionError as error:
        raise ConfigError(_not_found(error)) from None
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
