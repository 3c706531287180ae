"""Build a store of dual GAF images. Read this page first: it is the whole path in one screen.

    windows + recipe -> fingerprint -> a live store? -> plan -> writer -> pool -> sealed store

1. The fingerprint names the bytes: equal windows and equal recipe, equal store.
2. A store of that name that is alive in this process is shared, not built again.
3. Otherwise the plan (printed by the caller, before this) says where the bytes go: shared memory,
   an anonymous file, or private memory; `open_writer` takes the next place when one refuses.
4. The pool fills chunks of windows: `Renderer.render` into a small block, the block into the store.
5. The store is sealed: nobody can change it any more; readers map it copy-on-write.
"""

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from dualgaf.imaging.windows import Windows
from dualgaf.machine import MemoryMeter
from dualgaf.plan import BuildPlan
from dualgaf.pool.ladder import FillJob, fill
from dualgaf.store.backing import open_writer
from dualgaf.store.fingerprint import fingerprint
from dualgaf.store.layout import StoreLayout
from dualgaf.store.store import Store

Array = npt.NDArray[Any]

_alive: "weakref.WeakValueDictionary[str, Store]" = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class BuildReport:
    """What a build did; the ``build/*`` keys of metrics.json."""

    seconds: float
    """Wall time of the build, workers' start included; 0 for a hit."""
    windows: int
    """Windows drawn."""
    bytes: int
    """Bytes of the store."""
    peak_bytes: int
    """Largest extra memory while building, the store included."""
    backing: str
    """``memfd``, ``private``, ``file``, or ``none``."""
    backend: str
    """``process``, ``thread``, ``serial``, or ``none``."""
    workers: int
    """Pool workers that filled it."""
    chunk_size: int
    """Windows a task."""
    cache: str
    """``hit`` where a store alive in this process was taken, else ``off``."""


def build_store(
    windows: Windows,
    plan: BuildPlan,
    *,
    bounds: Array | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Store, BuildReport]:
    """Draw all windows by ``plan`` into a sealed store.

    Args:
        windows: the N windows, row n of the store is window n.
        plan: from `dualgaf.plan.make_plan`; its request holds the recipe.
        bounds: (2, C) fitted low and high for ``scaling="train"``.
        progress: called with the number of windows that were just finished.

    Returns:
        The store, (N, *recipe.row_shape(C)), and what the build did.

    Raises:
        StoreFullError: no place took the bytes.
        ChunkError: a chunk could not be filled.
        SeriesError: a window holds a value that cannot be drawn.
    """
    request, recipe = plan.request, plan.request.recipe
    name = fingerprint(
        {"flat": windows.flat, "starts": windows.starts, "bounds": bounds},
        {"recipe": recipe.to_json(), "window_size": windows.window_size},
    )
    found = _alive.get(name)
    if found is not None:
        return found, _report(plan, found, cache="hit")
    layout = StoreLayout(len(windows), recipe.row_shape(request.n_channels), recipe.storage)
    places = {"memfd": ("memfd", "file"), "file": ("file",), "private": ("private",)}[plan.place]
    started = time.perf_counter()
    with open_writer(layout, places) as writer:
        job = FillJob(writer, windows, recipe, bounds, plan.settings, plan.workers, plan.backend)
        with MemoryMeter(writer.allocated_bytes) as meter:
            filled = fill(job, progress)
        store = writer.seal()
    _alive[name] = store
    report = _report(plan, store, cache="off")
    return store, BuildReport(
        **{
            **vars(report),
            "seconds": time.perf_counter() - started,
            "peak_bytes": meter.peak_bytes,
            "backend": filled.backend,
            "workers": filled.workers,
        }
    )


def _report(plan: BuildPlan, store: Store, cache: str) -> BuildReport:
    return BuildReport(
        seconds=0.0,
        windows=len(store.array),
        bytes=store.nbytes,
        peak_bytes=0,
        backing=store.backing,
        backend=plan.backend,
        workers=plan.workers,
        chunk_size=plan.settings.chunk_size,
        cache=cache,
    )
