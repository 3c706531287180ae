"""Files of a cache folder: checked before they are read, and written whole or not at all.

What is read must be a plain file of this user, of root, or of the folder's owner (a cache that
somebody prepared for others), and not writable for everybody. Links are never followed. What is
found damaged is renamed, not changed: others may have it mapped.
"""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import xxhash

from dualgaf.errors import HandleError, StoreFullError

DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What reading a file of unknown contents may raise; the last one by JSON that is nested deeply."""

Buffer = bytes | memoryview

_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def make_folder(folder: Path) -> None:
    """Make a folder for its owner only, where it is not there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def others_can_write(folder: Path) -> bool:
    """Whether everybody may add, rename and remove files there; False where there is no folder."""
    with suppress(OSError):
        mode = folder.stat().st_mode
        return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX
    return False


def open_checked(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file that is there.

    Raises:
        FileNotFoundError: it is not.
        HandleError: it is no plain file, or one that others could have put there or can change.
        OSError: the system refuses.
    """
    try:
        descriptor = os.open(path, flags | _SAFE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise HandleError(f"{path.name} is no plain file") from error
        raise
    try:
        _check_owner(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_owner(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise HandleError(f"{path.name} is no plain file")
    if found.st_uid not in (os.geteuid(), 0, path.parent.stat().st_uid):
        raise HandleError(f"{path.name} belongs to user {found.st_uid}")
    if found.st_mode & stat.S_IWOTH:
        raise HandleError(f"everybody can change {path.name}")


def read_checked(path: Path) -> bytes:
    """The bytes of a small file; raises as `open_checked`."""
    with os.fdopen(open_checked(path), "rb") as file:
        return file.read()


def new_file(path: Path) -> int:
    """A new empty file for its owner only, in place of whatever is there.

    Raises:
        OSError: the folder refuses.
    """
    if os.path.lexists(path):
        try:
            path.unlink()
        except IsADirectoryError:
            set_aside(path)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE, 0o600)


def write_whole(path: Path, parts: Iterable[Buffer]) -> None:
    """Write a file so that it is there whole or not at all. The caller keeps other writers away.

    Raises:
        OSError: the folder refuses.
    """
    draft = path.with_name(f"{path.name}.part")
    descriptor = new_file(draft)
    try:
        try:
            for part in parts:
                write_all(descriptor, part)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.rename(path)
    except Exception:
        with suppress(OSError):
            draft.unlink()
        raise


def write_all(descriptor: int, data: Buffer) -> None:
    """Write all bytes, however many the system takes at once."""
    view = memoryview(data).cast("B")
    while len(view):
        view = view[os.write(descriptor, view) :]


def sealed(fields: dict[str, Any]) -> bytes:
    """Plain values as JSON, with a checksum; `unsealed` reads them.

    Example:
        >>> unsealed(sealed({"image_size": 8}))
        {'image_size': 8}
    """
    return json.dumps({**fields, "check": _check(fields)}).encode()


def unsealed(text: bytes) -> dict[str, Any]:
    """The inverse of `sealed`; floats come back to the last bit.

    Raises:
        HandleError: the bytes are not those that were written.
        Whatever is in `DAMAGE`: they are no JSON, or have no checksum.
    """
    fields: dict[str, Any] = json.loads(text)
    if fields.pop("check") != _check(fields):
        raise HandleError("its bytes are not those that were written")
    return fields


def _check(fields: dict[str, Any]) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(fields, sort_keys=True).encode())


def set_aside(path: Path) -> None:
    """Rename what is there to ``.bad``, and leave what was set aside before.

    Raises:
        OSError: the folder refuses.
    """
    number = 0
    while True:
        number += 1
        aside = path.with_name(f"{path.name}{f'.{number}' if number > 1 else ''}.bad")
        if not os.path.lexists(aside):
            path.rename(aside)
            return


def sync_folder(folder: Path) -> None:
    """Have renames survive a power cut, where the file system can promise that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def refusal_of(folder: Path) -> Iterator[None]:
    """Whatever the system refuses inside, this folder does not take the images.

    Raises:
        StoreFullError: instead of any other OSError.
    """
    try:
        yield
    except StoreFullError:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreFullError(
            error.errno or errno.EIO, f"cache.dir={folder} does not take them: {why}"
        ) from error
