"""How fast `dualgaf.pyts.GramianAngularField` is beside the one of pyts, in the same run.

    python benchmarks/drop_in_for_pyts.py [--n-series 10000] [--turns 9] [--output FILE.json]

One thread each, sides in turn, medians. A turn counts the call alone, with the memory for its
images: that of pyts is new each time, ours is that of the images of the turn before, which are gone
by then (`dualgaf.imaging.reused`). A bare fill of so much new memory is timed beside them. The
import of pyts, which compiles all of its functions for a minute, is not counted.
"""

# ruff: noqa: E402  # what these variables say counts when numba and NumPy are loaded

import os

for threads in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dualgaf import pyts as ours
from dualgaf.bench.results import machine, machine_lines, text_table

SIDES = ("pyts", "dualgaf", "fill float32", "fill float64")


def measure(
    n_series: int, steps: int, image_size: int, turns: int, theirs: type[Any]
) -> dict[str, list[float]]:
    """Seconds of each side and turn; the pixels of both are compared first."""
    x = np.random.default_rng(0).normal(size=(n_series, steps))
    drop_in, original = ours.GramianAngularField(image_size), theirs(image_size)
    few = x[:50]
    np.testing.assert_allclose(drop_in.transform(few), original.transform(few), rtol=0, atol=1e-6)
    shape = (n_series, image_size, image_size)
    calls: dict[str, Callable[[], Any]] = {
        "pyts": lambda: original.transform(x),
        "dualgaf": lambda: drop_in.transform(x),
        "fill float32": lambda: np.empty(shape, np.float32).fill(0.5),
        "fill float64": lambda: np.empty(shape).fill(0.5),
    }
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for turn in range(turns + 1):
        for side, call in calls.items():
            started = time.perf_counter()
            made = call()
            took = time.perf_counter() - started
            del made
            if turn:  # the first one warms up
                seconds[side].append(took)
    return seconds


def main() -> None:
    """Measure, print a table, write a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-series", type=int, default=10_000)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    from pyts.image import GramianAngularField

    result: dict[str, Any] = {"machine": machine(), "date": datetime.now(UTC).isoformat()}
    result |= {"n_series": args.n_series, "image_size": args.image_size, "steps": {}}
    rows = []
    for steps in (args.image_size, 4 * args.image_size):
        found = measure(args.n_series, steps, args.image_size, args.turns, GramianAngularField)
        result["steps"][steps] = found
        median = {side: statistics.median(times) for side, times in found.items()}
        rows += [
            {"side": side, "steps": steps, "ms": 1e3 * median[side],
             "x pyts": median["pyts"] / median[side]}
            for side in SIDES
        ]  # fmt: skip
    print(machine_lines(result["machine"]))
    print(text_table(rows))
    if args.output:
        args.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
