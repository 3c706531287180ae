"""What a loader reaches: float32 batches ready for a step, and their share of a training step.

    python benchmarks/loading.py [--output FILE.json]

Every side goes once through all windows, in an order drawn anew. The earlier system is written anew
for this comparison: its data set hands out one window at a time, converts each field to float32 and
converts the result once more, which copies it; torch's default collate copies all into a batch.

The share of a step is measured under a Trainer with a small `DualGAFNet` on the CPU, by two timers:
one around asking for a batch, with its hooks, and one around the whole epoch.
"""

import argparse
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dualgaf.training.config  # noqa: F401  # first: sets how torch's threads wait, as train.py does

# isort: split
import lightning as L
import numpy as np
import torch
from lightning.pytorch.profilers import SimpleProfiler
from torch.utils.data import DataLoader, Dataset

from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.bench.results import Result
from dualgaf.bench.runner import BenchSize, Measured, Reading, Side, run_sides
from dualgaf.data.batch import read_rows
from dualgaf.data.buffers import ImageBuffers

EARLIER = "earlier system: window by window"
PRECOMPUTED = "dualgaf, precomputed"
PACKED = "dualgaf, precomputed, packed"
ON_DEVICE = "dualgaf, on_device"
DECODE = "one pass over the store, no loader"
GATHER = "pixels of the store only, as shipped"
FILL = "limit: a fill of as many float32"
STEPS = {"precompute": "training step, precomputed", "on_device": "training step, on_device"}

NEXT, WHOLE = "[_TrainingEpochLoop].train_dataloader_next", "run_training_epoch"
TRANSFER = "batch_to_device"


@dataclass(frozen=True)
class Job:
    """What is loaded."""

    size: BenchSize
    """Windows, channels, steps, repeats."""
    batch_size: int
    """Windows per batch."""
    steps: int
    """Batches of a timed training."""

    def modules(self) -> dict[str, DualGAFDataModule]:
        """Data modules that are set up, by the name of their side."""
        size, rng = self.size, np.random.default_rng(0)
        x = rng.normal(size=(size.n_windows, size.n_channels, size.window_size)).cumsum(axis=2)
        y = np.arange(size.n_windows) % 3
        made = {}
        for name, settings in {
            PRECOMPUTED: {},
            PACKED: {"layout": "packed"},
            ON_DEVICE: {"images": "on_device"},
        }.items():
            made[name] = DualGAFDataModule.from_arrays(
                (x, y), batch_size=self.batch_size, **settings
            )
            made[name].setup("fit")
        return made


class OneByOne(Dataset[tuple[Any, ...]]):
    """Windows as the earlier system hands them out: 0 to 255, float32, one at a time."""

    def __init__(self, dm: DualGAFDataModule) -> None:
        self.fields = dm.stores[0].array
        rows = dm.windows.indices["train"]
        self.series = dm.windows.windows.take(rows)
        self.labels = dm.windows.labels[rows]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        gasf, gadf = (field.astype(np.float32) for field in self.fields[index])
        return (
            torch.from_numpy(gasf.astype(np.float32)),
            torch.from_numpy(gadf.astype(np.float32)),
            torch.from_numpy(self.series[index].astype(np.float32)),
            torch.tensor(self.labels[index], dtype=torch.long),
        )


def loading_sides(job: Job) -> list[Side]:
    """All ways to get a batch, and what the memory allows."""
    modules = job.modules()
    dm = modules[PRECOMPUTED]
    store, size, n = dm.stores[0].array, job.size, job.size.n_windows
    buffers = ImageBuffers()
    shape = (job.batch_size, size.n_channels, size.window_size, size.window_size)
    filled = [np.empty(shape, dtype=np.float32) for _ in range(2)]
    per_sample = DataLoader(OneByOne(dm), batch_size=job.batch_size, shuffle=True)
    go = {
        EARLIER: lambda: per_sample,
        **{name: module.train_dataloader for name, module in modules.items()},
        DECODE: lambda: (read_rows(store, rows, buffers) for rows in batches(job)),
        GATHER: lambda: (store[rows] for rows in batches(job)),
        FILL: lambda: ([field.fill(0.5) for field in filled] for _ in batches(job)),
    }
    n_bytes = 8 * int(np.prod(shape))
    return [
        Side(name, partial(once_through, make), n, n_bytes, needs_bytes=2 * n_bytes)
        for name, make in go.items()
    ]


def batches(job: Job) -> Iterator[Any]:
    """Rows of each batch, in an order drawn anew."""
    rows = np.random.default_rng().permutation(job.size.n_windows)
    for start in range(0, len(rows), job.batch_size):
        yield rows[start : start + job.batch_size]


@contextlib.contextmanager
def once_through(make: Callable[[], Iterable[Any]]) -> Iterator[None]:
    for _ in make():
        pass
    yield


def step_sides(job: Job) -> list[Side]:
    """A short training with either way to get the images."""
    sides = []
    for images, name in STEPS.items():
        modules = job.modules()
        dm = modules[PRECOMPUTED if images == "precompute" else ON_DEVICE]
        sides.append(Side(name, partial(train, dm, job.steps), job.steps * job.batch_size, 0))
    return sides


@contextlib.contextmanager
def train(dm: DualGAFDataModule, steps: int) -> Iterator[Mapping[str, float]]:
    timers = SimpleProfiler()
    trainer = L.Trainer(
        max_epochs=1,
        limit_train_batches=steps,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        accelerator="cpu",
        profiler=timers,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    net = DualGAFNet(dm.n_channels, dm.num_classes, extractor="large_kernel")
    trainer.fit(DualGAFClassifier(net), datamodule=dm)
    took = {name: sum(times) for name, times in timers.recorded_durations.items()}
    data_s = took[NEXT] + sum(s for name, s in took.items() if name.endswith(TRANSFER))
    yield {"data_s": data_s / steps, "step_s": took[WHOLE] / steps}


def read(job: Job, sides: list[Side], found: Mapping[str, Measured]) -> Reading:
    """Rates, and what is compared with what."""
    rates = {side.name: side.windows / found[side.name].median_s for side in sides}
    rows, ratios = [], {}
    for side in sides:
        rate = rates[side.name]
        trained = side.name in STEPS.values()
        share = (
            found[side.name].median("data_s") / found[side.name].median("step_s")
            if trained
            else None
        )
        rows.append(
            {
                "side": side.name,
                "windows/s": rate,
                "ms a batch": 1e3 * job.batch_size / rate,
                "x earlier": None if trained else rate / rates[EARLIER],
                "data share of step": share,
            }
        )
    for name in (PRECOMPUTED, PACKED, ON_DEVICE):
        ratios[f"{name}, x earlier"] = rates[name] / rates[EARLIER]
    ratios["on_device, x one pass over the store"] = rates[ON_DEVICE] / rates[DECODE]
    ratios["one pass over the store, x fill"] = rates[DECODE] / rates[FILL]
    for name in STEPS.values():
        if name in found:
            step, data = found[name].median("step_s"), found[name].median("data_s")
            ratios[f"{name}, step / data side"] = step / data
    return Reading(
        rows, ratios, [f"batches of {job.batch_size}; {torch.get_num_threads()} threads"]
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-windows", type=int, default=1280)
    parser.add_argument("--n-channels", type=int, default=20)
    parser.add_argument("--window-size", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6, help="batches of a training; 0: none")
    parser.add_argument("--output", type=Path, help="write the result as JSON")
    given = parser.parse_args(arguments)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    size = BenchSize(given.n_windows, given.n_channels, given.window_size, given.repeats)
    job = Job(size, given.batch_size, given.steps)
    sides = loading_sides(job) + (step_sides(job) if job.steps else [])
    found = run_sides(sides, size.repeats, print)
    seconds = {name: measured.seconds for name, measured in found.items()}
    result = Result("loading", asdict(size), read(job, sides, found), seconds)
    print(result)
    print("\n".join(f"{name}: {value:.3g}" for name, value in result.reading.ratios.items()))
    if given.output:
        result.save(given.output)


if __name__ == "__main__":
    main()
