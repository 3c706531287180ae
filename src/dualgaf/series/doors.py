"""How an option of a source is typed: ``data.nan=interpolate``, for arrays ``nan="interpolate"``.

The same check serves files, which a command line reads, and arrays, which only Python can give. Its
advice must be in the words of the door that the user came through.
"""

from collections.abc import Iterable

from dualgaf.errors import unknown_choice

FILES, ARRAYS = "data.", ""
"""What an option's name begins with: on the command line, and as a keyword of
`DualGAFDataModule.from_arrays`."""


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
