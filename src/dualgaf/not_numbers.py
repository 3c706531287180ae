"""What is said of an array that holds something else than numbers, and what to type instead.

Texts may be numbers, times never are: a channel is what was measured.
"""

import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
"""A Timestamp and a Timedelta of pandas are among them."""
SECOND = "np.timedelta64(1, 's')"
MANY = 20
"""Channels that a message names."""


class Wrong(NamedTuple):
    """What is wrong with an array."""

    told: str
    """What it holds, and what is allowed."""
    how: str
    """What to do."""
    is_text: bool = False
    """Whether all of it is numbers as text, which are read by a cast to float."""


def wrong_with(array: Array, name: str, given: Any, cells: Array | None = None) -> Wrong:
    """What is wrong with an array that is none of numbers.

    Args:
        array: (..., channels, steps), or one channel; not of a number's type.
        name: how it is called in what is to be typed.
        given: what was given, as the user has it: an array has ``astype``, a list has not.
        cells: where it holds what is no number and not missing; asked of an array of objects.

    Example:
        >>> texts = np.array(["1.5", "2"])
        >>> print(*wrong_with(texts, "x", texts)[:2], sep="; ")
        holds numbers as text, '1.5' for one; allowed: numbers; to read them type x.astype(float)
    """
    kind = array.dtype.kind
    if kind in "Mm":
        told = f"holds times ({array.dtype}); allowed: numbers, what was measured then"
        seconds = name if kind == "m" else f"({name} - {name}.min())"
        return Wrong(told, f"for seconds type {seconds} / {SECOND}")
    if kind == "c":
        told = f"holds complex numbers ({array.dtype}); allowed: real ones"
        return Wrong(told, f"type np.real({name}) or np.abs({name})")
    if cells is None:
        cells = np.ones(array.shape, dtype=bool)
    values = array[cells].tolist() if kind != "O" else list(array[cells])
    time = next((value for value in values if is_time(value)), None)
    if time is not None:
        told = f"holds times, {time} for one; allowed: numbers, what was measured then"
        return Wrong(told, _without(array, cells, name))
    if not all(isinstance(value, str | bytes) for value in values):
        value = next(value for value in values if not isinstance(value, str | bytes))
        told = f"holds {_shown(value)}, which is no number; allowed: numbers or None"
        return Wrong(told, _without(array, cells, name))
    strays = cells.copy()
    strays[cells] = [not _is_number(value) for value in values]
    cast = f"{name}.astype(float)" if hasattr(given, "astype") else f"np.asarray({name}, float)"
    if not strays.any():
        told = f"holds numbers as text, {_shown(values[0])} for one; allowed: numbers"
        return Wrong(told, f"to read them type {cast}", is_text=True)
    stray = next(value for value in values if not _is_number(value))
    told = f"holds the text {_shown(stray)}, which is no number; allowed: numbers"
    commas = isinstance(stray, str) and all(_is_number(str(v).replace(",", ".")) for v in values)
    if commas and kind == "U":
        return Wrong(told, f"to read them type np.char.replace({name}, ',', '.').astype(float)")
    return Wrong(told, _without(array, strays, name))


def is_time(value: Any) -> bool:
    """Whether a value is a date, a time of day, a point of time or a span of it.

    Example:
        >>> is_time(np.datetime64("2024-05-01")), is_time("2024-05-01")
        (True, False)
    """
    return isinstance(value, TIMES)


def _shown(value: Any) -> str:
    return repr(str(value) if isinstance(value, str) else value)[:60]


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _without(array: Array, cells: Array, name: str) -> str:
    """How to leave out the channels that hold such cells, where others are left."""
    if array.ndim < 2:
        return "leave it out"
    axis = array.ndim - 2
    others = tuple(other for other in range(array.ndim) if other != axis)
    bad = np.flatnonzero(cells.any(axis=others)).tolist()
    if len(bad) == array.shape[axis] or len(bad) > MANY:
        return "leave such channels out"
    left = f"np.delete({name}, {bad}, axis={axis}).astype(float)"
    return f"to leave such channels out type {left}"
