"""Makes the small outputs of EnergyPlus in tests/series/tables/energyplus.

Needs the simulator: pip install "dualgaf[energyplus]", then python tests/energyplus_samples.py
"""

import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

SAMPLES = Path(__file__).parent / "series" / "tables" / "energyplus"
NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
OUTDOOR = ("Environment", "Site Outdoor Air Drybulb Temperature", "Hourly")
ROOMS = (
    ("SOUTH", "Zone Air Temperature", "Timestep"),
    ("NORTH", "Zone Air Temperature", "Timestep"),
)
FAN = ("VAV SUPPLY FAN", "Fan Electricity Energy", "Hourly")
MIXED = (OUTDOOR, *ROOMS, FAN)
SOUTH = "SOUTH", "Zone Air Temperature"
TABLES = ("EnvironmentPeriods", "ReportDataDictionary", "ReportData", "Time")
"""Of an eplusout.sql that are kept."""

# The later period has the name that comes first.
TWO = (("WARM", (6, 28), (6, 29)), ("LATE", (7, 3), (7, 3)))
TURN = (("TURN", (12, 31), (1, 1)),)
LEAP = (("LEAP", (2, 28), (3, 1)),)
RUNS = {
    "mixed": {"periods": TWO, "design_days": True, "outputs": MIXED},
    "own": {"periods": TWO, "design_days": True, "outputs": MIXED, "own_csv": True},
    "mixed_sql": {
        "periods": TWO, "design_days": True, "outputs": MIXED, "csv": False, "sql": True
    },
    "hourly_sql": {
        "periods": TWO, "design_days": True, "outputs": ((*SOUTH, "Hourly"),), "csv": False,
        "sql": True,
    },
    "inside": {  # a design day is a day of the run period, too
        "periods": (("JULY", (7, 20), (7, 22)),), "design_days": True, "outputs": (OUTDOOR,),
        "own_csv": True,
    },
    "first_alone": {  # between the hours the first column alone has a value
        "periods": (("ONE", (7, 3), (7, 3)),), "outputs": (ROOMS[1], FAN), "own_csv": True,
        "sql": True,
    },
    "every_step": {
        "periods": (("ONE", (7, 3), (7, 3)),),
        "outputs": tuple((*SOUTH, e) for e in ("Detailed", "Timestep", "Hourly", "Daily")),
        "sql": True,
    },
    "months": {  # a period ends before its month
        "periods": (("TWO", (7, 31), (8, 1)),),
        "outputs": tuple((*SOUTH, e) for e in ("Hourly", "Monthly", "RunPeriod")), "sql": True,
    },
    "turn": {"periods": TURN, "end_year": 2024, "outputs": ((*SOUTH, "Hourly"),), "sql": True},
    "turn_own": {
        "periods": TURN, "end_year": 2024, "outputs": ((*SOUTH, "Hourly"),), "own_csv": True
    },
    "skipped": {"periods": LEAP, "year": 2024, "outputs": ((*SOUTH, "Hourly"),), "sql": True},
    "leap": {"periods": LEAP, "year": 2024, "outputs": ((*SOUTH, "Hourly"),), "sql": True},
}  # fmt: skip
"""Fields of `vav_building.Run` by the name of the folder."""


def make(folder: Path, *names: str) -> None:
    """Write these samples; without a name all of them."""
    sys.path.insert(0, str(NOTEBOOKS))
    from vav_building import Run, simulate, write_weather

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        plain = write_weather(work / "plain.epw")
        leap = write_weather(work / "leap.epw", leap=True)
        for sample in names or RUNS:
            fields = RUNS[sample]
            run = Run(steps_per_hour=2, **fields)
            simulate(run, work / "run", leap if sample == "leap" else plain)
            keep(work / "run", folder / sample)


def keep(run: Path, folder: Path) -> None:
    """What is read of a run, and no more."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (run / "eplusout.eio").read_text().splitlines(keepends=True)
    told = [line for line in lines if line.startswith(("Environment", "! <Environment"))]
    (folder / "eplusout.eio").write_text("".join(told))
    if (run / "eplusout.csv").exists():
        shutil.copy(run / "eplusout.csv", folder)
    if (run / "eplusout.sql").exists():
        with closing(sqlite3.connect(run / "eplusout.sql")) as base:
            base.execute("PRAGMA foreign_keys = OFF")
            kinds = base.execute("SELECT type, name FROM sqlite_master").fetchall()
            for kind, table in sorted(kinds, reverse=True):  # views first
                if kind in ("table", "view") and table not in TABLES:
                    base.execute(f'DROP {kind} IF EXISTS "{table}"')
            base.commit()
            base.execute("VACUUM")
        shutil.copy(run / "eplusout.sql", folder)


if __name__ == "__main__":
    make(SAMPLES, *sys.argv[1:])
