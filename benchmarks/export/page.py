"""docs/export.md: `page.md` with what was measured now and before."""

import json
from pathlib import Path

import onnxruntime
import torch

from benchmarks.export.networks import COMPARED
from benchmarks.export.speed import BATCHES, REPEATS
from benchmarks.made import made_lines
from dualgaf.inference.onnx_file import OPSET, OPSETS, TOLERANCE

KEPT = Path(__file__).resolve().parents[2] / "runs" / "export"
"""Rows of each step, so that one can be measured anew."""
TEXT = Path(__file__).with_name("page.md")
MISSING = "not measured yet"


def page(found: dict[str, list[str]]) -> str:
    """The text of docs/export.md."""
    rows = {name: "\n".join(lines) for name, lines in found.items()}
    starts, _, speeds = rows["speed"].partition("\n\n")
    speeds = speeds or starts  # the line that says that nothing was measured
    return TEXT.read_text().format(
        opset=OPSET,
        opsets=f"{OPSETS[0]} to {OPSETS[-1]}",
        tolerance=f"{TOLERANCE:.0e}",
        repeats=REPEATS,
        batches=", ".join(map(str, COMPARED[:-1])) + f" and {COMPARED[-1]}",
        networks=rows["networks"],
        verdict=""
        if any(word in rows["networks"] for word in ("refused", MISSING))
        else "Nothing of `conf/model` is refused. ",
        own=rows["own"],
        starts=starts,
        int8=rows["int8"],
        speeds=speeds,
        columns=" | ".join(f"{n} windows" for n in BATCHES),
        made=made_lines(json.loads(file.read_text()) for file in sorted(KEPT.glob("*.json"))),
        versions=f"torch {torch.__version__.partition('+')[0]}, onnxruntime "
        f"{onnxruntime.__version__}",
    )


def kept_rows(name: str) -> list[str]:
    """Rows of a step, of now or before."""
    file = KEPT / f"{name}.md"
    if file.exists():
        return file.read_text().split("\n")
    return [f"| {MISSING}: `python -m benchmarks.export {name}` |"]
