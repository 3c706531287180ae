"""Names and values that changed: refused where they are typed, read where they are stored.

An old name on the command line or as a keyword is an error that says the new one. What an earlier
version has written keeps working: `stored_config` reads the configuration of a run folder, and
`stored_settings` and `stored_state` what a checkpoint holds. This table is the one place that knows
old names; nothing else in the package does.
"""

from typing import ParamSpec, TypeVar

from dualgaf.errors import ConfigError

P = ParamSpec("P")
R = TypeVar("R")

CHOICES = {"model=auto": "model=largest"}
"""Options of configuration groups."""
VALUES: dict[str, dict[str | None, str]] = {
    "model.extractor": {"auto": "largest", None: "auto"},
    "model.fusion": {None: "auto"},
}
"""Values of options. ``auto`` is now what null was; null is no value any more."""


def check_typed(override: str) -> None:
    """Refuse an override that has an old name or value.

    Args:
        override: ``key=value`` as it was typed.

    Raises:
        ConfigError: with the new name.

    Example:
        >>> check_typed("model=auto")
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: model=auto is now called model=largest; type model=largest
    """
    if override in CHOICES:
        new = CHOICES[override]
        raise ConfigError(f"{override} is now called {new}; type {new}")
    key, _, value = override.partition("=")
    if value == "null" and None in VALUES.get(key, {}):
        raise ConfigError(f"{override} is now called {key}=auto; type {key}=auto")
