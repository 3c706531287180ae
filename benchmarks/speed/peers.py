"""What dualgaf is compared with: the earlier system, plain pyts."""

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.speed import baselines
from benchmarks.speed.size import SpeedSize
from dualgaf.bench.runner import Side
from dualgaf.bench.sides import Job
from dualgaf.errors import DualGAFError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.system.machine import cpu_count
from dualgaf.system.memory import MemoryMeter

EARLIER = "earlier system"
PYTS = "pyts in blocks, one process"
PYTS_SHARE = 10
"""pyts draws a tenth of the windows; its rate does not depend on their number."""
CHECKED_WINDOWS = 50
LEVELS_APART = 1
"""dualgaf stores ``round(127 g) + 128``, the earlier system ``round(127.5 g + 127.5)``."""


def pyts_side(job: Job) -> Side:
    """Plain pyts on a tenth of the windows."""
    part = max(1, len(job.windows) // PYTS_SHARE)

    @contextlib.contextmanager
    def work() -> Iterator[None]:
        drawn = baselines.draw_with_pyts(job.windows, part)
        yield
        del drawn

    return Side(PYTS, work, part, part * job.recipe.row_bytes(job.windows.n_channels))


def earlier_side(
    job: Job, size: SpeedSize, *, metered: bool = False
) -> tuple[list[Side], list[str]]:
    """The earlier system on all windows, or why it does not take part.

    Args:
        job: what is drawn, in uint8 and both fields apart.
        size: tells the repeats.
        metered: tell ``peak_bytes``; sampling the memory costs it some time.

    Returns:
        One side or none; notes for the table.
    """
    asked = size.repeats if size.earlier_repeats is None else size.earlier_repeats
    why = baselines.obstacle(job.n_bytes) if asked else "--earlier-repeats 0"
    if why:
        return [], [f"without the {EARLIER}: {why}"]
    apart = levels_apart(job.windows)
    system = baselines.EarlierSystem(cpu_count())
    series = job.windows.block(0, len(job.windows))

    @contextlib.contextmanager
    def work() -> Iterator[Mapping[str, float]]:
        meter = MemoryMeter(system.shared_bytes) if metered else None
        with meter or contextlib.nullcontext():
            fields = system.build(series)
        yield {"peak_bytes": meter.peak_bytes} if meter else {}
        del fields

    repeats = min(size.repeats, asked)
    needs_bytes = baselines.MEMORY_OF_STORE * job.n_bytes
    side = Side(
        EARLIER, work, len(job.windows), job.n_bytes, needs_bytes=needs_bytes, repeats=repeats
    )
    return [side], [
        f"{EARLIER}: n_jobs={system.n_jobs}, {repeats} repeats; pixels differ by {apart} of 256 "
        "levels at most"
    ]


def levels_apart(windows: Windows) -> int:
    """Largest difference between a pixel of dualgaf and of the earlier system, in uint8 levels.

    Raises:
        DualGAFError: it is more than rounding explains, so the sides do not do the same job.
    """
    series = windows.block(0, min(len(windows), CHECKED_WINDOWS))
    n, channels, steps = series.shape
    recipe = ImagingRecipe(steps)
    ours = np.empty((n, *recipe.row_shape(channels)), dtype=recipe.dtype)
    Renderer(recipe, steps).render(windows, 0, n, ours)
    theirs = np.stack(baselines.EarlierSystem(n_jobs=1).build(series), axis=1)
    apart = int(np.abs(ours.astype(np.int16) - theirs).max())
    if apart > LEVELS_APART:
        raise DualGAFError(
            f"pixels of dualgaf and of the earlier system differ by {apart} levels; rounding "
            f"explains {LEVELS_APART}, so their times cannot be compared; report this"
        )
    return apart
