"""The picture of a search: how it went, what mattered, and each setting by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

_COLOUR, _OTHER, _BEST = "#1f4e79", "#aaaaaa", "#c0504d"
COLUMNS = 3
"""Settings side by side."""
LONGEST = 18
"""Characters of a choice on an axis."""


@dataclass(frozen=True)
class Point:
    """A trial in the picture."""

    number: int
    loss: float
    """The lowest that it had."""
    params: Mapping[str, Any]
    """What it has drawn."""
    pruned: bool = False
    """Whether it was ended early."""


def draw_study(
    points: Sequence[Point], importance: Mapping[str, float], logarithmic: Sequence[str] = ()
) -> Figure:
    """The history of a study, the importance of what was searched, and a slice for each of it.

    Args:
        points: trials that have a loss, at least one.
        importance: fraction of the spread of the losses that a setting explains; empty where too
            few trials say so.
        logarithmic: settings on a logarithmic axis.

    Example:
        >>> points = [Point(0, 0.5, {"model.width": 32}), Point(1, 0.4, {"model.width": 64})]
        >>> len(draw_study(points, {"model.width": 1.0}).axes)
        3
    """
    keys = list(points[0].params)
    rows = -(-len(keys) // COLUMNS)
    figure = Figure(figsize=(11, 3.6 + 2.6 * rows), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[3.2, 2.6 * rows])
    above, below = parts
    history, bars = above.subplots(1, 2)
    _draw_history(history, points)
    _draw_importance(bars, importance)
    panels = below.subplots(rows, min(COLUMNS, len(keys)), squeeze=False, sharey=True).flat
    for axes, key in zip(panels, keys, strict=False):
        _draw_slice(axes, key, points, key in logarithmic)
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("lowest val/loss")
    for axes in [*below.axes][len(keys) :]:
        axes.remove()
    return figure


def _draw_history(axes: Axes, points: Sequence[Point]) -> None:
    best, steps = float("inf"), []
    for point in sorted(points, key=lambda each: each.number):
        best = min(best, best if point.pruned else point.loss)
        steps.append((point.number, best))
    for pruned, colour, label in ((False, _COLOUR, "ended"), (True, _OTHER, "pruned")):
        own = [(each.number, each.loss) for each in points if each.pruned == pruned]
        if own:
            marker = "x" if pruned else "o"
            axes.plot(*zip(*own, strict=True), marker, color=colour, label=label, markersize=5)
    found = [step for step in steps if step[1] < float("inf")]
    if found:
        axes.step(*zip(*found, strict=True), where="post", color=_BEST, label="best so far")
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("lowest val/loss")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _draw_importance(axes: Axes, importance: Mapping[str, float]) -> None:
    named = sorted(importance.items(), key=lambda each: each[1])
    axes.barh([_short(key) for key, _ in named], [share for _, share in named], color="#7f9fbf")
    axes.set_xlabel("importance (fraction of the spread of val/loss)")
    axes.grid(alpha=0.3, axis="x")
    if not named:
        axes.text(0.5, 0.5, "too few trials", ha="center", va="center", transform=axes.transAxes)
        axes.set_yticks([])


def _draw_slice(axes: Axes, key: str, points: Sequence[Point], is_log: bool) -> None:
    values = [each.params[key] for each in points]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    names = sorted({_choice(value) for value in values})
    ended = [each for each in points if not each.pruned]
    best = min(ended, key=lambda each: each.loss, default=None)
    for point, value in zip(points, values, strict=True):
        x = value if numbers else names.index(_choice(value))
        colour = _BEST if point is best else _OTHER if point.pruned else _COLOUR
        axes.plot(x, point.loss, "x" if point.pruned else "o", color=colour, markersize=5)
    if not numbers:
        axes.set_xticks(range(len(names)), names, fontsize=8)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.set_xlabel(key, fontsize=9)
    axes.grid(alpha=0.3)


def _short(key: str) -> str:
    return key.rpartition(".")[2]


def _choice(value: object) -> str:
    text = str(value)
    return (text if len(text) <= LONGEST else text[: LONGEST - 3] + "...").replace("$", r"\$")
