"""Settings as plain values, whatever they came as: the one door before they are kept.

A checkpoint is read with ``weights_only=True``, which takes no number of NumPy, no array, no enum:
a setting that came as one of these would make a file that cannot be read after the whole training.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def plain(value: Any) -> Any:
    """A setting as None, a truth value, a number, a text, or lists, tuples and dicts of these.

    Args:
        value: numbers and texts of NumPy, arrays, tensors, columns of a frame and enums become what
            Python has for them; what is none of these, say a module, stays as it is.

    Example:
        >>> plain({"rate": np.float64(0.1), "names": np.array(["run", "walk"]), "n": np.int64(2)})
        {'rate': 0.1, 'names': ['run', 'walk'], 'n': 2}
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | bytes):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        items = map(plain, value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    for name in ("tolist", "to_list"):  # arrays and tensors; columns of polars
        if callable(getattr(type(value), name, None)):
            return plain(getattr(value, name)())
    return value


def plain_settings(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a constructor: its arguments are `plain` before it sees them."""

    @wraps(function)
    def converted(*args: P.args, **kwargs: P.kwargs) -> R:
        named = {name: plain(value) for name, value in kwargs.items()}
        return function(*map(plain, args), **named)

    # Lightning asks for the arguments in a way that does not look behind a decorator.
    converted.__signature__ = signature(function)  # type: ignore[attr-defined]
    return converted
