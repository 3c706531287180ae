"""`draw_windows`: the most certain mistakes, and what spoke in windows of the test split.

A page may take 3 % of its run. Explaining a window is as much work as training on `N_POINTS`
windows, so what is drawn at the end of a run is what fits; ``python -m dualgaf report RUN`` draws
all of it. Nothing is predicted anew: which windows were mistaken is in the tables of the run.
"""

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from PIL import Image

from dualgaf.data.compatibility import check_windows
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.imaging_state import ImagingState
from dualgaf.inference.attribution import N_POINTS, top_intervals
from dualgaf.inference.checkpoint import check_sizes
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plots.explanation import whole_per_cents
from dualgaf.plots.spoke import draw_spoke
from dualgaf.report.explained import Explained
from dualgaf.report.page import Picture
from dualgaf.report.split_report import Mistake

Array = npt.NDArray[Any]

PART = 0.02
"""Of the time of a run, for its page: what is begun may take half as long again as was thought."""
MOST_MISTAKES = 4
"""That are drawn."""
MOST_CHANNELS = 3
"""Of a mistake."""
MOST_SPOKE = 12
"""Channels of the map; of more the others are one row."""
SAMPLE, FEWEST = 24, 4
"""Windows that the map is of."""
COLOURS = 256
"""Of a picture."""
BATCH = 8
PICTURE_S = 1.0
"""What a picture may take where none has been drawn yet."""


@dataclass(eq=False)
class Windows:
    """Parts of a page that need windows and the network."""

    mistakes: list[Picture] = field(default_factory=list)
    spoke: Picture | None = None
    lines: list[str] = field(default_factory=list)
    shares: list[tuple[str, int]] = field(default_factory=list)
    classes: list[tuple[str, ...]] = field(default_factory=list)
    """Class, windows, channel that spoke most, when, its per cents."""
    left_out: list[str] = field(default_factory=list)


class Allowance:
    """Seconds that may be spent.

    Args:
        seconds: of the run that the page is of; None = as many as it takes.
        window: that it takes to explain a window, see `seconds_a_window`; replaced by what it took.
    """

    def __init__(self, seconds: float | None, window: float = 0.0) -> None:
        self._begun = time.perf_counter()
        self._seconds = float("inf") if seconds is None else PART * seconds
        self.window = window
        self.picture = PICTURE_S

    @property
    def left(self) -> float:
        """Seconds."""
        return self._seconds - (time.perf_counter() - self._begun)

    def room(self, most: int, pictures: int | None = None) -> int:
        """How many windows there is time for.

        Args:
            most: windows that are wanted.
            pictures: that they take together; None = one each.
        """
        each, together = self.window, self.picture * (pictures or 0)
        if pictures is None:
            each += self.picture
        left = self.left - together
        return most if left >= most * each else max(0, int(left / each))


def seconds_a_window(metrics: Mapping[str, Any], data: DualGAFDataModule) -> float:
    """What it may take to explain a window, by what it took to train on one.

    Args:
        metrics: of the run.
        data: with its splits.
    """
    n_train, n_val = (len(data.windows.indices.get(split, ())) for split in ("train", "val"))
    learned = metrics.get("fit/epochs", 0) * n_train
    learned += metrics.get("refit/epochs", 0) * (n_train + n_val)
    # Twice: a few windows are slower, each, than a batch.
    return float(2 * N_POINTS * metrics.get("fit/seconds", 1.0) / max(1, learned))


def draw_windows(
    data: DualGAFDataModule,
    model: DualGAFClassifier,
    imaging: ImagingState,
    mistakes: Sequence[Mistake],
    allowance: Allowance,
) -> Windows:
    """Draw what there is time for.

    Args:
        data: the DataModule that was tested.
        model: the network that was.
        imaging: that it was trained with.
        mistakes: the most certain ones, of its test split.
        allowance: what it may take.

    Raises:
        ConfigError: the data are not those of the network.
    """
    check_sizes(model, data.n_channels, data.num_classes)
    check_windows(imaging, data)
    found, shown = Windows(), mistakes[:MOST_MISTAKES]
    n = allowance.room(len(shown))
    if n:
        rows = data.windows.indices["test"][[mistake.window for mistake in shown[:n]]]
        (explained,) = _explained(data, model, imaging, rows, allowance, len(rows))
        for k, mistake in enumerate(shown[:n]):
            if k and allowance.left < allowance.picture:
                break
            found.mistakes.append(_mistake(explained, k, mistake, allowance))
    if missing := len(shown) - len(found.mistakes):
        found.left_out.append(f"Pictures of {missing} of the mistakes.")
    _add_map(found, data, model, imaging, allowance)
    return found


def _explained(
    data: DualGAFDataModule,
    model: DualGAFClassifier,
    imaging: ImagingState,
    rows: Array,
    allowance: Allowance,
    batch: int,
) -> list[Explained]:
    """Windows, a batch at a time: the gradients of all images of one are in memory together."""
    begun = time.perf_counter()
    parts = [
        Explained.of(data.windows, rows[first : first + batch], model, imaging)
        for first in range(0, len(rows), batch)
    ]
    allowance.window = (time.perf_counter() - begun) / len(rows)
    return parts


def picture_of(figure: Figure, alt: str, dpi: int = 90) -> Picture:
    """A figure as a PNG."""
    file, small = io.BytesIO(), io.BytesIO()
    figure.savefig(file, dpi=dpi, format="png")
    with Image.open(file) as image:
        # A third of the bytes; what is seen has few colours.
        few = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
        few.save(small, format="png", optimize=True)
    return Picture(small.getvalue(), alt)


def _mistake(explained: Explained, k: int, mistake: Mistake, allowance: Allowance) -> Picture:
    begun = time.perf_counter()
    title = (
        f"test window {mistake.window} of {mistake.group}: {mistake.label}, predicted "
        f"{mistake.predicted} ({mistake.probability})"
    )
    figure = explained.figure(k, explained.best(k, MOST_CHANNELS), _folded(title))
    alt = f"Series and Gramian angular fields of {title}; the redder, the more a step spoke for it"
    picture = picture_of(figure, alt)
    allowance.picture = time.perf_counter() - begun
    return picture


def _add_map(
    found: Windows,
    data: DualGAFDataModule,
    model: DualGAFClassifier,
    imaging: ImagingState,
    allowance: Allowance,
) -> None:
    split = next((name for name in ("test", "val", "train") if name in data.windows.indices), None)
    rows = data.windows.indices[split] if split else np.zeros(0, dtype=int)
    n = allowance.room(min(SAMPLE, len(rows)), pictures=1)
    if n < min(FEWEST, len(rows)) or not n:
        found.left_out.append("What spoke, by channel and time.")
        return
    rows = rows[np.linspace(0, len(rows) - 1, n).round().astype(int)]
    parts = _explained(data, model, imaging, rows, allowance, BATCH)
    steps = np.concatenate([part.steps for part in parts])
    by_statistics = float(np.mean(np.concatenate([part.statistics for part in parts])))
    names, heat = _most(steps.mean(axis=0), data.channel_names)
    *told, statistics = whole_per_cents([*heat.sum(axis=1), by_statistics])
    found.shares = [*zip(names, told, strict=True), ("statistics of whole windows", statistics)]
    found.lines = _lines(parts, n, split or "")
    title = f"{n} windows of the {split} split; statistics of whole windows: {statistics} %"
    figure = draw_spoke(heat, names, told, parts[0].axis, title)
    shares = ", ".join(f"{name} {part} %" for name, part in found.shares)
    found.spoke = picture_of(figure, f"Map of channels over time. What spoke: {shares}")
    found.classes = _of_classes(parts, steps)


def _most(heat: Array, names: Sequence[str]) -> tuple[list[str], Array]:
    """The channels that spoke most, and one row for all others."""
    order = np.argsort(-heat.sum(axis=1), kind="stable")
    kept, others = order[:MOST_SPOKE], order[MOST_SPOKE:]
    told = [names[channel] for channel in kept]
    if not len(others):
        return told, heat[kept]
    rest = heat[others].sum(axis=0, keepdims=True)
    return [*told, f"{len(others)} other channels"], np.concatenate([heat[kept], rest])


def _lines(parts: Sequence[Explained], n: int, split: str) -> list[str]:
    sizes = np.array([len(part) for part in parts], dtype=float)
    members = {
        name: float(np.average([part.members[name] for part in parts], weights=sizes))
        for name in parts[0].members
    }
    per_cents = whole_per_cents(list(members.values()))
    said = ", ".join(f"{name} {part} %" for name, part in zip(members, per_cents, strict=True))
    lines = [
        f"Mean over {n} windows of the {split} split, each for the class that is predicted. Shares "
        "are of all that spoke for it, by way of the images or of statistics of whole windows; "
        "these see no times."
    ]
    if len(members) > 1:
        lines.append(f"The probability comes from: {said}. Only what images say is explained.")
    return lines


def _of_classes(parts: Sequence[Explained], steps: Array) -> list[tuple[str, ...]]:
    classes = torch.cat([part.found.classes for part in parts]).numpy()
    rows: list[tuple[str, ...]] = []
    for k, name in enumerate(parts[0].imaging.class_names):
        own = steps[classes == k]
        intervals = top_intervals(torch.from_numpy(own.mean(axis=0))) if len(own) else []
        if intervals:
            first, axis = intervals[0], parts[0].axis
            channel = parts[0].windowed.channel_names[first.channel]
            when = axis.span(first.first, first.last).partition(" (")[0]
            share = 100 * own.mean(axis=0)[first.channel].sum()
            rows.append((name, str(len(own)), channel, when, f"{share:.0f} %"))
    return rows


def _folded(title: str, most: int = 110) -> str:
    """A line that is too long for the picture, in several."""
    return "\n".join(title[k : k + most] for k in range(0, len(title), most))
