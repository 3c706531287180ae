"""The picture of an explanation: where a window's series and fields spoke for a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from dualgaf.imaging.scaling import are_constant, rounding
from dualgaf.plots.window import wrapped

Array = npt.NDArray[Any]

BLOCKS = 16
"""Relevance of pixels is shown as means of blocks, at most so many a side: pixels flicker."""
HEAT = LinearSegmentedColormap.from_list("heat", ["#ffffff", "#ffd37a", "#f06a2b", "#b3001b"])
"""From light to dark, so that it is read without colours, too."""


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
    """Of all that spoke."""


@dataclass(frozen=True)
class TimeAxis:
    """What stands below a series: hours, or minutes or seconds of a short window, else steps."""

    step: float = 1.0
    """From one step to the next."""
    unit: str = "step"
    """What it is in."""

    @classmethod
    def of_seconds(cls, step_seconds: float | None, n_steps: int) -> Self:
        """Of a window with that many steps; None = times are not known.

        Example:
            >>> TimeAxis.of_seconds(300, 96), TimeAxis.of_seconds(None, 96)
            (TimeAxis(step=0.08333333333333333, unit='h'), TimeAxis(step=1.0, unit='step'))
            >>> TimeAxis.of_seconds(0.01, 100).unit
            's'
        """
        if not step_seconds:
            return cls()
        long = step_seconds * n_steps
        size, unit = next(
            (size, unit) for size, unit in ((3600, "h"), (60, "min"), (0, "s")) if 2 * long >= size
        )
        return cls(step_seconds / (size or 1), unit)

    @property
    def label(self) -> str:
        """Of the axis."""
        names = {"h": "hours", "min": "minutes", "s": "seconds"}
        return "step" if self.unit == "step" else f"{names[self.unit]} from the window's beginning"

    def span(self, first: int, last: int) -> str:
        """Words for a run of steps, both ends included.

        Example:
            >>> TimeAxis(0.5, "h").span(2, 3), TimeAxis().span(2, 3)
            ('1 to 2 h (steps 2 to 3)', 'steps 2 to 3')
        """
        steps = f"steps {first} to {last}"
        if self.unit == "step":
            return steps
        return f"{first * self.step:.3g} to {(last + 1) * self.step:.3g} {self.unit} ({steps})"


def whole_per_cents(fractions: Sequence[float]) -> list[int]:
    """Fractions of 1 -> whole per cents that add up to 100, those with the largest rests up.

    Args:
        fractions: 0 or more; where they are all 0 so is what is given.

    Example:
        >>> whole_per_cents([1 / 3, 1 / 3, 1 / 3]), whole_per_cents([0.0, 0.0])
        ([34, 33, 33], [0, 0])
    """
    total = float(sum(fractions))
    if not total:
        return [0] * len(fractions)
    exact = 100 * np.asarray(fractions, dtype=float) / total
    whole = np.floor(exact + 1e-9).astype(int)
    up = np.argsort(whole - exact, kind="stable")[: 100 - whole.sum()]
    whole[up] += 1
    return [int(part) for part in whole]


def draw_explanation(
    rows: Sequence[Row],
    title: str,
    axis: TimeAxis | None = None,
    per_cents: Sequence[int] | None = None,
) -> Figure:
    """A row a signal: its series and both fields, the darker red the more it spoke for the class.

    The shades of all series are on one scale, and so are those of all fields; bars below show them,
    1 for the step and the block of pixels that spoke most.

    Args:
        rows: the signals, the most relevant first; at least one.
        title: lines above the picture.
        axis: times of the series; None = steps.
        per_cents: what stands beside each name; its rounded fraction where left out.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Example:
        >>> ramp, image = np.arange(8.0), np.zeros((2, 8, 8))
        >>> len(draw_explanation([Row("sat", ramp, image, ramp, image, 1.0)], "why").axes)
        5
    """
    axis = axis or TimeAxis()
    told = [round(100 * row.fraction) for row in rows] if per_cents is None else per_cents
    blocks = [[blocks_of(field) for field in row.maps] for row in rows]
    most_of_steps = max(float(row.steps.max()) for row in rows) or 1.0
    most_of_fields = max(float(block.max()) for both in blocks for block in both) or 1.0
    figure = Figure(figsize=(9, 1.9 * len(rows) + 1.5), layout="constrained")
    grid = figure.subplots(len(rows), 3, squeeze=False, width_ratios=[2.4, 1, 1])
    for (line, *images), row, both, part in zip(grid, rows, blocks, told, strict=True):
        heat = _draw_series(line, row, most_of_steps, axis)
        line.set_ylabel(f"{row.name}\n{part} %", fontsize=8)
        for axes, field, block in zip(images, row.fields, both, strict=True):
            shade = _draw_field(axes, field, block / most_of_fields)
    grid[-1, 0].set_xlabel(axis.label, fontsize=8)
    _draw_scale(figure, heat, grid[:, 0], "how much a step spoke; 1 = the most of those shown")
    _draw_scale(figure, shade, grid[:, 1:], "how much a block of pixels did")
    for axes, text in zip(grid[0], ("series", "GASF  cos(a + b)", "GADF  sin(a - b)"), strict=True):
        axes.set_title(text, fontsize=9)
    figure.suptitle(wrapped(title), fontsize=10)
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


def _draw_scale(figure: Figure, image: AxesImage, beside: Array, label: str) -> None:
    least, most = image.get_clim()
    bar = figure.colorbar(
        image, ax=list(beside.ravel()), location="bottom", shrink=0.7, aspect=40, pad=0.02
    )
    bar.set_ticks([least, (least + most) / 2, most], labels=["0", "0.5", "1"])
    bar.ax.tick_params(labelsize=7)
    bar.set_label(label, fontsize=8)


def _draw_series(axes: Axes, row: Row, most: float, axis: TimeAxis) -> AxesImage:
    n_steps = len(row.series)
    low, high = float(row.series.min()), float(row.series.max())
    largest = max(abs(low), abs(high))
    room = 0.08 * (high - low)
    if are_constant(low, high, largest, rounding(1, row.series.dtype)):
        room = max(0.5, 0.001 * largest)
    # A step is as long as it lasts; steps without times are numbered, each in the middle.
    begin = -0.5 if axis.unit == "step" else 0.0
    ends = begin * axis.step, (begin + n_steps) * axis.step
    extent = (*ends, low - room, high + room)
    image = axes.imshow(
        row.steps[None], aspect="auto", cmap=HEAT, vmin=0, vmax=most, extent=extent, alpha=0.75
    )
    times = (np.arange(n_steps) + begin + 0.5) * axis.step
    axes.plot(times, row.series, color="#1c2733", linewidth=1.2)
    axes.tick_params(labelsize=7)
    return image


def _draw_field(axes: Axes, field: Array, heat: Array) -> AxesImage:
    extent = (-0.5, len(field) - 0.5, len(field) - 0.5, -0.5)
    axes.imshow(field, cmap="gray", vmin=-1, vmax=1, extent=extent)
    shade = axes.imshow(
        heat, cmap="autumn_r", vmin=0, vmax=1, alpha=0.85 * heat, extent=extent,
        interpolation="bilinear",
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    return shade
