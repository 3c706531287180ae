#!/usr/bin/env bash
# An example of the form: a number with an exponent and no point is read as text.
#
# Package:  PyYAML 6.0.3
# Expected: a float, as YAML 1.2 and JSON have it
# Seen:     '1e3' is a string, '1.0e+3' a float: the rules of YAML 1.1
# Here:     nothing depends on it; a finding names the file that lives with it
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "PyYAML==6.0.3"
cd "$folder"

# -I: neither this folder nor PYTHONPATH is searched, so dualgaf is not found.
venv/bin/python -I - > seen <<'PROGRAM'
import yaml

for text in ("1e3", "1.0e+3"):
    print(text, repr(yaml.safe_load(text)))
PROGRAM

cat > stated <<'STATED'
1e3 '1e3'
1.0e+3 1000.0
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
