"""How far a reader is sent: from the first row of a CSV file to a logit, file by file.

    python -m benchmarks.trace                                  # this build
    PYTHONPATH=OTHER/src python benchmarks/trace.py             # another build of dualgaf

One small table of a made-up plant is read, cut, drawn, loaded and classified in this thread. For
each stage: files of the package that are entered for the first time, functions that are called, and
moves, a call from one file of the package into another. What is called again and again counts once
for each pair of functions, so the numbers do not depend on the size of the table.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

STAGES = ("construct", "CSV to windows", "windows to store", "store to batch", "network and logit")


@dataclass
class Stage:
    """What was seen of one stage."""

    name: str
    new_files: int = 0
    functions: set[str] = field(default_factory=set)
    moves: set[tuple[str, str]] = field(default_factory=set)


class Tracer:
    """Notes calls of functions below a folder.

    Args:
        folder: of the package.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = f"{folder}/"
        self.files: set[str] = set()
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A block whose calls are noted under this name."""
        self.stages.append(Stage(name))
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        file = frame.f_code.co_filename
        # Bodies of modules and classes are no steps of a walk.
        if event != "call" or not self._is_own(file) or frame.f_code.co_name.startswith("<module"):
            return
        stage = self.stages[-1]
        if file not in self.files:
            self.files.add(file)
            stage.new_files += 1
        here = f"{file}:{frame.f_code.co_qualname}"
        stage.functions.add(here)
        caller = self._caller(frame)
        if caller is not None and caller.partition(":")[0] != file:
            stage.moves.add((caller, here))

    def _caller(self, frame: FrameType) -> str | None:
        """The nearest function of the package that is waiting for this one."""
        above = frame.f_back
        while above is not None and not self._is_own(above.f_code.co_filename):
            above = above.f_back
        return above and f"{above.f_code.co_filename}:{above.f_code.co_qualname}"

    def _is_own(self, file: str) -> bool:
        return file.startswith(self.folder)


def write_plant(path: Path) -> None:
    """Six days of four sensors, a fault every other day."""
    lines = ["time,day,sat,mat,flow,valve,fault"]
    draws = np.random.default_rng(0)
    for day in range(1, 7):
        walk = draws.normal(size=(48, 4)).cumsum(axis=0) + 10 * (day % 2)
        for step, row in enumerate(walk):
            time = f"2024-03-{day:02} {step // 2:02}:{30 * (step % 2):02}:00"
            cells = ",".join(f"{value:.3f}" for value in row)
            lines.append(f"{time},d{day},{cells},{'stuck' if day % 2 else 'normal'}")
    path.write_text("\n".join(lines) + "\n")


def traced(folder: Path) -> list[Stage]:
    """The stages of the walk over the build that Python finds.

    Args:
        folder: where the table is written.
    """
    import torch

    import dualgaf

    _ = dualgaf.DualGAFDataModule, dualgaf.DualGAFNet, dualgaf.TableSource  # imports are no steps
    write_plant(folder / "plant.csv")
    tracer = Tracer(Path(dualgaf.__file__).parent)
    with tracer.stage(STAGES[0]):
        source = dualgaf.TableSource(folder / "plant.csv", window_size=24)
        data = dualgaf.DualGAFDataModule(
            source,
            image_size=12,
            scaling="train",
            feature_range=(0.0, 1.0),
            batch_size=4,
            hardware="8gb",
            parallel={"backend": "serial", "chunk_size": 4},
        )
    with tracer.stage(STAGES[1]):
        sizes = data.n_channels, data.num_classes
    with tracer.stage(STAGES[2]):
        data.setup("fit")
    with tracer.stage(STAGES[3]):
        batch = next(iter(data.train_dataloader()))
    with tracer.stage(STAGES[4]):
        net = dualgaf.DualGAFNet(*sizes).eval()
        with torch.no_grad():
            net(batch.gasf, batch.gadf, batch.series)
    data.close()
    return tracer.stages


def table(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """A row for each stage, and their sum."""
    rows = [
        {
            "stage": stage.name,
            "new files": stage.new_files,
            "functions": len(stage.functions),
            "moves": len(stage.moves),
        }
        for stage in stages
    ]
    total = {key: sum(row[key] for row in rows) for key in ("new files", "functions", "moves")}
    return [*rows, {"stage": "sum", **total}]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--moves", action="store_true", help="also print each move")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stages = traced(Path(folder))
    rows = table(stages)
    print(f"{'stage':18} {'new files':>9} {'functions':>9} {'moves':>6}")
    for row in rows:
        print(f"{row['stage']:18} {row['new files']:9} {row['functions']:9} {row['moves']:6}")
    for stage in stages if options.moves else ():
        print(f"\n{stage.name}")
        for pair in sorted(stage.moves):
            print("  " + " -> ".join(name.rpartition("/dualgaf/")[2] for name in pair))
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
