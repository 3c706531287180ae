"""Limits that a shell or a batch system sets to a process: ``ulimit -v``, ``-d``, ``-n``, ``-f``.

A program lowers a limit to one value after the other and builds under each. Each build must give
the right bytes or one of the package's own errors: no other exception, no signal, no hang.
"""

import os
import re
import resource
import subprocess
import sys

import pytest

from dualgaf.errors import StoreFullError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.fill import fill
from fills import job_of, windows_of
from programs import SEARCH_PATH

SWEEP = """
import os, re, resource, sys, warnings
import numpy as np
from dualgaf.build import build_store
from dualgaf.errors import DualGAFError
from dualgaf.plan.preset import HardwarePreset
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.pool.settings import PoolSettings
from fills import images_of, windows_of

name, backend, values = sys.argv[1], sys.argv[2], [int(text) for text in sys.argv[3:]]
limit = getattr(resource, f"RLIMIT_{name}")
windows, recipe = windows_of(1000, steps=32), ImagingRecipe(32)
settings = PoolSettings(backend=backend, n_jobs=2, chunk_size=100)
request = BuildRequest(len(windows), 2, 32, recipe)
plan = make_plan(request, HardwarePreset("mine"), settings)

def in_use():
    line = {"AS": "VmSize", "DATA": "VmData"}.get(name)
    if line is not None:
        text = open("/proc/self/status").read()
        return int(re.search(rf"{line}:\\s+(\\d+) kB", text)[1]) << 10
    return len(os.listdir("/proc/self/fd")) if name == "NOFILE" else 0

def build():
    warnings.simplefilter("ignore")
    try:
        return build_store(windows, plan)
    except DualGAFError as error:
        return None, type(error).__name__

soft, hard = resource.getrlimit(limit)
for value in values:
    resource.setrlimit(limit, (in_use() + value, hard))
    store, report = build()
    resource.setrlimit(limit, (soft, hard))
    if store is None:
        print(value, report, flush=True)
    else:
        same = np.array_equal(store.array, images_of(windows, recipe))
        print(value, report.backing if same else "wrong", flush=True)
        store.close()
"""
MIB = 1 << 20
MEMORY = [0, 1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 1024]
LIMITS = {
    "AS": [n * MIB for n in MEMORY],
    "DATA": [n * MIB for n in MEMORY],
    "NOFILE": [*range(-3, 14), 16, 24, 40],
    "FSIZE": [0, 1, 100, 4095, 4096, 4097, 65536, MIB, 2 * MIB, 4 * MIB, 4 * MIB + 4096, 8 * MIB],
}


@pytest.mark.fault(13)
@pytest.mark.parametrize("backend", ["thread", "process"])
@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_of_any_height_is_withstood(name, backend, injected):
    values = LIMITS[name]
    injected(len(values))
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, name, backend, *map(str, values)],
        env={**os.environ, "PYTHONPATH": SEARCH_PATH},
        capture_output=True,
        text=True,
        timeout=280,  # twenty builds; a slow machine is no hang
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    outcomes = re.findall(r"^-?\d+ (\w+)$", done.stdout, re.MULTILINE)
    assert len(outcomes) == len(values)
    errors = {"StoreFullError", "SystemRefusedError", "BudgetError", "ChunkError", "PoolError"}
    assert set(outcomes) <= {"memfd", "file"} | errors
    assert outcomes[0] in errors  # the limit was felt
    assert outcomes[-1] == "memfd"  # a high one is no hindrance


@pytest.mark.fault(13)
@pytest.mark.parametrize("backend", ["process", "thread", "serial"])
def test_a_full_store_is_a_store_full_error_from_every_backend(backend):
    job = job_of(windows_of(60), ImagingRecipe(8), backend, workers=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    half = job.writer.layout.offset(30)
    # the limit is of the process, and workers inherit it; the store has its size already
    resource.setrlimit(resource.RLIMIT_FSIZE, (half, hard))
    try:
        with job.writer, pytest.raises(StoreFullError, match=r"memfd is full .*File too large"):
            fill(job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
