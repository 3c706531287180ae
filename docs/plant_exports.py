"""Writes the files of docs/plant.md: exports of a control system as people have them.

    python docs/plant_exports.py

`plant` gets six weeks of an air-handling unit, simulated by `dualgaf.SimulatedSource`: a file a
week, and a list of the faults that were found. They are written in two ways, for the control system
was updated after four weeks. `next_week.csv` is the week after, without a list of faults; its last
day has a fault of which the network knows nothing. The same files come at every call.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from dualgaf import SimulatedSource

SENSORS = {
    "sat": "Supply air",
    "sat_sp": "Supply air set point",
    "oat": "Outdoor air",
    "mat": "Mixed air",
    "rat": "Return air",
    "sf_speed_sig": "Fan",
    "oa_damper_sig": "Outdoor damper",
    "cc_valve_sig": "Cooling valve",
    "hc_valve_sig": "Heating valve",
}
TEMPERATURES = ("sat", "sat_sp", "oat", "mat", "rat")
FAULTS = {"cc_valve_stuck": "valve stuck", "oa_damper_stuck": "damper stuck"}
PATTERN = ("normal", "cc_valve_stuck", "normal", "oa_damper_stuck", "normal")
FIRST = date(2026, 3, 2)
WEEKS, DAYS_A_WEEK = 6, 7
DAYS = WEEKS * DAYS_A_WEEK
LAST_WEEK = ("normal", "cc_valve_stuck", "normal", "normal", "oa_damper_stuck", "normal", "normal")
MISSING = "-9999"


@dataclass
class Day:
    """A day of the plant: a row of values every five minutes."""

    when: date
    fault: str
    rows: list[list[float]]


def simulated() -> list[Day]:
    """Six weeks and the week after."""
    source = SimulatedSource(n_windows=300, window_size=288, n_units=1, seed=3)
    days = source.load()
    chosen = [days.channel_names.index(name) for name in SENSORS]
    by_class: dict[str, list[list[list[float]]]] = {}
    for values, label in zip(days.values, days.labels, strict=True):
        own = values[chosen].astype(float)
        for k, name in enumerate(SENSORS):
            own[k] = (own[k] - 32) / 1.8 if name in TEMPERATURES else 100 * own[k]
        by_class.setdefault(str(label), []).append(own.T.tolist())
    classes = [PATTERN[k % len(PATTERN)] for k in range(DAYS)] + list(LAST_WEEK)
    return [
        Day(FIRST + timedelta(days=k), name, by_class[name].pop()) for k, name in enumerate(classes)
    ]


def clocks(day: Day) -> Iterable[tuple[datetime, list[float]]]:
    """Rows with their times."""
    start = datetime.combine(day.when, datetime.min.time())
    for k, row in enumerate(day.rows):
        yield start + timedelta(minutes=5 * k), row


def write_old(path: Path, days: Sequence[Day]) -> None:
    """As the old version wrote: semicolons, decimal commas, a date and a time, cp1252."""
    head = [f"{name} [{'°C' if key in TEMPERATURES else '%'}]" for key, name in SENSORS.items()]
    with path.open("w", newline="", encoding="cp1252") as file:
        file.write("Trend export;AHU 3\nmade by;shift 2\n")
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(["Date", "Time", *head, "Operator"])
        for day in days:
            for number, (when, row) in enumerate(clocks(day)):
                cells = [f"{value:.2f}".replace(".", ",") for value in row]
                if number in (100, 101) and day.when.day % 5 == 0:  # the sensor was cleaned
                    cells[4] = MISSING
                writer.writerow([f"{when:%d.%m.%Y}", f"{when:%H:%M}", *cells, "Meier"])


def write_new(path: Path, days: Sequence[Day]) -> None:
    """As the new version writes: commas, points, other dates, UTF-8."""
    head = [f"{name} [{'°C' if key in TEMPERATURES else '%'}]" for key, name in SENSORS.items()]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Date", "Time", *head])
        for day in days:
            for when, row in clocks(day):
                cells = [f"{value:.2f}" for value in row]
                writer.writerow([f"{when:%Y-%m-%d}", f"{when:%H:%M:%S}", *cells])


def main() -> None:
    """Write the folder and the file beside it."""
    days = simulated()
    plant = Path("plant")
    plant.mkdir(exist_ok=True)
    for week in range(WEEKS):
        first = DAYS_A_WEEK * week
        # An export begins with the last day of the one before it.
        own = days[max(first - 1, 0) : first + DAYS_A_WEEK]
        write = write_old if week < 4 else write_new
        write(plant / f"ahu3_week_{week + 1}.csv", own)
    with (plant / "faults.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start", "end", "class"])
        for day in days[:DAYS]:
            if day.fault in FAULTS:
                writer.writerow([f"{day.when} 00:00", f"{day.when} 23:55", FAULTS[day.fault]])
    last = days[DAYS:]
    for row in last[-1].rows:  # somebody has set the outdoor sensor to °F
        row[2] = 1.8 * row[2] + 32
    write_new(Path("next_week.csv"), last)
    print(f"plant: {WEEKS} weeks and faults.csv; next_week.csv: {len(last)} days")


if __name__ == "__main__":
    main()
