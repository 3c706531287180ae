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

from dualgaf.data.calibration import tempered
from dualgaf.data.compatibility import check_windows
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.window_imaging import WindowImaging
from dualgaf.data.windowed import WindowedSplits
from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.inference.attribution import METHODS, Explanation, TopInterval, explain, top_intervals
from dualgaf.inference.checkpoint import check_sizes
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plots.explanation import Row, draw_explanation
from dualgaf.plots.window import draw_window

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Shown:
    """Which window and signals a picture shows."""

    window: int = 0
    """Number of the window in its split."""
    split: str = "train"
    """Name of the split."""
    channels: Sequence[str] = ()
    """Names of the signals; () leaves the choice to the picture."""

    def row(self, windowed: WindowedSplits) -> int:
        """The window in ``windowed.windows``.

        Raises:
            ConfigError: there is no such split or window.
        """
        if self.split not in windowed.indices:
            raise ConfigError(unknown_choice("--split", self.split, windowed.indices))
        rows = windowed.indices[self.split]
        if not 0 <= self.window < len(rows):
            raise ConfigError(
                f"--window {self.window} is not there; allowed: 0 to {len(rows) - 1} "
                f"(--split {self.split})"
            )
        return int(rows[self.window])

    def channel_numbers(self, windowed: WindowedSplits) -> list[int]:
        """Numbers of the named signals.

        Raises:
            ConfigError: there is no such signal.
        """
        unknown = [name for name in self.channels if name not in windowed.channel_names]
        if unknown:
            allowed = ", ".join(windowed.channel_names)
            raise ConfigError(f"--channels {unknown[0]} is not there; allowed: {allowed}")
        return [windowed.channel_names.index(name) for name in self.channels]


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
    windowed = data.windows
    row = shown.row(windowed)
    channels = shown.channel_numbers(windowed) or list(range(min(4, data.n_channels)))
    fields = np.stack([field.numpy()[0] for field in data.draw(np.array([row]))])
    size = data.image_size
    title = f"{windowed.groups[row]}, class {_class_name(windowed, row)}, {size} x {size} pixels"
    figure = draw_window(
        windowed.windows.take([row])[0][channels],
        fields[:, channels],
        [windowed.channel_names[c] for c in channels],
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
        shown: which window and signals; the four most relevant signals where none is named.
        method: a name in `dualgaf.inference.attribution.METHODS`.

    Returns:
        The title, which says what part of the probability each member of the ensemble gives, and
        a table: signal, from, to, part of the relevance.

    Raises:
        ConfigError: the checkpoint does not fit the data, or there is no such split, window,
            signal or method.
    """
    if method not in METHODS:
        raise ConfigError(unknown_choice("--method", method, METHODS))
    windowed = data.windows
    check_sizes(model, data.n_channels, data.num_classes)
    check_windows(imaging, data)
    row = shown.row(windowed)
    named = shown.channel_numbers(windowed)
    raw = windowed.windows.take([row])
    gasf, gadf, series = WindowImaging(imaging)(torch.from_numpy(raw).double())
    found = explain(model.net, gasf, gadf, series, method=method)
    intervals = top_intervals(found.steps[0])
    by_channel = {each.channel: each for each in intervals}
    rest = [channel for channel in range(data.n_channels) if channel not in by_channel]
    channels = named or [*by_channel, *rest][:4]
    title = (
        f"{windowed.groups[row]}, class {_class_name(windowed, row)}: "
        f"{_predicted(found, imaging)}\n"
        f"{_in_words(intervals, imaging.channel_names)}; {_of_statistics(found)}"
    )
    rows = [
        Row(
            name=windowed.channel_names[c],
            series=raw[0, c],
            fields=np.stack([gasf[0, c].numpy(), gadf[0, c].numpy()]),
            steps=found.steps[0, c].numpy(),
            maps=found.maps[0, :, c].numpy(),
            fraction=by_channel[c].fraction if c in by_channel else 0.0,
        )
        for c in channels
    ]
    _save(draw_explanation(rows, title), path)
    return f"{title}\n{_table(intervals, imaging.channel_names, channels)}"


def _in_words(intervals: Sequence[TopInterval], names: Sequence[str]) -> str:
    if not intervals:
        return "no step of any signal spoke for it"
    first = intervals[0]
    return f"most relevant: {names[first.channel]}, steps {first.first} to {first.last}"


def _of_statistics(found: Explanation) -> str:
    return f"statistics of whole windows: {float(found.statistics_fraction[0]):.0%} of what spoke"


def _predicted(found: Explanation, imaging: ImagingState) -> str:
    """The class, its probability, and where that comes from if not from images alone."""
    best = int(found.classes[0])
    parts = {name: float(part[0]) for name, part in found.members.items()}
    said = ", ".join(f"{name} {part:.0%}" for name, part in parts.items())
    of_which = f", of which {said}" if len(parts) > 1 else ""
    sure = tempered(found.probabilities[:1].numpy(), imaging.temperature)[0, best]
    return f"predicted {imaging.class_names[best]} ({sure:.3f}{of_which})"


def _table(intervals: Sequence[TopInterval], names: Sequence[str], channels: Sequence[int]) -> str:
    width = max(6, *(len(names[channel]) for channel in channels))
    lines = [f"{'signal':{width}}  {'from':>6}  {'to':>6}  {'part':>6}"]
    lines += [
        f"{names[t.channel]:{width}}  {t.first:>6}  {t.last:>6}  {t.fraction:>6.1%}"
        for t in intervals
        if t.channel in channels
    ]
    return "\n".join(lines)


def _class_name(windowed: WindowedSplits, row: int) -> str:
    label = int(windowed.labels[row])
    return windowed.class_names[label] if label >= 0 else "not known"


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
