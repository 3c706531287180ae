"""The picture of a prediction: a timeline a group, with classes, probability and what is unlike."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dualgaf.plots.palette import area_style

Array = npt.NDArray[Any]

MOST_LANES = 60
"""Of more groups the first are drawn."""
UNLIKE_COLOUR = "#000000"


class Lane(NamedTuple):
    """One group: windows from left to right."""

    name: str
    """Of the group."""
    left: Array
    """(n,) where each window begins."""
    right: Array
    """(n,) where it ends, or the next begins."""
    classes: Sequence[str]
    """Class of each."""
    probability: Array
    """(n,) of that class."""
    unlike: Array
    """(n,) bool: whether it is unlike the training."""


def draw_predictions(
    lanes: Sequence[Lane], class_names: Sequence[str], title: str, unit: str
) -> Figure:
    """A timeline for each group: bars coloured by class, the probability, and what is unlike.

    Args:
        lanes: the groups, from top to bottom.
        class_names: K names, in the order of their colours.
        title: line above the picture.
        unit: what the lower axis counts.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Example:
        >>> import numpy as np
        >>> lane = Lane("day 1", np.array([0.0, 12.0]), np.array([12.0, 24.0]), ["a", "b"],
        ...     np.array([0.9, 0.6]), np.array([False, True]))
        >>> len(draw_predictions([lane], ["a", "b"], "week", "hour of the day").axes)
        1
    """
    shown = lanes[:MOST_LANES]
    figure = Figure(figsize=(12, 1.8 + 0.5 * len(shown)), layout="constrained")
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    styles = {name: area_style(k) for k, name in enumerate(class_names)}
    for lane, own in zip(shown, axes, strict=True):
        _draw(own, lane, styles)
    axes[-1].set_xlabel(unit, fontsize=8)
    axes[-1].tick_params(axis="x", labelsize=8)
    used = {name for lane in shown for name in lane.classes}
    handles = [Patch(**style, label=n) for n, style in styles.items() if n in used]
    handles.append(Patch(color=UNLIKE_COLOUR, label="above the bars: unlike the training"))
    figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=8, frameon=False)
    more = f" (the first {len(shown)} of {len(lanes)} groups)" if len(lanes) > len(shown) else ""
    figure.suptitle(f"{title}{more}; black: probability, 0 to 1", fontsize=10)
    return figure


def _draw(axes: Axes, lane: Lane, styles: dict[str, dict[str, Any]]) -> None:
    bars = list(zip(lane.left, lane.right - lane.left, strict=True))
    for name in dict.fromkeys(lane.classes):
        own = [bar for bar, each in zip(bars, lane.classes, strict=True) if each == name]
        axes.broken_barh(own, (0.0, 1.0), **styles[name], linewidth=0)
    outside = [bar for bar, is_unlike in zip(bars, lane.unlike, strict=True) if is_unlike]
    axes.broken_barh(outside, (1.05, 0.25), facecolors=UNLIKE_COLOUR)
    axes.hlines(lane.probability, lane.left, lane.right, colors="black", linewidth=1.2)
    axes.set_ylim(0.0, 1.35)
    axes.set_yticks([])
    axes.set_ylabel(lane.name, rotation=0, ha="right", va="center", fontsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
