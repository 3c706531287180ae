"""Rows in a JSON file, written as soon as each is done, and the jobs that are missing in it."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.sets import ROOT, SETS

RESULTS = ROOT / "benchmarks" / "results" / "accuracy.json"

METHODS = {
    "dualgafnet": "DualGAFNet",
    "earlier_recipe": "earlier recipe",
    "minirocket": "MiniRocket",
    "multirocket_hydra": "MultiRocket-Hydra",
    "quant": "QUANT",
    "nearest_neighbour": "1-NN",
    "random_forest": "random forest",
}
UNSEEDED = ("nearest_neighbour",)
"""Nothing is drawn at random, so one seed is enough."""
NETWORKS = ("dualgafnet", "earlier_recipe")

Row = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Job:
    """A row to be made; jobs are done in order of set, method and seed."""

    set: str
    method: str
    seed: int
    overrides: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.set} {self.method} seed {self.seed}"


def job_of(row: Row) -> Job:
    """What a row was made for."""
    return Job(row["set"], row["method"], row["seed"], tuple(row["overrides"]))


def wanted_jobs(
    sets: Sequence[str], methods: Sequence[str], seeds: Sequence[int], overrides: Sequence[str]
) -> list[Job]:
    """Every set with every method and seed; overrides are for networks only."""
    return [
        Job(name, method, seed, tuple(overrides) if method in NETWORKS else ())
        for name in sets
        for method in methods
        for seed in (seeds[:1] if method in UNSEEDED else seeds)
    ]


def load_rows(path: Path) -> list[Row]:
    """The rows of a file; none where there is no file."""
    if not path.exists():
        return []
    rows: list[Row] = json.loads(path.read_text())["rows"]
    return rows


def add_row(path: Path, row: Row) -> None:
    """Put a row into a file, in the place of one of the same set, method and seed.

    The file is read anew, so that two runs for different sets do not lose each other's rows.
    """
    kept = [old for old in load_rows(path) if _key(old) != _key(row)]
    write_rows(path, sorted([*kept, row], key=_place))


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """A line a row; the file is there whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(one) for one in rows)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(f'{{"rows": [\n{lines}\n]}}\n')
    fresh.replace(path)


def _key(row: Row) -> tuple[str, str, int]:
    return row["set"], row["method"], row["seed"]


def _place(row: Row) -> tuple[int, int, int]:
    return list(SETS).index(row["set"]), list(METHODS).index(row["method"]), row["seed"]


def seconds_of(rows: Sequence[Row]) -> tuple[float, bool]:
    """Mean seconds of rows, and whether they are of the CPU: where each has them, or of a clock."""
    has_cpu = all("cpu_s" in row for row in rows)
    return statistics.fmean(row["cpu_s" if has_cpu else "fit_s"] for row in rows), has_cpu
