#!/usr/bin/env bash
# MeanMetric(nan_strategy="disable") leaves out the weights too: a weighted mean becomes a plain one.
#
# Package:  torchmetrics 1.9.0 with torch 2.13.0
# Expected: no search for NaN, and otherwise the mean of the other strategies; its text speaks of NaN only
# Seen:     values 1 and 3 with weights 9 and 1 give 2.0, with every other strategy 1.2; no warning
# Here:     src/dualgaf/models/losses/epoch_loss.py takes a float as nan_strategy; the loss of an epoch
#           is a mean with class weights
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q "torch==2.13.0" "torchmetrics==1.9.0" "numpy==2.3.5"
cd "$folder"

# -I: neither this folder nor PYTHONPATH is searched, so dualgaf is not found.
venv/bin/python -I - > seen <<'PROGRAM'
import torch
from torchmetrics import MeanMetric

for strategy in ("disable", "ignore", "warn", "error", 0.0):
    mean = MeanMetric(nan_strategy=strategy)
    mean.update(torch.tensor([1.0, 3.0]), torch.tensor([9.0, 1.0]))
    print(strategy, round(float(mean.compute()), 4))
PROGRAM

cat > stated <<'STATED'
disable 2.0
ignore 1.2
warn 1.2
error 1.2
0.0 1.2
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
