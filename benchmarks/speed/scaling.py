"""Seconds and peak over N, T and C, one at a time: time should grow as the bytes do.

The largest point of each axis must fit into ``--memory``. So N is varied with fewer channels, T
and C with fewer windows than the reference has, where the reference would be too large.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.speed.size import SpeedSize
from dualgaf.bench.runner import Measured, Reading, Side, Suite, random_windows
from dualgaf.bench.sides import Job, WarmPools, our_side
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import format_bytes, memory_headroom, parse_bytes

AXES = {
    "N": (500, 1000, 2000, 4000, 8000, 16000, 32000, 64000),
    "T": (32, 64, 128, 256, 512),
    "C": (1, 2, 4, 8, 16, 32, 64),
}
SETTLED_BYTES = 64 << 20
"""From this size on the time is that of the bytes, not that of starting threads and files."""

Point = dict[str, Any]


def scaling_suite(size: SpeedSize, until_done: contextlib.ExitStack) -> Suite:
    """Threads into private and warm processes into shared memory, over the three axes."""
    warm = until_done.enter_context(WarmPools())
    ways = {
        "private": (PoolSettings(backend="thread", shm=False), None),
        "shared": (PoolSettings(backend="process"), warm),
    }
    largest = min(parse_bytes(size.memory), memory_headroom().bytes // 3)
    sides: list[Side] = []
    points: list[Point] = []
    for point in scaling_points(size, largest):
        windows = random_windows(point["N"], point["C"], point["T"])
        job = Job(windows, ImagingRecipe(point["T"]))
        for memory, (settings, pools) in ways.items():
            name = f"{memory}, {point['varied']}={point[point['varied']]}"
            sides.append(our_side(name, job, settings, pools))
            points.append({**point, "memory": memory})
    notes = [f"stores up to {format_bytes(largest)}; --memory changes it"]
    return Suite(sides, lambda found: _read(sides, points, notes, found))


def scaling_points(size: SpeedSize, largest: int) -> Iterator[Point]:
    """The sizes to run: what is varied, and N, C, T.

    Args:
        size: the reference.
        largest: bytes of the largest store.

    Example:
        >>> [p["N"] for p in scaling_points(SpeedSize(4000, 20, 96), 64_000_000)][:3]
        [500, 1000, 2000]
    """
    for varied, values in AXES.items():
        base = {"N": size.n_windows, "C": size.n_channels, "T": size.window_size}
        least = {**base, varied: values[-1]}
        spare = "C" if varied == "N" else "N"
        base[spare] = min(base[spare], max(1, largest // _n_bytes({**least, spare: 1})))
        for value in values:
            point = {**base, varied: value}
            if _n_bytes(point) <= largest:
                yield {"varied": varied, **point}


def _n_bytes(point: Mapping[str, int]) -> int:
    return point["N"] * ImagingRecipe(point["T"]).row_bytes(point["C"])


def _read(
    sides: list[Side], points: list[Point], notes: list[str], found: Mapping[str, Measured]
) -> Reading:
    rows = []
    for side, point in zip(sides, points, strict=True):
        seconds = found[side.name].median_s
        measured = {
            "GB": side.n_bytes / 1e9,
            "seconds": seconds,
            "GB/s": side.n_bytes / seconds / 1e9,
            "peak / images": found[side.name].median("peak_bytes") / side.n_bytes,
        }
        rows.append({**point, **measured})
    ratios, powers = {}, []
    for memory in ("private", "shared"):
        own = [row for row in rows if row["memory"] == memory]
        rates = [row["GB/s"] for row in own]
        largest = max(own, key=lambda row: row["GB"])
        ratios[f"{memory}: GB/s of the largest store, of the best"] = largest["GB/s"] / max(rates)
        settled = [row for row in own if row["GB"] * 1e9 >= SETTLED_BYTES]
        if len(settled) > 2:
            logs = np.log([(row["GB"], row["seconds"]) for row in settled])
            power = np.polyfit(logs[:, 0], logs[:, 1], 1)[0]
            powers.append(
                f"{memory}: time grows as the bytes to the power {power:.2f} from "
                f"{format_bytes(SETTLED_BYTES)} on"
            )
    return Reading(rows, ratios, [*notes, *powers])
