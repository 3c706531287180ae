"""Pictures of a window and its fields: what a person looks at before trusting a number.

`save_preview` shows what goes into a network, `save_explanation` what a trained network made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.windowed import WindowedSplits
from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.explain import METHODS, Explanation, Telling, explain, most_telling
from dualgaf.explanation_picture import Row, draw_explanation
from dualgaf.export import WindowImaging
from dualgaf.models.checkpoint import check_fits
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.trained import check_windows

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


@dataclass(frozen=True)
class Shown:
    """Which window and signals a picture shows."""

    window: int = 0
    """Number of the window in its split."""
    split: str = "train"
    """Name of the split."""
    channels: Sequence[str] = ()
    """Names of the signals; () leaves the choice to the picture."""

    def row(self, cases: WindowedSplits) -> int:
        """The window in ``cases.windows``.

        Raises:
            ConfigError: there is no such split or window.
        """
        if self.split not in cases.rows:
            raise ConfigError(unknown_choice("--split", self.split, cases.rows))
        rows = cases.rows[self.split]
        if not 0 <= self.window < len(rows):
            raise ConfigError(
                f"--window {self.window} is not there; allowed: 0 to {len(rows) - 1} "
                f"(--split {self.split})"
            )
        return int(rows[self.window])

    def channel_numbers(self, cases: WindowedSplits) -> list[int]:
        """Numbers of the named signals.

        Raises:
            ConfigError: there is no such signal.
        """
        unknown = [name for name in self.channels if name not in cases.channel_names]
        if unknown:
            raise ConfigError(
                f"--channels {unknown[0]} is not there; allowed: {', '.join(cases.channel_names)}"
            )
        return [cases.channel_names.index(name) for name in self.channels]


def save_preview(data: DualGAFDataModule, path: Path, shown: Shown) -> str:
    """Draw one window of a DataModule into a PNG; no other image is built.

    Args:
        data: the DataModule; its imaging settings are used.
        path: the file to write.
        shown: which window and signals; the first four signals where none is named.

    Returns:
        The title: source, window, class.

    Raises:
        ConfigError: there is no such split, window or signal.
    """
    cases = data.cases
    row = shown.row(cases)
    channels = shown.channel_numbers(cases) or list(range(min(4, data.n_channels)))
    fields = np.stack([field.numpy()[0] for field in data.draw(np.array([row]))])
    size = data.image_size
    title = f"{cases.groups[row]}, class {_class_name(cases, row)}, {size} x {size} pixels"
    figure = draw_window(
        cases.windows.take([row])[0][channels],
        fields[:, channels],
        [cases.channel_names[c] for c in channels],
        title,
    )
    _save(figure, path)
    return title


def save_explanation(
    data: DualGAFDataModule,
    model: DualGAFClassifier,
    imaging: ImagingState,
    path: Path,
    shown: Shown,
    method: str = "integrated",
) -> str:
    """Draw into a PNG which steps of which signals spoke for the class that is predicted.

    The window is drawn by the imaging of the checkpoint, not by that of ``data``.

    Args:
        data: where the window is.
        model: the trained classifier.
        imaging: the imaging that it was trained with.
        path: the file to write.
        shown: which window and signals; the four most telling signals where none is named.
        method: a name in `dualgaf.explain.METHODS`.

    Returns:
        The title, and a table: signal, from, to, share.

    Raises:
        ConfigError: the checkpoint does not fit the data, or there is no such split, window,
            signal or method.
    """
    if method not in METHODS:
        raise ConfigError(unknown_choice("--method", method, METHODS))
    cases = data.cases
    check_fits(model, data.n_channels, data.num_classes)
    check_windows(imaging, data)
    row = shown.row(cases)
    named = shown.channel_numbers(cases)
    raw = cases.windows.take([row])
    gasf, gadf, series = WindowImaging(imaging)(torch.from_numpy(raw).double())
    found = explain(model.net, gasf, gadf, series, method=method)
    told = most_telling(found.steps[0])
    by_channel = {telling.channel: telling for telling in told}
    rest = [channel for channel in range(data.n_channels) if channel not in by_channel]
    channels = named or [*by_channel, *rest][:4]
    best = int(found.classes[0])
    title = (
        f"{cases.groups[row]}, class {_class_name(cases, row)}: predicted "
        f"{imaging.class_names[best]} ({float(found.probabilities[0, best]):.3f})\n"
        f"{_in_words(told, imaging.channel_names)}; {_of_statistics(found)}"
    )
    rows = [
        Row(
            name=cases.channel_names[c],
            series=raw[0, c],
            fields=np.stack([gasf[0, c].numpy(), gadf[0, c].numpy()]),
            steps=found.steps[0, c].numpy(),
            maps=found.maps[0, :, c].numpy(),
            share=by_channel[c].share if c in by_channel else 0.0,
        )
        for c in channels
    ]
    _save(draw_explanation(rows, title), path)
    return f"{title}\n{_table(told, imaging.channel_names, channels)}"


def _in_words(told: Sequence[Telling], names: Sequence[str]) -> str:
    if not told:
        return "no step of any signal spoke for it"
    first = told[0]
    return f"most telling: {names[first.channel]}, steps {first.first} to {first.last}"


def _of_statistics(found: Explanation) -> str:
    return f"statistics of whole windows: {float(found.statistics_share[0]):.0%} of what spoke"


def _table(told: Sequence[Telling], names: Sequence[str], channels: Sequence[int]) -> str:
    width = max(6, *(len(names[channel]) for channel in channels))
    lines = [f"{'signal':{width}}  {'from':>6}  {'to':>6}  {'share':>6}"]
    lines += [
        f"{names[t.channel]:{width}}  {t.first:>6}  {t.last:>6}  {t.share:>6.1%}"
        for t in told
        if t.channel in channels
    ]
    return "\n".join(lines)


def _class_name(cases: WindowedSplits, row: int) -> str:
    label = int(cases.labels[row])
    return cases.class_names[label] if label >= 0 else "not known"


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
