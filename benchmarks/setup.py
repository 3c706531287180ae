"""How long `setup()` takes where windows and images are in the cache: `python benchmarks/setup.py`.

Each side is a process of its own that has imported everything and holds its series in memory, as a
user's program would. What is timed is ``DualGAFDataModule.setup("fit")`` alone; the images were put
into the cache by a process before.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from dualgaf.bench.results import Result
from dualgaf.bench.runner import BenchSize, Measured, Reading, Side, run_sides

LIMIT_S = 0.3
JOBS = ((1000, 48), (4000, 24), (4000, 96), (16000, 24), (16000, 48), (64000, 24))
"""(windows, image size): what grows is the series, the images, or both."""
CODE = """
import json, sys, time
import numpy as np
from dualgaf import DualGAFDataModule
n, channels, steps, size, folder = json.loads(sys.argv[1])
x = np.random.default_rng(0).normal(size=(n, channels, steps))
y = np.arange(n) % 5
dm = DualGAFDataModule.from_arrays(
    train=(x, y), image_size=size, scaling="train", hardware="16gb", cache_dir=folder
)
started = time.perf_counter()
dm.setup("fit")
print(json.dumps({"setup_s": time.perf_counter() - started, "hit": dm.build_reports[0].cache}))
"""


@contextlib.contextmanager
def set_up(job: tuple[Any, ...]) -> Iterator[Mapping[str, float]]:
    """A new process that sets up; gives the seconds that it measured."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(job)], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    yield {"setup_s": told["setup_s"], "hit": float(told["hit"] == "hit")}


def read(jobs: Mapping[str, tuple[Any, ...]], found: Mapping[str, Measured]) -> Reading:
    """Seconds of the first run, which fills the cache, and of those that find it."""
    rows = []
    for name, (n, channels, steps, size, _) in jobs.items():
        told = found[name].told
        if told[0]["hit"] or not all(figures["hit"] for figures in told[1:]):
            raise AssertionError(f"{name}: the first run should miss the cache, the others hit")
        rows.append(
            {
                "side": name,
                "series MB": n * channels * steps * 8 / 1e6,
                "images MB": 2 * n * channels * size * size / 1e6,
                "first s": told[0]["setup_s"],
                "hit s": found[name].median("setup_s"),
            }
        )
    slowest = max(row["hit s"] for row in rows)
    return Reading(rows, {"0.3 s / slowest hit": LIMIT_S / slowest}, ["uint8 dual; scaling=train"])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--most", type=int, default=64000, help="windows of the largest side")
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    size = BenchSize(repeats=given.repeats)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        jobs = {
            f"{n} windows, images of {side}": (n, size.n_channels, size.window_size, side, folder)
            for n, side in JOBS
            if n <= given.most
        }
        sides = [Side(name, partial(set_up, job), job[0], 0) for name, job in jobs.items()]
        found = run_sides(sides, size.repeats, print)
    seconds = {name: [told["setup_s"] for told in found[name].told] for name in jobs}
    result = Result("setup", asdict(size), read(jobs, found), seconds)
    print(result)
    if given.output:
        result.save(given.output)


if __name__ == "__main__":
    main()
