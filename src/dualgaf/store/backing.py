"""Where the bytes of a store come from, and which place is tried next.

* ``memfd``: anonymous shared memory. It has no name, so nothing can be left behind; it is gone when
  the last process that holds it is gone, also after kill -9; /dev/shm's size does not bound it.
* ``file``: a file without a name (O_TMPFILE, else created and unlinked at once): as free of
  leftovers, and its pages can be written back, so it is the answer to "memory is short".
* ``private``: memory of this process, for builds that no other process reads.

`open_writer` tries the places in their order. A refusal is one warning that says what to change;
when all refuse, the error lists every place with its reason.
"""

import errno
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from dualgaf.errors import ConfigError, FallbackWarning, StoreFullError, unknown_choice
from dualgaf.store.layout import StoreLayout
from dualgaf.store.segments import segment_count
from dualgaf.store.writer import PrivateWriter, SegmentWriter, StoreWriter, memory_reserve
from dualgaf.system.machine import disk_free, format_bytes, is_in_memory, memory_headroom

MEMFD_NAME = "dualgaf-store"

_MEMFD_REFUSED = "allow memfd_create in the container's seccomp profile, or type parallel.shm=false"

_ADVICE = {
    "memfd": "free memory, choose storage=uint8, layout=packed or a smaller image_size, or "
    "images=on_device",
    "file": "set TMPDIR to a folder with more room, or use images=on_device",
    "private": "free memory, or use images=on_device",
}


def open_writer(
    layout: StoreLayout,
    places: Sequence[str],
    folder: Path | None = None,
    workers: int = 1,
    refused: Sequence[str] = (),
) -> StoreWriter:
    """A writer for a new store in the first place that has room for it.

    Args:
        layout: rows, shape, type.
        places: ``memfd``, ``file``, ``private``, in the order to try.
        folder: where anonymous files go; `disk_folder` when left out.
        workers: how many will fill it; a large store gets a file for each.
        refused: why places before these did not take it, for the warning and the error.

    Returns:
        The writer; use it in a ``with`` block, which frees an unsealed store.

    Raises:
        ConfigError: a place is not known.
        StoreFullError: no place has room; the text lists each with its reason.
    """
    files = segment_count(layout.total_bytes, workers)
    openers: dict[str, Callable[[], StoreWriter]] = {
        "memfd": lambda: _open_memfd(layout, files),
        "file": lambda: _open_file(layout, folder or disk_folder(), files),
        "private": lambda: _open_private(layout),
    }
    for place in places:
        if place not in openers:
            raise ConfigError(unknown_choice("place", place, openers))
    refusals = list(refused)
    for place in places:
        try:
            writer = openers[place]()
        except OSError as error:
            refusals.append(f"{place}: {_reason(error)} ({_advice(place, error)})")
            continue
        if refusals:
            warnings.warn(
                f"the images go to {_WORDS[place]} instead of memory; " + "; ".join(refusals),
                FallbackWarning,
                stacklevel=2,
            )
        writer.refused = tuple(refusals)
        return writer
    raise no_place(layout, refusals)


def no_place(layout: StoreLayout, refused: Sequence[str]) -> StoreFullError:
    """The error that lists each place with its reason."""
    size = format_bytes(layout.total_bytes)
    return StoreFullError(f"no place for a store of {size}: {'; '.join(refused)}")


_WORDS = {"memfd": "shared memory", "file": "an anonymous disk file", "private": "private memory"}


def _open_memfd(layout: StoreLayout, files: int) -> StoreWriter:
    _check_memory(layout)
    if not hasattr(os, "memfd_create"):
        raise StoreFullError(errno.ENOSYS, "this system has no memfd_create")
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    return SegmentWriter.begin(layout, "memfd", lambda: os.memfd_create(MEMFD_NAME, flags), files)


def _open_file(layout: StoreLayout, folder: Path, files: int) -> StoreWriter:
    free = disk_free(folder)
    if free < layout.total_bytes:
        raise StoreFullError(f"{folder} has {format_bytes(free)} free")
    if is_in_memory(folder):
        _check_memory(layout)
    return SegmentWriter.begin(layout, "file", lambda: anonymous_file(folder), files)


def _open_private(layout: StoreLayout) -> StoreWriter:
    _check_memory(layout)
    return PrivateWriter(layout)


def anonymous_file(folder: Path) -> int:
    """A descriptor of an empty file without a name, readable by this user only.

    Raises:
        OSError: the folder refuses it.
    """
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError:
            pass  # overlay and network file systems may lack it; a real refusal comes again below
    descriptor, path = tempfile.mkstemp(prefix="dualgaf-", dir=folder)
    Path(path).unlink()
    return descriptor


def disk_folder() -> Path:
    """Where anonymous files go: the temporary folder, or /var/tmp where that is kept in memory."""
    usual, disk = Path(tempfile.gettempdir()), Path("/var/tmp")
    return disk if is_in_memory(usual) and disk.is_dir() else usual


def _check_memory(layout: StoreLayout) -> None:
    headroom = memory_headroom()
    reserve = memory_reserve()
    if layout.total_bytes + reserve > headroom.bytes:
        raise StoreFullError(
            f"{format_bytes(headroom.bytes)} of memory are left ({headroom.limited_by}), of which "
            f"{format_bytes(reserve)} stay in reserve, and the store takes "
            f"{format_bytes(layout.total_bytes)}"
        )


def _advice(place: str, error: OSError) -> str:
    refused = place == "memfd" and error.errno in (errno.ENOSYS, errno.EPERM, errno.EACCES)
    return _MEMFD_REFUSED if refused else _ADVICE[place]


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
