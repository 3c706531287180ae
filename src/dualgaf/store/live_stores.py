"""`LiveStores`: where the processes of one user on one machine find each other's stores.

    FINGERPRINT.NODE.lock         held by the one that builds; the others wait for it
    FINGERPRINT.NODE.PID.handle   a process that has the store, and how to open it there (JSON)

Whoever comes first builds and leaves a handle; who comes later opens the same memory and leaves a
handle of its own, so the store is found as long as anybody has it. When a builder dies, the kernel
frees its lock and the next one builds. Nothing depends on ranks, names, folders or times of a run.
NODE tells machines, boots and containers apart whose temporary folder is the same.

The folder is ``$XDG_RUNTIME_DIR/dualgaf``, else ``dualgaf-UID`` in the temporary folder. It must be
a folder of this user that nobody else can enter; a link or a folder of another is not used. What a
handle says is checked before anything is opened (`dualgaf.store.handle`).
"""

import json
import logging
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import xxhash

from dualgaf.errors import FallbackWarning, HandleError
from dualgaf.store.cache_files import DAMAGE
from dualgaf.store.handle import StoreHandle, node_identity
from dualgaf.store.layout import StoreLayout
from dualgaf.store.lock import is_locked, locked, remove_free_lock
from dualgaf.store.store import Store, attach

MAX_HANDLE_BYTES = 64 << 10
SILENT_S = 2.0
"""A process that waits longer for another one says so."""

log = logging.getLogger(__name__)


class LiveStores:
    """The folder of this user on this machine.

    Args:
        folder: another one, for tests; `usual_folder` when left out.

    Raises:
        HandleError: the folder is not this user's own.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     place = LiveStores(Path(folder) / "mine")
        ...     with place.locked("0" * 32):
        ...         place.find("0" * 32, StoreLayout(1, (2,), "uint8")) is None
        True
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or usual_folder()
        with suppress(FileExistsError):
            self.folder.mkdir(mode=0o700)
        check_owner(self.folder)
        self._node = xxhash.xxh3_64_hexdigest(repr(node_identity()).encode())

    @contextmanager
    def locked(self, name: str, while_waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the lock of this store; see `dualgaf.store.lock.locked`."""
        with locked(self.folder / f"{name}.{self._node}.lock", while_waiting):
            yield

    def find(self, name: str, layout: StoreLayout) -> Store | None:
        """The store of this name, from whoever holds it; handles of the dead are removed."""
        for path in self._handles(name):
            try:
                handle = _read(path)
                if handle.layout != layout:
                    raise HandleError(f"layout {handle.layout}, needed {layout}")
                return attach(handle)
            except DAMAGE:
                with suppress(OSError):
                    path.unlink()
        return None

    def is_held(self, name: str) -> bool:
        """Whether a living process says that it has this store, or is building it."""
        lock = self.folder / f"{name}.{self._node}.lock"
        return is_locked(lock) or any(_is_alive(path) for path in self._handles(name))

    def publish(self, name: str, store: Store) -> None:
        """Leave a handle, until the store is closed; nothing for one in private memory."""
        try:
            handle = store.handle
        except HandleError:
            return
        self._sweep()
        path = self.folder / f"{name}.{self._node}.{os.getpid()}.handle"
        draft = path.with_suffix(".draft")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
                json.dump(handle.to_json(), file)
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)
        store.when_closed(_withdraw, path, os.getpid())

    def _handles(self, name: str) -> list[Path]:
        return sorted(self.folder.glob(f"{name}.{self._node}.*.handle"))

    def _sweep(self) -> None:
        """Remove what processes that were killed could not take back."""
        for path in (*self._handles("*"), *self.folder.glob(f"*.{self._node}.*.draft")):
            if not _is_alive(path):
                path.unlink(missing_ok=True)
        for path in self.folder.glob(f"*.{self._node}.lock"):
            remove_free_lock(path)


@dataclass(frozen=True, eq=False)
class BuildLock:
    """This process' turn to have a store: all others of this machine wait."""

    found: Store | None
    """The store, where a process of this machine has it."""
    publish: Callable[[Store], None]
    """Leaves a handle for those who come later."""


@contextmanager
def build_lock(
    name: str, layout: StoreLayout, while_waiting: Callable[[], None]
) -> Iterator[BuildLock]:
    """Wait until no other process of this machine builds this store, then keep others waiting.

    Where there can be no such folder it is this process' turn at once, with one warning, and what
    it builds is its own.

    Args:
        name: fingerprint of the store.
        layout: what it must have.
        while_waiting: called again and again meanwhile; may raise to give up.

    Raises:
        Whatever ``while_waiting`` raises. That there is no lock to be had is a warning.

    Example:
        >>> with build_lock("0" * 32, StoreLayout(1, (2,), "uint8"), lambda: None) as turn:
        ...     turn.found is None
        True
    """
    with ExitStack() as stack:
        place = None
        try:
            place = LiveStores()
            stack.enter_context(place.locked(name, _say_once_that_it_waits(while_waiting)))
        except OSError as error:
            place = None
            _warn(error)
        found = place.find(name, layout) if place is not None else None

        def publish(store: Store) -> None:
            if place is None:
                return
            try:
                place.publish(name, store)
            except OSError as error:
                _warn(error)

        yield BuildLock(found, publish)


def is_held(name: str) -> bool:
    """Whether a living process of this machine says that it has this store, or builds it."""
    with suppress(OSError):
        return LiveStores().is_held(name)
    return False


def _say_once_that_it_waits(while_waiting: Callable[[], None]) -> Callable[[], None]:
    started, said = time.monotonic(), False

    def wait() -> None:
        nonlocal said
        while_waiting()
        if not said and time.monotonic() > started + SILENT_S:
            said = True
            log.info("another process of this machine builds these images; waiting for it")

    return wait


def _warn(error: OSError) -> None:
    warnings.warn(
        f"processes of this machine cannot share their images: {error}; each keeps a copy of its "
        "own; set XDG_RUNTIME_DIR or TMPDIR to a folder of yours",
        FallbackWarning,
        stacklevel=4,
    )


def usual_folder() -> Path:
    """``$XDG_RUNTIME_DIR/dualgaf``, else ``dualgaf-UID`` in the temporary folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "dualgaf"
    return Path(tempfile.gettempdir()) / f"dualgaf-{os.getuid()}"


def check_owner(folder: Path) -> None:
    """Refuse a folder that others own, can enter, or have put a link in place of.

    Raises:
        HandleError: with what was found and what to type.
    """
    found, above = folder.lstat(), folder.parent.stat()
    if not stat.S_ISDIR(found.st_mode):
        wrong = "is a link or a file"
    elif found.st_uid != os.getuid():
        wrong = f"belongs to user {found.st_uid}, not to {os.getuid()}"
    elif stat.S_IMODE(found.st_mode) & 0o077:
        wrong = f"is open to others (mode {stat.S_IMODE(found.st_mode):o}); type chmod 700 {folder}"
    elif above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX:
        wrong = "lies in a folder where others can rename it"
    else:
        return
    raise HandleError(f"{folder} {wrong}")


def _read(path: Path) -> StoreHandle:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        return StoreHandle.from_json(json.loads(file.read(MAX_HANDLE_BYTES)))


def _withdraw(path: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked child closes its copy, too
        with suppress(OSError):
            path.unlink()


def _is_alive(path: Path) -> bool:
    """Whether the process that left a handle is there; `attach` asks whether it is the same one."""
    return Path("/proc", path.name.split(".")[2]).is_dir()
