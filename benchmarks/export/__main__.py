"""Write docs/export.md: `python -m benchmarks.export` (about ten minutes on two cores).

1. Networks that together have every part of ``conf/model`` are exported, and onnxruntime is
   compared with the network: each is one row.
2. Extractors with operations that ONNX has no translation for are exported, too: what is said.
3. A network of NATOPS, trained for a step, is exported in each format: bytes, and CPU time of a
   call. CPU time, not that of the clock, so that other programs do not count.
"""

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.export.networks import exported
from benchmarks.export.operations import refused
from benchmarks.export.page import KEPT, kept_rows, page
from benchmarks.export.speed import int8, speed
from benchmarks.made import made

PAGE = Path(__file__).resolve().parents[2] / "docs" / "export.md"
STEPS: dict[str, Callable[[Path], Iterator[str]]] = {
    "networks": exported,
    "own": refused,
    "speed": speed,
    "int8": int8,
}


def main() -> None:
    """Measure, and write the page of what was measured now and before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", help=f"{', '.join(STEPS)}; all when left out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in options.steps or STEPS:
        with tempfile.TemporaryDirectory() as folder:
            rows = "\n".join(STEPS[name](Path(folder)))
        (KEPT / f"{name}.md").write_text(rows)
        (KEPT / f"{name}.json").write_text(json.dumps(made()))
    PAGE.write_text(page({name: kept_rows(name) for name in STEPS}))


if __name__ == "__main__":
    main()
