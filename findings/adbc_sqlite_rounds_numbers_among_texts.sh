#!/usr/bin/env bash
# A number in a column of SQLite that also has texts arrives with seven digits, further down with all.
#
# Package:  adbc-driver-sqlite 1.13.0 with adbc-driver-manager 1.13.0 and polars 2.1.0
# Expected: the text that SQLite itself makes of the number, or one that gives the number back
# Seen:     1/3 beside a text is '3.333333e-01' in the first 1024 rows and '0.33333333333333332' after them
# Here:     src/dualgaf/series/tables/databases/sqlite.py reads such a column again, as texts that the
#           query makes with 17 digits
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q "adbc-driver-sqlite==1.13.0" "adbc-driver-manager==1.13.0" "polars==2.1.0"
cd "$folder"

# -I: neither this folder nor PYTHONPATH is searched, so dualgaf is not found.
venv/bin/python -I - > seen <<'PROGRAM'
import sqlite3

import adbc_driver_sqlite.dbapi as driver
import polars as pl

with sqlite3.connect("plant.db") as plant:
    plant.execute("CREATE TABLE plant (cell)")
    cells = ["Bad", *[1 / 3] * 1500]
    plant.executemany("INSERT INTO plant VALUES (?)", [(cell,) for cell in cells])
plant.close()
with driver.connect("plant.db") as connection, connection.cursor() as cursor:
    cursor.execute("SELECT cell FROM plant")
    found = pl.DataFrame(cursor.fetch_arrow())["cell"]
for text in found[[0, 1, 1500]]:
    print(text, None if text == "Bad" else float(text) == 1 / 3)
PROGRAM

cat > stated <<'STATED'
Bad None
3.333333e-01 False
0.33333333333333332 True
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
