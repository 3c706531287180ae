"""Memory that runs out: real memory cgroups, and builds of programs that live in them.

A program is started inside a group of its own. It tells what became of its build; the images are
compared in it, chunk by chunk, since they may be larger than the group.
"""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.store.backing import open_writer
from filling import filled
from fills import images_of, job_of, layout_of, windows_of
from programs import SEARCH_PATH, kills

RECIPE = ImagingRecipe(8)

MIB = 1 << 20

START = """
import json, subprocess, sys, threading, warnings
from dataclasses import replace
import numpy as np
import dualgaf
from dualgaf.build import build_store
from dualgaf.imaging.gaf import Renderer
from dualgaf.plan.preset import HardwarePreset
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.pool.fill import fill
from dualgaf.pool.settings import PoolSettings
from fills import images_of, job_of, windows_of

warnings.simplefilter("always")
assert "torch" not in sys.modules

def same(windows, recipe, store):
    renderer = Renderer(recipe, windows.window_size, None)
    for first in range(0, len(windows), 50):
        rows = store.array[first : first + 50]
        drawn = np.empty_like(rows)
        renderer.render(windows, first, first + len(rows), drawn)
        if not np.array_equal(rows, drawn):
            return False
    return True

def tell(**told):
    print("told", json.dumps(told), flush=True)

"""
# Chunk 2000 is met when both workers have drawn for a while: one that still starts takes memory.
# The program itself is larger than the worker that takes too much.
OOM = """
ballast = bytearray(220 << 20)
windows, recipe = windows_of(30_000), ImagingRecipe(8)
job = job_of(windows, recipe, "process", workers=2)
with job.writer:
    report = fill(job)
    store = job.writer.seal()
equal = np.array_equal(store.array, images_of(windows, recipe))
tell(backend=report.backend, workers=report.workers, retries=report.retries, equal=equal)
"""
BUILD = """
backend, hog = sys.argv[2], sys.argv[3:]
windows, recipe = windows_of(int(sys.argv[1]), channels=4, steps=96), ImagingRecipe(96)
request = BuildRequest(len(windows), 4, 96, recipe)
settings = PoolSettings(chunk_size=50, backend=backend, n_jobs=2)
# The plan of a moment when memory was free: the build must see for itself.
plan = replace(make_plan(request, HardwarePreset("mine"), settings), request=request, place="memfd")
held, full, draw = [], threading.Event(), Renderer.render

def wait(self, windows, first, last, out):
    if first >= 500:  # threads draw all of it before another process has started
        full.wait()
    draw(self, windows, first, last, out)

def progress(rows):
    if hog and not held:
        held.append(subprocess.Popen(
            [sys.executable, "-c", *hog], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ))
        assert held[0].stdout.readline() == b"full\\n"
        full.set()

Renderer.render = wait if hog else draw
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    store, report = build_store(windows, plan, progress=progress)
for process in held:
    process.stdin.close()
    process.wait()
tell(
    backing=report.backing, backend=report.backend, equal=same(windows, recipe, store),
    warned=[str(warning.message) for warning in caught], bytes=report.bytes,
)
"""
SHARE = """
import os
from dualgaf.imaging.windows import Windows
from dualgaf.pool.messages import share_windows

source, _ = share_windows(Windows(np.ones((1, (180 << 20) // 8)), np.arange(10), 16))
tell(link=os.readlink(f"/proc/self/fd/{source}"), bytes=os.fstat(source).st_size)
"""
HOG = """
import mmap, sys
from pathlib import Path
from dualgaf.system.machine import memory_headroom
held = []
while memory_headroom().bytes > 130 << 20:
    held.append(mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    held[-1].write(b"x" * (4 << 20))
print("full", flush=True)
sys.stdin.read()
"""


def run(group: Path, program: str, *arguments: str) -> dict[str, object]:
    """What a program in the group tells at its end, and how many the kernel has killed."""
    enter = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
    done = subprocess.run(
        [*enter, sys.executable, "-c", START + program, *arguments],
        env={**os.environ, "PYTHONPATH": SEARCH_PATH},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = re.findall(r"^told (.*)$", done.stdout, re.MULTILINE)
    return {**json.loads(line), "kills": kills(group), "errors": done.stderr}


@pytest.mark.fault(6)
def test_the_kernel_ends_a_worker_and_not_the_program(tmp_path, monkeypatch, memory_group):
    monkeypatch.setenv("DUALGAF_FAULT", f"memory:2000:{tmp_path / 'suffered'}")
    told = run(memory_group(500 * MIB), OOM)
    assert (told["backend"], told["workers"], told["equal"]) == ("process", 1, True)
    # what the first one had is free a moment after its end, which may cost another one
    assert told["kills"] == told["retries"]
    assert told["kills"] in (1, 2)
    assert (
        "chunk 2000 (windows 14000 to 14006) has lost its worker (killed by SIGKILL by the kernel, "
        "because memory was short); another does it, of 1"
    ) in told["errors"]


@pytest.mark.fault(6)
def test_the_last_worker_is_replaced_all_the_same(tmp_path, monkeypatch, memory_group):
    monkeypatch.setenv("DUALGAF_FAULT", f"memory:2000:{tmp_path / 'suffered'}")
    told = run(memory_group(500 * MIB), OOM.replace("workers=2", "workers=1"))
    assert (told["backend"], told["workers"], told["equal"]) == ("process", 1, True)
    assert told["kills"] == 1


@pytest.mark.fault(2, 6)
def test_a_chunk_that_needs_too_much_memory_says_so(monkeypatch, memory_group):
    monkeypatch.setenv("DUALGAF_FAULT", "memory:2000")
    failing = "try:" + OOM.replace("\n", "\n    ")
    failing += "\nexcept dualgaf.errors.ChunkError as error:\n    tell(error=str(error))\n"
    told = run(memory_group(500 * MIB), failing)
    assert told["kills"] >= 2
    assert told["error"].startswith(
        "chunk 2000 (windows 14000 to 14006) cost 2 workers: killed by SIGKILL by the kernel, "
        "because memory was short; last words of the worker: none. "
    )


@pytest.mark.fault(7)
@pytest.mark.parametrize("backend", ["thread", "process"])
def test_a_store_larger_than_the_group_goes_to_disk(backend, memory_group):
    told = run(memory_group(400 * MIB), BUILD, "8000", backend)  # 563 MiB
    assert told["bytes"] > 500 * MIB
    assert (told["backing"], told["backend"], told["equal"]) == ("file", backend, True)
    assert told["kills"] == 0
    (warning,) = told["warned"]
    assert warning.startswith("the images go to an anonymous disk file instead of memory; memfd: ")
    assert "dualgaf-test-" in warning  # the group is named
    assert "stay in reserve, and the store takes" in warning  # before a byte was written


@pytest.mark.fault(8)
@pytest.mark.parametrize("backend", ["thread", "process"])
def test_memory_that_vanishes_while_building_moves_the_store_to_disk(backend, memory_group):
    told = run(memory_group(1000 * MIB), BUILD, "4000", backend, HOG)  # 281 MiB
    assert (told["backing"], told["backend"], told["equal"]) == ("file", backend, True)
    assert told["kills"] == 0
    (warning,) = told["warned"]
    assert warning.startswith(
        "the images go to an anonymous disk file instead of memory; "
        "memfd: memory became short while building: "
    )


@pytest.mark.fault(8)
def test_the_input_of_the_workers_goes_to_disk_where_memory_is_short(memory_group):
    told = run(memory_group(400 * MIB), SHARE)  # two copies of the input are more than that
    assert not told["link"].startswith("/memfd:")
    assert told["bytes"] == 180 * MIB + 128  # ten starts, up to the next multiple of 64
    assert told["kills"] == 0


@pytest.mark.fault(11)
def test_without_memfd_the_workers_read_their_input_from_a_file(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "memfd_create", refuse)
    windows = windows_of(40)
    writer = open_writer(layout_of(windows, RECIPE), ["file"])
    report, array = filled(job_of(windows, RECIPE, "process", writer=writer))
    assert report.backend == "process"
    np.testing.assert_array_equal(array, images_of(windows, RECIPE))
