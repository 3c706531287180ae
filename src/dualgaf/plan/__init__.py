"""The build plan: where the images go, who draws them, and why; decided before a byte is written.

1. Sizes follow from the recipe; `budget` says what of the preset's memory is left for images.
2. ``images`` gives layouts and places in order. The first that has room is taken, and each one
   that was refused is told with its figures:

       precompute   memory -> packed in memory -> packed in an anonymous disk file -> on the device
       auto         memory -> on the device, where a store pays at all (`BuildRequest`)
       on_device    on the device

   ``cache.dir`` is disk, and comes before memory; for ``auto`` what it keeps must fit memory too.
3. Memory is shared (``memfd``) with ``parallel.shm=true``, private without.
4. Workers: `pool.pool_size`. Processes take memory of their own, which the budget of each placement
   counts.
5. ``chunk_size=auto`` is measured: what a window takes on this machine at this moment.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualgaf.plan.decision import BuildPlan, make_plan
    from dualgaf.plan.request import BuildRequest, Images, Shares

__all__ = ["BuildPlan", "BuildRequest", "Images", "Shares", "make_plan"]


def __getattr__(name: str) -> Any:
    # At first use: who asks where presets lie needs no kernel.
    if name not in __all__:
        raise AttributeError(f"module 'dualgaf.plan' has no attribute {name!r}")
    home = "decision" if name in ("BuildPlan", "make_plan") else "request"
    return getattr(import_module(f"dualgaf.plan.{home}"), name)
