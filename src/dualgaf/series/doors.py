"""How an option of a source is typed: ``data.nan=interpolate``, for arrays ``nan="interpolate"``.

The same check serves files, which a command line reads, and arrays, which only Python can give. Its
advice must be in the words of the door that the user came through.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dualgaf.errors import DualGAFError, unknown_choice

FILES, ARRAYS = "data.", ""
"""What an option's name begins with: on the command line, and as a keyword of
`DualGAFDataModule.from_arrays`."""

_VALUE = r"""\[[^\]]*\]|"(?:\\.|[^"\\])*"|[^\s;,)'"]+"""
_TYPED = re.compile(
    rf"""'data\.(?P<q>[\w.]+)=(?P<quoted>[^']*)'|data\.(?P<p>[\w.]+)=(?P<plain>{_VALUE})"""
)
_NAMED = re.compile(r"\bdata\.(?=[a-z])")
_PLACEHOLDER = re.compile(r"\.\.\.|[A-Z][A-Z_]*")
"""What a message has in place of a value that only the reader knows."""


def door_of(source: object) -> str:
    """`ARRAYS` for windows in memory, `FILES` for every other source.

    Example:
        >>> import numpy as np
        >>> from dualgaf import ArraySource, SimulatedSource
        >>> arrays = ArraySource((np.zeros((2, 1, 4)), [0, 1]))
        >>> [door_of(source) for source in (arrays, SimulatedSource())]
        ['', 'data.']
    """
    return str(getattr(source, "door", FILES))


def typed(door: str, option: str, value: object) -> str:
    """An option as it is typed there.

    Args:
        door: `FILES` or `ARRAYS`.
        option: its name, without the door's.
        value: what it is to be.

    Example:
        >>> typed(FILES, "nan", "interpolate"), typed(ARRAYS, "nan", "interpolate")
        ('data.nan=interpolate', 'nan="interpolate"')
    """
    quoted = isinstance(value, str) and door == ARRAYS
    return f'{door}{option}="{value}"' if quoted else f"{door}{option}={value}"


def unknown(door: str, option: str, got: object, allowed: Iterable[str]) -> str:
    r"""`unknown_choice` for an option of a source.

    Example:
        >>> unknown(ARRAYS, "nan", "errors", ["error", "interpolate"])
        'nan=\'errors\' is not known; allowed: error, interpolate; type nan="error"'
    """
    text = unknown_choice(f"{door}{option}", got, allowed)
    head, _, close = text.rpartition("=")
    return text if door == FILES else f'{head}="{close}"'


def in_python(text: str) -> str:
    r"""A message with the options that it tells to type as keywords of Python.

    Args:
        text: options as they are typed on a command line: ``data.NAME=VALUE``, in quotes or not.

    Example:
        >>> print(in_python("type data.label=path, or 'data.exclude=[\"a b\"]' data.step=null"))
        type label="path", or exclude=["a b"] step=None
        >>> print(in_python("data.time_column; type data.split.method=group"))
        time_column; type split={"method": "group"}
    """
    return _NAMED.sub("", _TYPED.sub(_keyword, text))


def _keyword(found: re.Match[str]) -> str:
    import yaml  # a tenth of what a prediction by an .onnx imports, and for messages alone

    name = found["q"] or found["p"]
    written = found["quoted"] if found["q"] else found["plain"]
    value = written if _PLACEHOLDER.fullmatch(written) else _literal(yaml.safe_load(written))
    head, _, inner = name.partition(".")
    return f'{head}={{"{inner}": {value}}}' if inner else f"{head}={value}"


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


@contextmanager
def worded(door: str) -> Iterator[None]:
    """Errors of what is inside, with their advice as it is typed there.

    Args:
        door: `FILES` or `ARRAYS`.

    Example:
        >>> from dualgaf.errors import SplitError
        >>> with worded(ARRAYS):
        ...     raise SplitError("one group; type data.split.method=within")
        Traceback (most recent call last):
        ...
        dualgaf.errors.SplitError: one group; type split={"method": "within"}
    """
    try:
        yield
    except DualGAFError as error:
        if door != ARRAYS or (told := in_python(str(error))) == str(error):
            raise
        raise type(error)(told) from error.__cause__
