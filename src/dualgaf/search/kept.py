"""What a study keeps of the command that began it, so that no other one goes on with it.

Optuna itself takes another direction, and other bounds, in silence.
"""

from typing import Any, NoReturn

import optuna
from omegaconf import OmegaConf
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.storages import BaseStorage
from optuna.study import Study

from dualgaf.errors import ConfigError
from dualgaf.search.options import Asked
from dualgaf.search.space import shown_space, stored
from dualgaf.training.meant import in_shell
from dualgaf.training.resume import shown, typed_folder
from dualgaf.training.run_folder import counted, differences, free_folder

NAME = "dualgaf"
"""Of the study in its journal, and of the attribute with what is searched."""
DIRECTION = "MINIMIZE"
STARTUP = 5
"""Trials that end before others are compared with them, and that an epoch needs for that."""
WARMUP = 3
"""Epochs in which none is compared."""


def kept_study(asked: Asked, storage: BaseStorage) -> Study:
    """The study of a journal, begun where there is none.

    Args:
        asked: what was typed.
        storage: of the journal, which nobody else begins meanwhile.

    Raises:
        ConfigError: it was begun with other options, or is none of these.
    """
    names = [each.study_name for each in storage.get_all_studies()]
    if names and NAME not in names:
        _refuse(asked, f"has another study ({', '.join(names)})")
    if not names and list(asked.folder.glob("trial-*")):
        raise ConfigError(
            f"{shown(asked.folder)} has trials, and {shown(asked.journal)} knows of none: files of "
            f"two studies are not mixed; {_other(asked)}"
        )
    pruner = pruner_of(asked)
    if names:  # create_study would write a line
        study = optuna.load_study(study_name=NAME, storage=storage, pruner=pruner)
    else:
        study = optuna.create_study(study_name=NAME, storage=storage, pruner=pruner)
    _check_same(asked, study)
    return study


def pruner_of(asked: Asked) -> BasePruner:
    """What ends a trial early: at epochs in which five others were validated, and no single one."""
    if asked.pruner == "none":
        return NopPruner()
    return MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARMUP + 1, n_min_trials=STARTUP)


def _check_same(asked: Asked, study: Study) -> None:
    """Keep what is searched, or compare it with what is kept."""
    directions = [each.name for each in study.directions]
    if directions != [DIRECTION]:
        _refuse(asked, f"has another direction ({', '.join(directions).lower()})")
    kept = study.user_attrs.get(NAME)
    space = stored(asked.space)
    if kept is None:
        options = OmegaConf.to_yaml(asked.cfg, resolve=False)
        study.set_user_attr(NAME, {"space": space, "options": options, "typed": _typed(asked)})
        return
    for key in sorted({*kept["space"], *space}):
        if kept["space"].get(key) != space.get(key):
            there, here = shown_space(kept["space"], key), shown_space(space, key)
            _refuse(asked, f"searches {key}={there}, and not {here}", kept)
    begun = counted(OmegaConf.create(kept["options"]))
    if different := differences(begun, counted(asked.cfg)):
        _refuse(asked, f"was begun with other options ({different})", kept)


def _refuse(asked: Asked, what: str, kept: dict[str, Any] | None = None) -> NoReturn:
    again = f"to go on with it type {kept['typed']}; " if kept else ""
    raise ConfigError(
        f"study={shown(asked.journal)} {what}; nothing was changed; {again}{_other(asked)}"
    )


def _other(asked: Asked) -> str:
    other = free_folder(asked.folder).with_suffix(asked.journal.suffix)
    return f"for a new study type {typed_folder('study', other)}"


def _typed(asked: Asked) -> str:
    """The command, with all that makes this study what it is."""
    space = [in_shell(f"search.{key}={shown_space(asked.space, key)}") for key in asked.space]
    words = [typed_folder("study", asked.journal), *map(in_shell, asked.typed)]
    return " ".join(["python -m dualgaf tune", *words, "search=none", *space])
