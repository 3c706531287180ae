#!/usr/bin/env bash
# The reader of .ts files loses minus signs and whole numbers where steps have time stamps.
#
# Package:  aeon 1.6.0
# Expected: (0,1.5),(1,-2.5),(2,3),(3,4.25) is four steps, 1.5, -2.5, 3, 4.25; classes as written
# Seen:     three steps, 1.5, 2.5, 4.25, without a word. Classes are in small letters, so that
#           "Normal" and "normal" of one header are one class; a blank before a class makes another
#           class, which the header does not list
# Here:     src/dualgaf/series/tsfile.py reads the format itself
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "aeon==1.6.0" "numba==0.63.1" "scikit-learn==1.9.1"
cd "$folder"

header() {
  printf '@problemName %s\n@timeStamps %s\n@missing false\n@univariate true\n' "$1" "$2"
  printf '@equalLength true\n@seriesLength 4\n@targetlabel false\n@classLabel true %s\n@data\n' "$3"
}
{ header stamps true "Normal Leak"
  echo "(0,1.5),(1,-2.5),(2,3),(3,4.25):Normal"
  echo "(0,2.5),(1,-1),(2,3.5),(3,-4.5):Leak"
} > stamps.ts
{ header classes false "Normal normal"
  echo "1.5,-2.5,3,4.25:Normal"
  echo "2.5,-1,3.5,-4.5:normal"
  echo "2.5,-1,3.5,-4.5: Normal"
} > classes.ts

venv/bin/python -I - > seen <<'PROGRAM'
from aeon.datasets import load_from_ts_file

for name in ("stamps", "classes"):
    x, y = load_from_ts_file(f"{name}.ts")[:2]
    print(name, [series[0].tolist() for series in x], [str(label) for label in y])
PROGRAM

cat > stated <<'STATED'
stamps [[1.5, 2.5, 4.25], [2.5, 3.5, 4.5]] ['normal', 'leak']
classes [[1.5, -2.5, 3.0, 4.25], [2.5, -1.0, 3.5, -4.5], [2.5, -1.0, 3.5, -4.5]] ['normal', 'normal', ' normal']
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
