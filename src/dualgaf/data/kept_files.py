"""Files of the cache folder that one process writes whole, and any sets aside where damaged."""

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from dualgaf.errors import CacheWarning, HandleError
from dualgaf.store.cache_files import DAMAGE, make_folder, set_aside
from dualgaf.store.lock import locked

_Found = TypeVar("_Found")

UNREADABLE = (*DAMAGE, struct.error)
"""What reading such a file may raise."""


def check_name(found: str, path: Path) -> None:
    """Raise HandleError unless the name that a file says is its own."""
    if found != path.name:
        raise HandleError(f"it is that of {found}")


@contextmanager
def to_be_written(path: Path) -> Iterator[None]:
    """Nobody else writes this file meanwhile.

    Raises:
        OSError: the folder cannot be written.
    """
    make_folder(path.parent)
    with locked(path.with_name(f"{path.name}.lock")):
        yield


def load_or_set_aside(path: Path, load: Callable[[Path], _Found]) -> _Found | None:
    """What a file holds; None where there is none, or where it is damaged and out of the way now.

    Raises:
        OSError: the system refuses.
    """
    try:
        return load(path)
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        if isinstance(error, OSError) and not isinstance(error, HandleError):
            raise  # say too many open files, which does not mean that it is damaged
        warnings.warn(
            f"{path} is damaged ({error}); it is set aside as .bad and written anew",
            CacheWarning,
            stacklevel=3,
        )
        set_aside(path)
        return None
