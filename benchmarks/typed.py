"""What was typed for a result, as its page shows it."""

from collections.abc import Mapping
from typing import Any


def words(told: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """The options that differ from their defaults.

    Args:
        told: option -> value; a list is several values.
        defaults: of the same options; others may be there.

    Example:
        >>> words({"repeats": 5, "n_windows": [64, 1]}, {"repeats": 5, "n_windows": [1]})
        ['--n-windows', '64', '1']
    """
    found = []
    for name, value in told.items():
        if value != defaults[name]:
            values = value if isinstance(value, list) else [value]
            found += [f"--{name.replace('_', '-')}", *map(str, values)]
    return found
