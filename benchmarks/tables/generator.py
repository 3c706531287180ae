"""A seeded folder of plant data, once as CSV and once as Parquet.

26 files of one row a minute, 20 sensors with steps of 1/16, a column of classes that changes at
midnight, and five gaps a file. At the full size CSV is about 500 MB, Parquet about 90 MB.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

CLASSES = ("normal", "leak", "stuck")
REPEATS = 3
"""Repeats of each side that count, unless it is said."""
DAY = 1440
"""Rows of a day."""
_STEP = 1 / 16
_GAPS = 5


@dataclass(frozen=True)
class Folders:
    """What is written, and how its windows are cut."""

    files: int = 26
    rows: int = 102_000
    """Rows of a file, before its gaps."""
    n_channels: int = 20
    window_size: int = 60
    stride: int = 1
    seed: int = 0


def write_folders(root: Path, job: Folders) -> dict[str, int]:
    """Write ``root/csv`` and ``root/parquet``, of the same rows.

    Returns:
        Rows, and bytes of either folder.
    """
    rng = np.random.default_rng(job.seed)
    sizes = {"rows": 0, "csv": 0, "parquet": 0}
    for kind in ("csv", "parquet"):
        (root / kind).mkdir(parents=True)
    for file in range(job.files):
        table = _table(rng, job, file)
        sizes["rows"] += table.height
        paths = {kind: root / kind / f"export_{file:02d}.{kind}" for kind in ("csv", "parquet")}
        table.write_csv(
            paths["csv"], datetime_format="%Y-%m-%d %H:%M:%S", float_scientific=False,
            float_precision=4,
        )  # fmt: skip
        table.write_parquet(paths["parquet"])
        for kind, path in paths.items():
            sizes[kind] += path.stat().st_size
    return sizes


def _table(rng: np.random.Generator, job: Folders, file: int) -> pl.DataFrame:
    """One file: dates, float32 values, classes; it begins three days after the one before it."""
    minute = file * (job.rows // DAY + 4) * DAY + np.arange(job.rows)
    walk = rng.normal(size=(job.n_channels, job.rows), scale=0.35).cumsum(axis=1)
    # Sensors come back: else a file would have more steps than a real one.
    level = 60 + rng.normal(size=(job.n_channels, 1), scale=10) + 25 * np.sin(walk / 25)
    noise = rng.normal(size=walk.shape, scale=0.8)
    values = (np.round((level + noise) / _STEP) * _STEP).astype(np.float32)
    label = np.array(CLASSES)[(file + minute // DAY) % len(CLASSES)]
    kept = np.ones(job.rows, dtype=bool)
    for first in rng.integers(0, job.rows, size=_GAPS):
        kept[first : first + rng.integers(2, 90)] = False
    time = np.datetime64("2020-01-13T00:00", "us") + minute * np.timedelta64(60, "s")
    sensors = {f"sensor {channel}": own[kept] for channel, own in enumerate(values)}
    return pl.DataFrame({"datetime": time[kept], **sensors, "fault": label[kept]})
