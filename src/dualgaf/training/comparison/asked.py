"""What a comparison was asked for: sets, methods and repeats, each from the words that were typed.

=============================== ===================================================================
``experiment``, ``data``,       several values are several sets
``data.KEY``
``seed``, ``data.split.fold``,  several values are repeats of a method on a set
``data.archive_resample``
``model`` and all else          several values are several methods
``baselines=[...]``             methods without images, on the same sets
=============================== ===================================================================
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.plan.preset import conf_folder
from dualgaf.training.comparison.baselines import check_baselines
from dualgaf.training.overrides import check_overrides
from dualgaf.training.resume import key_of

FOLD = "data.split.fold"
"""Repeats that are parts of one test: their windows are counted together."""
REPEATS = ("seed", FOLD, "data.archive_resample")
SETS = ("experiment", "data")
OWN = ("baselines", "compare.dir", "compare.score")
SCORES = ("accuracy", "f1_macro")
_ELSEWHERE = {
    "hydra.run.dir": "compare.dir",
    "hydra.sweep.dir": "compare.dir",
    "paths.run_dir": "compare.dir",
    "resume": "compare.dir",
}
_REFUSED = (
    "hydra",
    "paths",
    "resume",
    "task",
    "ckpt_path",
    "skip_finished",
    "sweep",
    "quiet",
    "launcher",
)

Pair = tuple[str, str]


@dataclass(frozen=True)
class Job:
    """One training, or one fit of a baseline."""

    set: str
    """Name of the set, as tables have it."""
    method: str
    """Name of the method, as tables have it."""
    repeat: tuple[Pair, ...]
    """Keys and values that make the repeat."""
    overrides: tuple[str, ...]
    """What is typed for it."""
    baseline: str = ""
    """Its name in `BASELINES`; empty for a network."""

    def __str__(self) -> str:
        return " ".join([self.set, self.method, repeat_name(self.repeat)]).strip()


@dataclass(frozen=True)
class Asked:
    """A comparison."""

    folder: Path
    words: tuple[str, ...]
    """What was typed, but for the folder."""
    jobs: tuple[Job, ...]
    score: str = "accuracy"
    """What methods are ranked by."""

    @property
    def sets(self) -> list[str]:
        """Names of the sets, in order."""
        return list(dict.fromkeys(job.set for job in self.jobs))

    @property
    def methods(self) -> list[str]:
        """Names of the methods, those that were typed first."""
        return list(dict.fromkeys(job.method for job in self.jobs))


def repeat_name(repeat: Iterable[Pair]) -> str:
    """A repeat as lines and folders name it.

    Example:
        >>> repeat_name([("seed", "1"), ("data.split.fold", "0")])
        'seed=1 fold=0'
    """
    return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in repeat)


def asked_for(words: Sequence[str]) -> Asked:
    """Read what was typed.

    Args:
        words: ``key=value``, after ``python -m dualgaf compare``.

    Raises:
        ConfigError: a key or a name is not known, or nothing says which sets.
        DependencyError: a baseline needs what is not installed.

    Example:
        >>> asked = asked_for(["experiment=natops,epilepsy", "seed=0,1", "baselines=[1nn]"])
        >>> asked.sets, asked.methods, len(asked.jobs)
        (['natops', 'epilepsy'], ['dualgafnet', '1nn'], 8)
        >>> str(asked.jobs[0]), asked.jobs[0].overrides
        ('natops dualgafnet seed=0', ('experiment=natops', 'model=dualgafnet', 'seed=0'))
    """
    own = {key_of(word): word.partition("=")[2] for word in words if key_of(word) in OWN}
    rest = [word for word in words if key_of(word) not in OWN]
    _check_keys(rest)
    check_overrides(["-m", *rest])
    parsed = [_parsed(word) for word in rest]
    given = {override.get_key_element() for override in parsed}
    if not given & {*SETS}:
        raise ConfigError(
            "which sets? type experiment=natops,basic_motions, or data=... as for train.py"
        )
    defaults = ("seed=0", "model=dualgafnet")
    parsed += [_parsed(word) for word in defaults if key_of(word) not in given]
    names = _listed("baselines", own.get("baselines", "[]"))
    check_baselines(names)
    score = own.get("compare.score", SCORES[0])
    if score not in SCORES:
        raise ConfigError(unknown_choice("compare.score", score, SCORES))
    folder = named_folder(words) or Path(f"runs/compare/{datetime.now():%Y-%m-%d/%H-%M-%S}")
    kept = tuple(word for word in words if key_of(word) != "compare.dir")
    return Asked(folder, kept, tuple(_jobs(parsed, names)), score)


def named_folder(words: Sequence[str]) -> Path | None:
    """``compare.dir=FOLDER``, the last one; None where it is not typed."""
    typed = [word.partition("=")[2] for word in words if key_of(word) == "compare.dir"]
    return Path(typed[-1].strip("\"'")) if typed else None


def _jobs(parsed: Sequence[Override], baselines: Sequence[str]) -> Iterable[Job]:
    axes: dict[str, list[list[tuple[str, bool]]]] = {"set": [], "method": [], "repeat": []}
    for override in parsed:
        key = override.get_key_element()
        texts = _texts(override)
        is_named = len(texts) > 1 or key in ("experiment", "model") or key in REPEATS
        axes[_axis(key)].append([(text, is_named) for text in texts])
    sets, methods, repeats = (
        list(itertools.product(*axes[name])) for name in ("set", "method", "repeat")
    )
    for own_set, repeat in itertools.product(sets, repeats):
        one_name = [(text, _pair(text)[0] == "data.name") for text, _ in own_set]
        one_kind = [(text, _pair(text)[0] in SETS) for text, _ in own_set]
        name = _name(own_set, SETS) or _name(one_name, SETS) or _name(one_kind, SETS)
        pairs = tuple(_pair(text) for text, _ in repeat)
        data = [text for text, _ in own_set]
        for method in methods:
            typed = (*data, *(text for text, _ in (*method, *repeat)))
            yield Job(name, _name(method, ("model",)), pairs, typed)
        for baseline in baselines:  # with each seed, for the split may follow from it
            typed = (*data, *(text for text, _ in repeat))
            yield Job(name, baseline, pairs, typed, baseline)


def _name(parts: Iterable[tuple[str, bool]], alone: Sequence[str]) -> str:
    """``natops``, or ``dualgafnet width=32``: values of some keys stand alone."""
    found = []
    for text, is_named in parts:
        key, value = _pair(text)
        if is_named:
            found.append(value if key in (*alone, "data.name") else f"{key}={value}")
    return " ".join(found)


def _pair(text: str) -> Pair:
    key, _, value = text.partition("=")
    return key, value


def _axis(key: str) -> str:
    if key in REPEATS:
        return "repeat"
    plain = key.lstrip("+~")
    return "set" if plain in SETS or plain.startswith("data.") else "method"


def _texts(override: Override) -> list[str]:
    """An override for each of its values."""
    value, key = override.value(), override.get_key_element()
    if isinstance(value, Glob):
        group = override.key_or_group
        names = sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))
        return [f"{key}={name}" for name in value.filter(names)]
    if override.is_sweep_override():
        return [f"{key}={text}" for text in override.sweep_string_iterator()]
    return [str(override.input_line)]


def _parsed(word: str) -> Override:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"{word} cannot be read: {told}; type key=value") from error


def _listed(key: str, text: str) -> list[str]:
    return [name.strip().strip("\"'") for name in text.strip("[]").split(",") if name.strip()]


def _check_keys(words: Iterable[str]) -> None:
    for word in words:
        key = key_of(word)
        if key in _ELSEWHERE:
            raise ConfigError(f"{key} is that of one run; type {_ELSEWHERE[key]}=FOLDER")
        if key.partition(".")[0] in _REFUSED:
            raise ConfigError(f"{key} is not for comparisons; leave {word} out")
        known = [*OWN, *SETS, "seed", "model"]
        cutoff = 0.0 if key.startswith("compare") else 0.7
        close = get_close_matches(key, known, n=1, cutoff=cutoff)
        if key and close and close[0] != key and not _is_key(key):
            value = re.sub(r"\s", "", word.partition("=")[2])
            allowed = ", ".join(known)
            raise ConfigError(
                f"there is no {key}; allowed: {allowed}, and keys of train.py; type "
                f"{close[0]}={value}"
            )


def _is_key(key: str) -> bool:
    return ("." in key and not key.startswith("compare")) or (conf_folder() / key).is_dir()
