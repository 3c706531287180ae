"""`Journal`: which rows of a store that is being built are there, with checksums of their bytes.

    {"version": 2, "nonce": "...", "layout": {...}, "name": "..."} CHECK
    [0, 100, "CHECKSUM"] CHECK
    [200, 300, "CHECKSUM"] CHECK

A line is added when its rows are written, and never changed. Each ends with the XXH3 of its text:
one that was torn by a kill, or damaged, is passed over. What a line says counts only if the bytes
of its rows have that checksum, so nothing depends on the order in which the system writes to disk.
"""

import json
import os
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import xxhash

from dualgaf.errors import HandleError
from dualgaf.store.cache_files import DAMAGE, new_file, open_checked, read_checked, write_all
from dualgaf.store.layout import StoreLayout

VERSION = 2
"""1 did not say of which entry the rows are."""
BLOCK_BYTES = 1 << 20
"""Read at once for a checksum: stays in the cache of a core."""


@dataclass(frozen=True)
class RowRange:
    """Rows that are there."""

    first: int
    """The first of them."""
    last: int
    """The one after the last of them."""
    checksum: str
    """XXH3 of 64 bits of their bytes, in hexadecimal."""

    @classmethod
    def of(cls, descriptor: int, layout: StoreLayout, first: int, last: int) -> Self:
        """Rows first..last-1 as they are in an open store.

        Raises:
            OSError: they cannot be read, or the file ends before.
        """
        return cls(first, last, _checksum(descriptor, layout.offset(first), layout.offset(last)))

    @classmethod
    def from_json(cls, fields: Any, n_rows: int) -> Self:
        """The inverse of `to_json`.

        Raises:
            ValueError, TypeError: these are not rows of a store of ``n_rows``.
        """
        first, last, checksum = fields
        if type(first) is not int or type(last) is not int or type(checksum) is not str:
            raise TypeError(f"{fields} are not rows")
        if not 0 <= first < last <= n_rows:
            raise ValueError(f"rows {first} to {last - 1} of {n_rows}")
        return cls(first, last, checksum)

    def to_json(self) -> list[Any]:
        """As plain values."""
        return [self.first, self.last, self.checksum]

    def is_good(self, descriptor: int, layout: StoreLayout) -> bool:
        """Whether an open store has these bytes; reads them."""
        return self.of(descriptor, layout, self.first, self.last) == self


class Coverage:
    """Which rows some ranges cover together.

    Example:
        >>> there = Coverage([(4, 6), (0, 3), (2, 4)])
        >>> there.spans, there.n_rows, there.covers(1, 6), there.covers(5, 7)
        ([(0, 6)], 6, True, False)
    """

    def __init__(self, bounds: Iterable[tuple[int, int]]) -> None:
        self.spans: list[tuple[int, int]] = []
        """(first, last) of each run of rows, in order, none touching the next."""
        for first, last in sorted(bounds):
            if self.spans and first <= self.spans[-1][1]:
                self.spans[-1] = (self.spans[-1][0], max(last, self.spans[-1][1]))
            else:
                self.spans.append((first, last))

    @property
    def n_rows(self) -> int:
        """Rows that are covered."""
        return sum(last - first for first, last in self.spans)

    def covers(self, first: int, last: int) -> bool:
        """Whether all of rows first..last-1 are."""
        at = bisect_right(self.spans, first, key=lambda span: span[0]) - 1
        return at >= 0 and last <= self.spans[at][1]

    def gaps(self, n_rows: int) -> list[tuple[int, int]]:
        """(first, last) of the rows of ``n_rows`` that are not covered."""
        edges = [0, *(row for span in self.spans for row in span), n_rows]
        return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]

    @classmethod
    def of(cls, ranges: Iterable[RowRange]) -> Self:
        """What these ranges cover."""
        return cls((rows.first, rows.last) for rows in ranges)


@dataclass(frozen=True)
class JournalHead:
    """Which file a journal belongs to."""

    nonce: bytes
    """That of the header of the store."""
    layout: StoreLayout
    """Rows, shape, type."""
    name: str
    """Name of the entry, of whose key the rows are."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "version": VERSION,
            "nonce": self.nonce.hex(),
            "layout": self.layout.to_json(),
            "name": self.name,
        }

    def check(self, store: "JournalHead") -> None:
        """Raise HandleError unless the journal is that of this store."""
        if self != store:
            raise HandleError("the journal belongs to another store")


class Journal:
    """An open journal, to add to.

    Example:
        >>> import tempfile
        >>> layout = StoreLayout(4, (2,), "uint8")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "x.journal"
        ...     journal = Journal.begin(path, JournalHead(bytes(16), layout, "0" * 32))
        ...     journal.add(RowRange(0, 2, "0" * 16))
        ...     journal.close()
        ...     read_journal(path)[1]
        [RowRange(first=0, last=2, checksum='0000000000000000')]
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def begin(cls, path: Path, head: JournalHead) -> Self:
        """A new journal in place of whatever is there.

        Raises:
            OSError: the folder refuses.
        """
        journal = cls(new_file(path))
        try:
            journal._write(head.to_json())
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def go_on(cls, path: Path) -> Self:
        """One that is there, to be added to.

        Raises:
            OSError: it cannot be opened or written.
        """
        journal = cls(open_checked(path, os.O_WRONLY | os.O_APPEND))
        try:
            journal._write(None)  # ends a torn line
        except BaseException:
            journal.close()
            raise
        return journal

    def add(self, rows: RowRange) -> None:
        """Say that these rows are there.

        Raises:
            OSError: the disk is full.
        """
        self._write(rows.to_json())

    def close(self) -> None:
        """May come twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self, fields: Any) -> None:
        assert self._descriptor is not None
        text = json.dumps(fields).encode()
        line = b"" if fields is None else b"%s %s" % (text, _check(text))
        write_all(self._descriptor, line + b"\n")


def read_journal(path: Path) -> tuple[JournalHead, list[RowRange]]:
    """The head and the good lines of a journal.

    Raises:
        FileNotFoundError: there is none.
        HandleError: it has no good head of this version, or cannot be trusted.
        OSError: it cannot be read.
    """
    head, *lines = read_checked(path).split(b"\n")
    try:
        fields = _parsed(head)
        if fields["version"] != VERSION:
            raise HandleError(f"a journal of version {fields['version']}")
        layout = StoreLayout.from_json(fields["layout"])
        found = JournalHead(bytes.fromhex(fields["nonce"]), layout, str(fields["name"]))
    except DAMAGE as error:
        raise HandleError(f"the journal has no head: {error}") from error
    ranges = []
    for line in lines:
        try:
            ranges.append(RowRange.from_json(_parsed(line), layout.n_rows))
        except DAMAGE:
            continue
    return found, ranges


def _parsed(line: bytes) -> Any:
    text, _, check = line.rpartition(b" ")
    if check != _check(text):
        raise ValueError("a torn line")
    return json.loads(text)


def _check(text: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(text).encode()


def _checksum(descriptor: int, start: int, end: int) -> str:
    """Read, not mapped: a file that somebody cuts off meanwhile is an error and no SIGBUS."""
    digest, block = xxhash.xxh3_64(), memoryview(bytearray(min(BLOCK_BYTES, end - start)))
    while start < end:
        size = os.preadv(descriptor, [block[: end - start]], start)
        if not size:
            raise HandleError(f"the store ends at byte {start}, {end} are needed")
        digest.update(block[:size])
        start += size
    return digest.hexdigest()
