"""One side of `benchmarks.tables`, in a process of its own: `python one_side.py SIDE FOLDER JOB`.

SIDE is ``series`` or ``windows`` of whatever dualgaf is on the path, or ``polars``. What is counted
begins after all imports: seconds, seconds of all cores, and the most memory beyond what the process
had. This file imports nothing of this build, as it measures an earlier one, too.
"""

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

MODULES = ("dualgaf.series.tables.source", "dualgaf.series.table")
"""Where `TableSource` is, in this build and in the earlier one."""
_TOUCHED = 1_500_000_000
"""Bytes that are touched before what is counted, at most."""
_STATUS = Path("/proc/self/status")
_RESET_PEAK = Path("/proc/self/clear_refs")


def main(side: str, folder: str, job: str) -> None:
    """Print what was counted as JSON."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    work = _polars(Path(folder)) if side == "polars" else _ours(side, folder, **json.loads(job))
    read = sum(path.stat().st_size for path in Path(folder).iterdir())
    np.ones(
        min(20 * read, _TOUCHED), dtype=np.uint8
    ).sum()  # freed again: what a host took back is slow at first
    pl.Series([1.0]).to_frame("warm").select(pl.col("warm").sum())  # threads are there
    _RESET_PEAK.write_text("5")
    before = _bytes("VmRSS")
    cpu, wall = time.process_time(), time.perf_counter()
    kept, told = work()
    told |= {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    told["peak_bytes"] = _bytes("VmHWM") - before
    print(json.dumps(told), flush=True)
    del kept
    os._exit(0)  # freeing is not counted, nor waited for


def _ours(side: str, folder: str, window_size: int, stride: int) -> Callable[[], tuple[Any, dict]]:
    read_windows = import_module("dualgaf.data.windowed").read_windows
    for name in MODULES:
        try:
            source = import_module(name).TableSource(folder, window_size=window_size, stride=stride)
            break
        except ModuleNotFoundError:
            continue

    def series() -> tuple[Any, dict[str, Any]]:
        found = source.load()
        return found, {"rows": sum(found.lengths), "dtype": str(found.values[0].dtype)}

    def windows() -> tuple[Any, dict[str, Any]]:
        found = read_windows(source, seed=0)
        return found, {"windows": len(found.windows), "dtype": str(found.windows.flat.dtype)}

    return {"series": series, "windows": windows}[side]


def _polars(folder: Path) -> Callable[[], tuple[Any, dict]]:
    """The same columns, of the types that they have in Parquet, float64 of CSV as ours."""

    def read() -> tuple[Any, dict[str, Any]]:
        found = [
            pl.read_parquet(path)
            if path.suffix == ".parquet"
            else pl.read_csv(path, try_parse_dates=True)
            for path in sorted(folder.iterdir())
        ]
        sensors = found[0].select(pl.selectors.numeric())
        dtype = np.result_type(*(column.to_numpy().dtype for column in sensors))
        return found, {"rows": sum(table.height for table in found), "dtype": str(dtype)}

    return read


def _bytes(name: str) -> int:
    lines = _STATUS.read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
