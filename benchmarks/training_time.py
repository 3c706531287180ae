"""How long a training takes beside the build of 837ca8d: `python -m benchmarks.training_time`.

    python -m benchmarks.training_time --sets basic_motions natops
    python -m benchmarks.training_time --table      the table only, from the runs that are there

A run is `python train.py experiment=NAME` as a whole process, from its start to its end; either
build has an environment of its own. The sides take turns, set by set. Each run is kept as soon as
it is done, and one that is there is not made again: an interrupted job goes on where it was. The
table that Tennessee Eastman reads is made first. Run it beside nothing else.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.accuracy.tables import TABLES, data_folder, with_data, write_tables
from benchmarks.earlier_build import EARLIER, ROOT, earlier_environment
from dualgaf.bench.results import Result, machine_lines, text_table
from dualgaf.bench.runner import Reading
from dualgaf.system.memory import memory_used

SETS = (
    *("italy_power_demand", "gunpoint", "ecg200", "basic_motions"),
    *("japanese_vowels", "racket_sports", "epilepsy", "articulary_word_recognition", "natops"),
    "tennessee_eastman",
)
"""The shortest first."""
SHORT = SETS[:4]
REPEATS = 3
"""Of sets in `SHORT`; the others run once."""
NOW, THEN = "dualgaf", f"dualgaf {EARLIER}"
FOLDER = ROOT / "runs/training_time"
PAUSE_S = 0.1
LAST_WORDS = 15


class Build(NamedTuple):
    """One side."""

    python: Path
    folder: Path


class Run(NamedTuple):
    """What one training took, and what it reached."""

    set: str
    side: str
    seconds: float
    peak_bytes: int
    """Of all processes together, beyond what the machine had in use before."""
    test: Mapping[str, float]
    """Figures of the test split."""


def train(build: Build, name: str, options: Sequence[str], folder: Path) -> tuple[float, int]:
    """Seconds and peak bytes of a process of ``train.py``.

    Raises:
        SystemExit: it failed; with its last lines.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    typed = [f"experiment={name}", f"hydra.run.dir={folder / 'run'}", *options]
    if name in TABLES:
        typed.append(f"data.root={ROOT / TABLES[name]}")
    command = [build.python, "train.py", *typed]
    log, peak, before, started = folder / "log.txt", 0, memory_used(), time.perf_counter()
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=build.folder, stdout=file, stderr=subprocess.STDOUT, env=with_data()
        )
        try:
            while process.poll() is None:
                peak = max(peak, memory_used() - before)
                time.sleep(PAUSE_S)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit("\n".join(log.read_text().splitlines()[-LAST_WORDS:]))
    return seconds, peak


def measure(
    builds: Mapping[str, Build], sets: Sequence[str], options: Sequence[str], kept: Path
) -> list[Run]:
    """Make the runs that are not in ``kept`` yet, a line of JSON each."""
    runs = kept_runs(kept)
    for name in sets:
        for repeat in range(REPEATS if name in SHORT else 1):
            for side, build in builds.items():
                there = sum((run.set, run.side) == (name, side) for run in runs)
                if there > repeat:
                    continue
                folder = FOLDER / name / side.replace(" ", "_")
                took = train(build, name, options, folder)
                run = Run(name, side, *took, _tested(folder / "run"))
                with kept.open("a") as file:
                    file.write(json.dumps(run._asdict()) + "\n")
                runs.append(run)
                _say(f"{name:28} {side:18}{run.seconds:8.1f} s{run.peak_bytes / 2**20:8.0f} MiB")
    return runs


def kept_runs(kept: Path) -> list[Run]:
    """Those of earlier calls."""
    if not kept.exists():
        return []
    return [Run(**json.loads(line)) for line in kept.read_text().splitlines()]


def _tested(folder: Path) -> dict[str, float]:
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    names = ("test/acc", "test/f1")
    return {name: round(metrics[name], 6) for name in names if name in metrics}


def read(runs: Sequence[Run]) -> Reading:
    """Medians, side beside side; the geometric mean over the sets that both sides have."""
    rows, ratios = [], {}
    for name in SETS:
        now, then = ([r for r in runs if (r.set, r.side) == (name, side)] for side in (NOW, THEN))
        if not now or not then:
            continue
        seconds = [statistics.median(run.seconds for run in side) for side in (now, then)]
        peaks = [statistics.median(run.peak_bytes for run in side) for side in (now, then)]
        ratios[f"{name}: seconds"] = seconds[1] / seconds[0]
        ratios[f"{name}: peak"] = peaks[1] / peaks[0]
        rows.append(
            {
                "set": name,
                "runs": f"{len(now)} + {len(then)}",
                "seconds": seconds[0],
                f"seconds, {EARLIER}": seconds[1],
                "times as fast": seconds[1] / seconds[0],
                "peak MiB": peaks[0] / 2**20,
                f"peak MiB, {EARLIER}": peaks[1] / 2**20,
                **{
                    f"{figure}{side}": statistics.median(run.test[figure] for run in own)
                    for side, own in (("", now), (f", {EARLIER}", then))
                    for figure in ("test/acc",)
                },
            }
        )
    if rows:
        mean = statistics.geometric_mean(row["times as fast"] for row in rows)
        least = {
            f"least: {what}": min(ratios[f"{row['set']}: {what}"] for row in rows)
            for what in ("seconds", "peak")
        }
        ratios |= {"geometric mean: seconds": mean, **least}
    notes = [
        f"seconds of `python train.py experiment=NAME` as a process, {len(rows)} of {len(SETS)} "
        "sets; medians of the runs, this build + the earlier one",
        *([f"geometric mean of the sets: {mean:.2f} times as fast"] if rows else []),
    ]
    return Reading(rows, ratios, notes)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_time", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument(
        "--kept", type=Path, default=FOLDER / "runs.jsonl", help="runs that are done"
    )
    parser.add_argument("--override", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    runs = kept_runs(given.kept)
    if not given.table:
        FOLDER.mkdir(parents=True, exist_ok=True)
        earlier = FOLDER / EARLIER
        builds = {
            NOW: Build(Path(sys.executable), ROOT),
            THEN: Build(earlier_environment(earlier), earlier),
        }
        os.chdir(ROOT)
        if any(name in TABLES and not (ROOT / TABLES[name]).exists() for name in given.sets):
            write_tables(data_folder())
        try:
            runs = measure(builds, given.sets, given.override, given.kept)
        except KeyboardInterrupt:
            _say(f"interrupted; the runs that are done are in {given.kept}")
            return 130
    reading = read(runs)
    seconds: dict[str, list[float]] = {}
    for run in runs:
        seconds.setdefault(f"{run.set}, {run.side}", []).append(run.seconds)
    typed = [word for option in given.override for word in ("--override", option)]
    if 0 < len(reading.rows) < len(SETS):
        typed += ["--sets", *(row["set"] for row in reading.rows)]
    size = {"repeats": "as in the column runs", "typed": typed}
    result = Result("training_time", size, reading, seconds)
    print(machine_lines(result.machine), "", text_table(reading.rows), "", sep="\n")
    print(*reading.notes, sep="\n")
    if given.output:
        result.save(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
