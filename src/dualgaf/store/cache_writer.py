"""`CacheWriter`: a store that is being built in the cache, and can be resumed after any kill.

1. Rows go into ``NAME.part``; each range of rows that is finished is a line of ``NAME.journal``.
2. Whatever ends the build, both stay. The next one takes over the rows whose bytes have the
   checksum in the journal, whatever the size of its chunks. Only a full disk removes them.
3. `seal` publishes: sync the rows, rename them, write the manifest, sync and rename it, sync the
   folder, remove the journal. A kill between the two renames leaves a store without a manifest; the
   next build takes that up as well.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from dualgaf.errors import HandleError
from dualgaf.store.cache_files import (
    new_file,
    open_checked,
    refusal_of,
    set_aside,
    sync_folder,
)
from dualgaf.store.fingerprint import StoreKey
from dualgaf.store.journal import Coverage, Journal, JournalHead, RowRange, read_journal
from dualgaf.store.layout import StoreLayout
from dualgaf.store.manifest import CacheEntry, EntryPaths, checked_nonce
from dualgaf.store.segments import Segments
from dualgaf.store.store import Store
from dualgaf.store.writer import SegmentWriter

# Methods without a docstring are documented by StoreWriter.
# ruff: noqa: D102


class CacheWriter(SegmentWriter):
    """Made by `CacheWriter.open`, under the lock of the entry.

    Args:
        paths: files of the entry.
        entry: its key, layout, nonce and the rows that are there.
        segments: the open file, which it owns from now on.
        journal: where finished rows are noted.
    """

    def __init__(
        self,
        paths: EntryPaths,
        entry: CacheEntry,
        segments: Segments,
        journal: Journal,
    ) -> None:
        assert entry.nonce is not None
        super().__init__(entry.layout, "cache", segments, entry.nonce)
        self._paths = paths
        self._entry = entry
        self._ranges = list(entry.ranges)
        self._journal = journal
        self._there = Coverage.of(entry.ranges)

    @classmethod
    def open(cls, paths: EntryPaths, key: StoreKey, layout: StoreLayout) -> Self:
        """Resume what an earlier build has left, or begin.

        Raises:
            OSError: the folder refuses.
        """
        return cls._resume(paths, key, layout) or cls._begin(paths, key, layout)

    @classmethod
    def _resume(cls, paths: EntryPaths, key: StoreKey, layout: StoreLayout) -> Self | None:
        left = paths.part if os.path.lexists(paths.part) else paths.store
        try:
            head, ranges = read_journal(paths.journal)
            descriptor = open_checked(left, os.O_RDWR)
        except (FileNotFoundError, HandleError):
            return None
        try:
            head.check(JournalHead(checked_nonce(descriptor, layout), layout, key.name))
            good = tuple(rows for rows in ranges if rows.is_good(descriptor, layout))
            left.rename(paths.part)
            journal = Journal.go_on(paths.journal)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, HandleError):
                return None
            raise
        segments = Segments((descriptor,), layout.total_bytes)
        return cls(paths, CacheEntry(key, layout, good, head.nonce), segments, journal)

    @classmethod
    def _begin(cls, paths: EntryPaths, key: StoreKey, layout: StoreLayout) -> Self:
        if os.path.lexists(paths.store):
            set_aside(paths.store)  # nothing says what it is
        nonce, segments = secrets.token_bytes(16), None
        try:
            segments = Segments.create(lambda: new_file(paths.part), layout.total_bytes, 1)
            segments.write(layout.header(nonce), 0)
            journal = Journal.begin(paths.journal, JournalHead(nonce, layout, key.name))
        except BaseException:
            if segments is not None:
                segments.close()
            _remove(paths.part, paths.journal)
            raise
        return cls(paths, CacheEntry(key, layout, (), nonce), segments, journal)

    def has_rows(self, first: int, last: int) -> bool:
        return self._there.covers(first, last)

    def rows_are_there(self, first: int, last: int) -> None:
        with refusal_of(self._paths.folder):
            rows = RowRange.of(self._descriptor, self.layout, first, last)
            self._journal.add(rows)
        self._ranges.append(rows)

    def seal(self) -> Store:
        """Publish the entry.

        Raises:
            StoreFullError: the folder does not take it.
        """
        missing = Coverage.of(self._ranges).gaps(self.layout.n_rows)
        assert not missing, f"rows {missing} were never said to be there"
        with refusal_of(self._paths.folder):
            os.fsync(self._descriptor)
            self._paths.part.rename(self._paths.store)
            replace(self._entry, ranges=tuple(self._ranges)).write(self._paths)
        sync_folder(self._paths.folder)
        with suppress(OSError):  # without its store it is replaced by the next build
            self._paths.journal.unlink()
        self._journal.close()
        return super().seal()

    def abort(self) -> None:
        self._journal.close()
        super().abort()

    def discard(self) -> None:
        """Remove what there is of an entry that was not published."""
        self.abort()
        left = [self._paths.part, self._paths.journal]
        if not os.path.lexists(self._paths.manifest):
            left.append(self._paths.store)
        _remove(*left)

    @property
    def _descriptor(self) -> int:
        assert self.segments is not None
        return self.segments.descriptors[0]


def _remove(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
