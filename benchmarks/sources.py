"""How fast the same rows are read from each place: `python -m benchmarks.sources [--rows N]`.

A file of SQLite, one of DuckDB, a PostgreSQL server of its own (Debian's, as the tests start it),
and a frame in memory. The sides take turns, each in a process of its own:

* *bare*: what the driver gives for the needed columns, as a frame of polars. Nothing is checked,
  no text becomes a time (SQLite has times as texts), and there is no array.
* *rows*: the same as `SQLSource` reads it, with types that are known and times without infinity.
  The ratio of *rows* to *bare* is what reading through dualgaf costs.
* *series*: the whole ``load()``: times read and checked, rows put in order, classes coded, every
  number looked at, series cut at days, classes and gaps, the numbers in one (C, rows) array that
  windows are views of. The ratio of *series* to *bare* has all of that on one side alone.
* *copy*, of a frame: the needed columns copied into one (C, rows) array, once, by one thread, and
  nothing else. No window can be cut with less; `load` does the same copy, and looks at the numbers
  as it goes. The ratio of *series* to *copy* has times, classes and cuts on one side alone. They
  cost the same for few columns as for many, so it falls with the number of columns.

``x needed bytes`` is the peak beyond the frame, in units of the needed numbers as float64, which
the array of windows takes once; what is above 1 is for times, classes and what a driver holds. The
first repeat is not counted: it brings files into memory. Seconds of all cores of the
process stand beside those of the clock, as a machine may have other work; what a server takes is in
those of the clock alone.
"""

import argparse
import json
import logging
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql_driver
import adbc_driver_sqlite.dbapi as sqlite_driver
import duckdb
import numpy as np
import polars as pl

from dualgaf.bench.results import Result, machine_lines, text_table
from dualgaf.bench.runner import Reading

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

ROWS, REPEATS = 5_000_000, 3
CHANNELS, LEFT_OUT = 8, 4
"""Columns of numbers that are needed, and those beside them that are not."""
DAY = 1440
PLACES = ("sqlite", "duckdb", "postgresql", "frame")
NAMES = [f"sensor_{k}" for k in range(CHANNELS)]
QUERY = f"SELECT time, {', '.join(NAMES)}, fault FROM plant"
"""What the bare driver is asked: the columns that are needed."""
_STATUS, _RESET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Told = Mapping[str, Any]


def rows_of(n: int) -> pl.DataFrame:
    """``n`` minutes of a plant: times, `CHANNELS` and `LEFT_OUT` sensors, a class a day."""
    rng = np.random.default_rng(0)
    minute = np.arange(n)
    sensors = {
        f"sensor_{k}": np.round(60 + rng.normal(size=n, scale=0.35).cumsum() % 50, 3)
        for k in range(CHANNELS + LEFT_OUT)
    }
    time_us = np.datetime64("2010-01-01T00:00", "us") + minute * np.timedelta64(60, "s")
    label = np.array(["good", "leak", "stuck"])[minute // DAY % 3]
    return pl.DataFrame({"time": time_us, **sensors, "fault": label})


@contextmanager
def places(folder: Path, n: int) -> Iterator[dict[str, str]]:
    """Where the rows are, by place; one without its driver or server is left out, said."""
    rows = rows_of(n)
    rows.write_parquet(folder / "plant.parquet")
    found = {"frame": str(folder / "plant.parquet")}
    found["sqlite"] = _to_sqlite(folder / "plant.db", rows)
    with duckdb.connect(str(folder / "plant.duckdb")) as connection:
        parquet = folder / "plant.parquet"
        connection.execute(f"CREATE TABLE plant AS SELECT * FROM read_parquet('{parquet}')")
    found["duckdb"] = f"duckdb:///{folder / 'plant.duckdb'}"
    csv = folder / "plant.csv"
    rows.write_csv(csv)
    del rows
    import pytest

    from postgres_server import running

    try:
        with running() as server:
            numbers = ", ".join(f"sensor_{k} float8" for k in range(CHANNELS + LEFT_OUT))
            server.execute(f"CREATE TABLE plant (time timestamp, {numbers}, fault text)")
            csv.chmod(0o644)
            folder.chmod(0o755)
            server.execute(f"COPY plant FROM '{csv}' (FORMAT csv, HEADER)", "VACUUM ANALYZE plant")
            csv.unlink()
            yield {**found, "postgresql": server.uri}
    except pytest.skip.Exception as why:
        print(f"postgresql is left out: {why}", file=sys.stderr)
        yield found


def _to_sqlite(path: Path, rows: pl.DataFrame) -> str:
    names = ", ".join(rows.columns)
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE plant ({names})")
        marks = ", ".join("?" * rows.width)
        for part in rows.iter_slices(200_000):
            texts = part.with_columns(pl.col("time").dt.to_string("%Y-%m-%d %H:%M:%S"))
            connection.executemany(f"INSERT INTO plant VALUES ({marks})", texts.iter_rows())
    connection.close()
    return f"sqlite:///{path}"


def sides_of(place: str) -> tuple[str, ...]:
    """What is measured there, what the others are compared with last."""
    return ("series", "copy") if place == "frame" else ("rows", "series", "bare")


def one_side(place: str, side: str, where: str) -> None:
    """Print what one side counted as JSON; everything is imported before."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    work = _work(place, side, where)
    np.ones(1_500_000_000, dtype=np.uint8).sum()  # what a host took back is slow at first
    pl.Series([1.0]).to_frame("warm").select(pl.col("warm").sum())  # threads are there
    _RESET_PEAK.write_text("5")
    before = _bytes("VmRSS")
    cpu, wall = time.process_time(), time.perf_counter()
    kept = work()
    told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    told |= {"peak_bytes": _bytes("VmHWM") - before, "rows": _height(kept)}
    print(json.dumps(told), flush=True)
    os._exit(0)  # freeing is not counted


def _work(place: str, side: str, where: str) -> Callable[[], Any]:
    from dualgaf import FrameSource, SQLSource
    from dualgaf.series.tables.notes import Notes
    from dualgaf.series.tables.sql import QueryTable

    if place == "frame":
        frame = pl.read_parquet(where).rechunk()
        if side == "series":
            return FrameSource(frame, channels=NAMES, window_size=60).load
        return lambda: np.stack([frame[name].to_numpy() for name in NAMES])
    # The source asks for all columns, and says which it needs.
    source = SQLSource(where, "SELECT * FROM plant", channels=NAMES, window_size=60)
    if side == "series":
        return source.load
    if side == "rows":
        return lambda: QueryTable(source).read(Notes())
    return lambda: _bare(place, where)


def _bare(place: str, where: str) -> pl.DataFrame:
    """The driver, and polars."""
    if place == "duckdb":
        with duckdb.connect(where.removeprefix("duckdb:///"), read_only=True) as connection:
            return pl.DataFrame(connection.sql(QUERY))
    driver = sqlite_driver if place == "sqlite" else postgresql_driver
    connected = driver.connect(where.removeprefix("sqlite:///"))
    with connected as connection, connection.cursor() as cursor:
        cursor.execute(QUERY)
        return pl.DataFrame(cursor.fetch_arrow())


def _height(kept: Any) -> int:
    if isinstance(kept, pl.DataFrame):
        return kept.height
    return int(kept.shape[1]) if isinstance(kept, np.ndarray) else sum(kept.lengths)


def _bytes(name: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def measure(where: Mapping[str, str], repeats: int) -> dict[str, list[Told]]:
    """What each side told of itself, repeat by repeat, by ``PLACE, SIDE``."""
    found: dict[str, list[Told]] = {}
    for repeat in range(repeats + 1):
        for place in (name for name in PLACES if name in where):
            for side in sides_of(place):
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.sources", "--side", place, side],
                    env={
                        **os.environ,
                        "SOURCE": where[place],
                    },  # no password in a list of processes
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    raise SystemExit(f"{side} of {place}: {done.stderr}")
                told = json.loads(done.stdout.splitlines()[-1])
                found.setdefault(f"{place}, {side}", []).append(told)
                print(
                    f"{repeat} {place:11}{side:8}{told['wall_s']:8.2f} s"
                    f"{told['peak_bytes'] / 1e6:8.0f} MB",
                    file=sys.stderr,
                )
    return found


def read(found: Mapping[str, list[Told]], n: int) -> Reading:
    """Medians without the first repeat, beside the last side of the same place."""
    needed = 8 * CHANNELS * n
    table, ratios = [], {}
    for key, told in found.items():
        place, side = key.split(", ")
        base = found[f"{place}, {sides_of(place)[-1]}"]
        own = {f: statistics.median(t[f] for t in told[1:]) for f in told[0]}
        bare = {f: statistics.median(t[f] for t in base[1:]) for f in base[0]}
        assert own["rows"] == n, key
        table.append(
            {
                "place": place,
                "side": side,
                "seconds": own["wall_s"],
                "CPU seconds": own["cpu_s"],
                "peak MB": own["peak_bytes"] / 1e6,
                "x seconds of the last": own["wall_s"] / bare["wall_s"],
                "x its CPU": own["cpu_s"] / bare["cpu_s"],
                "x needed bytes": own["peak_bytes"] / needed,
            }
        )
        if side in ("rows", "series"):
            ratios[f"{key}: seconds of {sides_of(place)[-1]}"] = bare["wall_s"] / own["wall_s"]
            ratios[f"{key}: bytes needed of peak"] = needed / own["peak_bytes"]
    notes = [
        f"{n} rows; {CHANNELS} of {CHANNELS + LEFT_OUT} columns of numbers are needed, "
        f"{needed / 1e6:.0f} MB as float64, beside times and classes",
        "a peak is what a process takes beyond what it has after its imports (and the frame)",
    ]
    return Reading(table, ratios, notes)


def main(arguments: list[str] | None = None) -> None:
    """Write the rows to each place, run the sides, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.side:
        one_side(*given.side, os.environ["SOURCE"])
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        places(Path(folder), given.rows) as where,
    ):
        found = measure(where, given.repeats)
    seconds = {name: [one["wall_s"] for one in told] for name, told in found.items()}
    size = {"rows": given.rows, "channels": CHANNELS, "repeats": given.repeats}
    result = Result("sources", size, read(found, given.rows), seconds)
    print(machine_lines(result.machine), "", text_table(result.reading.rows), sep="\n")
    print("", *result.reading.notes, sep="\n")
    print("", *(f"{name}: {value:.3g}" for name, value in result.reading.ratios.items()), sep="\n")
    if given.output:
        result.save(given.output)


if __name__ == "__main__":
    main()
