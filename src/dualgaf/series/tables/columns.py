"""Which column of a table plays which role, from the header alone.

A role is given by name, or found by a list of common names (upper and lower case are the same). A
name that was given and is not there is an error that lists the header, closest names first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from dualgaf.errors import ConfigError, SourceError, not_allowed
from dualgaf.plain import plain

TIME_NAMES = ("datetime", "time", "timestamp", "date", "step")
LABEL_NAMES = ("fault", "label", "class", "target")
GROUP_NAMES = ("day", "group", "run", "series_id")

# Options that take a list of names.
_LISTS = ("data.channels", "data.exclude", "data.group_columns")

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|min|m|h|d)")
_SECONDS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of one file that are not channels."""

    time: str | None
    """Column with times or step numbers; None = rows are evenly spaced and in order."""
    label: str | None
    """Column with classes; None = the file's name, or no labels."""
    groups: tuple[str, ...]
    """Columns that tell groups apart."""
    split: str | None
    """Column with train, val, test or predict."""
    working: str | None
    """Column that says which rows are kept."""

    @property
    def names(self) -> frozenset[str]:
        """Names of all columns that have a role."""
        found = (self.time, self.label, *self.groups, self.split, self.working)
        return frozenset(name for name in found if name is not None)


def name_list(option: str, value: object) -> tuple[str, ...] | None:
    """A list of names as a tuple.

    ``data.channels`` may be None instead, and not empty; ``data.null_values`` may have numbers.

    Raises:
        ConfigError: it is anything else.

    Example:
        >>> name_list("data.exclude", ["note"])
        ('note',)
    """
    channels, value = option == "data.channels", plain(value)
    if value is None and channels:
        return None
    if option == "data.null_values" and isinstance(value, list | tuple):
        # [-999] is a list of numbers, in YAML as in Python
        numbers = (int, float)
        value = [str(v) if isinstance(v, numbers) and not isinstance(v, bool) else v for v in value]
    texts = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if not texts or (channels and not value):
        raise ConfigError(
            not_allowed(
                f"{option}",
                value,
                "a list of names",
                f"{option}=[NAME,NAME]{', or null for all numeric columns' if channels else ''}",
            )
        )
    return tuple(value)  # type: ignore[arg-type]


def typed_list(option: str, names: Sequence[str]) -> str:
    r"""An option with a list of names as it must be typed in a shell.

    Example:
        >>> typed_list("data.exclude", ["sat", "oat"]), typed_list("data.exclude", ["supply air"])
        ('data.exclude=[sat,oat]', '\'data.exclude=["supply air"]\'')
    """
    if all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in names):
        return f"{option}=[{','.join(names)}]"
    quoted = ",".join('"' + name.replace('"', '\\"') + '"' for name in names)
    return f"'{option}=[{quoted}]'"


def check_name(option: str, value: object) -> None:
    """Raise ConfigError unless it is a text or None.

    Example:
        >>> check_name("data.label_column", None)
    """
    if not isinstance(value, str | None):
        raise ConfigError(not_allowed(f"{option}", value, "a text, or null", f"{option}=NAME"))


def find_column(header: Sequence[str], names: Sequence[str]) -> str | None:
    """First column of the header that has one of these names, in the order of the names.

    Example:
        >>> find_column(["Step", "Datetime"], TIME_NAMES)
        'Datetime'
    """
    by_lower = {column.lower(): column for column in reversed(header)}
    return next((by_lower[name] for name in names if name in by_lower), None)


def need_columns(
    header: Sequence[str],
    names: Sequence[str],
    option: str,
    file: str,
    first_file: str | None = None,
) -> None:
    """Raise unless all of these columns are in the header.

    Args:
        header: the columns that are there.
        names: the columns that were asked for.
        option: the option that asked, as a user types it.
        file: the file's name.
        first_file: another file of the set that has the columns.

    Raises:
        SourceError: names the missing column and those that are there, closest first.

    Example:
        >>> need_columns(["sat", "oat"], ["mat"], "data.channels", "a.csv")
        Traceback (most recent call last):
        ...
        dualgaf.errors.SourceError: a.csv has no column 'mat' (data.channels); it has: sat, oat; ...
    """
    for name in names:
        if name in header:
            continue
        close = get_close_matches(name, header, n=len(header) or 1, cutoff=0.3)
        listed = [*close, *(column for column in header if column not in close)]
        shown = ", ".join(listed[:20]) + (", ..." if len(listed) > 20 else "")
        many = option in _LISTS
        typed = f"{option}=[{listed[0]}]" if many else f"{option}={listed[0]}"
        known = f", which {first_file} has" if first_file else ""
        choose = 'choose files with data.pattern="..." or ' if first_file else ""
        raise SourceError(
            f"{file} has no column {name!r} ({option}){known}; it has: {shown}; "
            f"{choose}type {typed}"
        )


def same_channels(first: Sequence[str], own: Sequence[str], first_file: str, file: str) -> None:
    """Raise SourceError unless two files have the same channels.

    Example:
        >>> same_channels(["sat", "oat"], ["oat", "sat"], "a.csv", "b.csv")
    """
    lacks = [name for name in first if name not in own]
    extra = [name for name in own if name not in first]
    if lacks or extra:
        told = [
            f"{word} {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
            for word, names in (("lacks", lacks), ("has in addition", extra))
            if names
        ]
        raise SourceError(
            f"{file} does not have the same channels as {first_file}: it {' and '.join(told)}; all "
            'files of a set need the same; choose files with data.pattern="..." or columns with '
            "data.channels=[...] or data.exclude=[...]"
        )


def parse_gap(max_gap: object) -> tuple[float, bool] | None:
    """A largest allowed gap as (size, is a duration), or None for ``auto``.

    Args:
        max_gap: ``auto``, a duration ("2h", "5min", "30s", "1d"), or a number of steps.

    Returns:
        Seconds and True, or the number and False.

    Raises:
        ConfigError: neither of them.

    Example:
        >>> parse_gap("2h"), parse_gap(3), parse_gap("auto")
        ((7200.0, True), (3.0, False), None)
    """
    if max_gap == "auto":
        return None
    if isinstance(max_gap, int | float) and not isinstance(max_gap, bool) and max_gap > 0:
        return float(max_gap), False
    match = _DURATION.fullmatch(max_gap.strip()) if isinstance(max_gap, str) else None
    if match is None or float(match[1]) == 0:
        raise ConfigError(
            not_allowed(
                "data.max_gap",
                max_gap,
                "auto, a duration above zero (s, min, h, d), or for a numeric time column a number",
                "data.max_gap=2h",
            )
        )
    return float(match[1]) * _SECONDS[match[2]], True
