"""The sides that suites choose from: dualgaf in its ways."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dualgaf.bench.runner import Side
from dualgaf.build import build_store
from dualgaf.errors import BudgetError, DualGAFError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildPlan, BuildRequest, make_plan
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool.settings import PoolSettings
from dualgaf.pool.supervisor import ProcessPool
from dualgaf.system.machine import format_bytes


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
