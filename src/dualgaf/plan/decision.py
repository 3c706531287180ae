"""`make_plan`: the decisions; `BuildPlan`: their result, and how it is printed."""

from dataclasses import dataclass, replace
from pathlib import Path

from dualgaf.errors import BudgetError, ConfigError
from dualgaf.plan.budget import Budget, MemoryLeft, memory_left
from dualgaf.plan.placement import IsBuilt, Placement, first_with_room, more_room, reasons_of
from dualgaf.plan.preset import HardwarePreset
from dualgaf.plan.request import BuildRequest
from dualgaf.plan.training_room import check_training, parts_of, reasons_of_training
from dualgaf.pool.calibration import Drawing, auto_chunk_rows, measure_window_s
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import format_bytes

UNMEASURED_CHUNK = 100
"""Windows per task of ``chunk_size=auto`` where the images are there already. It counts only if
they turn out to be damaged."""

_PLACES = {
    "memfd": "shared memory (memfd)",
    "file": "an anonymous disk file",
    "private": "private memory of this process",
    "cache": "the cache",
    "none": "none: the images are drawn per batch on the device",
}


@dataclass(frozen=True)
class BuildPlan:
    """The decisions, from `make_plan`; ``print(plan)`` shows them with their reasons.

    Example:
        >>> from dualgaf.imaging.recipe import ImagingRecipe
        >>> request = BuildRequest(100, 3, 48, ImagingRecipe(48), images="on_device")
        >>> plan = make_plan(request, HardwarePreset.named("8gb"), PoolSettings())
        >>> plan.place, plan.reasons[0]
        ('none', 'images=on_device keeps no store')
    """

    request: BuildRequest
    """What is built; its recipe has the layout that was decided for."""
    settings: PoolSettings
    """What the user asked of the pool, ``chunk_size=auto`` replaced by what was measured."""
    budget: Budget
    """What of the preset's memory is there for the images."""
    place: str
    """``memfd``, ``private``, ``file``, ``cache`` or ``none``."""
    backend: str
    """``process``, ``thread``, ``serial`` or ``none``."""
    workers: int
    """Pool workers; 0 where nothing is built."""
    chunk_rows: int
    """Windows filled by one task; 0 where nothing is built."""
    reasons: tuple[str, ...]
    """Why it was decided so, a sentence each."""
    cache_dir: Path | None = None
    """Folder of the cache, where the place is ``cache``."""

    @property
    def budget_bytes(self) -> int:
        """What the images may take in memory."""
        return self.budget.images_bytes

    @property
    def peak_bytes(self) -> int:
        """What the whole run is known to take at most: in use now, images in memory, training."""
        in_memory = self.request.store_bytes if self.place in ("memfd", "private") else 0
        return self.budget.left.used_bytes + in_memory + self.budget.training_bytes

    def __str__(self) -> str:
        request, recipe = self.request, self.request.recipe
        size = recipe.image_size
        lines = [
            "build plan",
            f"  images   {request.n_windows} windows of {request.window_size} steps, "
            f"{request.n_channels} channels -> GASF and GADF of {size} x {size}, "
            f"{recipe.storage} {recipe.layout}, scaling={recipe.scaling}",
            *([] if request.shares is None else [f"  shard    {request.shares}"]),
            f"  store    {_where(self)}",
            f"  budget   {self.budget}".replace("\n", f"\n{'':11}"),
        ]
        if request.training is not None and self.budget.left.memory_bytes is not None:
            lines.append(
                f"  peak     about {format_bytes(self.peak_bytes)} of "
                f"{format_bytes(self.budget.left.memory_bytes)}: "
                f"{parts_of(request, request.training)}, the rest is in use or for images"
            )
        if self.place != "none":
            chunks = -(-request.n_windows // self.chunk_rows)
            lines.append(
                f"  workers  {self.workers} ({self.backend}), chunk_size={self.settings.chunk_size}"
                f" -> {chunks} chunk{'s' if chunks > 1 else ''}"
            )
        return "\n".join([*lines, *(f"  why      {reason}" for reason in self.reasons)])


def _where(plan: BuildPlan) -> str:
    if plan.place == "none":
        return _PLACES["none"]
    return f"{format_bytes(plan.request.store_bytes)} in {_PLACES[plan.place]}"


def make_plan(
    request: BuildRequest,
    preset: HardwarePreset,
    settings: PoolSettings,
    cache_dir: Path | None = None,
    is_built: IsBuilt = lambda recipe: False,
) -> BuildPlan:
    """Decide where and how to build.

    Args:
        request: what is to be built.
        preset: whose budget it is.
        settings: what the user asked of the pool.
        cache_dir: where stores are kept for later runs; None keeps none.
        is_built: whether a store of this recipe is there already, alive in this process or in the
            cache: it is shared, so it needs no room, and nothing is measured for it.

    Raises:
        BudgetError: the preset leaves not even room for one batch of images, so drawing them on
            the device cannot work either; or a training whose network is known takes more than it
            promises.
        ConfigError: processes are asked to fill private memory, which they cannot reach.

    Example:
        >>> from dualgaf.imaging.recipe import ImagingRecipe
        >>> request = BuildRequest(100, 3, 48, ImagingRecipe(48))
        >>> settings = PoolSettings(n_jobs=1, chunk_size=50)
        >>> plan = make_plan(request, HardwarePreset.named("8gb"), settings)
        >>> plan.place, plan.workers, plan.request.store_bytes
        ('memfd', 1, 1382400)
    """
    left = memory_left(preset)
    _check_batch(request, left)
    check_training(request, left)
    placement, refusals = first_with_room(request, settings, left, cache_dir, is_built)
    reasons = (
        *_of_machine(left),
        *refusals,
        *reasons_of(placement, request),
        *placement.pool_size.reasons,
    )
    if placement.place == "private" and placement.pool_size.processes:
        raise ConfigError(
            "parallel.backend=process cannot fill private memory (parallel.shm=false); type "
            "parallel.shm=true or parallel.backend=thread"
        )
    settings, chunk_rows, why = _with_chunks(placement, settings, is_built)
    return BuildPlan(
        request=placement.request,
        settings=settings,
        budget=placement.budget,
        place=placement.place,
        backend=placement.pool_size.backend,
        workers=placement.pool_size.workers,
        chunk_rows=chunk_rows,
        reasons=(*reasons, *reasons_of_training(placement.budget, request), *why),
        cache_dir=cache_dir if placement.place == "cache" else None,
    )


def _of_machine(left: MemoryLeft) -> list[str]:
    if not left.is_short:
        return []
    return [
        f"the machine leaves {format_bytes(left.headroom_bytes)} ({left.limited_by}), less "
        f"than hardware={left.preset.name} allows"
    ]


def _check_batch(request: BuildRequest, left: MemoryLeft) -> None:
    """Even drawing on the device needs a batch of images."""
    if left.bytes >= request.batch_bytes:
        return
    more = more_room(request, left.preset)
    raise BudgetError(
        f"hardware={left.preset.name} leaves {format_bytes(left.bytes)} ({left}), and even "
        f"images=on_device needs {format_bytes(request.batch_bytes)} for a batch of "
        f"{request.batch_size} windows; type {more}, a smaller batch_size"
    )


def _with_chunks(
    placement: Placement, settings: PoolSettings, is_built: IsBuilt
) -> tuple[PoolSettings, int, list[str]]:
    """The settings with a number as chunk size, windows per task, and how they were found."""
    request = placement.request
    if placement.place == "none":
        return settings, 0, []
    if settings.chunk_size != "auto":
        return settings, min(settings.chunk_size, request.n_windows), []
    if is_built(request.recipe):
        # Measuring loads the kernel, which takes longer than mapping a store.
        rows = min(UNMEASURED_CHUNK, request.n_windows)
        why = f"chunk_size=auto: {rows} windows, not measured: the images are there already"
        return replace(settings, chunk_size=rows), rows, [why]
    window_s = measure_window_s(
        Drawing(
            request.recipe,
            request.n_channels,
            request.window_size,
            request.input_dtype,
            read_only=placement.pool_size.processes > 0,
            private=placement.place == "private",
        )
    )
    rows = auto_chunk_rows(
        window_s,
        request.n_windows,
        placement.pool_size.workers,
        request.recipe.row_bytes(request.n_channels),
        placement.budget.left.bytes,
    )
    why = (
        f"chunk_size=auto: {rows} window{'s' if rows > 1 else ''}, a task of about "
        f"{rows * window_s * 1000:.3g} ms ({window_s * 1000:.2g} ms a window, measured now)"
    )
    return replace(settings, chunk_size=rows), rows, [why]
