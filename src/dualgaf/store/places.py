"""Where a store is filled: the first place that takes it, or the cache.

    cache -> shared memory (memfd) -> an anonymous file
             private memory        -> an anonymous file

A place that refuses, or becomes full in the middle, is one warning that says what to change, and
the next one is tried. Rows that are finished in memory move there, the last ones first, and what
they took is freed meanwhile. When all refuse, the error lists each with its reason.
"""

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from dualgaf.errors import CacheWarning, StoreFullError
from dualgaf.store.backing import no_place, open_writer
from dualgaf.store.cache import StoreCache
from dualgaf.store.fingerprint import StoreKey
from dualgaf.store.layout import StoreLayout
from dualgaf.store.store import Store
from dualgaf.store.writer import StoreWriter

Draw = Callable[[StoreWriter], dict[str, Any]]
"""Fills the store of a writer; returns what it measured."""

PLACES = {"memfd": ("memfd", "file"), "file": ("file",), "private": ("private", "file")}
"""Where a store goes, and where it goes when that is refused."""
MOVE_BYTES = 8 << 20
"""Rows that are copied at a time."""


def in_first_place(
    places: tuple[str, ...],
    layout: StoreLayout,
    workers: int,
    draw: Draw,
    refused: tuple[str, ...] = (),
) -> tuple[Store, dict[str, Any]]:
    """Fill a store in the first place that takes it; one that becomes full leads to the next.

    Args:
        places: ``memfd``, ``file``, ``private``, in the order to try.
        layout: rows, shape, type.
        workers: how many fill it.
        draw: fills it.
        refused: why places before these did not take it.

    Returns:
        The sealed store, and what ``draw`` measured.

    Raises:
        StoreFullError: no place took it; the text lists each with its reason.
    """
    left: StoreWriter | None = None
    with ExitStack() as stack:
        while True:
            writer = open_writer(layout, places, workers=workers, refused=refused)
            stack.enter_context(writer)
            places = places[places.index(writer.place) + 1 :]
            try:
                if left is not None:
                    move_rows(left, writer)
                    left.abort()
                report = {"cache": "off", **draw(writer)}
                return writer.seal(), report
            except StoreFullError as error:
                refused = (*writer.refused, f"{writer.place}: {error.strerror or error}")
                if not places:
                    raise no_place(layout, refused) from error
            left = writer


def move_rows(source: StoreWriter, target: StoreWriter) -> None:
    """Copy the finished rows to where the others will be drawn; what they took is freed meanwhile.

    Raises:
        StoreFullError: the target is full.
    """
    step = max(1, MOVE_BYTES // source.layout.row_bytes)
    for start, end in reversed(source.there.spans):
        last = end
        while last > start:
            first = max(start, last - step)
            target.write_rows(first, source.read_rows(first, last))
            source.drop_rows(first)
            last = first
        target.rows_are_there(start, end)


def through_cache(
    cache: StoreCache, key: StoreKey, layout: StoreLayout, workers: int, draw: Draw
) -> tuple[Store, dict[str, Any]]:
    """The entry, found or filled; where the folder refuses, a store elsewhere for this run.

    Args:
        cache: where to look and to keep it.
        key: names the entry.
        layout: rows, shape, type.
        workers: how many fill it, where the cache refuses.
        draw: fills it.

    Returns:
        The sealed store, and what ``draw`` measured; ``cache`` is ``hit`` where it was found.

    Raises:
        StoreFullError: no place took it.
    """
    found = cache.find(key.name, layout)
    if found is not None:
        return found, {"cache": "hit"}
    try:
        with cache.claim(key, layout) as claimed:
            if isinstance(claimed, Store):
                return claimed, {"cache": "hit"}
            report = {"cache": "miss", **draw(claimed)}
            return claimed.seal(), report
    except StoreFullError as error:
        why = error.strerror or str(error)
    warnings.warn(
        f"the images are not kept for later runs: {why}; they go to memory; make room in "
        f"{cache.folder} or allow writing there, or type cache.dir=ANOTHER",
        CacheWarning,
        stacklevel=3,
    )
    try:
        return in_first_place(PLACES["memfd"], layout, workers, draw)
    except StoreFullError as error:
        raise StoreFullError(f"{error}; cache: {why}") from error
