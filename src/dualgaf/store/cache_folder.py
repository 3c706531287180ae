"""`CacheFolder`: what is in a cache, and why an entry is not."""

import os
import re
import time
from pathlib import Path

from dualgaf.store.fingerprint import StoreKey
from dualgaf.store.journal import Coverage, read_journal
from dualgaf.store.lock import remove_free_lock
from dualgaf.store.manifest import CacheEntry, EntryPaths, damaged_windows, key_of
from dualgaf.system.machine import format_bytes

_OURS = re.compile(r"[0-9a-f]{32}\.(store|json|part|journal|lock|bad|windows)(\.[0-9a-z]+)*")


class CacheFolder:
    """The files that this package has put into a folder; what else lies there is passed over.

    Args:
        folder: it need not be there.

    Example:
        >>> CacheFolder(Path("no/such/folder")).names()
        []
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder).expanduser()

    def paths(self, name: str) -> EntryPaths:
        """The files of an entry."""
        return EntryPaths(self.folder, name)

    def explain_miss(self, key: StoreKey) -> str:
        """Why an entry has to be built, in one sentence."""
        paths = self.paths(key.name)
        if os.path.lexists(paths.manifest):
            why = self.damage(key.name, full=False) or "it was not good a moment ago"
            return f"cache: the entry of these images, {key.name}, cannot be used: {why}"
        there = self._rows_there(key.name)
        if there is not None and there[0]:
            return (
                f"cache: {there[0]} of {there[1]} windows are there from a build that was cut off; "
                "it goes on from there"
            )
        return f"cache: no entry for these images; {self._nearest(key)}"

    def names(self) -> list[str]:
        """Names of all entries, whether they can be used or not."""
        return sorted(path.stem for path in self._files() if path.suffix == ".json")

    def unfinished(self) -> dict[str, tuple[int, int]]:
        """Windows that are there, and all windows, of each build that is at work or was cut off."""
        names = [path.stem for path in self._files() if path.suffix == ".journal"]
        rows = {name: self._rows_there(name) for name in names if name not in self.names()}
        return {name: there for name, there in rows.items() if there is not None}

    def sizes(self) -> dict[str, int]:
        """Bytes that the folder's files take on the disk, by what they are."""
        found = {"images": 0, "windows": 0, "unfinished": 0, "set aside": 0}
        for path in self._files():
            found[_kind(path)] += _disk_bytes(path)
        return found

    def describe(self, name: str) -> str:
        """Size, age, shape and recipe of an entry, or what is wrong with it."""
        paths = self.paths(name)
        try:
            entry = CacheEntry.read(paths)
            age = _age(time.time() - paths.manifest.lstat().st_mtime)
        except OSError as error:
            return f"damaged: {error.strerror or error}"
        layout = entry.layout
        shape = " x ".join(map(str, (layout.n_rows, *layout.row_shape)))
        size = format_bytes(layout.total_bytes)
        return f"{size:>10}  {age:>10} old  {shape} {layout.dtype}  {entry.key.settings}"

    def damage(self, name: str, full: bool = True) -> str | None:
        """What is wrong with an entry; None where nothing is.

        Args:
            name: of the entry.
            full: read every byte, and name the windows that are damaged.
        """
        paths = self.paths(name)
        try:
            entry = CacheEntry.read(paths)
            descriptor, _ = entry.open(paths)
            try:
                bad = entry.damaged_rows(descriptor) if full else []
            finally:
                os.close(descriptor)
        except OSError as error:
            return error.strerror or str(error)
        return damaged_windows(bad) if bad else None

    def clear(self) -> tuple[int, list[Path]]:
        """Remove everything that this package put here, but what is being built now.

        Returns:
            The bytes that this freed, and the files that are left.
        """
        for path in self._files():
            if path.suffix == ".lock":
                remove_free_lock(path)
        files = self._files()
        locked_names = {path.name[:32] for path in files if path.suffix == ".lock"}
        freed, left = 0, []
        for path in files:
            size = _disk_bytes(path)
            try:
                if path.name[:32] not in locked_names:
                    path.unlink()
                    freed += size
                    continue
            except OSError:
                pass
            left.append(path)
        return freed, left

    def _files(self) -> list[Path]:
        try:
            found = sorted(self.folder.iterdir())
        except OSError:
            return []
        return [path for path in found if _OURS.fullmatch(path.name)]

    def _rows_there(self, name: str) -> tuple[int, int] | None:
        try:
            head, ranges = read_journal(self.paths(name).journal)
        except OSError:
            return None
        return Coverage.of(ranges).n_rows, head.layout.n_rows

    def _nearest(self, key: StoreKey) -> str:
        known = [
            (key.equal_parts(found), path.lstat().st_mtime, path.stem, found)
            for path in (self.paths(name).manifest for name in self.names())
            if (found := key_of(path)) is not None
        ]
        if not known:
            return "the cache is empty"
        *_, name, found = max(known, key=lambda entry: entry[:2])
        *others, last = key.changes(found)
        return f"the nearest one, {name}, has " + " and ".join(
            [", ".join(others), last] if others else [last]
        )


def _age(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"


def _kind(path: Path) -> str:
    if path.suffix == ".bad":
        return "set aside"
    if ".windows" in path.name:
        return "windows"
    return "images" if path.suffix in (".store", ".json") else "unfinished"


def _disk_bytes(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512  # a part is sparse
    except OSError:
        return 0
