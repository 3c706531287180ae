"""The picture of a window: its series and both fields, a row for each channel."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from matplotlib.figure import Figure

Array = npt.NDArray[Any]

LONGEST_LINE = 100
"""Letters of a title that fit above a picture of nine inches."""


def wrapped(title: str) -> str:
    """A title in lines that fit: a group of joined files has a long name.

    Example:
        >>> [len(line) for line in wrapped(50 * "a.csv + ").splitlines()]
        [95, 95, 95, 95, 15]
    """
    lines = (textwrap.wrap(line, LONGEST_LINE) for line in title.splitlines())
    return "\n".join(part for parts in lines for part in parts)


def draw_window(
    series: Array, fields: Array, channel_names: Sequence[str], title: str = ""
) -> Figure:
    """One window: a row per channel, with its series, GASF and GADF.

    Args:
        series: (C, T) raw values.
        fields: (2, C, S, S) float32, field 0 GASF, field 1 GADF.
        channel_names: C names.
        title: line above the picture.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Example:
        >>> import numpy as np
        >>> import dualgaf
        >>> x = np.sin(np.linspace(0, 6, 40)).reshape(1, 1, 40)
        >>> len(draw_window(x[0], dualgaf.dual_gaf(x)[0], ["sine"]).axes)
        4
    """
    n_channels = len(series)
    figure = Figure(figsize=(9, 2.1 * n_channels + 0.7), layout="constrained")
    grid = figure.subplots(n_channels, 3, squeeze=False, width_ratios=[1.7, 1, 1])
    for channel, (line, gasf, gadf) in enumerate(grid):
        line.plot(series[channel], color="#1f4e79", linewidth=1.2)
        line.set_ylabel(channel_names[channel], fontsize=9)
        line.margins(x=0)
        line.tick_params(labelsize=7)
        for axes, field in ((gasf, 0), (gadf, 1)):
            image = axes.imshow(fields[field, channel], cmap="RdBu_r", vmin=-1, vmax=1)
            axes.set_xticks([])
            axes.set_yticks([])
    grid[0, 0].set_title("series", fontsize=10)
    grid[0, 1].set_title("GASF  cos(a + b)", fontsize=10)
    grid[0, 2].set_title("GADF  sin(a - b)", fontsize=10)
    figure.colorbar(image, ax=grid[:, 2], shrink=0.9).ax.tick_params(labelsize=7)
    figure.suptitle(wrapped(title), fontsize=11)
    return figure
