"""`StoreCache`: stores as files in a folder, named by their fingerprint, for later runs.

    FINGERPRINT.store   header and rows, as any store
    FINGERPRINT.json    manifest: version, layout, bytes, checksum (XXH3) of the rows; written last
    KEY.windows         the windows of a source, see `dualgaf.data.windows_cache`
    FINGERPRINT.lock    held (flock) by the process that builds; freed by the kernel when it ends

1. A store is written as ``.part``, synced, and renamed; then the manifest is. Whatever is killed in
   between, there is either a whole entry or none.
2. An entry that does not fit its manifest is set aside as ``.bad`` and built anew. Nothing is
   changed in place: a published file may be mapped by others.
3. Nothing is unpickled. Files are readable by their owner only.
"""

import fcntl
import json
import mmap
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import xxhash

from dualgaf.errors import CacheWarning, HandleError
from dualgaf.store.layout import FORMAT_VERSION, HEADER_BYTES, StoreLayout
from dualgaf.store.segments import Segments
from dualgaf.store.store import Store
from dualgaf.store.writer import SegmentWriter


@dataclass(frozen=True)
class CacheEntry:
    """One published store."""

    fingerprint: str
    """Its name."""
    layout: StoreLayout
    """Rows, shape, type."""
    checksum: str
    """XXH3 of 64 bits of all rows, in hexadecimal."""


class StoreCache:
    """A folder of stores.

    Args:
        folder: made if it is not there, readable by its owner only.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     len(StoreCache(Path(folder)).entries())
        0
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).expanduser()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the entry's lock; others wait here until it is built."""
        descriptor = os.open(self._path(name, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def find(self, name: str, layout: StoreLayout) -> Store | None:
        """Map an entry; None where there is none, or one that was damaged and is set aside now."""
        if not self._path(name, "json").exists():
            return None
        try:
            entry = self._read(name)
            if entry.layout != layout:
                raise HandleError(f"layout {entry.layout}, needed {layout}")
            return self._map(entry)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._set_aside(name, error)
            return None

    @contextmanager
    def writing(self, name: str, layout: StoreLayout) -> Iterator[SegmentWriter]:
        """A writer for a new entry; `publish` must come inside the block, else it is removed."""
        part = self._path(name, "part")
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            new_file = partial(os.open, part, flags, 0o600)
            with SegmentWriter.begin(layout, "cache", new_file) as writer:
                yield writer
        finally:
            part.unlink(missing_ok=True)

    def publish(self, name: str, writer: SegmentWriter) -> Store:
        """Make a filled store the entry of this name."""
        assert writer.segments is not None
        (descriptor,) = writer.segments.descriptors
        manifest = {
            "format": FORMAT_VERSION,
            "fingerprint": name,
            "layout": writer.layout.to_json(),
            "checksum": _checksum(descriptor),
        }
        os.fsync(descriptor)
        self._path(name, "part").rename(self._path(name, "store"))
        draft = self._path(name, "json.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._path(name, "json"))
        return writer.seal()

    def entries(self) -> list[CacheEntry]:
        """All published entries that can be read, by name."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(self._read(path.stem))
            except (OSError, ValueError, KeyError, TypeError) as error:
                warnings.warn(f"{path} is not a manifest: {error}", CacheWarning, stacklevel=2)
        return found

    def damage(self, entry: CacheEntry) -> str | None:
        """What is wrong with an entry, every byte of it read; None where nothing is."""
        try:
            self._map(entry).close()
            with self._path(entry.fingerprint, "store").open("rb") as file:
                found = _checksum(file.fileno())
        except (OSError, ValueError) as error:
            return str(error)
        return None if found == entry.checksum else f"checksum {found}, written {entry.checksum}"

    def clear(self) -> int:
        """Remove everything that this package put here; returns the bytes that it took."""
        freed = 0
        for suffix in ("store", "json", "lock", "part", "json.part", "bad", "windows", "windows.*"):
            for path in self.folder.glob(f"{'[0-9a-f]' * 32}.{suffix}"):
                freed += path.stat().st_size
                path.unlink()
        return freed

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}.{suffix}"

    def _read(self, name: str) -> CacheEntry:
        manifest = json.loads(self._path(name, "json").read_text())
        if (manifest["format"], manifest["fingerprint"]) != (FORMAT_VERSION, name):
            raise HandleError("the manifest belongs to another store or version")
        return CacheEntry(
            name, StoreLayout.from_json(manifest["layout"]), str(manifest["checksum"])
        )

    def _map(self, entry: CacheEntry) -> Store:
        path = self._path(entry.fingerprint, "store")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            nonce = _checked_nonce(entry, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        segments = Segments((descriptor,), entry.layout.total_bytes)
        return Store.from_segments(entry.layout, "cache", segments, nonce)

    def _set_aside(self, name: str, error: Exception) -> None:
        warnings.warn(
            f"cache entry {name} is damaged ({error}); it is set aside as .bad and built anew",
            CacheWarning,
            stacklevel=4,
        )
        self._path(name, "json").unlink(missing_ok=True)
        if self._path(name, "store").exists():
            self._path(name, "store").rename(self._path(name, "bad"))


def is_cached(folder: Path, name: str) -> bool:
    """Whether a cache has an entry of this name; neither the folder is made nor the entry read."""
    return (folder.expanduser() / f"{name}.json").exists()


def _checked_nonce(entry: CacheEntry, descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    if size != entry.layout.total_bytes:
        raise HandleError(f"{size} bytes, needed {entry.layout.total_bytes}")
    layout, nonce = StoreLayout.from_header(os.pread(descriptor, HEADER_BYTES, 0))
    if layout != entry.layout:
        raise HandleError(f"layout {layout}, needed {entry.layout}")
    return nonce


def _checksum(descriptor: int) -> str:
    """XXH3 of the rows of an open store."""
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as view:
        return xxhash.xxh3_64_hexdigest(view[HEADER_BYTES:])
