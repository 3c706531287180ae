"""What is searched: for each key of the configuration a range, or a list of choices.

    classifier.learning_rate: {low: 0.001, high: 0.02, log: true}
    model.width: {low: 32, high: 96, step: 32}
    model.fusion: [concat, gated]

A range of whole numbers gives whole numbers, unless the value that the configuration has now is
none.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from dualgaf.errors import ConfigError, not_allowed, typed_option, unknown_choice
from dualgaf.training.meant import in_shell
from dualgaf.training.overrides import NEEDED

Space = Mapping[str, BaseDistribution]
"""By key, in the order of their names: trials of one seed are drawn in this order."""
PARTS = ("low", "high", "log", "step")
"""Of a range."""
NOT_SEARCHED = {
    "data": "the windows that trials are judged by would be others",
    "loss": "val/loss is what trials are judged by, and would be another loss in each",
    "classifier.loss": "val/loss is what trials are judged by, and would be another loss in each",
    "classifier.class_weights": "val/loss is what trials are judged by, and would be weighted "
    "otherwise in each",
    "seed": "the best of several seeds is luck",
    "trainer.limit_val_batches": "the windows that trials are judged by would be others",
    "datamodule.seed": "the best of several seeds is luck",
    "datamodule.source": "the windows that trials are judged by would be others",
    "hardware": "it changes no result",
    "parallel": "it changes no result",
    "cache": "it changes no result",
    **dict.fromkeys(
        ("task", "resume", "ckpt_path", "refit", "calibration", "paths", "logger", "quiet"),
        "it says what a run does, not how a network learns",
    ),
    **dict.fromkeys(
        ("hydra", "trainer.devices", "trainer.num_nodes", "trainer.strategy", "experiment"),
        "it is one for all trials",
    ),
}
"""Keys that a search may not change, and why."""


def space_of(told: Mapping[str, Any], cfg: DictConfig) -> Space:
    """The distributions of a search.

    Args:
        told: range or choices by key, as in ``conf/search``.
        cfg: what a trial has where nothing is searched.

    Raises:
        ConfigError: a range or a list cannot be meant so, or a key may not be searched.

    Example:
        >>> cfg = OmegaConf.create({"a": 1.5, "b": 3, "c": "x"})
        >>> for key, each in space_of({"a": {"low": 1, "high": 2}, "c": ["x", "y"]}, cfg).items():
        ...     print(key, each)
        a FloatDistribution(high=2.0, log=False, low=1.0, step=None)
        c CategoricalDistribution(choices=('x', 'y'))
    """
    if not told:
        raise ConfigError(
            "nothing is left to be searched: all keys of the search are typed; leave one out, or "
            "type search.model.dropout=[0.1,0.3]"
        )
    for key in told:
        _check_searched(key)
    return {key: _distribution(key, told[key], _now(cfg, key)) for key in sorted(told)}


def stored(space: Space) -> dict[str, str]:
    """A space as the study keeps it; the order of choices counts."""
    return {key: distribution_to_json(each) for key, each in space.items()}


def shown_space(space: Space | Mapping[str, str], key: str) -> str:
    """A range or the choices of a key, as they are typed.

    Example:
        >>> shown_space({"a": FloatDistribution(0.5, 2.0, log=True)}, "a")
        '{low:0.5,high:2.0,log:true}'
    """
    if key not in space:
        return "none"
    each = space[key]
    kept = json.loads(each if isinstance(each, str) else distribution_to_json(each))["attributes"]
    if "choices" in kept:
        return f"[{','.join(as_value(choice) for choice in kept['choices'])}]"
    plain = kept["step"] in (None, 1)
    parts = {"low": kept["low"], "high": kept["high"]}
    parts |= {"log": True} if kept["log"] else {}
    parts |= {} if plain else {"step": kept["step"]}
    return "{" + ",".join(f"{name}:{as_value(value)}" for name, value in parts.items()) + "}"


def overrides_of(params: Mapping[str, Any]) -> list[str]:
    """What a trial has drawn, as overrides.

    Example:
        >>> overrides_of({"model.width": 64, "datamodule.image_size": None, "model": "timm"})
        ['datamodule.image_size=null', 'model=timm', 'model.width=64']
    """
    # A group before its keys.
    return [_override(key, params[key]) for key in sorted(params)]


def as_value(value: Any) -> str:
    """A value as it is typed after ``key=``."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def brief(value: Any) -> Any:
    """A value for people: numbers in four digits.

    Example:
        >>> brief(0.0027295521), brief(64), brief("auto")
        (0.00273, 64, 'auto')
    """
    return float(f"{value:.4g}") if isinstance(value, float) else value


def default_of(space: Space, cfg: DictConfig) -> dict[str, Any] | None:
    """What the configuration has now, as the first trial; None where the space does not have it."""
    found = {}
    for key, each in space.items():
        now = NEEDED.get(key) if isinstance(_now(cfg, key), DictConfig) else _now(cfg, key)
        if isinstance(each, CategoricalDistribution):
            fits = any(now == choice and type(now) is type(choice) for choice in each.choices)
        else:
            fits = _is_number(now) and each._contains(each.to_internal_repr(now))
        if not fits:
            return None
        found[key] = now
    return found


def probes(space: Space, key: str) -> list[str]:
    """Overrides with the outermost values of a key, or all its choices."""
    each: Any = space[key]
    values = each.choices if hasattr(each, "choices") else (each.low, each.high)
    return [_override(key, value) for value in values]


def _override(key: str, value: Any) -> str:
    if not isinstance(value, str) or value[:1] in "[{":
        return f"{key}={as_value(value)}"
    (word,) = shlex.split(typed_option(key, value))
    return word


def _check_searched(key: str) -> None:
    for place, why in NOT_SEARCHED.items():
        if key == place or key.startswith(f"{place}."):
            raise ConfigError(f"search.{key} cannot be searched: {why}; type '~search.{key}'")


def _now(cfg: DictConfig, key: str) -> Any:
    return OmegaConf.select(cfg, key, throw_on_missing=False, throw_on_resolution_failure=False)


def _distribution(key: str, told: Any, now: Any) -> BaseDistribution:
    if isinstance(told, Sequence) and not isinstance(told, str):
        return _choices(key, told, now)
    if not isinstance(told, Mapping):
        raise ConfigError(
            not_allowed(
                f"search.{key}",
                told,
                "a range, such as {low:0.1,high:0.5}, or a list of choices",
                in_shell(f"search.{key}=[{as_value(told)},{as_value(now)}]"),
            )
        )
    for part in told:
        if part not in PARTS:
            raise ConfigError(
                unknown_choice(
                    f"a part of search.{key}",
                    part,
                    PARTS,
                    instead=_range_of(key, {"low": 1, "high": 2}),
                )
            )
    low, high, step = (_number(key, told, part) for part in ("low", "high", "step"))
    log = told.get("log", False)
    if low is None or high is None or low >= high:
        raise _wrong(key, told, "numbers, low below high", {"low": 0.1, "high": 0.5})
    if not isinstance(log, bool) or (log and (low <= 0 or step is not None)):
        parts = {"low": low if low > 0 else abs(high) / 100, "high": high, "log": True}
        raise _wrong(key, told, "log:true with low above 0 and without step", parts)
    if step is not None and not 0 < step <= high - low:
        raise _wrong(key, told, "a step above 0 that fits", {"low": low, "high": high})
    if isinstance(now, float) or not all(isinstance(n, int) for n in (low, high, step or 1)):
        return FloatDistribution(float(low), float(high), log=log, step=step)
    return IntDistribution(int(low), int(high), log=log, step=int(step or 1))


def _number(key: str, told: Mapping[str, Any], part: str) -> int | float | None:
    value = told.get(part)
    if value is not None and not _is_number(value):
        raise _wrong(key, told, "numbers, low below high", {"low": 0.1, "high": 0.5})
    return cast("int | float | None", value)


def _choices(key: str, told: Sequence[Any], now: Any) -> BaseDistribution:
    # What is no plain value, such as a list, is kept as it is typed.
    plain = [c if c is None or isinstance(c, bool | int | float | str) else _text(c) for c in told]
    if len(plain) < 2 or len({repr(choice) for choice in plain}) < len(plain):
        more = [c for c in dict.fromkeys([*plain, now, 1, 2]) if not isinstance(c, Mapping)][:2]
        raise ConfigError(
            not_allowed(
                f"search.{key}",
                f"[{','.join(map(as_value, plain))}]",
                "two or more choices, each once",
                in_shell(f"search.{key}=[{','.join(map(as_value, more))}]"),
            )
        )
    return CategoricalDistribution(plain)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(_text, value))}]"
    return as_value(value)


def _range_of(key: str, parts: Mapping[str, Any]) -> str:
    return in_shell(f"search.{key}={_text(parts)}")


def _wrong(
    key: str, told: Mapping[str, Any], allowed: str, parts: Mapping[str, Any]
) -> ConfigError:
    return ConfigError(not_allowed(f"search.{key}", _text(told), allowed, _range_of(key, parts)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
