"""Rows a second that `model.watch()` takes: 20 channels, windows of 96 rows, stride 24, one thread.

    python -m benchmarks.stream [--seconds 5] [--output FILE.json]

A network of the usual size learns two epochs of windows of noise: what it says does not matter
here. Then one process with one thread pushes rows with times, one at a time and many at a time, for
so many seconds each. Shown are rows by second of CPU time, the time of the slowest push, and what
the watch holds.
"""

import argparse
import json
import logging
import os
import tempfile
import time
import tracemalloc
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import lightning as L
import numpy as np
import torch

import dualgaf
from dualgaf.bench.results import machine, machine_lines, text_table

CHANNELS, STEPS, STRIDE = 20, 96, 24
GOAL = 10_000
"""Rows a second that were to be reached."""
PARTS = (1, 24, 96, 1536)
"""Rows of a push."""


def trained(path: Path) -> None:
    """A checkpoint of a network with all its branches."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(96, CHANNELS, STEPS)).cumsum(axis=2), ["a", "b", "c", "d"] * 24
    dm = dualgaf.DualGAFDataModule.from_arrays(train=(x, y), val=(-x[:16], y[:16]))
    model = dualgaf.DualGAFClassifier(dualgaf.DualGAFNet(CHANNELS, 4), class_names=dm.class_names)
    off = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    trainer = L.Trainer(max_epochs=2, accelerator="cpu", enable_model_summary=False, **off)
    trainer.fit(model, datamodule=dm)
    trainer.save_checkpoint(path)


def rate(model: dualgaf.Predictor, part: int, seconds: float) -> dict[str, float]:
    """How fast rows are taken, so many a push."""
    rows = np.random.default_rng(1).normal(size=(max(part, 4096), CHANNELS))
    watch, pushed, judged, slowest = model.watch(stride=STRIDE), 0, 0, 0.0
    watch.push(rows)  # compiles, and allocates
    watch.restart()
    began = time.process_time()
    while time.process_time() - began < seconds:
        first = pushed % (len(rows) - part + 1)
        given = rows[first] if part == 1 else rows[first : first + part]
        before = time.process_time()
        judged += len(watch.push(given, np.arange(pushed, pushed + part, dtype=np.float64)))
        slowest = max(slowest, time.process_time() - before)
        pushed += part
    took = time.process_time() - began
    return {
        "rows a push": part,
        "rows/s": pushed / took,
        "of the goal": pushed / took / GOAL,
        "windows/s": judged / took,
        "slowest push, ms": 1e3 * slowest,
    }


def held(model: dualgaf.Predictor, pushes: int = 40) -> tuple[int, int]:
    """Bytes that are held after 20 pushes, when NumPy has its own store, and after as many more."""
    rows, watch, found = np.zeros((1000, CHANNELS)), model.watch(stride=STRIDE), []
    tracemalloc.start()
    for _ in range(pushes):
        watch.push(rows)
        found.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return found[len(found) // 2], found[-1]


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each row of the table")
    parser.add_argument("--output", type=Path, help="JSON file")
    given = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        trained(Path(folder, "own.ckpt"))
        model = dualgaf.load(Path(folder, "own.ckpt"))
    rows = [rate(model, part, given.seconds) for part in PARTS]
    first, last = held(model)
    print(machine_lines(machine()), "by second of CPU time, one thread", sep="\n\n")
    print(text_table(rows))
    print(f"held after 21 000 rows {first / 1e3:.0f} kB, after 40 000 rows {last / 1e3:.0f} kB")
    if given.output:
        told = {"machine": machine(), "rows": rows, "held": [first, last]}
        given.output.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
