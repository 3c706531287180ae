"""Pictures of a window and its fields: what a person looks at before trusting a number.

`save_preview` shows what goes into a network, `save_explanation` what a trained network made of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from dualgaf.data.compatibility import check_windows
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.windowed import WindowedSplits
from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.inference.attribution import METHODS, TopInterval, top_intervals
from dualgaf.inference.checkpoint import check_sizes
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plots.explanation import TimeAxis, whole_per_cents
from dualgaf.plots.window import draw_window
from dualgaf.report.explained import Explained

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
        a table: signal, from, to, part of all that spoke.

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
    explained = Explained.of(windowed, np.array([row]), model, imaging, method)
    intervals = top_intervals(explained.found.steps[0])
    channels = named or explained.best(0, 4)
    title = (
        f"{windowed.groups[row]}, class {_class_name(windowed, row)}: {_predicted(explained)}\n"
        f"{_in_words(intervals, imaging.channel_names, explained.axis)}"
    )
    _save(explained.figure(0, channels, title), path)
    by_statistics = float(explained.statistics[0])
    table = _table(intervals, imaging.channel_names, channels, by_statistics)
    return f"{title}\n{table}"


def _in_words(intervals: Sequence[TopInterval], names: Sequence[str], axis: TimeAxis) -> str:
    if not intervals:
        return "no step of any signal spoke for it"
    first = intervals[0]
    return f"most relevant: {names[first.channel]}, {axis.span(first.first, first.last)}"


def _predicted(explained: Explained) -> str:
    """The class, its probability, and where that comes from if not from images alone."""
    members = explained.members
    parts = whole_per_cents(list(members.values()))
    said = ", ".join(f"{name} {part} %" for name, part in zip(members, parts, strict=True))
    of_which = f", of which {said}" if len(members) > 1 else ""
    name, sure = explained.predicted(0)
    return f"predicted {name} ({sure:.3f}{of_which})"


def _table(
    intervals: Sequence[TopInterval],
    names: Sequence[str],
    channels: Sequence[int],
    by_statistics: float,
) -> str:
    """A line a signal, the statistics, and what is not in the picture; the parts add up to 1."""
    last, rest = "statistics of whole windows", "other signals"
    kept = [each for each in intervals if each.channel in channels]
    by_images = 1 - by_statistics
    others = by_images * sum(each.fraction for each in intervals if each.channel not in channels)
    width = max(len(last), *(len(names[channel]) for channel in channels))
    lines = [f"{'signal':{width}}  {'from':>6}  {'to':>6}  {'part':>6}"]
    lines += [
        f"{names[t.channel]:{width}}  {t.first:>6}  {t.last:>6}  {t.fraction * by_images:>6.1%}"
        for t in kept
    ]
    for name, part in ((rest, others), (last, by_statistics)):
        lines.append(f"{name:{width}}  {'':>6}  {'':>6}  {part:>6.1%}")
    return "\n".join(lines)


def _class_name(windowed: WindowedSplits, row: int) -> str:
    label = int(windowed.labels[row])
    return windowed.class_names[label] if label >= 0 else "not known"


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
