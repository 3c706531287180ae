"""Two tables that are not among the public files as they are used here.

* SZCAV: the component that is faulty instead of the fault, and without the one normal day, which
  could be learned or tested but not both.
* Tennessee Eastman: both files in one. A run of the test file becomes faulty at step 161 (Russell,
  Chiang, Braatz 2000), though all of it bears the fault's label: its first 160 steps are dropped.
"""

import os
from pathlib import Path

import polars as pl

TABLES = {
    name: Path("runs", "accuracy", "tables", f"{name}.parquet")
    for name in ("szcav", "tennessee_eastman")
}
"""Set -> file, from the project's folder; ``conf/experiment`` names it, too."""
FAULTY_FROM = 161


def data_folder() -> Path:
    """Where the real sets are: DUALGAF_DATA, else ../shared/data."""
    return Path(os.environ.get("DUALGAF_DATA", "../shared/data"))


def with_data(**more: str) -> dict[str, str]:
    """The environment of a program that may run in another folder, and finds the real sets."""
    return os.environ | {"DUALGAF_DATA": str(data_folder().resolve())} | more


def write_tables(folder: Path) -> None:
    """Write both tables, from the folder of the real sets."""
    made = {"szcav": szcav(folder), "tennessee_eastman": tennessee_eastman(folder)}
    for name, table in made.items():
        TABLES[name].parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(TABLES[name])


def szcav(folder: Path) -> pl.DataFrame:
    """Rows of the fault days, with the component."""
    folder = folder / "lbnl_ahu"
    days = pl.read_csv(folder / "days.csv").filter(pl.col("file") == "SZCAV")
    table = pl.read_csv(
        folder / "SZCAV.tidy.csv.gz", infer_schema_length=None, null_values=["", "NaN"]
    )
    faulty = table.join(
        days.select("day", "component"), on="day", how="left", maintain_order="left"
    )
    return faulty.filter(pl.col("component") != "none").drop("fault", "suggested_split")


def tennessee_eastman(folder: Path) -> pl.DataFrame:
    """Rows of both files, with the columns ``file`` (train, test) and ``run``."""
    halves = []
    for half in ("train", "test"):
        table = pl.read_csv(
            folder / "tennessee_eastman" / f"tep_{half}.csv.gz", infer_schema_length=None
        )
        marks = [pl.lit(half).alias("file"), pl.col("fault").alias("run")]
        halves.append(table.with_columns(*marks))
    both = pl.concat(halves, how="vertical_relaxed")
    faulty = (pl.col("file") == "train") | (pl.col("fault") == 0) | (pl.col("step") >= FAULTY_FROM)
    return both.filter(faulty)
