"""What a training step takes: `python benchmarks/training_step.py`.

A step of the default network on windows of noise, one thread: warp, mixup, forward, backward and
optimiser, without Lightning around it. Sides take turns; what is shown are medians of CPU time,
which a machine that does other things changes least. Each column but the first adds one thing to
the one before.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer

from dualgaf.bench.results import machine, machine_lines, text_table
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.net import DualGAFNet

JOBS = {"NATOPS": (24, 51, 14, 6), "RacketSports": (6, 30, 12, 4), "Tennessee": (52, 64, 16, 22)}
"""Signals, side of the images, windows a batch, classes."""


class WholeImages(DualGAFClassifier):
    """Warps and mixes whole images: a forward of one's own may look at any pixel."""

    def forward(self, gasf: Tensor, gadf: Tensor, series: Tensor | None = None) -> Tensor:
        return super().forward(gasf, gadf, series)


def optimizer(model: DualGAFClassifier, fused: bool) -> Optimizer:
    return torch.optim.AdamW(model.net.parameters(), lr=1e-4, fused=fused)


def made(kind: type[DualGAFClassifier], fused: bool, n_channels: int, n_classes: int) -> Callable:
    """A step of a new network, which is the same for all sides."""
    torch.manual_seed(0)
    model = kind(DualGAFNet(n_channels, n_classes)).train()
    model.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    follow = optimizer(model, fused)

    def step(batch: tuple[Tensor, ...]) -> None:
        follow.zero_grad()
        model.training_step(batch, 0).backward()
        torch.nn.utils.clip_grad_norm_(model.net.parameters(), 1.0)
        follow.step()

    return step


SIDES: dict[str, Callable] = {
    "whole images": partial(made, WholeImages, False),
    "bands": partial(made, DualGAFClassifier, False),
    "and a fused optimiser": partial(made, DualGAFClassifier, True),
}


def row(name: str, steps: int) -> dict[str, object]:
    """Medians of all sides at one size."""
    n_channels, side, n_windows, n_classes = JOBS[name]
    torch.manual_seed(1)
    images = torch.rand(2, n_windows, n_channels, side, side) * 2 - 1
    series = torch.randn(n_windows, n_channels, side)
    batch = (*images, series, torch.arange(n_windows) % n_classes)
    sides = {title: make(n_channels, n_classes) for title, make in SIDES.items()}
    taken: dict[str, list[float]] = {title: [] for title in sides}
    for number in range(steps + 2):
        for title, step in sides.items():
            torch.manual_seed(number)
            started = time.process_time()
            step(batch)
            taken[title].append(1e3 * (time.process_time() - started))
    found = {title: statistics.median(times[2:]) for title, times in taken.items()}
    first, *_, last = found.values()
    return {"set": name, **{f"{key} ms": ms for key, ms in found.items()}, "x": first / last}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40, help="steps of each side")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = [row(name, given.steps) for name in JOBS]
    print(machine_lines(machine()), text_table(rows), sep="\n\n")


if __name__ == "__main__":
    main()
