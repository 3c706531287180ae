"""Which column of a table plays which role, from the header alone.

A role is given by name, or found by a list of common names (upper and lower case are the same). A
name that was given and is not there is an error that lists the header, closest names first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from os.path import commonprefix  # of names, not of paths

from dualgaf.errors import (
    ConfigError,
    SourceError,
    clock_meant,
    not_allowed,
    typed_option,
)
from dualgaf.plain import plain

TIME_NAMES = ("datetime", "time", "timestamp", "date", "step")
LABEL_NAMES = ("fault", "label", "class", "target")
GROUP_NAMES = ("day", "group", "run", "series_id")

# Options that take a list of names.
_LISTS = ("data.channels", "data.exclude", "data.group_columns")

_QUOTED = "texts; YAML makes such a number of a time of day that has no quotes"

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
    plant: str | None = None
    """Column that says which plant a row is of."""

    @property
    def names(self) -> frozenset[str]:
        """Names of all columns that have a role."""
        found = (self.time, self.label, *self.groups, self.split, self.working, self.plant)
        return frozenset(name for name in found if name is not None)


def name_list(option: str, value: object) -> tuple[str, ...] | None:
    """A list of names as a tuple.

    ``data.channels`` and ``data.group_columns`` may be None instead, ``data.channels`` not empty;
    ``data.null_values`` may have numbers.

    Raises:
        ConfigError: it is anything else.

    Example:
        >>> name_list("data.exclude", ["note"])
        ('note',)
    """
    channels, value = option == "data.channels", plain(value)
    if value is None and option in ("data.channels", "data.group_columns"):
        return None
    if option == "data.null_values" and isinstance(value, list | tuple):
        # [-999] is a list of numbers, in YAML as in Python
        numbers = (int, float)
        value = [str(v) if isinstance(v, numbers) and not isinstance(v, bool) else v for v in value]
    texts = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if not texts or (channels and not value):
        items = value if isinstance(value, list | tuple) else ()
        clocks = [clock_meant(item) or item for item in items]
        if clocks != list(items) and all(isinstance(item, str) for item in clocks):
            raise ConfigError(not_allowed(option, value, _QUOTED, typed_option(option, clocks)))
        raise ConfigError(
            not_allowed(
                f"{option}",
                value,
                "a list of names",
                f"{option}=[NAME,NAME]{', or null for all numeric columns' if channels else ''}",
            )
        )
    names: tuple[str, ...] = tuple(value)  # type: ignore[arg-type]
    if channels and len(set(names)) < len(names):
        once = list(dict.fromkeys(names))
        raise ConfigError(
            not_allowed(option, list(names), "each name once", typed_option(option, once))
        )
    return names


def check_name(option: str, value: object) -> None:
    """Raise ConfigError unless it is a text of one letter or more, or None.

    Example:
        >>> check_name("data.label_column", None)
    """
    if (clock := clock_meant(value)) is not None:
        raise ConfigError(not_allowed(option, value, _QUOTED, typed_option(option, clock)))
    if not isinstance(value, str | None) or value == "":
        raise ConfigError(not_allowed(f"{option}", value, "a text, or null", f"{option}=NAME"))


def need_own_names(names: Sequence[str], file: str) -> None:
    """Raise SourceError where two columns have one name.

    Example:
        >>> need_own_names(["time", "oat"], "a.csv")
    """
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise SourceError(f"{file} has two columns {double!r}; give each its own name")


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
    files: Sequence[str] = (),
) -> None:
    """Raise unless all of these columns are in the header.

    Args:
        header: the columns that are there.
        names: the columns that were asked for.
        option: the option that asked, as a user types it.
        file: the file's name.
        first_file: another file of the set that has the columns.
        files: every file of the set.

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
        close = _closest(name, header)
        listed = [*close, *(column for column in header if column not in close)]
        shown = ", ".join(listed[:20]) + (", ..." if len(listed) > 20 else "")
        known = f", which {first_file} has" if first_file else ""
        likely: str | list[str] = close[0] if close else "NAME"
        if option in _LISTS:
            meant = [*close[:1], *(other for other in names if other in header)]
            likely = meant or ["NAME"]
        ways = [f"type {typed_option(option, likely)}"]
        if first_file is not None:
            ways = [*ways[: len(close)], without_file(file, files)]
        raise SourceError(
            f"{file} has no column {name!r} ({option}){known}; it has: {shown}; "
            f"{', or '.join(ways)}"
        )


def need_learned(header: Sequence[str], names: Sequence[str], file: str) -> None:
    """Raise unless a file has every channel that a network has learned.

    Args:
        header: the columns that are there.
        names: the channels.
        file: the file's name.

    Raises:
        SourceError: names those that are missing, and the columns that are there.

    Example:
        >>> need_learned(["sat", "oat"], ["sat", "mat"], "week.csv")
        Traceback (most recent call last):
        ...
        dualgaf.errors.SourceError: week.csv has no column 'mat', a channel that the network has ...
    """
    missing = [name for name in names if name not in header]
    if not missing:
        return
    told = ", ".join(map(repr, missing[:8])) + (", ..." if len(missing) > 8 else "")
    free = [name for name in header if name not in names]
    close = {name: found[0] for name in missing if (found := _closest(name, free))}
    meant = "; ".join(f"if {there!r} is it, call it {name!r}" for name, there in close.items())
    what = "a channel" if len(missing) == 1 else "channels"
    raise SourceError(
        f"{file} has no column {told}, {what} that the network has learned; it has: "
        f"{', '.join(header[:20])}{', ...' if len(header) > 20 else ''}; "
        f"{meant + '; ' if meant else ''}for a network without it, train anew with "
        f"{typed_option('data.exclude', missing)}"
    )


def need_list(header: Sequence[str], names: Sequence[str], option: str, file: str) -> None:
    """Raise SourceError unless all columns of an option that takes so many are there.

    Example:
        >>> need_list(["time", "tag", "val"], ["time", "tag", "value"], "data.long", "a.csv")
        Traceback (most recent call last):
        ...
        dualgaf.errors.SourceError: a.csv has no column 'value' (data.long); it has: time, tag, ...
    """
    missing = [name for name in names if name not in header]
    if missing:
        free = [name for name in header if name not in names]
        close = {n: get_close_matches(n, free, n=1, cutoff=0.3) or free[:1] for n in missing}
        typed = [close[n][0] if close.get(n) else n for n in names]
        raise SourceError(
            f"{file} has no column {missing[0]!r} ({option}); it has: {', '.join(header[:20])}; "
            f"type {typed_option(option, typed)}"
        )


def without_file(file: str, files: Sequence[str]) -> str:
    r"""What to do so that one file of a folder is not read.

    Args:
        file: the one.
        files: every file of the set.

    Example:
        >>> without_file("fault_log.csv", ["ahu_1.csv", "ahu_2.csv", "fault_log.csv"])
        'type \'data.pattern="ahu_*.csv"\' to leave fault_log.csv out'
    """
    others = [other for other in files if other != file]
    if others and not any("/" in name for name in files):
        first = commonprefix(others)  # noqa: RUF071  # of names, not of paths
        ends = [other[len(first) :][::-1] for other in others]
        last = commonprefix(ends)[::-1]  # noqa: RUF071
        pattern = others[0] if len(others) == 1 else f"{first}*{last}"
        for likely in (pattern, f"[!{file[0]}]{pattern}"):
            if all(fnmatchcase(o, likely) for o in others) and not fnmatchcase(file, likely):
                return f"type {typed_option('data.pattern', likely)} to leave {file} out"
    return f"move {file} to another folder"


def _closest(name: str, header: Sequence[str]) -> list[str]:
    """Columns that may be meant: those that have the name as a part, then those written alike."""
    plain = {column: " ".join(re.findall(r"[^\W_]+", column.lower())) for column in header}
    wanted = " ".join(re.findall(r"[^\W_]+", name.lower()))
    found = [c for c, text in plain.items() if f" {wanted} " in f" {text} "] if wanted else []
    small = get_close_matches(wanted, list(plain.values()), n=len(header) or 1, cutoff=0.6)
    return list(dict.fromkeys([*found, *(c for text in small for c in header if plain[c] == text)]))


def same_channels(
    first: Sequence[str], own: Sequence[str], first_file: str, file: str, files: Sequence[str] = ()
) -> None:
    """Raise SourceError unless two files of a set have the same channels.

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
        both = [name for name in first if name in own]
        typed = f"type {typed_option('data.channels', both)} for those of both files"
        ways = [typed] * bool(both) + [without_file(file, files)]
        raise SourceError(
            f"{file} does not have the same channels as {first_file}: it {' and '.join(told)}; all "
            f"files of a set need the same; {', or '.join(ways)}"
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
    found = _size(max_gap)
    if found is None:
        raise ConfigError(
            not_allowed(
                "data.max_gap",
                max_gap,
                "auto, a duration above zero (s, min, h, d), or for a numeric time column a number",
                "data.max_gap=2h",
            )
        )
    return found


def parse_step(step: object) -> tuple[float, bool] | None:
    """``data.step`` as (size, is a duration), or None for rows as they are.

    Raises:
        ConfigError: neither a duration nor a number above zero.

    Example:
        >>> parse_step("15min"), parse_step(5), parse_step(None)
        ((900.0, True), (5.0, False), None)
    """
    if step is None:
        return None
    found = _size(step)
    if found is None:
        raise ConfigError(
            not_allowed(
                "data.step",
                step,
                "a duration above zero (s, min, h, d), a number for a numeric time column, or null",
                "data.step=15min",
            )
        )
    return found


def _size(value: object) -> tuple[float, bool] | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value), False
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        return None
    return float(match[1]) * _SECONDS[match[2]], True
