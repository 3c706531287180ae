#!/usr/bin/env bash
# PAA of ten steps into four has other segments in pyts than in aeon, and others again with overlaps.
#
# Package:  pyts 0.14.1, aeon 1.6.0
# Expected: the same means; both name the same paper for it
# Seen:     pyts has 2, 3, 2, 3 steps (linspace, cut to whole numbers), aeon 3, 3, 2, 2; pyts with
#           overlapping=True has 3, 3, 3, 3. pyts also gives a constant GASF 1 and GADF 0 without a
#           word, and its module pyts.image.gaf, which older programs import, is gone
# Here:     src/dualgaf/imaging/paa.py and one_field.py have the segments of pyts
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "pyts==0.14.1" "aeon==1.6.0" "numba==0.63.1" "scikit-learn==1.9.1"
cd "$folder"

# Uncompiled: pyts compiles all of its functions when it is imported, which takes a minute.
NUMBA_DISABLE_JIT=1 venv/bin/python -I - > seen <<'PROGRAM'
import importlib.util

import numpy as np
from aeon.transformations.collection.dictionary_based import PAA
from pyts.approximation import PiecewiseAggregateApproximation
from pyts.image import GramianAngularField

x = np.arange(10.0)[None]
for overlapping in (False, True):
    paa = PiecewiseAggregateApproximation(None, 4, overlapping)
    print("pyts", overlapping, paa.transform(x)[0].tolist())
print("aeon", PAA(n_segments=4).fit_transform(x[:, None])[0, 0].tolist())
for method in "sd":
    image = GramianAngularField(2, method=method).transform(np.full((1, 4), 3.7))
    print(method, image[0].tolist())
print(importlib.util.find_spec("pyts.image.gaf"))
PROGRAM

cat > stated <<'STATED'
pyts False [0.5, 3.0, 5.5, 8.0]
pyts True [1.0, 4.0, 6.0, 8.0]
aeon [1.0, 4.0, 6.5, 8.5]
s [[1.0, 1.0], [1.0, 1.0]]
d [[0.0, 0.0], [0.0, 0.0]]
None
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
