"""The picture of an explanation: where a window's series and fields spoke for a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from dualgaf.imaging.scaling import are_constant, rounding

Array = npt.NDArray[Any]

BLOCKS = 16
"""Relevance of pixels is shown as means of blocks, at most so many a side: pixels flicker."""
_HEAT = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#ffd37a", "#f06a2b", "#b3001b"])


@dataclass(frozen=True, eq=False)
class Row:
    """A signal of the picture."""

    name: str
    """Its name."""
    series: Array
    """(T,) raw values."""
    fields: Array
    """(2, S, S): GASF, GADF."""
    steps: Array
    """(T,) relevance, 0 or more."""
    maps: Array
    """(2, S, S) relevance of pixels; what is below 0 is not shown."""
    fraction: float
    """Of the relevance of all signals."""


def draw_explanation(rows: Sequence[Row], title: str) -> Figure:
    """A row a signal: its series and both fields, the darker red the more it spoke for the class.

    The shades of all series are on one scale, and so are those of all fields.

    Args:
        rows: the signals, the most relevant first; at least one.
        title: lines above the picture.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Example:
        >>> ramp, image = np.arange(8.0), np.zeros((2, 8, 8))
        >>> len(draw_explanation([Row("sat", ramp, image, ramp, image, 1.0)], "why").axes)
        3
    """
    blocks = [[blocks_of(field) for field in row.maps] for row in rows]
    most_of_steps = max(float(row.steps.max()) for row in rows) or 1.0
    most_of_fields = max(float(block.max()) for both in blocks for block in both) or 1.0
    figure = Figure(figsize=(9, 1.9 * len(rows) + 0.9), layout="constrained")
    grid = figure.subplots(len(rows), 3, squeeze=False, width_ratios=[2.4, 1, 1])
    for (line, *images), row, both in zip(grid, rows, blocks, strict=True):
        _draw_series(line, row, most_of_steps)
        for axes, field, block in zip(images, row.fields, both, strict=True):
            _draw_field(axes, field, block / most_of_fields)
    grid[-1, 0].set_xlabel("step", fontsize=8)
    for axes, text in zip(grid[0], ("series", "GASF  cos(a + b)", "GADF  sin(a - b)"), strict=True):
        axes.set_title(text, fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def blocks_of(relevance: Array) -> Array:
    """Means of blocks of pixels, 0 where they spoke against: (S, S) -> (K, K), K <= `BLOCKS`.

    Example:
        >>> blocks_of(np.diag([1.0, -1.0])).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    size = len(relevance)
    edges = np.linspace(0, size, min(size, BLOCKS) + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(relevance, edges[:-1], axis=0), edges[:-1], axis=1)
    lengths = np.diff(edges)
    return np.asarray(np.maximum(sums / np.outer(lengths, lengths), 0.0))


def _draw_series(axes: Axes, row: Row, most: float) -> None:
    n_steps = len(row.series)
    low, high = float(row.series.min()), float(row.series.max())
    largest = max(abs(low), abs(high))
    room = 0.08 * (high - low)
    if are_constant(low, high, largest, rounding(1, row.series.dtype)):
        room = max(0.5, 0.001 * largest)
    extent = (-0.5, n_steps - 0.5, low - room, high + room)
    axes.imshow(
        row.steps[None], aspect="auto", cmap=_HEAT, vmin=0, vmax=most, extent=extent, alpha=0.75
    )
    axes.plot(np.arange(n_steps), row.series, color="#1c2733", linewidth=1.2)
    axes.set_ylabel(f"{row.name}\n{row.fraction:.0%}", fontsize=8)
    axes.tick_params(labelsize=7)


def _draw_field(axes: Axes, field: Array, heat: Array) -> None:
    extent = (-0.5, len(field) - 0.5, len(field) - 0.5, -0.5)
    axes.imshow(field, cmap="gray", vmin=-1, vmax=1, extent=extent)
    axes.imshow(
        heat, cmap="autumn_r", vmin=0, vmax=1, alpha=0.85 * heat, extent=extent,
        interpolation="bilinear",
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
