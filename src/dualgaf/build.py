"""Build a store of dual GAF images. Read this page first: it is the whole path in one screen.

    windows + recipe -> fingerprint -> a live store? -> plan -> writer -> pool -> sealed store

1. The fingerprint names the bytes: equal windows and equal recipe, equal store.
2. A store of that name that is alive on this machine, or in the cache, is shared, not built again.
   Of several processes that want it at once, say the ranks of a training, one builds; the others
   wait for its lock and open what it has built. When it dies, the next one builds.
3. Otherwise the plan (printed by the caller, before this) says where the bytes go: shared memory,
   an anonymous file, private memory, or the cache; `store.places` takes the next place when one
   refuses.
4. The pool fills chunks of windows: `Renderer.render` into a small block, the block into the store.
5. The store is sealed: nobody can change it any more; readers map it copy-on-write.
"""

import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from dualgaf.errors import (
    BudgetError,
    DualGAFError,
    SystemRefusedError,
)
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildPlan
from dualgaf.pool.fill import FillJob, fill
from dualgaf.pool.supervisor import ProcessPool
from dualgaf.store.cache import StoreCache
from dualgaf.store.cache_folder import CacheFolder
from dualgaf.store.fingerprint import StoreKey, content_hash
from dualgaf.store.layout import StoreLayout
from dualgaf.store.live_stores import build_lock, is_held
from dualgaf.store.places import PLACES, in_first_place, through_cache
from dualgaf.store.store import Store
from dualgaf.store.writer import StoreWriter
from dualgaf.system.memory import MemoryMeter
from dualgaf.system.termination import stoppable

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
    """``memfd``, ``private``, ``file``, ``cache``, or ``none``."""
    backend: str
    """``process``, ``thread``, ``serial``, or ``none``."""
    workers: int
    """Pool workers that filled it."""
    chunk_size: int
    """Windows per task."""
    cache: str
    """``hit``: a store alive on this machine or in the cache was taken; ``miss``: built for the
    cache; ``off``: built, and no cache is used."""


def build_store(
    windows: Windows,
    plan: BuildPlan,
    *,
    bounds: Array | None = None,
    key: StoreKey | None = None,
    progress: Callable[[int], None] | None = None,
    pool: ProcessPool | None = None,
    cache_verify: str = "size",
) -> tuple[Store, BuildReport]:
    """Draw all windows by ``plan`` into a sealed store.

    Args:
        windows: the N windows, row n of the store is window n.
        plan: from `dualgaf.plan.make_plan`; its request holds the recipe.
        bounds: (2, C) fitted low and high for ``scaling="train"``.
        key: `store_key` of windows, recipe and bounds, where it is known already.
        progress: called with the number of windows that were just finished.
        pool: warm workers, for many builds in a row; where it is left out, a build by processes
            starts its own and ends them.
        cache_verify: what is looked at before an entry of the cache is used, see `StoreCache`.

    Returns:
        The store, (N, *recipe.row_shape(C)), and what the build did.

    Raises:
        StoreFullError: no place took the bytes.
        ChunkError: a chunk could not be filled.
        SeriesError: a window holds a value that cannot be drawn.
        SystemRefusedError, BudgetError: the system refuses an open file, or memory.
    """
    request, recipe = plan.request, plan.request.recipe
    key = key or store_key(windows, recipe, bounds)
    name = key.name
    layout = StoreLayout(len(windows), recipe.row_shape(request.n_channels), recipe.storage)
    if (alive := _living(name)) is not None:
        return alive, _report(plan, alive, cache="hit")

    with _named(), stoppable() as check, build_lock(name, layout, while_waiting=check) as turn:
        draw = _Draw(windows, plan, bounds, pool, check, progress)
        started = time.perf_counter()
        store = _living(name) or turn.found
        if store is not None:
            measured: dict[str, Any] = {"cache": "hit"}
        elif plan.cache_dir is None:
            store, measured = in_first_place(PLACES[plan.place], layout, plan.workers, draw)
        else:
            cache = StoreCache(plan.cache_dir, cache_verify)
            store, measured = through_cache(cache, key, layout, plan.workers, draw)
        _alive[name] = store
        turn.publish(store)
    seconds = 0.0 if measured["cache"] == "hit" else time.perf_counter() - started
    return store, _report(plan, store, **measured, seconds=seconds)


@dataclass(eq=False)
class _Draw:
    """Fills a store by the plan; called again where the first place became full."""

    windows: Windows
    plan: BuildPlan
    bounds: Array | None
    pool: ProcessPool | None
    check: Callable[[], None]
    progress: Callable[[int], None] | None
    drawn: int = 0
    told: int = 0

    def __call__(self, writer: StoreWriter) -> dict[str, Any]:
        self.drawn = 0
        plan = self.plan
        job = FillJob(
            writer,
            self.windows,
            plan.request.recipe,
            self.bounds,
            plan.settings,
            plan.workers,
            plan.backend,
            self.pool,
        )
        with MemoryMeter(writer.allocated_bytes) as meter:
            filled = fill(job, self._step)
        measured = {"backend": filled.backend, "workers": filled.workers}
        return {**measured, "peak_bytes": meter.peak_bytes}

    def _step(self, rows: int) -> None:
        self.check()
        self.drawn += rows
        # What is drawn again in another place was told before.
        if self.progress is not None and self.drawn > self.told:
            self.progress(self.drawn - self.told)
            self.told = self.drawn


def store_key(
    windows: Windows,
    recipe: ImagingRecipe,
    bounds: Array | None = None,
    values_hash: str | None = None,
) -> StoreKey:
    """What names the store of these images.

    Args:
        windows: the N windows.
        recipe: how they are drawn.
        bounds: (2, C) fitted low and high for ``scaling="train"``.
        values_hash: `content_hash` of ``windows.flat``, which is most of the work, where it is
            known: the windows of all splits lie in one array.
    """
    values = content_hash(windows.flat) if values_hash is None else values_hash
    return StoreKey.of(
        {"values": values, "starts": windows.starts, "bounds": bounds},
        {**recipe.to_json(), "window_size": windows.window_size},
    )


def is_built(key: StoreKey, cache_dir: Path | None) -> bool:
    """Whether `build_store` would find these images, alive on this machine or in the cache."""
    name = key.name
    if _living(name) is not None or is_held(name):
        return True
    return cache_dir is not None and StoreCache(cache_dir).has(name)


def explain_miss(key: StoreKey, cache_dir: Path | None) -> str | None:
    """Why `build_store` would not find these images in the cache, in one sentence; else None."""
    if cache_dir is None or is_built(key, cache_dir):
        return None
    return CacheFolder(cache_dir).explain_miss(key)


@contextmanager
def _named() -> Iterator[None]:
    """What a limit of the system causes deep inside comes out as an error that says what to do."""
    try:
        yield
    except DualGAFError:
        raise
    except OSError as error:
        raise SystemRefusedError(
            error.errno,
            f"the system refuses something that the build needs: {error}; if it is open files, "
            "type ulimit -n 4096; if it is memory or processes, type parallel.n_jobs=1",
        ) from error
    except MemoryError as error:
        raise BudgetError(
            f"memory was refused beside the store: {error}; type parallel.n_jobs=1, "
            "parallel.chunk_size=10 or images=on_device, or lift the limit (ulimit -v)"
        ) from error


def _living(name: str) -> Store | None:
    found = _alive.get(name)
    # one that was closed has no rows any more
    return found if found is not None and len(found.array) else None


def _report(plan: BuildPlan, store: Store, **measured: Any) -> BuildReport:
    planned = {"backend": plan.backend, "workers": plan.workers, "peak_bytes": 0, "seconds": 0.0}
    return BuildReport(
        windows=store.layout.n_rows,
        bytes=store.nbytes,
        backing=store.backing,
        chunk_size=plan.settings.chunk_rows,
        **{**planned, **measured},
    )
