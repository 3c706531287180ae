"""Placements: places and layouts for the images, tried until one has room.

Each placement is judged with the workers that it would have: processes take memory of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan.budget import Budget, MemoryLeft
from dualgaf.plan.preset import HardwarePreset
from dualgaf.plan.request import BuildRequest
from dualgaf.pool.pool_size import PoolSize, choose_pool_size
from dualgaf.pool.settings import PoolSettings
from dualgaf.store.backing import disk_folder
from dualgaf.system.machine import disk_free, format_bytes, is_in_memory

IsBuilt = Callable[[ImagingRecipe], bool]


@dataclass(frozen=True)
class Placement:
    """A place, a layout, and who would draw."""

    place: str
    """``memfd``, ``private``, ``file``, ``cache`` or ``none``."""
    request: BuildRequest
    """What would be built; its recipe has the layout."""
    pool_size: PoolSize
    """Who would draw."""
    budget: Budget
    """What is there for the images beside this pool_size."""


def first_with_room(
    request: BuildRequest,
    settings: PoolSettings,
    left: MemoryLeft,
    cache_dir: Path | None,
    is_built: IsBuilt,
) -> tuple[Placement, list[str]]:
    """The first placement that takes the images, and why those above it do not.

    Args:
        request: what is to be built.
        settings: what the user asked of the pool.
        left: memory that is left.
        cache_dir: folder of the cache, or None.
        is_built: whether a store of a recipe is there already, so that it needs no room.

    Raises:
        OSError: the folder of the cache, or of anonymous files, cannot be looked at.
    """
    refusals: list[str] = []
    for place, asked in _placements(request, settings, cache_dir):
        pool_size = _pool_size(asked, settings, place, left)
        copied = request.input_bytes if pool_size.processes else 0
        budget = Budget(left, pool_size.processes, pool_size.bytes, copied, request.training_bytes)
        placement = Placement(place, asked, pool_size, budget)
        refusal = _refusal(placement, cache_dir)
        if refusal is None:
            return placement, refusals
        if is_built(asked.recipe):
            return placement, [*refusals, f"{refusal}; but it is there already and is shared"]
        refusals.append(refusal)
    raise AssertionError("drawing on the device is the last placement and is never refused")


def _placements(
    request: BuildRequest, settings: PoolSettings, cache_dir: Path | None
) -> list[tuple[str, BuildRequest]]:
    """(place, request in its layout), in the order to try."""
    none = [("none", request)]
    automatic = request.images == "auto"
    if request.images == "on_device" or (automatic and not request.precompute_pays):
        return none
    layouts = [request]
    if request.recipe.layout == "dual" and not automatic:  # drawing is faster than unpacking
        layouts.append(request.with_layout("packed"))
    memory = [("memfd" if settings.shm else "private", asked) for asked in layouts]
    # As asked wherever the disk has room, whatever memory is free now: later runs find it then.
    cache = [("cache", asked) for asked in layouts if cache_dir is not None]
    if automatic:
        return [*(cache or memory), *none]
    return [*cache, *memory, ("file", layouts[-1]), *none]


def _refusal(placement: Placement, cache_dir: Path | None) -> str | None:
    """Why this place does not take the store; None where it does."""
    place, request = placement.place, placement.request
    if place == "none":
        return None
    wanted = f"needs {format_bytes(request.store_bytes)}"
    in_memory = f"the budget is {format_bytes(placement.budget.images_bytes)}"
    fits_memory = request.store_bytes <= placement.budget.images_bytes
    layout = request.recipe.layout
    if place in ("memfd", "private"):
        return None if fits_memory else f"{layout} in memory {wanted}, {in_memory}"
    folder = disk_folder() if cache_dir is None or place == "file" else _existing(cache_dir)
    name = "an anonymous disk file" if place == "file" else f"cache.dir={cache_dir}"
    if is_in_memory(folder) and not fits_memory:
        return f"{layout} in {name} {wanted}; {folder} is kept in memory, and {in_memory}"
    if request.images == "auto" and not fits_memory:
        return f"{layout} in {name} {wanted}, {in_memory}"
    free = disk_free(folder)
    if request.store_bytes > free:
        return f"{layout} in {name} {wanted}, {folder} has {format_bytes(free)} free"
    return None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above that is there."""
    folder = folder.expanduser().absolute()
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def reasons_of(placement: Placement, wished: BuildRequest) -> list[str]:
    """Why this placement was taken, and, where it is not what was wished, how to get another."""
    place, preset = placement.place, placement.budget.left.preset
    if place == "none" and wished.images == "on_device":
        return ["images=on_device keeps no store"]
    if place == "none" and wished.images == "auto" and not wished.precompute_pays:
        return [
            "images=auto: drawing per batch takes no longer than loading from a store (measured, "
            "docs/performance.md); to keep one type images=precompute"
        ]
    more = more_room(wished, preset)
    if place == "none":
        disk = "" if wished.images == "precompute" else "images=precompute (then on disk), "
        return [
            "so the images are drawn per batch on the device; to choose otherwise type "
            f"{disk}cache.dir=FOLDER on a disk with room, {more}"
        ]
    if place == "file":
        return [
            "so packed images, half the bytes and lossless, go to a disk file; to choose "
            f"otherwise type images=on_device, cache.dir=FOLDER (dual on disk), {more}"
        ]
    reasons = {
        "memfd": "parallel.shm=true: one copy that other processes can map",
        "private": "parallel.shm=false: no shared memory, only this process reads the images",
        "cache": "cache.dir: later runs map the same file",
    }
    packed = placement.request.recipe.layout != wished.recipe.layout
    switch = (
        "so the layout is packed, half the bytes and lossless; to choose otherwise type "
        f"images=on_device, cache.dir=FOLDER (dual on disk), {more}"
    )
    return [*([switch] if packed else []), reasons[place]]


def more_room(request: BuildRequest, preset: HardwarePreset) -> str:
    """What to type so that more images fit."""
    storage = "" if request.recipe.storage == "uint8" else "storage=uint8, "
    memory = "" if preset.memory == "auto" else "a larger hardware preset, "
    return f"{storage}{memory}a smaller image_size"


def _pool_size(
    request: BuildRequest, settings: PoolSettings, place: str, left: MemoryLeft
) -> PoolSize:
    if place == "none":
        return PoolSize("none", 0)
    return choose_pool_size(
        settings, request.n_windows, request.store_bytes, place != "private", left.bytes
    )
