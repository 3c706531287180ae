"""The picture of a source: a strip a channel over time, with classes, splits and gaps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dualgaf.plots.palette import area_style
from dualgaf.series.timeline import NOT_USED, Span

Array = npt.NDArray[Any]

BINS = 1500
"""Points across the picture: of more steps the lowest and highest of each are drawn."""
SPLIT_COLOURS = {
    "train": "#c4c4c4",
    "val": "#7a7a7a",
    "test": "#111111",
    "predict": "#b9a3d0",
    NOT_USED: "#ececec",
}
MOST_CLASSES = 20
MOST_TICKS = 14


def draw_inspection(spans: Sequence[Span], channel_names: Sequence[str], title: str) -> Figure:
    """A strip for each channel over time; above them a band of classes and one of splits.

    What is white between two spans is missing; a long gap is shortened.

    Args:
        spans: the series, from left to right, see `dualgaf.series.timeline.spans_of`.
        channel_names: C names.
        title: line above the picture.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Example:
        >>> from dualgaf.series.timeline import Span
        >>> steps = np.arange(40.0)
        >>> span = Span(steps, np.sin(steps).reshape(1, 40), "leak", "train", "2024-01-01")
        >>> len(draw_inspection([span], ["flow"], "pump").axes)
        3
    """
    n_channels = len(channel_names)
    figure = Figure(figsize=(12, 1.6 + 0.42 * (n_channels + 2)), layout="constrained")
    heights = [0.6, 0.6, *[1.0] * n_channels]
    axes = figure.subplots(n_channels + 2, 1, sharex=True, squeeze=False, height_ratios=heights)[
        :, 0
    ]
    styles = _class_styles(spans)
    _band(axes[0], spans, [styles[span.label] for span in spans], "class")
    _band(axes[1], spans, [_plain_area(SPLIT_COLOURS[span.split]) for span in spans], "split")
    for channel, name in enumerate(channel_names):
        _strip(axes[channel + 2], spans, channel, name)
    _ticks(axes[-1], spans)
    used = {span.split for span in spans}
    handles = [Patch(**style, label=name or "no label") for name, style in styles.items()]
    handles = handles[:MOST_CLASSES]
    handles += [Patch(color=c, label=name) for name, c in SPLIT_COLOURS.items() if name in used]
    figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure


def _class_styles(spans: Sequence[Span]) -> dict[str | None, dict[str, Any]]:
    names = sorted({span.label for span in spans if span.label is not None})
    found: dict[str | None, dict[str, Any]] = {name: area_style(k) for k, name in enumerate(names)}
    if any(span.label is None for span in spans):
        found[None] = _plain_area("#dddddd")
    return found


def _plain_area(colour: str) -> dict[str, Any]:
    return {"facecolor": colour, "edgecolor": colour}


def _band(axes: Axes, spans: Sequence[Span], styles: Sequence[dict[str, Any]], name: str) -> None:
    for span, style in zip(spans, styles, strict=True):
        axes.axvspan(span.x[0], span.x[-1], **style, linewidth=0)
    _plain(axes, name)


def _strip(axes: Axes, spans: Sequence[Span], channel: int, name: str) -> None:
    total = sum(len(span.x) for span in spans)
    for span in spans:
        values = span.values[channel]
        per_bin = max(1, -(-total // BINS))
        if len(values) < 2 * per_bin:
            axes.plot(span.x, values, color="#1f4e79", linewidth=0.6)
            continue
        starts = np.arange(0, len(values), per_bin)
        axes.fill_between(
            span.x[starts],
            np.fmin.reduceat(values, starts),
            np.fmax.reduceat(values, starts),
            color="#1f4e79",
            linewidth=0.6,
        )
    _plain(axes, name)


def _ticks(axes: Axes, spans: Sequence[Span]) -> None:
    """When a series begins, wherever there is room for it."""
    width = (spans[-1].x[-1] - spans[0].x[0]) / MOST_TICKS
    ticks: list[Span] = []
    for span in spans:
        if not ticks or span.x[0] - ticks[-1].x[0] >= width:
            ticks.append(span)
    axes.set_xticks([span.x[0] for span in ticks], [span.start for span in ticks])
    axes.tick_params(axis="x", labelbottom=True, labelsize=7, rotation=30)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")


def _plain(axes: Axes, name: str) -> None:
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    axes.set_yticks([])
    axes.margins(x=0)
    axes.tick_params(axis="x", labelbottom=False, length=2)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
