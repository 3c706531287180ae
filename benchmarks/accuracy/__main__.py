"""Run what is missing and write docs/accuracy.md: `python -m benchmarks.accuracy`.

    python -m benchmarks.accuracy --sets natops epilepsy --methods dualgafnet --seeds 0 1 2
    python -m benchmarks.accuracy --methods minirocket multirocket_hydra quant
    python -m benchmarks.accuracy --override trainer.max_epochs=2 --output runs/accuracy/short.json
    python -m benchmarks.accuracy --page      the page only, from the rows that are there
    python -m benchmarks.accuracy --tables    the tables that two experiments read

Each row is made in a process of its own and kept as soon as it is done; a row that is there is not
made again, so a run that was interrupted goes on where it was. Run it from the project's folder.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.accuracy import archive
from benchmarks.accuracy.difference import draw
from benchmarks.accuracy.page import PAGE, page
from benchmarks.accuracy.results import (
    METHODS,
    NETWORKS,
    RESULTS,
    Job,
    Row,
    add_row,
    job_of,
    load_rows,
    wanted_jobs,
)
from benchmarks.accuracy.sets import ROOT, SETS
from benchmarks.accuracy.tables import TABLES, data_folder, write_tables

LAST_WORDS = 15
"""Lines of a row's log that are shown where it failed."""


def main() -> int:
    told = _arguments()
    output: Path = told.output.resolve()
    os.chdir(ROOT)  # where the paths of the experiments begin
    if told.page:
        _write_page(output)
        return 0
    if told.tables:
        write_tables(data_folder())
        print(*TABLES.values(), sep="\n")
        return 0
    os.environ.setdefault("DUALGAF_DATA", "../shared/data")
    wanted = wanted_jobs(told.sets, told.methods, told.seeds, told.override)
    there = set() if told.again else {job_of(row) for row in load_rows(output)}
    jobs = [job for job in wanted if job not in there]
    _say(f"{len(jobs)} rows to make, {len(wanted) - len(jobs)} are there")
    if any(name in told.sets and not file.exists() for name, file in TABLES.items()):
        write_tables(data_folder())
    try:
        failed = _make(jobs, output)
    except KeyboardInterrupt:
        _say(f"interrupted; the rows that were done are in {output}")
        return 130
    if output == RESULTS:
        _write_page(output)
    return 1 if failed else 0


def _write_page(output: Path) -> None:
    rows = load_rows(output)
    PAGE.write_text(page(rows))
    archive.PAGE.write_text(archive.page(archive.PAGE.read_text(), rows))
    draw(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="DualGAFNet beside methods without images, on the same splits.",
    )
    parser.add_argument(
        "--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET", help=", ".join(SETS)
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=METHODS,
        default=list(METHODS),
        metavar="METHOD",
        help=", ".join(METHODS),
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--output", type=Path, default=RESULTS, help="JSON file with the rows")
    parser.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="for the networks, as after python train.py; told in the row",
    )
    parser.add_argument("--again", action="store_true", help="also make rows that are there")
    parser.add_argument("--page", action="store_true", help="only write docs/accuracy.md")
    parser.add_argument("--tables", action="store_true", help="only write the prepared tables")
    told = parser.parse_args()
    if told.override and told.output == RESULTS:
        parser.error("rows with an override are not kept beside the others; type --output FILE")
    return told


def _make(jobs: list[Job], output: Path) -> int:
    """Make the rows one by one; how many failed."""
    failed = 0
    for number, job in enumerate(jobs, 1):
        started = time.perf_counter()
        row = make_in_process(job)
        if row is None:
            failed += 1
            continue
        add_row(output, row)
        _say(
            f"[{number}/{len(jobs)}] {job}: accuracy {row['accuracy']:.4f}, macro F1 "
            f"{row['f1_macro']:.4f}, fit {row['fit_s']:.1f} s, all "
            f"{time.perf_counter() - started:.0f} s, {row['peak_bytes'] / 2**20:.0f} MiB"
        )
    return failed


def make_in_process(job: Job) -> Row | None:
    """The row of a job; None, with the last words on stderr, where its process failed."""
    folder = Path("runs", "accuracy", job.set, job.method, f"seed{job.seed}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "log.txt"
    typed = [job.set, job.method, str(job.seed), str(folder), *job.overrides]
    command = [sys.executable, "-m", "benchmarks.accuracy.row", *typed]
    # Two networks side by side are done sooner than one after the other with two threads.
    threads = {"OMP_NUM_THREADS": "1"} if job.method in NETWORKS else {}
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **threads}
        )
        try:
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status:
        last = "\n".join(log.read_text().splitlines()[-LAST_WORDS:])
        _say(f"{job} failed with status {status}:\n{last}\nall of it: {log}")
        return None
    row: Row = json.loads((folder / "row.json").read_text())
    return row


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
