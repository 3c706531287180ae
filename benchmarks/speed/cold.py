"""From a new process: `python -c` with imports, kernel from its cache, pool start, and the build.

The windows lie in a file, as they lie in memory for the earlier system, whose time is the warm one:
its imports and its start are not counted.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.speed.peers import EARLIER, earlier_side
from benchmarks.speed.size import SpeedSize
from dualgaf.bench.runner import Measured, Reading, Side, Suite, random_windows
from dualgaf.bench.sides import Job
from dualgaf.imaging.recipe import ImagingRecipe

_IMPORT = "import dualgaf.build"

_BUILD = """
import sys
import numpy as np
from dualgaf.build import build_store
from dualgaf.plan.preset import HardwarePreset
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.pool.settings import PoolSettings

path, window_size, backend, memory = sys.argv[1], int(sys.argv[2]), *sys.argv[3].split()
flat = np.load(path)
windows = Windows(flat, np.arange(0, flat.shape[1], window_size), window_size)
recipe = ImagingRecipe(window_size)
request = BuildRequest(len(windows), windows.n_channels, window_size, recipe)
settings = PoolSettings(backend=backend, shm=memory == "shared")
store, report = build_store(windows, make_plan(request, HardwarePreset("bench"), settings))
assert report.backend == backend, report
"""


def cold_suite(size: SpeedSize, until_done: contextlib.ExitStack) -> Suite:
    """New processes that build by threads and by processes, beside the warm earlier system."""
    windows = random_windows(size.n_windows, size.n_channels, size.window_size)
    job = Job(windows, ImagingRecipe(size.window_size))
    path = Path(until_done.enter_context(tempfile.TemporaryDirectory())) / "flat.npy"
    np.save(path, windows.flat)
    scripts = {
        "new process: imports only": (_IMPORT, ""),
        "new process: threads, private memory": (_BUILD, "thread private"),
        "new process: threads, shared memory": (_BUILD, "thread shared"),
        "new process: processes, shared memory": (_BUILD, "process shared"),
    }
    ours = [
        Side(
            name,
            partial(_run, script, str(path), str(size.window_size), how),
            len(windows) if how else 0,
            job.n_bytes if how else 0,
        )
        for name, (script, how) in scripts.items()
    ]
    earlier, notes = earlier_side(job, size)
    sides = [*ours, *earlier]
    return Suite(sides, lambda found: _read(sides, notes, found))


def _read(sides: list[Side], notes: list[str], found: Mapping[str, Measured]) -> Reading:
    earlier = found[EARLIER].median_s if EARLIER in found else None
    rows, ratios = [], {}
    for side in sides:
        seconds = found[side.name].median_s
        times = earlier / seconds if earlier and side.windows else None
        rows.append({"side": side.name, "seconds": seconds, "x earlier (warm)": times})
        if times and side.name != EARLIER:
            ratios[f"{side.name}, x earlier"] = times
    return Reading(rows, ratios, notes)


@contextlib.contextmanager
def _run(script: str, *arguments: str) -> Iterator[None]:
    subprocess.run([sys.executable, "-c", script, *arguments], check=True)
    yield
