"""How sure a network is, and how often it is right then."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
from matplotlib.figure import Figure

from dualgaf.plots.palette import SKY, VERMILION

Array = npt.NDArray[Any]

Bins = tuple[Array, Array, Array, Array]
"""Left edges, how sure, how often right, windows; of `dualgaf.data.calibration.reliability`."""


def draw_reliability(sides: Mapping[str, Bins], title: str = "") -> Figure:
    """How often right over how sure, a panel a side, with the windows of each bin below.

    Args:
        sides: title of a panel -> its bins.
        title: line above the picture.

    Example:
        >>> import numpy as np
        >>> bins = np.array([0.0, 0.5]), np.array([0, 0.8]), np.array([0, 0.6]), np.array([0, 10])
        >>> len(draw_reliability({"before": bins, "after": bins}).axes)
        4
    """
    figure = Figure(figsize=(4.2 * len(sides), 5), layout="constrained")
    panels = figure.subplots(2, len(sides), sharex=True, height_ratios=[3, 1], squeeze=False)
    for (name, (edges, sure, right, count)), (axes, below) in zip(
        sides.items(), panels.T, strict=True
    ):
        width, some = edges[1] - edges[0], count > 0
        style = {"width": 0.94 * width, "align": "edge"}
        axes.plot([0, 1], [0, 1], color="#555555", linestyle=":", linewidth=1, label="as it should")
        axes.bar(edges[some], right[some], color=SKY, label="right", **style)
        axes.plot(sure[some], right[some], color=VERMILION, marker=".", linewidth=1)
        axes.set_ylim(0, 1)
        axes.set_xlim(0, 1)
        axes.set_title(name, fontsize=10)
        below.bar(edges, count, color="#aaaaaa", **style)
        below.set_xlabel("probability of the predicted class")
    panels[0][0].set_ylabel("fraction that is right")
    panels[1][0].set_ylabel("windows")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure
