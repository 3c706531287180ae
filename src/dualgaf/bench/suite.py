"""The build suite: every way to build, beside the limits of the memory.

`run_suite` is the same for all suites: the suite names its sides, the runner times them, the suite
reads the times.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dualgaf.bench.limits import MEMSET, limit_sides
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
from dualgaf.bench.sides import Job, WarmPools, our_side
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import cpu_count


@dataclass(frozen=True)
class Peers:
    """Others that do the same job, for a table that compares."""

    sides: Sequence[Side] = ()
    """They take turns with ours."""
    notes: Sequence[str] = ()
    """What to know about them."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Column that says how many times as fast as a peer a side is -> name of the peer's side."""


def run_suite(
    name: str,
    make: Callable[[contextlib.ExitStack], Suite],
    size: BenchSize,
    progress: Callable[[str], None] = lambda line: None,
) -> Result:
    """Run a suite.

    Args:
        name: of the suite.
        make: the suite; what must live until it has ended is entered into the stack.
        size: the job.
        progress: called with a line before each repeat.

    Returns:
        What it measured; ``print`` shows machine, table and notes.

    Raises:
        BudgetError: the job does not fit into half of the memory that the machine leaves.
    """
    progress(f"{name}: preparing the windows and what they are compared with")
    with contextlib.ExitStack() as until_done:
        chosen = make(until_done)
        found = run_sides(chosen.sides, size.repeats, progress)
    seconds = {side: measured.seconds for side, measured in found.items()}
    return Result(name, asdict(size), chosen.read(found), seconds)


def run_build(size: BenchSize, progress: Callable[[str], None] = lambda line: None) -> Result:
    """`run_suite` of the build suite, without peers."""
    return run_suite("build", lambda until_done: build_suite(size, until_done), size, progress)


def build_suite(
    size: BenchSize,
    until_done: contextlib.ExitStack,
    peers: Callable[[Job], Peers] = lambda job: Peers(),
) -> Suite:
    """Threads and processes, private and shared, dual and packed; peers; limits of the memory."""
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
    others = peers(dual)
    sides = [*ours, *others.sides, *limit_sides(len(windows), dual.n_bytes, cpu_count())]
    return Suite(sides, lambda found: _read(sides, others, found))


def _read(sides: list[Side], peers: Peers, found: Mapping[str, Measured]) -> Reading:
    rows: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}
    rates = {side.name: side.windows / found[side.name].median_s for side in sides}
    speeds = {side.name: side.n_bytes / found[side.name].median_s for side in sides}
    for side in sides:
        compared = {"of memset": _ratio(speeds, side.name, MEMSET.get(side.memory))}
        for column, peer in peers.columns.items():
            compared[column] = _ratio(rates, side.name, peer)
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
    return Reading(rows, ratios, peers.notes)


def _ratio(values: Mapping[str, float], name: str, other: str | None) -> float | None:
    return values[name] / values[other] if other and other in values else None
