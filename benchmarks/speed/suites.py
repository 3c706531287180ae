"""The suites by name, each with what it is compared with."""

import contextlib
from collections.abc import Callable

from benchmarks.speed import baselines
from benchmarks.speed.cold import cold_suite
from benchmarks.speed.memory import memory_suite
from benchmarks.speed.peers import EARLIER, PYTS, earlier_side, pyts_side
from benchmarks.speed.scaling import scaling_suite
from benchmarks.speed.size import SpeedSize
from benchmarks.speed.sweep import sweep_suite
from dualgaf.bench.results import Result
from dualgaf.bench.runner import Suite
from dualgaf.bench.sides import Job
from dualgaf.bench.suite import Peers, build_suite, run_suite
from dualgaf.errors import ConfigError, unknown_choice


def run_speed(
    suite: str, size: SpeedSize, progress: Callable[[str], None] = lambda line: None
) -> Result:
    """Run a suite; see `dualgaf.bench.suite.run_suite`.

    Raises:
        ConfigError: the suite is not known.
        BudgetError: the job does not fit into half of the memory that the machine leaves.
    """
    if suite not in SUITES:
        raise ConfigError(unknown_choice("suite", suite, SUITES, instead="build"))
    make = SUITES[suite]
    return run_suite(suite, lambda until_done: make(size, until_done), size, progress)


def compared_build_suite(size: SpeedSize, until_done: contextlib.ExitStack) -> Suite:
    """Every way to build, beside the earlier system, pyts and the limits of the memory."""

    def peers(job: Job) -> Peers:
        sides, notes = earlier_side(job, size)
        if baselines.pyts_is_here():
            sides.append(pyts_side(job))
        return Peers(sides, notes, {"x pyts": PYTS, "x earlier": EARLIER})

    return build_suite(size, until_done, peers)


SUITES: dict[str, Callable[[SpeedSize, contextlib.ExitStack], Suite]] = {
    "build": compared_build_suite,
    "cold": cold_suite,
    "memory": memory_suite,
    "scaling": scaling_suite,
    "sweep": sweep_suite,
}
