#!/usr/bin/env bash
# A number that stands in the code of a float64 network is float32 in the ONNX file: 1e200 is infinite.
#
# Package:  torch 2.13.0 (CPU), with onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0
# Expected: torch.onnx.export keeps float64: nothing in its documentation speaks of another type
# Seen:     a comparison with 1e200 is one with infinity, one with 1e-200 one with zero, 0.3 is 0.30000001
# Here:     src/dualgaf/data/window_imaging.py keeps such numbers as buffers, which stay as they are
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "torch==2.13.0" "onnx==1.23.2" "onnxscript==0.7.2" "onnxruntime==1.32.0" "numpy==2.3.5"
cd "$folder"

# -I: neither this folder nor PYTHONPATH is searched, so dualgaf is not found.
venv/bin/python -I -W ignore - > seen 2> errors <<'PROGRAM' || { cat errors >&2; exit 1; }
import io

import numpy as np
import onnxruntime
import torch


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("large", torch.tensor(1e200, dtype=torch.float64))

    def forward(self, x):
        far = (x > 1e200).double()
        tiny = (x < 1e-200).double()
        part = torch.where(x > 0, 0.3, x)
        kept = (x > self.large).double()
        return torch.stack((far, tiny, part, kept))


x = torch.tensor([1e250, 1e-250], dtype=torch.float64)
network = Network().eval()
file = io.BytesIO()
torch.onnx.export(network, (x,), file, dynamo=True, verbose=False, input_names=["x"])
session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
(found,) = session.run(None, {"x": x.numpy()})
for name, own, got in zip(("far", "tiny", "part", "kept"), network(x).numpy(), found):
    print(name, np.round(own, 10).tolist(), np.round(got, 10).tolist())
PROGRAM

cat > stated <<'STATED'
far [1.0, 0.0] [0.0, 0.0]
tiny [0.0, 1.0] [0.0, 0.0]
part [0.3, 0.3] [0.3000000119, 0.3000000119]
kept [1.0, 0.0] [1.0, 0.0]
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
