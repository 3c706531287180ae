#!/usr/bin/env bash
# instantiate() of one node writes what it looks up into another: "${other}" is resolved where it stands.
#
# Package:  hydra-core 1.3.8 with omegaconf 2.3.1
# Expected: instantiate works on a copy of the node that it is given; the configuration stays as it is
# Seen:     with source: ${data} in the node, cfg.data.path is no longer "${oc.env:PLANT}" afterwards but
#           its value, in the whole configuration; the same text in the node itself stays
# Here:     src/dualgaf/training/config.py makes the DataModule from a copy of the whole configuration:
#           what is logged or saved later would hold values that were to be looked up each time
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q "hydra-core==1.3.8" "omegaconf==2.3.1"
cd "$folder"

# -I: neither this folder nor PYTHONPATH is searched, so dualgaf is not found.
PLANT=north venv/bin/python -I - > seen <<'PROGRAM'
from hydra.utils import instantiate
from omegaconf import OmegaConf

LOOKED_UP = "${oc.env:PLANT}"


def after(source):
    cfg = OmegaConf.create(
        {"data": {"path": LOOKED_UP}, "module": {"_target_": "builtins.dict", "source": source}}
    )
    instantiate(cfg.module)
    return OmegaConf.to_container(cfg, resolve=False)


print("by node ", after("${data}")["data"])
print("by value", after({"path": LOOKED_UP})["module"]["source"])
PROGRAM

cat > stated <<'STATED'
by node  {'path': 'north'}
by value {'path': '${oc.env:PLANT}'}
STATED

if ! diff stated seen; then
  echo "findings: it has changed (< as stated, > as seen)" >&2
  exit 1
fi
echo "findings: as stated"
