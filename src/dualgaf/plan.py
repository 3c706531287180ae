"""The build plan: where the images go, who draws them, and why; decided before a byte is written.

1. Sizes follow from the recipe. The budget is the preset's share for images, and never more than
   the machine and its cgroups leave.
2. ``images``: ``precompute`` keeps a store; ``auto`` keeps one if it fits the budget, else draws
   on the device; ``on_device`` never keeps one.
3. Place: shared memory (``memfd``) with ``parallel.shm=true``, private memory without; an
   anonymous disk file when the budget is too small for either.
4. Workers: never more than the CPUs this process may use, nor than there are chunks. Processes
   pay for their start from `PROCESS_FROM_BYTES` on; below it threads do the same work sooner.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dualgaf.errors import BudgetError, ConfigError, unknown_choice
from dualgaf.hardware import HardwarePreset
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.machine import cpu_count, format_bytes, memory_headroom
from dualgaf.pool.settings import PoolSettings

Images = Literal["precompute", "on_device", "auto"]

PROCESS_FROM_BYTES = 256 << 20
"""Stores from this size on are filled by processes where ``parallel.backend=auto``: they take a
few tenths of a second to start, and a crash in one does not take the training with it."""

_PLACES = {
    "memfd": "shared memory (memfd)",
    "file": "an anonymous disk file",
    "private": "private memory of this process",
    "cache": "the cache",
    "none": "none: the images are drawn per batch on the device",
}


@dataclass(frozen=True)
class BuildRequest:
    """What is to be built: the sizes, the recipe and the user's wish for ``images``."""

    n_windows: int
    """N, windows to draw."""
    n_channels: int
    """C, channels of a window."""
    window_size: int
    """T, steps of a window."""
    recipe: ImagingRecipe
    """How they are drawn and stored."""
    images: Images = "precompute"
    """``precompute``, ``on_device`` or ``auto``."""

    def __post_init__(self) -> None:
        if self.images not in get_args(Images):
            raise ConfigError(unknown_choice("images", self.images, get_args(Images)))

    @property
    def store_bytes(self) -> int:
        """Bytes of all images."""
        return self.n_windows * self.recipe.row_bytes(self.n_channels)


@dataclass(frozen=True)
class BuildPlan:
    """The decisions; ``print(plan)`` shows them with their reasons."""

    request: BuildRequest
    """What is built."""
    preset: HardwarePreset
    """Whose budget it is."""
    settings: PoolSettings
    """What the user asked of the pool."""
    budget_bytes: int
    """What the images may take in memory."""
    place: str
    """``memfd``, ``private``, ``file``, ``cache`` or ``none``."""
    backend: str
    """``process``, ``thread``, ``serial`` or ``none``."""
    workers: int
    """Pool workers; 0 where nothing is built."""
    reasons: tuple[str, ...]
    """Why it was decided so, a sentence each."""
    cache_dir: Path | None = None
    """Folder of the cache, where the place is ``cache``."""

    @property
    def chunk_rows(self) -> int:
        """Windows filled by one task."""
        return min(self.settings.chunk_size, self.request.n_windows)

    def __str__(self) -> str:
        request, recipe = self.request, self.request.recipe
        size = recipe.image_size
        lines = [
            "build plan",
            f"  images   {request.n_windows} windows of {request.window_size} steps, "
            f"{request.n_channels} channels -> GASF and GADF of {size} x {size}, "
            f"{recipe.storage} {recipe.layout}, scaling={recipe.scaling}",
            f"  store    {_where(self)}",
            f"  budget   {format_bytes(self.budget_bytes)} for images "
            f"(hardware={self.preset.name})",
        ]
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
) -> BuildPlan:
    """Decide where and how to build.

    Args:
        request: what is to be built.
        preset: whose budget it is.
        settings: what the user asked of the pool.
        cache_dir: where stores are kept for later runs; None keeps none.

    Raises:
        BudgetError: not even one chunk of images fits the budget.
        ConfigError: processes are asked to fill private memory, which they cannot reach.

    Example:
        >>> request = BuildRequest(100, 3, 48, ImagingRecipe(48))
        >>> plan = make_plan(request, HardwarePreset.named("8gb"), PoolSettings(n_jobs=1))
        >>> plan.place, plan.workers, plan.request.store_bytes
        ('memfd', 1, 1382400)
    """
    headroom = memory_headroom()
    preset_bytes = preset.store_budget_bytes()
    budget = min(preset_bytes, headroom.bytes)
    reasons = []
    if headroom.bytes < preset_bytes:
        reasons.append(
            f"the machine leaves {format_bytes(headroom.bytes)} ({headroom.limited_by}), less than "
            f"the preset's {format_bytes(preset_bytes)}"
        )
    place, why = _place(request, settings, preset, budget)
    if cache_dir is not None and place != "none":
        place, why = "cache", f"cache.dir={cache_dir}: later runs map the same file"
    reasons.append(why)
    if place == "none":
        return BuildPlan(request, preset, settings, budget, place, "none", 0, tuple(reasons))
    backend, workers, whys = _workers(request, settings, place)
    reasons.extend(whys)
    return BuildPlan(
        request, preset, settings, budget, place, backend, workers, tuple(reasons), cache_dir
    )


def _place(
    request: BuildRequest, settings: PoolSettings, preset: HardwarePreset, budget: int
) -> tuple[str, str]:
    wanted = format_bytes(request.store_bytes)
    if request.images == "on_device":
        return "none", "images=on_device keeps no store"
    chunk_rows = min(settings.chunk_size, request.n_windows)
    chunk_bytes = chunk_rows * request.recipe.row_bytes(request.n_channels)
    if request.images == "auto" and request.store_bytes > budget:
        return "none", f"images=auto: the store of {wanted} does not fit the budget"
    if chunk_bytes > budget:
        raise BudgetError(
            f"hardware={preset.name} leaves {format_bytes(budget)} for images, but one chunk of "
            f"chunk_size={chunk_rows} windows takes {format_bytes(chunk_bytes)}; type a smaller "
            "parallel.chunk_size, a larger hardware preset, or images=on_device"
        )
    if request.store_bytes > budget:
        return "file", (
            f"the store of {wanted} does not fit the budget; a smaller image_size, "
            "layout=packed or images=on_device would keep it in memory"
        )
    if settings.shm:
        return "memfd", "parallel.shm=true: one copy that other processes can map"
    return "private", "parallel.shm=false: no shared memory, only this process reads the images"


def _workers(
    request: BuildRequest, settings: PoolSettings, place: str
) -> tuple[str, int, list[str]]:
    cpus = cpu_count()
    chunks = -(-request.n_windows // min(settings.chunk_size, request.n_windows))
    asked = cpus if settings.n_jobs == -1 else settings.n_jobs
    workers = min(asked, cpus, chunks)
    reasons = []
    if settings.n_jobs > cpus:
        reasons.append(f"n_jobs={settings.n_jobs} was asked; this process may use {cpus} CPUs")
    backend = settings.backend
    if not settings.enabled:
        backend, workers = "serial", 1
        reasons.append("parallel.enabled=false: everything in this process")
    elif backend == "process" and place == "private":
        raise ConfigError(
            "parallel.backend=process cannot fill private memory (parallel.shm=false); type "
            "parallel.shm=true or parallel.backend=thread"
        )
    elif backend == "auto":
        large = request.store_bytes >= PROCESS_FROM_BYTES
        backend = "process" if large and place != "private" and workers > 1 else "thread"
        reasons.append(
            f"parallel.backend=auto: {backend} (processes pay from "
            f"{format_bytes(PROCESS_FROM_BYTES)} of shared images and two workers on)"
        )
    return backend, 1 if backend == "serial" else workers, reasons
