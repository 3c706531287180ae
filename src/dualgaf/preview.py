"""A picture of windows and their fields: what a person looks at before trusting a number."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError

Array = npt.NDArray[Any]


def draw_window(
    series: Array, fields: Array, channel_names: Sequence[str], title: str = ""
) -> Figure:
    """One window: a row a channel, with its series, GASF and GADF.

    Args:
        series: (C, T) raw values.
        fields: (2, C, S, S) float32, field 0 GASF, field 1 GADF.
        channel_names: C names.
        title: line above the picture.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Example:
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
    figure.suptitle(title, fontsize=11)
    return figure


def save_preview(
    data: DualGAFDataModule, path: Path, *, window: int = 0, channels: Sequence[str] = ()
) -> str:
    """Draw one training window of a DataModule into a PNG; no other image is built.

    Args:
        data: the DataModule; its imaging settings are used.
        path: the file to write.
        window: number of the window in the training split.
        channels: names of the channels to show; the first four where none is named.

    Returns:
        The title: source, window, class.

    Raises:
        ConfigError: there is no such window or channel.
    """
    cases = data.cases
    rows = cases.rows["train"]
    if not 0 <= window < len(rows):
        raise ConfigError(f"--window {window} is not there; allowed: 0 to {len(rows) - 1}")
    unknown = [name for name in channels if name not in cases.channel_names]
    if unknown:
        raise ConfigError(
            f"--channels {unknown[0]} is not there; allowed: {', '.join(cases.channel_names)}"
        )
    shown = [cases.channel_names.index(name) for name in channels] or list(
        range(min(4, data.n_channels))
    )
    row = rows[window : window + 1]
    fields = np.stack([field.numpy()[0] for field in data.draw(row)])
    label = cases.class_names[cases.labels[row[0]]]
    title = f"{cases.groups[row[0]]}, class {label}, {data.image_size} x {data.image_size} pixels"
    figure = draw_window(
        cases.windows.take(row)[0][shown],
        fields[:, shown],
        [cases.channel_names[c] for c in shown],
        title,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    return title
