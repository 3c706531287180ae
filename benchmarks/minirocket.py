"""MiniRocket features of the network beside aeon's transform: `python benchmarks/minirocket.py`.

Both give 4032 numbers a window, in one process and one thread, in turn. aeon counts how often a
response is above a bias; the network's fraction is that of a sigmoid. CPU time is that of the whole
process; on a machine that does other things it is what to look at.
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numba
import numpy as np
import torch
from aeon.transformations.collection.convolution_based import MiniRocket

from dualgaf.bench.results import Result
from dualgaf.bench.runner import BenchSize, Measured, Reading, Side, run_sides
from dualgaf.models.minirocket.features import N_FEATURES, MiniRocketFeatures

JOBS = ((24, 64), (24, 1000), (1, 64), (1, 1000))
"""(channels, windows)."""
OURS, THEIRS, BY_TORCH = "network", "aeon", "network, by torch"
LIMIT = 1.5
"""Times of aeon that the network may take."""


@contextlib.contextmanager
def timed(work: Callable[[], object]) -> Iterator[Mapping[str, float]]:
    """Do it; gives the seconds of CPU time."""
    started = time.process_time()
    work()
    yield {"cpu_s": time.process_time() - started}


def sides(n_channels: int, n_windows: int, n_steps: int) -> list[Side]:
    """The same windows for each."""
    x = np.random.default_rng(0).normal(size=(n_windows, n_channels, n_steps)).astype(np.float32)
    torch.manual_seed(0)
    features, series = MiniRocketFeatures(n_channels), torch.from_numpy(x)
    features.fit(series)
    theirs = MiniRocket(n_kernels=N_FEATURES, n_jobs=1, random_state=0).fit(x)
    if theirs.transform(x[:1]).shape[1] != N_FEATURES:
        raise AssertionError("the other transform gives another number of features")
    works: dict[str, Callable[[], object]] = {
        OURS: partial(features, series),
        THEIRS: partial(theirs.transform, x),
        # As an exported program has it.
        BY_TORCH: lambda: features(series.clone().requires_grad_()),
    }
    return [Side(name, partial(timed, work), n_windows, 0) for name, work in works.items()]


def row(n_channels: int, n_windows: int, found: Mapping[str, Measured]) -> dict[str, float]:
    """Medians of the three."""
    cpu = {name: 1e3 * measured.median("cpu_s") for name, measured in found.items()}
    wall = {name: 1e3 * measured.median_s for name, measured in found.items()}
    return {
        "channels": n_channels,
        "windows": n_windows,
        **{f"{name} ms": wall[name] for name in found},
        **{f"{name} CPU ms": cpu[name] for name in found},
        "network / aeon": wall[OURS] / wall[THEIRS],
        "in CPU time": cpu[OURS] / cpu[THEIRS],
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="T of each window")
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    rows, seconds = [], {}
    for n_channels, n_windows in JOBS:
        found = run_sides(sides(n_channels, n_windows, given.steps), given.repeats, lambda _: None)
        rows.append(row(n_channels, n_windows, found))
        seconds |= {f"{name}, {n_channels} x {n_windows}": m.seconds for name, m in found.items()}
    slowest = max(each["in CPU time"] for each in rows)
    note = f"{N_FEATURES} numbers a window; at most {slowest:.2f} times the CPU time of aeon"
    size = BenchSize(JOBS[-1][1], JOBS[0][0], given.steps, given.repeats)
    ratios = {"1.5 aeon / network, CPU": LIMIT / slowest}
    result = Result("minirocket", asdict(size), Reading(rows, ratios, [note]), seconds)
    print(result)
    if given.output:
        result.save(given.output)


if __name__ == "__main__":
    main()
