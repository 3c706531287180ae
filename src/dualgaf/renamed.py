"""Names and values that changed: refused where they are typed, read where they are stored.

An old name on the command line or as a keyword is an error that says the new one. What an earlier
version has written keeps working: `current_config` reads the configuration of a run folder, and
`current_net`, `current_loss` and `current_state` what a checkpoint holds. These tables are the one
place that knows old names.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from dualgaf.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")

CHOICES = {"model=auto": "model=largest"}
"""Options of configuration groups."""
OPTIONS = {"model.use_kernels": "model.use_minirocket", "loss.share": "loss.weight"}
"""Keys, as they are typed. Their last part is also a keyword of Python and a key of checkpoints."""
VALUES: dict[str, dict[str | None, str]] = {
    "model.extractor": {"auto": "largest", None: "auto"},
    "model.fusion": {None: "auto"},
}
"""Values of a configuration that has an old key; null is a value of these no more, and ``auto`` is
what it was."""
SPLIT_METHODS = {"time": "within"}
"""Values of ``data.split.method`` that meant something else without `VERSION_KEY`."""
VERSION_KEY = "config_version"
"""Key of a configuration that says since which change its values have their meaning."""
VERSION = 3
"""The newest of them."""
DEFAULTS_BEFORE_3: dict[str, Any] = {"classifier.learning_rate": 0.002, "model.use_forest": False}
"""What was meant before by a configuration that says nothing of it. As many steps as
``trainer.max_epochs=auto`` stood for are in the checkpoints of a training."""
IMAGING = {"deviation": "std"}
"""Keys of the imaging in a checkpoint."""
STATE = {
    "net.kernels.steepness": "net.minirocket.inverse_temperature",
    "net.kernels.share": "net.minirocket.ensemble_weight",
    "net.kernels.": "net.minirocket.",
}
"""Beginnings of the names of a classifier's weights and buffers, the longest first."""
_MODULES = {
    "series.table": ("TableSource",),
    "series.archive": ("ArchiveSource",),
    "series.simulate": ("SimulatedSource",),
    "series.splits": ("SplitSettings",),
    "hardware": ("HardwarePreset",),
    "pool.settings": ("PoolSettings",),
    "models.losses": (
        "AdaptiveSmoothingLoss",
        "ConfidencePenaltyLoss",
        "CrossEntropyLoss",
        "FocalLoss",
        "HybridFocalLoss",
    ),
    "models.averaging": ("EqualAveraging", "ExponentialAveraging"),
    "models.backbone": ("TimmBackbone",),
    "sweep": ("SweepTable",),
}
TARGETS = {
    f"dualgaf.{module}.{name}": f"dualgaf.{name}"
    for module, names in _MODULES.items()
    for name in names
}
"""``_target_`` of configurations: today's are public names, which no move of a module changes."""


def check_typed(override: str) -> None:
    """Refuse an override that has an old name or value.

    Args:
        override: ``key=value`` as it was typed.

    Raises:
        ConfigError: with the new name.

    Example:
        >>> check_typed("model.use_kernels=false")
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: model.use_kernels is now called model.use_minirocket; type model.use_minirocket=false
    """  # noqa: E501
    key, _, value = override.lstrip("+~").partition("=")
    if (choice := f"{key}={value}") in CHOICES:
        raise ConfigError(_now_called(choice, CHOICES[choice], CHOICES[choice]))
    if key in OPTIONS:
        raise ConfigError(_now_called(key, OPTIONS[key], f"{OPTIONS[key]}={value}"))
    if value == "null" and None in VALUES.get(key, {}):
        raise ConfigError(_now_called(f"{key}=null", f"{key}=auto", f"{key}=auto"))


def refuses_old_keywords(group: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a constructor: an old keyword of it is an error that says the new one.

    Args:
        group: whose keys of `OPTIONS` are its keywords, such as ``model``.

    Raises:
        ConfigError: when the constructor is called with an old keyword.
    """
    keywords = _keys_of(group)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for old, new in keywords.items():
                if old in kwargs:
                    raise ConfigError(_now_called(old, new, f"{new}={kwargs[old]!r}"))
            return function(*args, **kwargs)

        return checked

    return decorate


def current_choice(choice: str) -> str:
    """``group=option`` of a run folder in today's names."""
    return CHOICES.get(choice, choice)


def current_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a run folder in today's names; plain values, not resolved.

    Example:
        >>> old = {"model": {"use_kernels": True, "extractor": None}}
        >>> current_config(old)["model"]
        {'use_minirocket': True, 'extractor': 'auto', 'use_forest': False}
    """
    found: dict[str, Any] = _with_current_targets(config)
    for group in {key.partition(".")[0] for key in OPTIONS}:
        node = found.get(group)
        if isinstance(node, Mapping):
            found[group] = _renamed(node, _keys_of(group))
    if "use_kernels" in (config.get("model") or {}):
        for key, values in VALUES.items():
            group, _, name = key.partition(".")
            node = found[group]
            if name in node and isinstance(node[name], str | None):
                node[name] = values.get(node[name], node[name])
    if isinstance(model := found.get("model"), dict) and "use_minirocket" in model:
        model.setdefault("use_forest", DEFAULTS_BEFORE_3["model.use_forest"])
    if VERSION_KEY not in config:
        split = (found.get("data") or {}).get("split")
        if isinstance(split, dict) and split.get("method") in SPLIT_METHODS:
            split["method"] = SPLIT_METHODS[split["method"]]
    for key, value in _meant_before(found).items():
        group, _, name = key.partition(".")
        found[group].setdefault(name, value)
    found[VERSION_KEY] = VERSION
    return found


def typed_for(config: Mapping[str, Any]) -> list[str]:
    """What must be typed for a run that goes on, so that it stays what it was.

    Args:
        config: of the run folder, as it was written.

    Returns:
        Overrides; none for a run of this version.

    Example:
        >>> typed_for({"classifier": {"_target_": "dualgaf.DualGAFClassifier"}})
        ['classifier.learning_rate=0.002']
    """
    return [f"{key}={str(value).lower()}" for key, value in _meant_before(config).items()]


def _meant_before(config: Mapping[str, Any]) -> dict[str, Any]:
    """Of `DEFAULTS_BEFORE_3` what a run of an earlier version took; not for one's own classes."""
    found = {}
    if config.get(VERSION_KEY, 0) < VERSION:
        for key, value in DEFAULTS_BEFORE_3.items():
            target = (config.get(key.partition(".")[0]) or {}).get("_target_")
            if target in ("dualgaf.DualGAFClassifier", "dualgaf.DualGAFNet"):
                found[key] = value
    return found


def current_net(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`DualGAFNet.settings` of a checkpoint in today's names."""
    before = {"use_forest": DEFAULTS_BEFORE_3["model.use_forest"]}
    return {**before, **_renamed(settings, _keys_of("model"))}


def current_loss(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the loss in a checkpoint in today's names."""
    return _renamed(settings, _keys_of("loss"))


def current_imaging(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The imaging in a checkpoint in today's names."""
    return _renamed(fields, IMAGING)


def current_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Weights and buffers of a classifier in today's names.

    Example:
        >>> current_state({"net.kernels.share": 0.5, "net.head.weight": 1})
        {'net.minirocket.ensemble_weight': 0.5, 'net.head.weight': 1}
    """
    found = {}
    for name, value in state.items():
        old = next((old for old in STATE if name.startswith(old)), "")
        found[STATE.get(old, "") + name.removeprefix(old)] = value
    return found


def _now_called(old: str, new: str, typed: str) -> str:
    return f"{old} is now called {new}; type {typed}"


def _keys_of(group: str) -> dict[str, str]:
    pairs = ((old.partition("."), new.partition(".")) for old, new in OPTIONS.items())
    return {old[2]: new[2] for old, new in pairs if old[0] == group}


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in fields.items()}


def _with_current_targets(node: Any) -> Any:
    if isinstance(node, Mapping):
        found = {key: _with_current_targets(value) for key, value in node.items()}
        if found.get("_target_") in TARGETS:
            found["_target_"] = TARGETS[found["_target_"]]
        return found
    return [_with_current_targets(value) for value in node] if isinstance(node, list) else node
