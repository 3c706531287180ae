"""What spoke in several windows together: a map of channels over time, and their shares."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from matplotlib.figure import Figure

from dualgaf.plots.explanation import HEAT, TimeAxis
from dualgaf.plots.palette import BLUE

Array = npt.NDArray[Any]

LONGEST_NAME = 32
"""Characters of a channel's name."""


def draw_spoke(
    steps: Array, names: Sequence[str], per_cents: Sequence[int], axis: TimeAxis, title: str = ""
) -> Figure:
    """A row a channel: how much each of its steps spoke, and its share of all that spoke.

    Args:
        steps: (C, T) mean relevance, fractions of all that spoke.
        names: C names.
        per_cents: C whole per cents, what stands beside the bars.
        axis: times of the steps.
        title: line above the picture.

    Example:
        >>> import numpy as np
        >>> figure = draw_spoke(np.full((2, 4), 0.125), ["sat", "mat"], [50, 50], TimeAxis())
        >>> len(figure.axes)
        3
    """
    n_channels, n_steps = steps.shape
    figure = Figure(figsize=(9, 1.9 + 0.3 * n_channels), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[4, 1])
    begin = -0.5 if axis.unit == "step" else 0.0
    extent = (begin * axis.step, (begin + n_steps) * axis.step, n_channels - 0.5, -0.5)
    most = 100 * float(steps.max(initial=0.0)) or 1.0
    image = left.imshow(
        100 * steps, aspect="auto", cmap=HEAT, vmin=0, vmax=most, extent=extent,
        interpolation="nearest",
    )  # fmt: skip
    left.set_yticks(range(n_channels), [_short(name) for name in names], fontsize=8)
    left.set_xlabel(axis.label, fontsize=8)
    left.tick_params(labelsize=8)
    bar = figure.colorbar(image, ax=left, location="bottom", shrink=0.7, aspect=40, pad=0.02)
    bar.set_label("per cent of all that spoke, in one step", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    right.barh(range(n_channels), per_cents, color=BLUE, height=0.6)
    for place, part in enumerate(per_cents):
        right.text(part, place, f" {part} %", va="center", fontsize=8)
    right.set_xlim(0, 1.5 * max([*per_cents, 1]))
    right.set_xticks([])
    right.set_title("share", fontsize=9)
    right.tick_params(labelleft=False, left=False)
    for side in ("top", "right", "bottom"):
        right.spines[side].set_visible(False)
    left.set_title(title, fontsize=9)
    return figure


def _short(name: str) -> str:
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."
    return short.replace("$", r"\$")  # two of them would be read as a formula
