"""A folder of Parquet that may be larger than the memory, and what its windows take.

    python -m benchmarks.large_tables --folder /var/tmp/large --size 20GB

Files are written in pieces, one after the other, uncompressed: noise, which nothing could compress,
so they are as large as their series. Another process reads them, cuts windows, and fits scaler and
bounds. It tells seconds and the most memory of its own; pages of the files and of the series on the
disk are not counted there: the system takes them back where it needs them. With ``--memory 8GB`` it
runs in a memory cgroup of that size, pages of files counted (as root, cgroup version 1 or 2).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.cluster import bytes_of, size

CHANNELS, ROWS, DAY = 60, 1_000_000, 1440
"""Of a file: 240 MB. A row a minute; a class a day."""
CLASSES = ("normal", "leak", "stuck")
WINDOW = 60
EVERY_S = 0.05


def write(folder: Path, n_bytes: float) -> int:
    """Write as many files as make up these bytes; those that are there already are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    file_bytes = ROWS * (CHANNELS * 4 + 8 + 8)
    count = max(1, round(n_bytes / file_bytes))
    for number in range(count):
        path = folder / f"export_{number:04d}.parquet"
        if path.exists():
            continue
        rng = np.random.default_rng(number)
        minute = number * (ROWS // DAY + 4) * DAY + np.arange(ROWS)
        columns = {
            "datetime": np.datetime64("1990-01-01", "us") + minute * np.timedelta64(60, "s"),
            **{
                f"sensor {channel}": rng.standard_normal(ROWS, dtype=np.float32)
                for channel in range(CHANNELS)
            },
            "fault": np.array(CLASSES)[minute // DAY % len(CLASSES)],
        }
        draft = path.with_suffix(".draft")
        pl.DataFrame(columns).write_parquet(draft, compression="uncompressed")
        draft.rename(path)
    return count


def read(folder: Path) -> None:
    """Read the folder, and print what it took as JSON."""
    from dualgaf import TableSource
    from dualgaf.data.windowed import read_windows
    from dualgaf.imaging.bounds import fit_bounds

    peaks = {"RssAnon": 0, "VmRSS": 0, "VmSwap": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(EVERY_S):
            for name, n_bytes in _status(peaks).items():
                peaks[name] = max(peaks[name], n_bytes)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    began, cpu = time.perf_counter(), time.process_time()
    found = read_windows(TableSource(folder, window_size=WINDOW), seed=0)
    cut_s = time.perf_counter() - began
    fit_bounds(found.windows, found.indices["train"], WINDOW)
    told = {
        "windows": len(found.windows),
        "series_bytes": found.windows.flat.nbytes,
        "on_disk": _is_mapped(found.windows.flat),
        "windows_s": cut_s,
        "with_bounds_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
    }
    done.set()
    watching.join()
    print(json.dumps({**told, **peaks}))


def _is_mapped(array: object) -> bool:
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


def _status(names: Sequence[str]) -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {words[0][:-1]: 1024 * int(words[1]) for words in lines if words[0][:-1] in names}


@contextmanager
def cgroup(n_bytes: float | None) -> Iterator[Path | None]:
    """A memory cgroup of this size; None without one."""
    if n_bytes is None:
        yield None
        return
    root = Path("/sys/fs/cgroup")
    first = (root / "memory").is_dir()
    group = (root / "memory" if first else root) / f"dualgaf-{os.getpid()}"
    group.mkdir()
    try:
        limit = group / ("memory.limit_in_bytes" if first else "memory.max")
        limit.write_text(str(int(n_bytes)))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", type=bytes_of, default=20e9, help="of the files (20GB)")
    parser.add_argument("--memory", type=bytes_of, help="of a cgroup (none)")
    parser.add_argument("--keep", action="store_true", help="leave the files there")
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.folder)
        return
    free = shutil.disk_usage(given.folder.parent).free
    if free < 2.1 * given.size:
        raise SystemExit(
            f"files and series take twice {size(given.size)}, and {size(free)} are free"
        )
    began = time.perf_counter()
    count = write(given.folder, given.size)
    paths = sorted(given.folder.glob("*.parquet"))
    n_bytes = sum(path.stat().st_size for path in paths)
    print(
        f"{count} files, {size(n_bytes)}, written in {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    command = [sys.executable, "-m", "benchmarks.large_tables", "--read"]
    try:
        with cgroup(given.memory) as group:

            def join() -> None:
                if group is not None:
                    group.write_text(str(os.getpid()))

            done = subprocess.run(
                [*command, "--folder", str(given.folder)],
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=join,
                env={**os.environ, "TMPDIR": str(given.folder.parent)},
            )
        if done.returncode:
            raise SystemExit(f"status {done.returncode}")
        told = json.loads(done.stdout)
        print(
            f"{told['windows']} windows of {size(told['series_bytes'])} of series, on a disk: "
            f"{told['on_disk']}; {told['windows_s']:.0f} s, with bounds "
            f"{told['with_bounds_s']:.0f} s ({told['cpu_s']:.0f} s of CPU)\n"
            f"memory of its own: {size(told['RssAnon'])}; with mapped pages {size(told['VmRSS'])}; "
            f"swapped: {size(told['VmSwap'])}"
        )
    finally:
        if not given.keep:
            shutil.rmtree(given.folder)


if __name__ == "__main__":
    main()
