"""`StoreCache`: stores as files in a folder, named by their key, for later runs.

    NAME.store     header and rows, as any store
    NAME.json      manifest: parts of the key, layout, checksums (XXH3) of the rows; written last
    NAME.part      a store that is being built, or whose build was cut off
    NAME.journal   which of its rows are there, see `dualgaf.store.journal`
    NAME.lock      held (a record lock) by the process that builds
    KEY.windows    the windows of a source, see `dualgaf.data.windows_cache`
    *.bad          what was found damaged

1. A valid entry is used without a lock and without writing anything, so a folder that can only be
   read is as good. ``verify="size"`` looks at size, header and manifest; ``"full"`` at every byte.
2. Otherwise one process claims the entry; the others wait. What is there and cannot be used is set
   aside as ``.bad`` with one warning, and built anew. Nothing is changed in place: a published file
   may be mapped by others. An entry of manifest version 2 does not say which store is its own, so
   every byte is looked at, whatever ``verify`` says.
3. A build that was cut off is resumed (`dualgaf.store.cache_writer`).
4. A folder that refuses is a `StoreFullError`; the caller builds elsewhere.
5. Nothing is unpickled. Files are made for their owner only (0600, folders 0700). Only plain files
   of this user, of root or of the folder's owner are read, so that in a folder where others can
   write no image of theirs is used; where everybody can, a warning says so.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dualgaf.errors import (
    CacheWarning,
    ConfigError,
    HandleError,
    StoreFullError,
    unknown_choice,
)
from dualgaf.store.cache_files import make_folder, others_can_write, refusal_of, set_aside
from dualgaf.store.cache_folder import CacheFolder
from dualgaf.store.cache_writer import CacheWriter
from dualgaf.store.fingerprint import StoreKey
from dualgaf.store.layout import StoreLayout
from dualgaf.store.lock import locked
from dualgaf.store.manifest import CacheEntry, EntryPaths, damaged_windows
from dualgaf.store.segments import Segments
from dualgaf.store.store import Store

VERIFY = ("size", "full")


def check_verify(verify: str) -> str:
    """The value, if it is one of `VERIFY`.

    Raises:
        ConfigError: it is not.
    """
    if verify not in VERIFY:
        raise ConfigError(unknown_choice("cache.verify", verify, VERIFY))
    return verify


class StoreCache:
    """A folder of stores. It is made when the first one is built, for its owner only.

    Args:
        folder: where.
        verify: what is looked at before an entry is used: ``size`` (with header and manifest) or
            ``full`` (every byte against its checksum).

    Raises:
        ConfigError: ``verify`` is not known.

    Example:
        >>> StoreCache(Path("no/such/folder")).has("0" * 32)
        False
    """

    def __init__(self, folder: Path, verify: str = "size") -> None:
        self.folder = Path(folder).expanduser()
        self.verify = check_verify(verify)

    def paths(self, name: str) -> EntryPaths:
        """The files of an entry."""
        return EntryPaths(self.folder, name)

    def find(self, name: str, layout: StoreLayout) -> Store | None:
        """Map an entry; None where none can be used. Takes no lock, writes nothing."""
        if others_can_write(self.folder):
            _warn(
                f"everybody can write in cache.dir={self.folder}; images that others put there are "
                f"not used; type chmod go-w {self.folder}"
            )
        try:
            return self._open(name, layout)
        except OSError:
            return None

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name whose size, header and manifest are right."""
        return CacheFolder(self.folder).damage(name, full=False) is None

    @contextmanager
    def claim(self, key: StoreKey, layout: StoreLayout) -> Iterator[Store | CacheWriter]:
        """The entry if it was built meanwhile, or a writer for it; others wait meanwhile.

        Where the block ends without `CacheWriter.seal`, what was written stays for the next build,
        except after a StoreFullError.

        Raises:
            StoreFullError: the folder does not take it.
        """
        with ExitStack() as stack:
            with refusal_of(self.folder):
                make_folder(self.folder)
                stack.enter_context(locked(self.paths(key.name).lock))
                claimed = self._open_or_set_aside(key.name, layout) or CacheWriter.open(
                    self.paths(key.name), key, layout
                )
            if isinstance(claimed, CacheWriter):
                stack.enter_context(_unless_full(claimed))
            yield claimed

    def _open(self, name: str, layout: StoreLayout) -> Store:
        entry = CacheEntry.read(self.paths(name))
        if entry.layout != layout:
            raise HandleError(f"layout {entry.layout}, needed {layout}")
        descriptor, nonce = entry.open(self.paths(name))
        try:
            all_bytes = self.verify == "full" or entry.nonce is None
            bad = entry.damaged_rows(descriptor) if all_bytes else []
        except BaseException:
            os.close(descriptor)
            raise
        if bad:
            os.close(descriptor)
            raise HandleError(damaged_windows(bad))
        segments = Segments((descriptor,), layout.total_bytes)
        return Store.from_segments(layout, "cache", segments, nonce)

    def _open_or_set_aside(self, name: str, layout: StoreLayout) -> Store | None:
        paths = self.paths(name)
        if not os.path.lexists(paths.manifest):
            return None
        try:
            return self._open(name, layout)
        # Anything else, say too many open files, does not mean that the entry is damaged.
        except (HandleError, FileNotFoundError) as error:
            _warn(
                f"cache entry {name} is damaged ({error}); it is set aside as .bad and built anew"
            )
            for path in (paths.store, paths.manifest):
                if os.path.lexists(path):
                    set_aside(path)
            return None


@contextmanager
def _unless_full(writer: CacheWriter) -> Iterator[None]:
    """Keep what was written, unless the disk is full."""
    try:
        yield
    except StoreFullError:
        writer.discard()
        raise
    finally:
        writer.abort()


def _warn(text: str) -> None:
    warnings.warn(text, CacheWarning, stacklevel=4)
