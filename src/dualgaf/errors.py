"""Every exception and warning that dualgaf raises.

Each exception also is the built-in that a caller would expect, so ``except ValueError`` keeps
working. A text names what was got, what is allowed and what to type; `unknown_choice` and
`not_allowed` write it.
"""

import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from numbers import Integral, Real

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
_NO_TEXT = frozenset({"null", "true", "false", "nan", "inf"})
"""What Hydra does not take for a text."""


class DualGAFError(Exception):
    """Root of all errors of the package."""


class ConfigError(DualGAFError, ValueError):
    """A setting has a value that is not allowed."""


class SettingTypeError(DualGAFError, TypeError):
    """A setting, or an array, is of a type that is not allowed."""


class OtherDataError(ConfigError):
    """Data are not those that a network was trained with."""


class SeriesError(DualGAFError, ValueError):
    """Series, labels or windows do not have the shape, length or values that are needed."""


class SourceError(DualGAFError, ValueError):
    """A source has a folder, file, column or cell that is missing or cannot be read."""


class NoTableError(SourceError):
    """A workbook has no sheet with a table; beside other files it is left out."""


class SplitError(DualGAFError, ValueError):
    """A split is empty, lacks a class, or shares rows with another split."""


class BudgetError(DualGAFError, MemoryError):
    """What was asked for does not fit into the stated memory, in any place."""


class StoreFullError(DualGAFError, OSError):
    """No place took the bytes of the store; the text lists each place and its reason."""


class SystemRefusedError(DualGAFError, OSError):
    """The system refuses a build something else than room: an open file, a thread, a lock."""


class HandleError(DualGAFError, OSError):
    """A store handle is stale, forged, or belongs to somebody else."""


class CheckpointError(DualGAFError, OSError):
    """A checkpoint cannot be written; the one before is whole."""


class ChunkError(DualGAFError, RuntimeError):
    """A chunk of windows could not be filled; the text names the chunk, its windows and why."""


class DependencyError(DualGAFError, ImportError):
    """A package that dualgaf needs cannot be imported; the text says why and what to type."""


class PoolError(DualGAFError, RuntimeError):
    """The workers of the pool cannot be started or keep dying at start."""


class DualGAFWarning(UserWarning):
    """Root of all warnings of the package."""


class FallbackWarning(DualGAFWarning):
    """Something else is used than was asked for, say a file for memory; says what to change."""


class SeriesWarning(DualGAFWarning):
    """Series, labels or splits are taken in a way that may not be meant; says what to type."""


class CacheWarning(DualGAFWarning):
    """A cache entry was damaged and is built anew."""


def unknown_choice(
    option: str, got: object, allowed: Iterable[object], *, instead: str | None = None
) -> str:
    """Text for a value outside a closed list: what was got, what is allowed, what to type.

    Args:
        option: the option's name as a user types it, e.g. ``"images"`` or ``"--split"``.
        got: the value that was given.
        allowed: the values that are allowed, in the order to show them.
        instead: what to type; made from the closest allowed value when left out.

    Returns:
        One sentence for the error.

    Example:
        >>> unknown_choice("images", "precomputed", ["precompute", "on_device", "auto"])
        "images='precomputed' is not known; allowed: precompute, on_device, auto; type images=precompute"
    """  # noqa: E501
    names = [str(value) for value in allowed]
    close = get_close_matches(str(got), names, n=1, cutoff=0.0)
    between = " " if option.startswith("--") else "="
    typed = instead or f"{option}{between}{close[0] if close else '...'}"
    return f"{option}={got!r} is not known; allowed: {', '.join(names)}; type {typed}"


def not_allowed(option: str, got: object, allowed: str, typed: str) -> str:
    """Text for a value outside what is allowed, where that is no closed list.

    Args:
        option: the option's name as a user types it.
        got: the value that was given.
        allowed: what is allowed, in words.
        typed: what to type instead, the option's name included.

    Example:
        >>> not_allowed("data.noise", -1, "0 and more", "data.noise=1.0")
        'data.noise=-1 is not allowed; allowed: 0 and more; type data.noise=1.0'
    """
    return f"{option}={got!r} is not allowed; allowed: {allowed}; type {typed}"


def check_number(
    option: str, value: object, fits: Callable[[float], bool], allowed: str, typed: float
) -> None:
    """Raise ConfigError unless ``value`` is a number that fits.

    Args:
        option: the option's name as a user types it.
        value: what was given; truth values, texts and None do not count as numbers.
        fits: whether a number is allowed; false for one that is none (NaN).
        allowed: which are, in words.
        typed: what to type instead.

    Raises:
        ConfigError: it is no number, or one that is not allowed.

    Example:
        >>> check_number("model.dropout", 0.2, lambda p: 0 <= p < 1, "0 to below 1", 0.2)
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not fits(float(value)):
        raise ConfigError(not_allowed(option, value, allowed, f"{option}={typed}"))


def check_whole(option: str, value: object, least: int, typed: int) -> None:
    """Raise ConfigError unless ``value`` is a whole number from ``least`` on.

    Args:
        option: the option's name as a user types it.
        value: what was given; NumPy's whole numbers count, truth values do not.
        least: the smallest that is allowed.
        typed: what to type instead.

    Raises:
        ConfigError: it is no whole number, or too small.

    Example:
        >>> check_whole("batch_size", 16, 1, 64)
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        allowed = f"whole numbers from {least} on"
        raise ConfigError(not_allowed(option, value, allowed, f"{option}={typed}"))


def clock_meant(value: object) -> str | None:
    """The time of day that YAML makes a whole number of where it has no quotes, or None.

    Example:
        >>> clock_meant(1320), clock_meant(7), clock_meant("22:00")
        ('22:00', None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 60 <= value < 25 * 60:
        return None
    return f"{value // 60}:{value % 60:02d}"


def typed_option(option: str, value: str | Sequence[str]) -> str:
    r"""An option with a name, or a list of names, as it must be typed in a shell.

    Where a name has blanks, commas, brackets or letters beyond a to z, Hydra needs it in quotes,
    and the shell needs quotes around those.

    Args:
        option: the option's name.
        value: text, or texts.

    Example:
        >>> print(typed_option("data.label_column", "fault"), typed_option("data.root", "AHU (1)"))
        data.label_column=fault 'data.root="AHU (1)"'
        >>> print(typed_option("data.exclude", ["sat", "oat"]), typed_option("data.exclude", ["ä"]))
        data.exclude=[sat,oat] 'data.exclude=["ä"]'
    """
    names = [value] if isinstance(value, str) else list(value)
    plain = all(_PLAIN.fullmatch(name) and name.lower() not in _NO_TEXT for name in names)
    # Hydra: a quote inside has a backslash, and backslashes before a quote are doubled.
    quoted = ['"' + re.sub(r'(\\*)("|$)', _escaped, name) + '"' for name in names]
    listed = ",".join(names if plain else quoted)
    listed = listed if isinstance(value, str) else f"[{listed}]"
    return f"{option}={listed}" if plain else shlex.quote(f"{option}={listed}")


def _escaped(found: re.Match[str]) -> str:
    return found[1] * 2 + ('\\"' if found[2] else "")
