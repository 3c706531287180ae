"""Where a store is filled: the first place that takes it, or the cache.

    cache -> shared memory (memfd) -> an anonymous file; or private memory, as the plan says

A place that refuses, or becomes full in the middle, is one warning that says what to change, and
the next one is tried. When all refuse, the error lists each with its reason.
"""

import warnings
from collections.abc import Callable
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

PLACES = {"memfd": ("memfd", "file"), "file": ("file",), "private": ("private",)}
"""Where a store goes, and where it goes when that is refused."""


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
    with open_writer(layout, places, workers=workers, refused=refused) as writer:
        below = places[places.index(writer.place) + 1 :]
        try:
            report = {"cache": "off", **draw(writer)}
            return writer.seal(), report
        except StoreFullError as error:
            refused = (*writer.refused, f"{writer.place}: {error.strerror or error}")
            if not below:
                raise no_place(layout, refused) from error
    return in_first_place(below, layout, workers, draw, refused)


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
