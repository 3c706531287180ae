#!/usr/bin/env bash
# The p-values behind aeon's critical difference diagram are one-sided, and 1 where Friedman finds none.
#
# Package:  aeon 1.6.0
# Expected: p of Wilcoxon's test as scipy gives it, two-sided; return_p_values says "(uncorrected)
#           p-values", whatever Friedman's test says of all methods together
# Seen:     half of it, in the direction that is seen; with two sets, where Friedman's test does not
#           reject, all are 1; methods that are equal everywhere divide 0 by 0 in Friedman's test
# Here:     src/dualgaf/training/comparison/ranking.py prints scipy's two-sided p beside the picture;
#           src/dualgaf/plots/critical_difference.py draws none of equal methods
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "aeon==1.6.0" "scipy==1.17.1" "matplotlib==3.10.9" "seaborn==0.13.2" "numba==0.63.1" "scikit-learn==1.9.1"
cd "$folder"

venv/bin/python -I - > seen <<'PROGRAM'
import warnings

import matplotlib
import numpy as np

matplotlib.use("Agg")
from aeon.benchmarking.stats import check_friedman
from aeon.visualisation import plot_critical_difference
from scipy.stats import wilcoxon

scores = np.array([[0.9 - n / 100, 0.7 - n / 50, 0.2 + n / 100] for n in range(8)])
for n_sets in (8, 2):
    own = scores[:n_sets]
    names = ["a", "b", "c"]
    *_, p = plot_critical_difference(own, names, correction=None, return_p_values=True)
    print(n_sets, p[0, 1], wilcoxon(own[:, 0], own[:, 1]).pvalue)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    print(check_friedman(np.full((4, 3), 2.0)), told[0].message)
PROGRAM

cat > stated <<'STATED'
8 0.00390625 0.0078125
2 1.0 0.5
nan invalid value encountered in scalar divide
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
