"""How fast folders of tables are read: `python -m benchmarks.tables [--output FILE.json]`.

The sides take turns, each in a process of its own: this build, the one of `EARLIER` (its files are
taken from git), and bare polars, which reads the same columns and does nothing else. The first
repeat is not counted: it brings the files into memory. Seconds of all cores stand beside those of
the clock, as a machine may have other work.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.tables.generator import REPEATS, Folders, write_folders
from dualgaf.bench.results import Result, machine_lines, text_table
from dualgaf.bench.runner import Reading

EARLIER = "837ca8d"
ROOT = Path(__file__).resolve().parents[2]
ONE_SIDE = Path(__file__).with_name("one_side.py")
OURS, THEIRS, BARE = "dualgaf", f"dualgaf {EARLIER}", "bare polars"
SIDES = ((OURS, "series"), (OURS, "windows"), (THEIRS, "series"), (THEIRS, "windows"))
KINDS = ("csv", "parquet")

Told = Mapping[str, Any]


def measure(root: Path, job: Folders, repeats: int) -> dict[str, list[Told]]:
    """What each side told of itself, repeat by repeat, by `key`.

    Args:
        root: where the folders and the earlier build are written.
        job: what is read.
        repeats: that count; one more runs before them.
    """
    earlier = earlier_build(root / "earlier")
    options = json.dumps({"window_size": job.window_size, "stride": job.stride})
    found: dict[str, list[Told]] = {}
    for repeat in range(repeats + 1):
        for kind in KINDS:
            for name, side in (*SIDES, (BARE, "polars")):
                src = earlier if name == THEIRS else ROOT / "src"
                told = _run(src, [side, str(root / kind), options])
                found.setdefault(key(kind, name, side), []).append(told)
                print(
                    f"{repeat} {kind:8}{name:16}{side:8}{told['wall_s']:8.2f} s"
                    f"{told['peak_bytes'] / 1e6:8.0f} MB",
                    file=sys.stderr,
                )
    return found


def key(kind: str, name: str, side: str) -> str:
    """What a side is called where it reads files of a kind."""
    return f"{kind}, {name}, {side}"


def earlier_build(folder: Path) -> Path:
    """The ``src`` of `EARLIER`, as it is in git."""
    command = ["git", "-C", str(ROOT), "archive", EARLIER, "src"]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=BytesIO(made)) as files:
        files.extractall(folder, filter="data")
    return folder / "src"


def read(found: Mapping[str, Sequence[Told]], sizes: Mapping[str, int], job: Folders) -> Reading:
    """Medians, and what is compared with what."""

    def median(kind: str, name: str, side: str, figure: str) -> float:
        return statistics.median(told[figure] for told in found[key(kind, name, side)][1:])

    rows, ratios = [], {}
    for kind in KINDS:
        bare = {f: median(kind, BARE, "polars", f) for f in ("wall_s", "cpu_s", "peak_bytes")}
        for name, side in (*SIDES, (BARE, "polars")):
            own = {figure: median(kind, name, side, figure) for figure in bare}
            rows.append(
                {
                    "files": f"{kind}, {sizes[kind] / 1e6:.0f} MB",
                    "side": name if name == BARE else f"{name}, {side}",
                    "types": found[key(kind, name, side)][-1]["dtype"],
                    "seconds": own["wall_s"],
                    "CPU seconds": own["cpu_s"],
                    "peak MB": own["peak_bytes"] / 1e6,
                    "x polars' seconds": own["wall_s"] / bare["wall_s"],
                    "x polars' peak": own["peak_bytes"] / bare["peak_bytes"],
                }
            )
            if name == OURS:
                for figure, what in (("wall_s", "seconds"), ("peak_bytes", "peak")):
                    theirs = median(kind, THEIRS, side, figure)
                    ratios[f"{kind}, {side}: {what} of {EARLIER}"] = theirs / own[figure]
                    ratios[f"{kind}, {side}: {what} of polars"] = bare[figure] / own[figure]
    windows = found[key("csv", OURS, "windows")][-1]["windows"]
    notes = [
        f"{sizes['rows']} rows in {job.files} files, {job.n_channels} channels; {windows} windows "
        f"of {job.window_size} steps, stride {job.stride}. *Series* is `TableSource.load`, "
        "*windows* is that, the split and the windows with their times and groups",
        "Parquet has float32, and all sides end with it; CSV ends as float64 on all sides",
        "a peak is what a process takes beyond what it has after its imports",
    ]
    return Reading(rows, ratios, notes)


def _run(src: Path, arguments: list[str]) -> Told:
    done = subprocess.run(
        [sys.executable, str(ONE_SIDE), *arguments],
        env={**os.environ, "PYTHONPATH": str(src)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{arguments[0]} of {src}: {done.stderr}")
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def main(arguments: list[str] | None = None) -> None:
    """Write the folders, run the sides, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=Folders.files)
    parser.add_argument("--rows", type=int, default=Folders.rows, help="of a file")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    job = Folders(files=given.files, rows=given.rows)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        sizes = write_folders(Path(folder), job)
        found = measure(Path(folder), job, given.repeats)
    seconds = {name: [one["wall_s"] for one in told] for name, told in found.items()}
    size = {**asdict(job), "repeats": given.repeats}
    result = Result("tables", size, read(found, sizes, job), seconds)
    print(machine_lines(result.machine), "", text_table(result.reading.rows), sep="\n")
    print("", *result.reading.notes, sep="\n")
    print("", *(f"{name}: {value:.3g}" for name, value in result.reading.ratios.items()), sep="\n")
    if given.output:
        result.save(given.output)


if __name__ == "__main__":
    main()
