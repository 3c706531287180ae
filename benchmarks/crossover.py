"""Precompute or draw per batch? After how many epochs a build pays for itself.

    python benchmarks/crossover.py [--memory 256MiB] [--output FILE.json]

Three things are timed at each point: building the store, one epoch of loading from it, and one
epoch of drawing per batch. With b, l and d of them a window, E epochs cost b + E l or E d, so the
build pays from b / (d - l) epochs on, and never where d <= l. One axis is varied at a time; the
others stay at 96 steps, images of 96 x 96, 20 channels (4 where T is varied), batches of 64, uint8.
Where CUDA is, batches go there.
"""

import argparse
import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from dualgaf import DualGAFDataModule
from dualgaf.bench.results import machine, machine_lines, text_table
from dualgaf.bench.runner import Measured, Side, random_windows, run_sides
from dualgaf.bench.sides import Job, our_side
from dualgaf.data.batch import to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.data.loader import collate
from dualgaf.imaging.recipe import ImagingRecipe, Layout
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import parse_bytes

BUILD, LOAD, DRAW = "build", "epoch, precomputed", "epoch, drawn per batch"
EPOCHS = (1, 10, 100, 1000)


@dataclass(frozen=True)
class Point:
    """Sizes at which the two ways are compared."""

    varied: str
    """The axis that this point belongs to."""
    window_size: int = 96
    """T."""
    image_size: int = 96
    """S."""
    n_channels: int = 20
    """C."""
    batch_size: int = 64
    """Windows per batch."""
    layout: Layout = "dual"
    """Of the store."""

    def n_windows(self, memory: int) -> int:
        """Windows whose store takes about this much, and at least two batches."""
        recipe = ImagingRecipe(self.image_size, layout=self.layout)
        return max(2 * self.batch_size, memory // recipe.row_bytes(self.n_channels))


AXES: Mapping[str, Sequence[Point]] = {
    "T": [Point("T", t, t, n_channels=4) for t in (32, 96, 256, 512)],
    "T, images of 48": [Point("T, images of 48", t, 48) for t in (48, 192, 384, 768, 3072)],
    "C": [Point("C", n_channels=c) for c in (1, 4, 20, 64)],
    "batch": [Point("batch", batch_size=b) for b in (8, 64, 256)],
    "layout": [Point("layout"), Point("layout", layout="packed")],
}


def point_sides(point: Point, n: int, device: torch.device) -> list[Side]:
    """Build, load and draw at one point."""
    windows = random_windows(n, point.n_channels, point.window_size)
    recipe = ImagingRecipe(point.image_size, layout=point.layout)
    build = our_side(BUILD, Job(windows, recipe), PoolSettings())
    # Other values than those of the build: a store that is alive is shared, not built again.
    x = 1.0 + windows.take(np.arange(n))
    sides = [build]
    for name, images in ((LOAD, "precompute"), (DRAW, "on_device")):
        dm = DualGAFDataModule.from_arrays(
            (x, np.arange(n) % 2),
            image_size=point.image_size,
            layout=point.layout,
            batch_size=point.batch_size,
            images=images,
        )
        dm.setup("fit")
        work = partial(one_epoch, dm, device)
        sides.append(replace(build, name=name, work=work, n_bytes=_batch_bytes(point)))
    return sides


def _batch_bytes(point: Point) -> int:
    return 8 * point.batch_size * point.n_channels * point.image_size**2


@contextlib.contextmanager
def one_epoch(dm: DualGAFDataModule, device: torch.device) -> Iterator[None]:
    if device.type == "cpu":
        for _ in dm.train_dataloader():
            pass
    else:
        loader = DataLoader(
            dm.dataset("train"),
            batch_size=dm.batch_size,
            shuffle=True,
            pin_memory=True,
            collate_fn=collate,
        )
        for batch in loader:
            moved = type(batch)(*(tensor.to(device, non_blocking=True) for tensor in batch))
            to_images(moved, ImageBuffers())
        torch.cuda.synchronize()
    yield


def read(point: Point, n: int, found: Mapping[str, Measured]) -> dict[str, Any]:
    """A row of the table."""
    build, load, draw = (found[name].median_s / n * 1e6 for name in (BUILD, LOAD, DRAW))
    sizes = {
        "T": point.window_size,
        "S": point.image_size,
        "C": point.n_channels,
        "batch": point.batch_size,
        "layout": point.layout,
    }
    return {
        "varied": point.varied,
        **sizes,
        "windows": n,
        "build us": build,
        "load us": load,
        "draw us": draw,
        "build pays from epoch": build / (draw - load) if draw > load else None,
        **{f"x at {e}": epochs_ratio(build, load, draw, e) for e in EPOCHS},
    }


def epochs_ratio(build: float, load: float, draw: float, epochs: int) -> float:
    """Time of drawing per batch over time of building and loading; above 1 the build pays."""
    return epochs * draw / (build + epochs * load)


def plot(rows: Sequence[Mapping[str, Any]], device: str, path: Path) -> None:
    """A panel an axis: how much the build gains over the epochs."""
    from matplotlib.figure import Figure

    axes = list(dict.fromkeys(row["varied"] for row in rows))
    figure = Figure(figsize=(3.2 * len(axes), 3.4), layout="constrained")
    epochs = np.geomspace(1, 1000, 60)
    for panel, axis in zip(
        figure.subplots(1, len(axes), sharey=True, squeeze=False)[0], axes, strict=True
    ):
        for row in (row for row in rows if row["varied"] == axis):
            label = str(row[axis.split(",")[0]])
            times = (row["build us"], row["load us"], row["draw us"])
            panel.loglog(epochs, [epochs_ratio(*times, e) for e in epochs], label=label)
        panel.axhline(1.0, color="black", linewidth=0.8)
        panel.set_title(f"{axis} ({device})", fontsize=9)
        panel.set_xlabel("epochs")
        panel.legend(fontsize=7)
        panel.grid(which="both", alpha=0.25)
    figure.axes[0].set_ylabel("time drawn per batch / time precomputed")
    figure.savefig(path, dpi=90)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", default="256MiB", help="store of each point")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--axes", nargs="*", default=list(AXES), choices=list(AXES))
    parser.add_argument("--output", type=Path, help="write JSON, and a plot beside it")
    given = parser.parse_args(arguments)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows, seconds = [], {}
    points = [point for axis in given.axes for point in AXES[axis]]
    for k, point in enumerate(points):
        n = point.n_windows(parse_bytes(given.memory))
        print(f"point {k + 1} of {len(points)}: {point}, {n} windows")
        found = run_sides(point_sides(point, n, device), given.repeats, lambda line: None)
        rows.append(read(point, n, found))
        seconds |= {f"{point}: {name}": measured.seconds for name, measured in found.items()}
    report(rows, device.type)
    if given.output:
        told = {"memory": given.memory, "repeats": given.repeats, "machine": machine()}
        date = datetime.now(UTC).isoformat(timespec="minutes")
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(
            json.dumps({"date": date, **told, "rows": rows, "seconds": seconds}, indent=1) + "\n"
        )
        plot(rows, device.type, given.output.with_suffix(".png"))


def report(rows: Sequence[Mapping[str, Any]], device: str) -> None:
    pays = sum(row["build pays from epoch"] is not None for row in rows)
    print(machine_lines(machine()), text_table(rows), sep="\n\n")
    print(f"\nmicroseconds a window; batches on {device}; the build pays in {pays} of {len(rows)}")


if __name__ == "__main__":
    main()
