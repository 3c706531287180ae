"""A build while the machine changes, beside fixed settings: `python benchmarks/live_load.py`.

    python benchmarks/live_load.py [--seconds 20] [--repeats 3] [--only core memory quota]

A neighbour changes the machine after a third of a build's windows and, but for two of the cases,
changes it back after two thirds:

============== =====================================================================
core           a busy loop of the highest priority takes one CPU
memory         a program in the same memory cgroup takes what the build still needs
memory, stays  the same, and the program stays
quota          the CPU quota of the build's cgroup goes from all CPUs to one, and stays
============== =====================================================================

A build runs as it does without options (*auto*: the plan decides, the build follows the machine),
by processes, and with settings that stay what they are: workers, chunks, and the place of the
store. Each build is a process of its own, sides take turns; the case comes first, then the repeat.
A trial that is done is kept in ``--work`` and not made again. Cgroups are made below this
process' own; where that is not allowed, the case is left out, and a line says so.

It has not been run to its end yet (docs/design/0022-live-load.md).

Windows are long and images small, so that a build of 20 s needs 1 GB: drawing is what takes time.
"""

import argparse
import contextlib
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dualgaf.bench.results import Result
from dualgaf.bench.runner import BenchSize, Reading
from dualgaf.build import build_store
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.plan import BuildRequest, make_plan
from dualgaf.plan.preset import HardwarePreset
from dualgaf.pool.calibration import Drawing, measure_window_s
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import cpu_count

ROOT = Path(__file__).resolve().parents[1]
CHANNELS, STEPS, SIDE = 20, 4096, 24
SPARE_BYTES = 700 << 20
"""What the memory cgroup has beside the store: programs, and what a build keeps in reserve."""
MEMFD, FILE = {"place": "memfd"}, {"place": "file"}
FIXED: dict[str, dict[str, Any]] = {
    "1 thread": {"n_jobs": 1, "chunk_size": 100},
    "2 threads": {"n_jobs": 2, "chunk_size": 100},
    "2 threads, chunks of 10": {"n_jobs": 2, "chunk_size": 10},
    "2 threads, chunks of 1000": {"n_jobs": 2, "chunk_size": 1000},
    "2 processes": {"n_jobs": 2, "chunk_size": 100, "backend": "process"},
}
FIXED_PLACES: dict[str, dict[str, Any]] = {
    "1 thread, file": {"n_jobs": 1, "chunk_size": 100, **FILE},
    "2 threads, file": {"n_jobs": 2, "chunk_size": 100, **FILE},
    "2 processes, file": {"n_jobs": 2, "chunk_size": 100, "backend": "process", **FILE},
}
FOLLOWS: dict[str, dict[str, Any]] = {"auto": {}, "auto, processes": {"backend": "process"}}
CASES = {
    "core": {**FOLLOWS, **FIXED},
    "memory": {**FOLLOWS, **FIXED_PLACES},
    "memory, stays": {**FOLLOWS, **FIXED_PLACES},
    "quota": {**FOLLOWS, **FIXED},
}
NEIGHBOUR = """
import mmap, os, select, sys
from dualgaf.system.machine import memory_headroom
held = []
for line in iter(sys.stdin.readline, ""):
    word, *number = line.split()
    if word == "spin":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -20)
        except OSError:
            pass
        while not select.select([sys.stdin], [], [], 0)[0]:
            sum(range(50_000))
    elif word == "take":
        while memory_headroom().bytes > int(number[0]):
            held.append(mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
            held[-1].write(b"x" * (8 << 20))
    else:
        held.clear()
"""


def trial(asked: dict[str, Any], n_windows: int) -> None:
    """One build in this process; says when a third and two thirds of the windows are drawn."""
    noise = np.random.default_rng(0).normal(size=(CHANNELS, n_windows + STEPS))
    windows = Windows(noise.cumsum(axis=1), np.arange(n_windows, dtype=np.int64), STEPS)
    recipe = ImagingRecipe(SIDE)
    measure_window_s(Drawing(recipe, CHANNELS, STEPS))  # the kernel is compiled
    place = asked.pop("place", None)
    request = BuildRequest(n_windows, CHANNELS, STEPS, recipe, input_bytes=windows.flat.nbytes)
    drawn, told = 0, 0

    def progress(rows: int) -> None:
        nonlocal drawn, told
        drawn += rows
        while told < 2 and drawn * 3 >= n_windows * (told + 1):
            told += 1
            print(json.dumps({"third": told}), flush=True)

    started = time.perf_counter()
    preset = HardwarePreset("auto", store_fraction=1.0)
    plan = make_plan(request, preset, PoolSettings.from_mapping(asked))
    plan = replace(plan, place=place or "memfd", request=request)
    store, report = build_store(windows, plan, progress=progress)
    seconds = time.perf_counter() - started
    told_at_end = {"backing": report.backing, "workers": report.workers, "seconds": seconds}
    print(json.dumps({**told_at_end, "peak_bytes": report.peak_bytes}), flush=True)
    store.close()


@dataclass
class Groups:
    """Control groups that a trial and its neighbour live in; made for it, and removed."""

    cpu: Path | None = None
    memory: Path | None = None

    @classmethod
    @contextlib.contextmanager
    def of(cls, case: str, n_bytes: int) -> "Iterator[Groups]":
        """Those of a case.

        Raises:
            OSError: this machine does not let us make one.
        """
        groups = cls()
        try:
            if case == "quota":
                groups.cpu = _new_group("cpu")
                set_quota(groups.cpu, cpu_count())
            if case.startswith("memory"):
                groups.memory = _new_group("memory")
                v1 = groups.memory / "memory.limit_in_bytes"
                limit = v1 if v1.exists() else groups.memory / "memory.max"
                limit.write_text(str(n_bytes + SPARE_BYTES))
            yield groups
        finally:
            for folder in filter(None, (groups.cpu, groups.memory)):
                _remove(folder)

    def command(self, *command: str) -> list[str]:
        """A command that starts inside."""
        enter = "".join(f"echo $$ > {g}/cgroup.procs && " for g in (self.cpu, self.memory) if g)
        return ["sh", "-c", f'{enter}exec "$@"', "sh", *command]


def _new_group(controller: str) -> Path:
    own = Path("/proc/self/cgroup").read_text()
    first = re.search(rf"^\d+:{controller}:(.*)$", own, re.MULTILINE)
    base = Path(f"/sys/fs/cgroup/{controller}{first[1]}" if first else "/sys/fs/cgroup")
    folder = base / f"dualgaf-live-{secrets.token_hex(4)}"
    folder.mkdir()
    return folder


def set_quota(group: Path, cpus: int) -> None:
    """CPUs that the group may use from now on."""
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{cpus * 100_000} 100000")
    else:
        (group / "cpu.cfs_quota_us").write_text(str(cpus * 100_000))


def _remove(folder: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            return folder.rmdir()
        time.sleep(0.05)
    raise SystemExit(f"{folder} is not empty; type rmdir {folder}")


def run(case: str, asked: dict[str, Any], n_windows: int) -> dict[str, Any]:
    """A trial and its neighbour; what the trial told, or how it ended."""
    n_bytes = n_windows * ImagingRecipe(SIDE).row_bytes(CHANNELS)
    words = {
        "core": ("spin", "rest"),
        "memory": (f"take {n_bytes // 5}", "rest"),
        "memory, stays": (f"take {n_bytes // 5}", ""),
        "quota": ("", ""),
    }[case]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    piped: dict[str, Any] = {"stdin": subprocess.PIPE, "text": True, "env": environment}
    with Groups.of(case, n_bytes) as groups:
        inside = Groups(memory=groups.memory)  # the quota is the build's alone
        neighbour = subprocess.Popen(inside.command(sys.executable, "-c", NEIGHBOUR), **piped)
        told = json.dumps([asked, n_windows])
        build = subprocess.Popen(
            groups.command(sys.executable, __file__, "--trial", told),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **piped,
        )
        assert neighbour.stdin is not None
        assert build.stdout is not None
        assert build.stderr is not None
        found: dict[str, Any] = {}
        for line in build.stdout:
            found |= json.loads(line)
            third = json.loads(line).get("third")
            if third and words[third - 1]:
                print(words[third - 1], file=neighbour.stdin, flush=True)
            if third == 1 and groups.cpu:
                set_quota(groups.cpu, 1)
        neighbour.stdin.close()
        neighbour.kill()
        neighbour.wait()
        words_at_end = build.stderr.read()
        status = build.wait()
    if status or "seconds" not in found:
        return {"ended": status, "words": words_at_end[-600:]}
    moved = "instead of memory" in words_at_end
    return {**found, "moved": moved}


def windows_of(seconds: float) -> int:
    """As many as all CPUs draw in this time."""
    alone = measure_window_s(Drawing(ImagingRecipe(SIDE), CHANNELS, STEPS))
    return int(seconds * cpu_count() / alone)


def read(trials: dict[str, Any], cases: list[str]) -> Reading:
    """Medians, and each side beside the best of the fixed ones."""
    rows, ratios = [], {}
    for case in cases:
        medians, backings = {}, {}
        for side in CASES[case]:
            found = [t for name, t in trials.items() if name.startswith(f"{case}|{side}|")]
            if found and all("seconds" in t for t in found):
                medians[side] = statistics.median(t["seconds"] for t in found)
                backings[side] = ", ".join(sorted({t["backing"] for t in found}))
        fixed = [s for side, s in medians.items() if side not in FOLLOWS]
        for side in CASES[case]:
            best = min(fixed, default=0.0) / medians[side] if side in medians else None
            row = {"case": case, "side": side, "store": backings.get(side, "ended")}
            rows.append({**row, "seconds": medians.get(side), "best fixed / it": best})
            if side in FOLLOWS and best:
                ratios[f"{case}: best fixed time / {side}"] = best
    return Reading(rows, ratios, ["ended: the build ended with an error, or was killed"])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of a build by all CPUs")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--work", type=Path, default=Path("runs/live_load"))
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.trial:
        trial(*json.loads(given.trial))
        return
    kept = given.work / f"{given.seconds:g}s.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    state = json.loads(kept.read_text()) if kept.exists() else {"trials": {}}
    state.setdefault("n_windows", windows_of(given.seconds))
    cases = []
    for case in given.only:
        try:
            _all_of(case, given.repeats, state, kept)
        except OSError as error:
            print(f"{case} is left out: no cgroup can be made here ({error})")
        else:
            cases.append(case)
    size = BenchSize(state["n_windows"], CHANNELS, STEPS, given.repeats)
    seconds = {name: [t["seconds"]] for name, t in state["trials"].items() if "seconds" in t}
    result = Result("live_load", asdict(size), read(state["trials"], cases), seconds)
    print(result)
    if given.output:
        result.save(given.output)


def _all_of(case: str, repeats: int, state: dict[str, Any], kept: Path) -> None:
    for repeat in range(repeats):
        for side, asked in CASES[case].items():
            name = f"{case}|{side}|{repeat}"
            if name not in state["trials"]:
                state["trials"][name] = run(case, asked, state["n_windows"])
                kept.write_text(json.dumps(state, indent=1))
                print(name, state["trials"][name], flush=True)


if __name__ == "__main__":
    main()
