"""The suites by name, and the default one: every way to build, beside what it is compared with.

`run_bench` is the same for all: the suite names its sides, the runner times them, the suite reads
the times.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from dualgaf.bench import baselines
from dualgaf.bench.cold import cold_suite
from dualgaf.bench.limits import MEMSET, limit_sides
from dualgaf.bench.memory import memory_suite
from dualgaf.bench.results import Result
from dualgaf.bench.runner import (
    BenchSize,
    Measured,
    Reading,
    Side,
    Suite,
    random_windows,
    run_sides,
)
from dualgaf.bench.scaling import scaling_suite
from dualgaf.bench.sides import EARLIER, PYTS, Job, WarmPools, earlier_side, our_side, pyts_side
from dualgaf.bench.sweep import sweep_suite
from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.machine import cpu_count
from dualgaf.pool.settings import PoolSettings


def run_bench(
    suite: str, size: BenchSize, progress: Callable[[str], None] = lambda line: None
) -> Result:
    """Run a suite.

    Args:
        suite: ``build``, ``cold``, ``memory``, ``scaling`` or ``sweep``.
        size: the job.
        progress: called with a line before each repeat.

    Returns:
        What it measured; ``print`` shows machine, table and notes.

    Raises:
        ConfigError: the suite is not known.
        BudgetError: the job does not fit into half of the memory that the machine leaves.
    """
    if suite not in SUITES:
        raise ConfigError(unknown_choice("bench", suite, SUITES, instead="bench build"))
    progress(f"{suite}: preparing the windows and what they are compared with")
    with contextlib.ExitStack() as until_done:
        chosen = SUITES[suite](size, until_done)
        found = run_sides(chosen.sides, size.repeats, progress)
    seconds = {name: measured.seconds for name, measured in found.items()}
    return Result(suite, asdict(size), chosen.read(found), seconds)


def build_suite(size: BenchSize, until_done: contextlib.ExitStack) -> Suite:
    """Threads and processes, private and shared, dual and packed; pyts; limits of the memory."""
    windows = random_windows(size.n_windows, size.n_channels, size.window_size)
    dual = Job(windows, ImagingRecipe(size.window_size))
    packed = Job(windows, ImagingRecipe(size.window_size, layout="packed"))
    private = PoolSettings(backend="thread", shm=False)
    threads, processes = PoolSettings(backend="thread"), PoolSettings(backend="process")
    warm = until_done.enter_context(WarmPools())
    ours = [
        our_side("threads, private memory", dual, private),
        our_side("threads, shared memory", dual, threads),
        our_side("processes (warm), shared memory", dual, processes, warm),
        our_side("processes (started anew), shared memory", dual, processes),
        our_side("packed: threads, private memory", packed, private),
        our_side("packed: processes (warm), shared memory", packed, processes, warm),
    ]
    others, notes = earlier_side(dual, size)
    if baselines.pyts_is_here():
        others.append(pyts_side(dual))
    limits = limit_sides(len(windows), dual.n_bytes, cpu_count())
    sides = [*ours, *others, *limits]
    return Suite(sides, lambda found: _read_build(sides, notes, found))


def _read_build(sides: list[Side], notes: list[str], found: Mapping[str, Measured]) -> Reading:
    rows: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}
    rates = {side.name: side.windows / found[side.name].median_s for side in sides}
    speeds = {side.name: side.n_bytes / found[side.name].median_s for side in sides}
    for side in sides:
        compared = {
            "of memset": _ratio(speeds, side.name, MEMSET.get(side.memory)),
            "x pyts": _ratio(rates, side.name, PYTS),
            "x earlier": _ratio(rates, side.name, EARLIER),
        }
        rows.append(
            {
                "side": side.name,
                "windows": side.windows,
                "seconds": found[side.name].median_s,
                "windows/s": rates[side.name],
                "GB/s": speeds[side.name] / 1e9,
                **compared,
            }
        )
        if side.memory:
            ratios |= {f"{side.name}, {what}": n for what, n in compared.items() if n is not None}
    return Reading(rows, ratios, notes)


def _ratio(values: Mapping[str, float], name: str, other: str | None) -> float | None:
    return values[name] / values[other] if other and other in values else None


SUITES: dict[str, Callable[[BenchSize, contextlib.ExitStack], Suite]] = {
    "build": build_suite,
    "cold": cold_suite,
    "memory": memory_suite,
    "scaling": scaling_suite,
    "sweep": sweep_suite,
}
