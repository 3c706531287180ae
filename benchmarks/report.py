"""Write docs/performance.md: `python -m benchmarks.report`.

It comes from the committed `benchmarks/results` and from nowhere else: a test compares the page
with what this file makes of them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.speed.size import SpeedSize
from benchmarks.speed.suites import SUITES
from benchmarks.tables.generator import REPEATS, Folders
from benchmarks.typed import words
from dualgaf.bench import Result
from dualgaf.bench.results import Row, cell, machine_lines
from dualgaf.bench.runner import Reading

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"

SHARED = "processes, shared memory"
WARM = "processes (warm), shared memory"
PRIVATE = "threads, private memory"
THREADS = "threads, shared memory"
PWRITE = "limit: pwrite of a cached block, a memfd a worker"
NEAR = 1 / 1.10  # within 10 %
AUTO = "best fixed time / auto time"

# What was to be reached: in words, suite, ratio of that suite, least value.
REACH = (
    ("shared memory, warm processes: times the earlier system", "build", f"{WARM}, x earlier", 50),
    ("private memory, threads: times the earlier system", "build", f"{PRIVATE}, x earlier", 150),
    ("shared memory, warm processes: times plain pyts", "build", f"{WARM}, x pyts", 50),
    ("private memory, threads: times plain pyts", "build", f"{PRIVATE}, x pyts", 80),
    ("shared memory, filled by write(): of memset", "build", f"{WARM}, of memset", 1.5),
    ("shared memory, threads: times the earlier system", "build", f"{THREADS}, x earlier", 50),
    ("shared memory, threads: of memset", "build", f"{THREADS}, of memset", 1.5),
    (
        "new process, threads: times the warm earlier",
        "cold",
        f"new process: {THREADS}, x earlier",
        15,
    ),
    ("new process, processes: the same", "cold", f"new process: {SHARED}, x earlier", 15),
    ("dual images, of the peak, threads", "memory", f"dual: {THREADS}, images / peak", NEAR),
    ("packed images, of the peak, threads", "memory", f"packed: {THREADS}, images / peak", NEAR),
    ("dual images, of the peak, processes", "memory", f"dual: {SHARED}, images / peak", NEAR),
    ("packed images, of the peak, processes", "memory", f"packed: {SHARED}, images / peak", NEAR),
    (
        "peak of the earlier system, in sizes of the images",
        "memory",
        f"dual: {SHARED}, earlier peak / images",
        10,
    ),
    ("shared memory: auto, of the best fixed setting", "sweep", f"shared: {AUTO}", NEAR),
    ("private memory: auto, of the best fixed setting", "sweep", f"private: {AUTO}", NEAR),
    (
        "loader, precomputed: times the earlier one",
        "loading",
        "dualgaf, precomputed, x earlier",
        10,
    ),
    ("loader, on_device: times the earlier one", "loading", "dualgaf, on_device, x earlier", 10),
    ("0.3 s, of setup() on a hit, any size", "setup", "0.3 s / slowest hit", 1),
    (
        "on_device, of one pass over the store",
        "loading",
        "on_device, x one pass over the store",
        1 / 1.5,
    ),
    (
        "training step on the CPU, of its data side",
        "loading",
        "training step, precomputed, step / data side",
        20,
    ),
    ("CSV to series: times the build of 837ca8d", "tables", "csv, series: seconds of 837ca8d", 1),
    ("CSV to windows: the same", "tables", "csv, windows: seconds of 837ca8d", 1),
    ("Parquet to series: of bare polars", "tables", "parquet, series: seconds of polars", 0.5),
    ("Parquet to series: of its memory", "tables", "parquet, series: peak of polars", 0.5),
    ("Parquet to windows: of bare polars", "tables", "parquet, windows: seconds of polars", 0.5),
    ("Parquet to windows: of its memory", "tables", "parquet, windows: peak of polars", 0.5),
    ("training, mean of the sets: times 837ca8d", "training_time", "geometric mean: seconds", 3),
    ("training, the set that gained least: the same", "training_time", "least: seconds", 1),
    ("memory of a training, the same set by set: the least", "training_time", "least: peak", 1),
    ("`train.py --help`: times 837ca8d", "start", "help", 2),
    ("start to the first step: times 837ca8d", "start", "first step", 2),
    ("predictions, 64 windows: times 837ca8d", "prediction", "64 windows", 10),
    ("predictions, one window: times 837ca8d", "prediction", "1 windows", 4),
)
SCRIPTS = {
    "setup": "`setup()` where windows and images are in the cache, in a new process.",
    "loading": (
        "Batches of float32, ready for a step; their share of a training step with large kernels."
    ),
    "crossover": "Precompute or draw per batch: the epoch from which on a build pays for itself.",
    "tables": (
        "A folder of 26 tables, written as CSV and as Parquet: this build, that of 837ca8d, and "
        "polars alone, which reads the same columns and does nothing else. Each side runs in a "
        "process of its own."
    ),
    "training_time": (
        "`python train.py experiment=NAME` as a whole process, from its start to its end, beside "
        "the build of 837ca8d in an environment of its own. Every run counts."
    ),
    "start": (
        "Seconds of CPU time of `import dualgaf`, of `train.py --help`, to the first step of a "
        "training and of a step, beside the build of 837ca8d. Each is a process of its own with "
        "one thread."
    ),
    "prediction": (
        "Milliseconds of CPU time of `dualgaf.load(CKPT).predict` beside the `.pt2` that 837ca8d "
        "exports, NATOPS, in turn in a process with one thread."
    ),
}
TABLES = {**asdict(Folders()), "repeats": REPEATS}
PROGRAMS = {
    name: f"-m benchmarks.{name}" for name in ("tables", "training_time", "start", "prediction")
}
"""What is started as a module."""

HEAD = """# Performance

Made by `python -m benchmarks.report` from `benchmarks/results/*.json`; no measured number here is
typed by hand. Where a section says nothing else, all sides of a table ran in turn in one process,
repeat after repeat, after private memory as large as theirs was touched and freed; the first repeat
is not counted, medians are shown. GB are 10^9 bytes of images. Read ratios, not seconds: they carry
over to other machines.

*Earlier system* is a baseline in `benchmarks/speed/baselines.py`, written from the guide of the
earlier training script. *Plain pyts* draws a tenth of the windows in blocks in one process. *Of
memset* is the speed of the whole build over that of a bare `memset` into fresh memory of the same
kind by as many workers.
"""


def page(results: Mapping[str, Result]) -> str:
    """The text of docs/performance.md."""
    reached = [_reach_row(results, *goal) for goal in REACH if goal[1] in results]
    parts = [HEAD]
    if reached:
        parts.append(f"## What was to be reached\n\n{markdown_table(reached)}\n")
    parts.append(_in_the_way(results))
    parts += [_section(result) for result in results.values()]
    return "\n".join(parts)


def _reach_row(
    results: Mapping[str, Result], what: str, suite: str, ratio: str, least: float
) -> Row:
    measured = results[suite].reading.ratios.get(ratio)
    verdict = "not measured" if measured is None else "yes" if measured >= least else "no"
    return {"what": what, "reach": f">= {cell(least)}", "measured": measured, "reached": verdict}


def _in_the_way(results: Mapping[str, Result]) -> str:
    """Why some of it is out of reach on this machine, each with its measurement."""

    def told(suite: str, side: str, column: str) -> str:
        rows = results[suite].reading.rows if suite in results else ()
        return next((cell(row[column]) for row in rows if row["side"] == side), "-")

    limits = [
        f"Shared memory beside plain pyts: a bare `pwrite` of a block in the cache, "
        f"{told('build', PWRITE, 'GB/s')} GB/s, is {told('build', PWRITE, 'x pyts')} times plain "
        "pyts. No build of uint8 dual images into such memory can be faster. Packed images have "
        f"half the bytes: {told('build', f'packed: {WARM}', 'x pyts')} times. Huge pages for "
        "shared memory would lift the limit; `python -m dualgaf doctor` says how.",
        f"Private memory beside plain pyts: a bare `memset` is "
        f"{told('build', 'limit: memset, private memory', 'x pyts')} times plain pyts. The kernel "
        "comes on top: it is bound by its multiplications on processors that split 512-bit "
        "vectors in two. Packed images reach "
        f"{told('build', f'packed: {PRIVATE}', 'x pyts')} times.",
        f"Loader: a plain fill of as many float32 is "
        f"{told('loading', 'limit: a fill of as many float32', 'x earlier')} times the earlier "
        "loader here; ten times would need fewer bytes (float16 images) or a faster memory.",
        "Worker processes take 45 to 70 MB each of their own, whatever the size of the store; "
        "threads, the default below 16 GiB of images, take none.",
        "Predictions and the start: what was tried, and where the rest goes, is in "
        "`docs/design/0018-time-of-a-training.md`.",
        "CUDA was not measured: no machine with a GPU was at hand.",
    ]
    return "\n".join(["## What is in the way", "", *(f"- {limit}" for limit in limits), ""])


def _section(result: Result) -> str:
    name, size = result.suite, result.size
    about = SCRIPTS.get(name) or str(SUITES[name].__doc__).splitlines()[0]
    job = _job(size)
    lines = [
        f"## {name}",
        "",
        about,
        "",
        "```text",
        f"$ {command(result)}",
        f"{result.date}",
        machine_lines(result.machine),
        "```",
        "",
        f"{job}.",
        "",
        markdown_table(result.reading.rows),
        "",
        *(f"- {note}" for note in result.reading.notes),
    ]
    if (RESULTS / f"{name}.png").exists():
        lines += ["", f"![{name}](../benchmarks/results/{name}.png)"]
    return "\n".join(lines) + "\n"


def _job(size: Mapping[str, Any]) -> str:
    if "files" in size or "typed" in size:
        return f"Medians, repeats={size['repeats']}"
    return f"{SpeedSize(**size)}" if "n_windows" in size else f"Stores of {size['memory']}"


def command(result: Result) -> str:
    """What was typed: the options that differ from the defaults."""
    suite = result.suite
    typed = result.size.get("typed")
    if typed is None:
        typed = words(result.size, {**asdict(SpeedSize()), **(TABLES if suite == "tables" else {})})
    start = f"benchmarks/{suite}.py" if suite in SCRIPTS else f"-m benchmarks.speed {suite}"
    start = PROGRAMS.get(suite, start)
    return " ".join(["python", start, *typed])


def markdown_table(rows: Sequence[Row]) -> str:
    """The rows as a table of Markdown, text left and numbers right."""
    columns = list(rows[0])
    numbers = [any(isinstance(row[column], float | int) for row in rows) for column in columns]
    lines = [
        columns,
        ["---:" if is_number else "---" for is_number in numbers],
        *([cell(row[column]) for column in columns] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def load_results() -> dict[str, Result]:
    """The committed results, in the order of the page."""
    paths = {suite: RESULTS / f"{suite}.json" for suite in (*SUITES, *SCRIPTS)}
    load = {"crossover": _load_crossover}
    return {
        suite: load.get(suite, Result.load)(path) for suite, path in paths.items() if path.exists()
    }


def _load_crossover(path: Path) -> Result:
    told = json.loads(path.read_text())
    return Result(
        suite="crossover",
        size={"memory": told["memory"], "repeats": told["repeats"]},
        reading=Reading(told["rows"], {}, ["microseconds a window"]),
        seconds=told["seconds"],
        machine=told["machine"],
        date=told["date"],
    )


if __name__ == "__main__":
    PAGE.write_text(page(load_results()))
