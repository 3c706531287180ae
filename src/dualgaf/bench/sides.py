"""The sides that suites choose from: dualgaf in its ways, the earlier system, plain pyts."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.bench import baselines
from dualgaf.bench.runner import BenchSize, Side
from dualgaf.build import build_store
from dualgaf.errors import BudgetError, DualGAFError
from dualgaf.hardware import HardwarePreset
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.machine import cpu_count, format_bytes
from dualgaf.memory_use import MemoryMeter
from dualgaf.plan import BuildPlan, BuildRequest, make_plan
from dualgaf.pool.settings import PoolSettings
from dualgaf.pool.supervisor import ProcessPool

Array = npt.NDArray[Any]

EARLIER = "earlier system"
PYTS = "pyts in blocks, one process"
PYTS_SHARE = 10
"""pyts draws a tenth of the windows; its rate does not depend on their number."""
CHECKED_WINDOWS = 50
LEVELS_APART = 1
"""dualgaf stores ``round(127 g) + 128``, the earlier system ``round(127.5 g + 127.5)``."""


@dataclass(frozen=True, eq=False)
class Job:
    """Windows and how they are drawn."""

    windows: Windows
    """What to draw."""
    recipe: ImagingRecipe
    """How."""

    @property
    def n_bytes(self) -> int:
        """Bytes of the images."""
        return len(self.windows) * self.recipe.row_bytes(self.windows.n_channels)

    def plan(self, settings: PoolSettings) -> BuildPlan:
        """The plan of a build in memory.

        Raises:
            BudgetError: the machine leaves too little memory for it.
        """
        flat = self.windows.flat
        request = BuildRequest(
            n_windows=len(self.windows),
            n_channels=self.windows.n_channels,
            window_size=self.windows.window_size,
            recipe=self.recipe,
            input_bytes=flat.nbytes,
            input_dtype=flat.dtype.name,
        )
        plan = make_plan(request, HardwarePreset("bench"), settings)
        wanted = "memfd" if settings.shm else "private"
        if plan.place != wanted or plan.request.recipe != self.recipe:
            raise BudgetError(
                f"the images take {format_bytes(self.n_bytes)}, the benchmark may use "
                f"{format_bytes(plan.budget_bytes)} (half of what is free); type a smaller "
                "--n-windows"
            )
        return plan


@dataclass
class WarmPools:
    """Process pools that are started once and stay for all builds of a ``with`` block."""

    _by_size: dict[int, ProcessPool] = field(default_factory=dict)

    def of(self, workers: int) -> ProcessPool:
        """The pool of this many workers."""
        if workers not in self._by_size:
            self._by_size[workers] = ProcessPool(workers, PoolSettings().chunk_timeout_s)
            self._by_size[workers].start()
        return self._by_size[workers]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in self._by_size.values():
            pool.close()


def our_side(name: str, job: Job, settings: PoolSettings, pools: WarmPools | None = None) -> Side:
    """A build by dualgaf, its plan included; it tells ``peak_bytes``.

    Args:
        name: what the table calls it.
        job: what is drawn.
        settings: by whom, and into which memory.
        pools: warm workers; None where a build starts its own.

    Raises:
        BudgetError: the machine leaves too little memory for it.
    """
    job.plan(settings)  # what cannot be is told before anything runs
    memory = "shared" if settings.shm else "private"

    @contextlib.contextmanager
    def work() -> Iterator[Mapping[str, float]]:
        plan = job.plan(settings)
        pool = pools.of(plan.workers) if pools else None
        store, report = build_store(job.windows, plan, pool=pool)
        try:
            if (report.backend, report.backing) != (plan.backend, plan.place):
                raise DualGAFError(
                    f"{name}: {plan.backend} into {plan.place} was planned, it became "
                    f"{report.backend} into {report.backing}, so its time says nothing"
                )
            yield {"peak_bytes": report.peak_bytes}
        finally:
            store.close()

    return Side(name, work, len(job.windows), job.n_bytes, memory)


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
    job: Job, size: BenchSize, *, metered: bool = False
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
