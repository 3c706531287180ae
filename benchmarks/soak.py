"""Build after build, a random fault in each: `python benchmarks/soak.py` (or `make soak`).

Every cycle builds a store of random size, place and crew while one fault is really injected,
compares what succeeds with the serial result bit for bit, closes it, and reads what this process
holds: memory, open files, threads, children, shared memory. The run is flat where the last quarter
of the cycles holds no more than the second one. Exit status 1 where it is not, or a byte differs.

    python benchmarks/soak.py --cycles 200 --seed 0 --output benchmarks/results/soak.json

With ``--different N`` the first N cycles come again and again. A short run needs that: what each of
them loads for the first time, it has then loaded in the first quarter.
"""

import argparse
import gc
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import psutil

from dualgaf.bench.results import machine
from dualgaf.build import build_store
from dualgaf.errors import DualGAFError, DualGAFWarning
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildPlan, BuildRequest, make_plan
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool.settings import PoolSettings
from dualgaf.store.store import Store

RSS_SLACK = 4 << 20
"""The allocator may keep this much more at the end."""
CHUNK = 20


@dataclass(frozen=True)
class Cycle:
    """What one cycle did and what the process held after it."""

    fault: str
    outcome: str
    rss_bytes: int
    open_files: int
    threads: int
    children: int
    shared_maps: int


@dataclass(frozen=True)
class Build:
    """The build of a cycle."""

    windows: Windows
    plan: BuildPlan
    folder: Path
    random: random.Random

    @property
    def n_chunks(self) -> int:
        return -(-len(self.windows) // CHUNK)

    def run(self, progress: Callable[[int], None] | None = None, verify: str = "size") -> Store:
        store, _ = build_store(self.windows, self.plan, progress=progress, cache_verify=verify)
        expected = np.empty_like(store.array)
        recipe = self.plan.request.recipe
        renderer = Renderer(recipe, self.windows.window_size, None)
        renderer.render(self.windows, 0, len(self.windows), expected)
        if not np.array_equal(store.array, expected):
            raise AssertionError("the images differ from the serial result")
        return store


def no_fault(build: Build) -> str:
    build.run().close()
    return "built"


def worker_fault(kind: str, once: bool) -> Callable[[Build], str]:
    """A worker process suffers ``kind`` at a random chunk, once or whoever takes the chunk."""

    def inject(build: Build) -> str:
        # Not the first chunk of a lane: a worker gets a minute more for its first one.
        firsts = (0, build.n_chunks // 2)
        chunk = build.random.choice([n for n in range(build.n_chunks) if n not in firsts])
        flag = f":{build.folder / 'once'}" if once else ""
        with environment("DUALGAF_FAULT", f"{kind}:{chunk}{flag}"):
            return outcome(build.run, "built" if once else "ChunkError")

    return inject


def signal_to_this(number: signal.Signals) -> Callable[[Build], str]:
    """This process gets a signal after a random number of windows."""

    def inject(build: Build) -> str:
        at, done = build.random.randrange(len(build.windows)), [0]

        def progress(rows: int) -> None:
            done[0] += rows
            if done[0] > at:
                done[0] = -sys.maxsize
                os.kill(os.getpid(), number)

        expected = {signal.SIGINT: "KeyboardInterrupt", signal.SIGTERM: "SystemExit"}[number]
        return outcome(lambda: build.run(progress), expected)

    return inject


def limit(kind: int, value: Callable[[Build], int]) -> Callable[[Build], str]:
    """A limit of the process becomes too low for the build."""

    def inject(build: Build) -> str:
        soft, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value(build), hard))
        try:
            return outcome(build.run, "built", "StoreFullError", "SystemRefusedError")
        finally:
            resource.setrlimit(kind, (soft, hard))

    return inject


def reader_killed(build: Build) -> str:
    """A program that reads the store through its handle is killed; the store stays."""
    store = build.run()
    if store.backing == "private":
        store.close()
        return "built"
    text = (
        "import json, sys, time; from dualgaf.store.store import attach; "
        "from dualgaf.store.handle import StoreHandle; "
        "store = attach(StoreHandle.from_json(json.loads(sys.argv[1]))); store.array[:] = 0; "
        "print(1, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", text, json.dumps(store.handle.to_json())]
    before = store.array.copy()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        reader.kill()
    if not np.array_equal(store.array, before):
        raise AssertionError("another process has changed the store")
    store.close()
    return "built"


def cache_cut_off(build: Build) -> str:
    """A build for the cache is interrupted, and the next one goes on; one byte flips later."""
    signal_to_this(signal.SIGINT)(build)
    build.run().close()
    assert build.plan.cache_dir is not None
    (entry,) = build.plan.cache_dir.glob("*.store")
    with entry.open("r+b") as file:
        file.seek(build.random.randrange(4096, entry.stat().st_size))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    build.run(verify="full").close()
    return "built"


FAULTS: dict[str, Callable[[Build], str]] = {
    "none": no_fault,
    "worker killed": worker_fault("SIGKILL", once=True),
    "worker stopped": worker_fault("SIGSTOP", once=True),
    "worker crashed": worker_fault("SIGSEGV", once=True),
    "worker exited": worker_fault("exit", once=True),
    "chunk kills every worker": worker_fault("SIGKILL", once=False),
    "chunk raises": worker_fault("raise", once=False),
    "Ctrl-C": signal_to_this(signal.SIGINT),
    "SIGTERM": signal_to_this(signal.SIGTERM),
    "limit on file size": limit(
        resource.RLIMIT_FSIZE, lambda b: b.random.randrange(b.plan.request.store_bytes)
    ),
    "limit on open files": limit(
        resource.RLIMIT_NOFILE, lambda b: psutil.Process().num_fds() + b.random.randrange(8)
    ),
    "reader killed": reader_killed,
    "cache cut off, then damaged": cache_cut_off,
}


def outcome(run: Callable[[], Store], *allowed: str) -> str:
    """``built``, or the name of the error in which the build ended; only those that are allowed."""
    name = "built"
    try:
        run().close()
    except (DualGAFError, DualGAFWarning, KeyboardInterrupt, SystemExit) as error:
        name = type(error).__name__
        if name not in allowed:
            raise
    if name not in allowed:
        raise AssertionError(f"it was built; needed: {', '.join(allowed)}")
    return name


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def make_build(fault: str, folder: Path, rng: random.Random) -> Build:
    """Windows, place and crew for a cycle: processes where a worker has to suffer."""
    n, channels, steps = rng.randrange(80, 400), rng.randrange(1, 6), rng.randrange(8, 40)
    values = np.random.default_rng(rng.randrange(1 << 30)).normal(size=(channels, n + steps))
    windows = Windows(values.cumsum(axis=1), np.arange(n), steps)
    recipe = ImagingRecipe(rng.randrange(4, steps + 1), layout=rng.choice(["dual", "packed"]))
    backend = rng.choice(["process", "thread", "serial"])
    if fault.startswith(("worker", "chunk")):
        backend = "process"
    settings = PoolSettings(
        backend=backend,  # type: ignore[arg-type]
        n_jobs=2,
        chunk_size=CHUNK,
        chunk_timeout_s=2.0,
        shm=backend == "process" or rng.random() < 0.7,
    )
    cache = folder / "cache" if fault.startswith("cache") else None
    request = BuildRequest(n, channels, steps, recipe)
    plan = make_plan(request, HardwarePreset("soak"), settings, cache)
    return Build(windows, plan, folder, rng)


def run_cycle(seed: int) -> Cycle:
    """One build with one fault, both drawn from ``seed``."""
    rng = random.Random(seed)
    fault = rng.choice(list(FAULTS))
    with tempfile.TemporaryDirectory(prefix="dualgaf-soak-") as folder:
        result = FAULTS[fault](make_build(fault, Path(folder), rng))
    gc.collect()
    this = psutil.Process()
    maps = Path("/proc/self/maps").read_text()
    return Cycle(
        fault=fault,
        outcome=result,
        rss_bytes=this.memory_info().rss,
        open_files=this.num_fds(),
        threads=threading.active_count(),
        children=len(this.children(recursive=True)),
        shared_maps=maps.count("memfd:dualgaf"),
    )


def is_flat(cycles: list[Cycle]) -> dict[str, bool]:
    """For each thing that leaks: whether the last quarter holds as little as the second one.

    The first quarter loads kernels and libraries.
    """
    quarter = len(cycles) // 4
    early, late = cycles[quarter : 2 * quarter], cycles[-quarter:]
    flat = {}
    for key in ("rss_bytes", "open_files", "threads", "children", "shared_maps"):
        before, after = (statistics.median(getattr(c, key) for c in part) for part in (early, late))
        flat[key] = after <= before + (RSS_SLACK if key == "rss_bytes" else 0)
    return flat


def soak(
    n_cycles: int, seed: int, n_different: int | None = None, say: Callable[[str], None] = print
) -> dict[str, object]:
    """Run the cycles, ``n_different`` of them in turn; returns what docs/reliability.md prints."""
    cycles, started = [], time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DualGAFWarning)
        for number in range(n_cycles):
            cycles.append(run_cycle(seed * 100_000 + number % (n_different or n_cycles)))
            if number % 20 == 19:
                last = cycles[-1]
                say(
                    f"{number + 1} cycles, {last.rss_bytes >> 20} MiB, {last.open_files} open "
                    f"files, {last.threads} threads, {last.children} children"
                )
    faults = Counter(cycle.fault for cycle in cycles)
    ends = {
        fault: dict(sorted(Counter(c.outcome for c in cycles if c.fault == fault).items()))
        for fault in FAULTS
        if faults[fault]
    }
    return {
        "cycles": n_cycles,
        "seed": seed,
        "seconds": round(time.perf_counter() - started, 1),
        "date": date.today().isoformat(),
        "outcomes": ends,
        "flat": is_flat(cycles),
        "every_10th": [asdict(cycle) for cycle in cycles[::10]] + [asdict(cycles[-1])],
        "machine": machine(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cycles", type=int, default=200, help="builds, at least 8 (200)")
    parser.add_argument("--seed", type=int, default=0, help="of faults and sizes (0)")
    parser.add_argument("--different", type=int, help="of so many cycles, in turn (all differ)")
    parser.add_argument("--output", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    # A shell starts programs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    result = soak(max(8, options.cycles), options.seed, options.different)
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: result[key] for key in ("outcomes", "flat", "seconds")}, indent=1))
    return 0 if all(result["flat"].values()) else 1  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
