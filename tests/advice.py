"""Types what a message advises: the words are taken from the message itself.

A `Command` is a command line of ``train.py``, a `Call` an expression of Python. Each ends in a
message; each thing that the message says to type is typed, one after the other, and must work. What
is only an example in a message (``FOLDER``, ``NAME``) is replaced by what the row gives.
"""

import copy
import re
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from dualgaf.errors import DualGAFError
from dualgaf.training.classifier import make_classifier
from dualgaf.training.config import load_config, make_data, own_error
from dualgaf.training.trainer import check_trainer
from dualgaf.training.wording import as_typed

_KEY = r"[+~]{0,2}[A-Za-z_][\w./@]*="
_VALUE = r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^\s;,()"'\[]+)"""
_WORD = rf"""(?:'{_KEY}(?:[^']|'"'"')*'|{_KEY}{_VALUE}|~[a-z_.]+)"""
_COMMAND = re.compile(rf"{_WORD}(?: {_WORD})*")


@dataclass(frozen=True)
class Command:
    """``python train.py BASE WRONG``."""

    says: str
    """A part of the message as it stands in the source, with {} for what varies."""
    wrong: str
    """Words that are typed at first, and are left out, or replaced, when the advice is typed."""
    base: str = "data=simulated data.n_windows=48 data.window_size=12"
    """Words of both attempts; where the advice has a key of it, that of the advice holds."""
    files: Mapping[str, str | bytes] | None = None
    """Files of ``FOLDER``; the base then is a folder of tables, unless it says ``data=``."""
    given: Mapping[str, str] = field(default_factory=dict)
    """What stands for words that are an example; advice with others is not typed."""
    then: Mapping[int, str] = field(default_factory=dict)
    """Where one of the things to type leads to another question, a part of that message."""
    until: str = "windows"
    """``keys``: the configuration alone; ``windows``; ``network``;
    ``images``."""
    leave: tuple[int, ...] = ()
    """Things to type that are not typed: they are the same words, or need what is not here."""
    whole: bool = False
    """Whether the configuration is composed anew for each attempt at a table, which takes a quarter
    of a second; else Hydra reads the words, and they change one that was composed before."""


@dataclass(frozen=True)
class Call:
    """An expression of Python."""

    says: str
    """As for `Command`."""
    first: str
    """What is called at first."""
    then: str
    """What is called next; {} is what the message says to type."""
    pick: str = r"type (.+)$"
    """Finds that in the message."""


def message_of(first: Command, argv: list[str]) -> str | None:
    """What an attempt ends in; None where it works."""
    try:
        cfg = _configured(first, argv)
        if first.until == "keys":
            return None
        if first.files is None:
            check_trainer(cfg)
        data = make_data(cfg)
        data.windows  # noqa: B018  # reads them
        data.imaging_state()
        if first.until == "network":
            make_classifier(cfg, data, None)
        if first.until == "images":
            data.setup("fit")
    except DualGAFError as error:
        return str(error)
    except Exception as error:
        if own_error(error) is None:
            raise
        return str(own_error(error))
    return None


def _configured(row: Command, argv: list[str]) -> DictConfig:
    if row.files is None or row.whole:
        return load_config(argv)
    cfg = copy.deepcopy(_of_tables())
    for override in OverridesParser.create().parse_overrides(argv[1:]):
        OmegaConf.update(cfg, override.key_or_group, override.value())
    return cfg


@cache
def _of_tables() -> DictConfig:
    return load_config(["data=ahu"])


def base_of(row: Command, folder: Path) -> list[str]:
    """Words of both attempts; the files of the row are in the folder then."""
    if row.files is None:
        return shlex.split(row.base)
    for name, text in row.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    base = shlex.split(row.base)
    group = [] if any(word.startswith("data=") for word in base) else ["data=ahu"]
    return [*group, f"data.root={folder}", "data.window_size=12", *base]


def advised(row: Command, message: str) -> list[list[str]]:
    """The commands that a message says to type, as a shell cuts them."""
    found = []
    for command in _COMMAND.findall(as_typed(message).partition("type ")[2]):
        for example, real in row.given.items():
            command = command.replace(example, real)
        if re.search(r"=\.\.\.|\b(FOLDER|NAME|RUN|ANOTHER|CLASS)\b", command) is None:
            found.append(shlex.split(command))
    return [words for n, words in enumerate(found) if n not in row.leave]


def typed(base: list[str], words: list[str]) -> list[str]:
    """The base with the words of an advice, which hold where both have a key."""

    def key(word: str) -> str:
        return word.lstrip("+~").partition("=")[0]

    new = {key(word) for word in words}
    return [*(word for word in base if key(word) not in new), *words]


def says(template: str, message: str) -> bool:
    """Whether a message has a part as it stands in the source."""
    return re.search(".*".join(map(re.escape, template.split("{}"))), message) is not None


def outcome(call: str, names: Mapping[str, Any]) -> str | None:
    """What a call ends in, an error or a warning; None where it works."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            eval(call, dict(names))
        except DualGAFError as error:
            return str(error)
    return str(told[0].message) if told else None


def words_of(row: Call, message: str) -> list[str]:
    """What a message says to type in Python."""
    return re.findall(row.pick, message)
