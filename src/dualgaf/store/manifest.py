"""`CacheEntry`: what the manifest of a published store says, checked as it is read."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dualgaf.errors import HandleError
from dualgaf.store.cache_files import (
    DAMAGE,
    open_checked,
    read_checked,
    sealed,
    unsealed,
    write_whole,
)
from dualgaf.store.fingerprint import StoreKey
from dualgaf.store.journal import Coverage, RowRange
from dualgaf.store.layout import HEADER_BYTES, StoreLayout

VERSION = 3
"""1 had one checksum for the whole store, and no parts of the key; 2 did not say which store."""
WITHOUT_NONCE = 2
"""Entries of this version are good as well; whether a store is theirs, all its bytes say."""
SHOWN_SPANS = 5


@dataclass(frozen=True)
class EntryPaths:
    """The files of one entry, by what they are."""

    folder: Path
    """The cache."""
    name: str
    """Name of the key."""

    @property
    def store(self) -> Path:
        """Header and rows."""
        return self.folder / f"{self.name}.store"

    @property
    def manifest(self) -> Path:
        """Written last: with it the entry is there."""
        return self.folder / f"{self.name}.json"

    @property
    def part(self) -> Path:
        """The store while it is being built."""
        return self.folder / f"{self.name}.part"

    @property
    def journal(self) -> Path:
        """Which rows of the part are there."""
        return self.folder / f"{self.name}.journal"

    @property
    def lock(self) -> Path:
        """Held by the one that builds."""
        return self.folder / f"{self.name}.lock"


@dataclass(frozen=True)
class CacheEntry:
    """One published store."""

    key: StoreKey
    """What its bytes depend on."""
    layout: StoreLayout
    """Rows, shape, type."""
    ranges: tuple[RowRange, ...]
    """Checksums of its rows; together they cover all."""
    nonce: bytes | None
    """That of the header of its store; None in an entry that an earlier version has written."""

    @classmethod
    def read(cls, paths: EntryPaths) -> Self:
        """The entry of this name.

        Raises:
            FileNotFoundError: there is none.
            HandleError: the manifest is damaged, of another version or of another store.
        """
        text = read_checked(paths.manifest)
        with damage_of(paths.manifest):
            fields = unsealed(text)
            if fields["version"] not in (WITHOUT_NONCE, VERSION):
                raise HandleError(f"it is of another version than {VERSION}")
            nonce = None if fields["version"] == WITHOUT_NONCE else bytes.fromhex(fields["nonce"])
            layout = StoreLayout.from_json(fields["layout"])
            entry = cls(
                StoreKey(dict(fields["parts"])),
                layout,
                tuple(RowRange.from_json(rows, layout.n_rows) for rows in fields["ranges"]),
                nonce,
            )
            if entry.key.name != paths.name:
                raise HandleError(f"it is that of {entry.key.name}")
            return entry

    def write(self, paths: EntryPaths) -> None:
        """Publish it; the store must be there before."""
        assert self.nonce is not None, "entries are not written in the form of an earlier version"
        fields = {
            "version": VERSION,
            "parts": dict(self.key.parts),
            "layout": self.layout.to_json(),
            "ranges": [rows.to_json() for rows in self.ranges],
            "nonce": self.nonce.hex(),
        }
        write_whole(paths.manifest, [sealed(fields)])

    def open(self, paths: EntryPaths) -> tuple[int, bytes]:
        """Descriptor and nonce of the store, whose size and header are right.

        Raises:
            FileNotFoundError: there is no store.
            HandleError: it is not the one of this entry.
        """
        descriptor = open_checked(paths.store)
        try:
            return descriptor, checked_nonce(descriptor, self.layout, self.nonce)
        except BaseException:
            os.close(descriptor)
            raise

    def damaged_rows(self, descriptor: int) -> list[tuple[int, int]]:
        """(first, last) of the rows whose bytes are not those that were written; reads them all."""
        bad = [rows for rows in self.ranges if not rows.is_good(descriptor, self.layout)]
        missing = Coverage.of(self.ranges).gaps(self.layout.n_rows)
        return Coverage([*missing, *((rows.first, rows.last) for rows in bad)]).spans


def damaged_windows(spans: list[tuple[int, int]]) -> str:
    """What is wrong with (first, last) windows, in a few words."""
    shown = ", ".join(f"{first} to {last - 1}" for first, last in spans[:SHOWN_SPANS])
    more = f" and {len(spans) - SHOWN_SPANS} more ranges" if len(spans) > SHOWN_SPANS else ""
    return f"windows {shown}{more} have other bytes than were written"


def key_of(path: Path) -> StoreKey | None:
    """The key in a manifest of any version; None where there is none."""
    try:
        return StoreKey(dict(json.loads(read_checked(path))["parts"]))
    except DAMAGE:
        return None


def checked_nonce(descriptor: int, layout: StoreLayout, wanted: bytes | None = None) -> bytes:
    """The nonce of an open store.

    Raises:
        HandleError: its size or its header is not that of this layout, or its nonce is not the one
            that is wanted.
    """
    size = os.fstat(descriptor).st_size
    if size != layout.total_bytes:
        raise HandleError(f"the store has {size} bytes, needed {layout.total_bytes}")
    found, nonce = StoreLayout.from_header(os.pread(descriptor, HEADER_BYTES, 0))
    if found != layout:
        raise HandleError(f"the store has layout {found}, needed {layout}")
    if wanted not in (None, nonce):
        raise HandleError("the store is not the one that was built for this entry")
    return nonce


@contextmanager
def damage_of(path: Path) -> Iterator[None]:
    """Whatever reading unknown contents raises inside, the file is damaged.

    Raises:
        HandleError: instead, with the name of the file.
    """
    try:
        yield
    except DAMAGE as error:
        why = f"{type(error).__name__} {error}" if isinstance(error, LookupError) else error
        raise HandleError(f"{path.name} cannot be used: {why}") from error
