"""The pictures of a training: its curves, and which class was taken for which."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dualgaf.plots.legend import legend_above
from dualgaf.plots.palette import BLACK, BLUE, ORANGE

Epoch = Mapping[str, float]
"""An epoch: ``epoch`` from 1 on, ``learning_rate`` and what was logged, such as ``val/loss``.

``mixed`` is 1 where the windows of the training were mixed with one another."""

_PANELS = {
    "loss": {"train/loss": "training", "val/loss": "validation"},
    "accuracy": {"train/acc": "training", "val/acc": "validation"},
    "learning rate": {"learning_rate": ""},
}
_STYLES: dict[str, dict[str, Any]] = {
    "training": {"color": BLUE},
    "validation": {"color": ORANGE},
    "": {"color": BLACK},
}
MIXED = "training, on mixed windows"
"""Windows of two classes each are harder than those of a validation."""
FRACTIONS_UP_TO = 12
"""With more classes a cell of the confusion has room for the count alone."""
NUMBERS_UP_TO = 40
"""With more classes it has room for no number."""
LONGEST_NAME = 28
"""Characters of a class name on an axis."""


def draw_curves(epochs: Sequence[Epoch]) -> Figure:
    """Loss, accuracy and learning rate by epoch.

    Args:
        epochs: at least one; what an epoch lacks is left out.

    Example:
        >>> len(draw_curves([{"epoch": 1, "train/loss": 0.5, "learning_rate": 1e-3}]).axes)
        3
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    is_mixed = any(epoch.get("mixed") for epoch in epochs)
    panels = figure.subplots(3, sharex=True, height_ratios=[2, 2, 1])
    for axes, (title, lines) in zip(panels, _PANELS.items(), strict=True):
        for key, label in lines.items():
            points = [(epoch["epoch"], epoch[key]) for epoch in epochs if key in epoch]
            if points:
                marker = "." if len(points) < 40 else ""
                style = {**_STYLES[label], "marker": marker, "linewidth": 1.4}
                told = MIXED if is_mixed and label == "training" else label
                axes.plot(*zip(*points, strict=True), label=told, **style)
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
    panels[1].set_ylim(top=1.01)
    panels[2].set_ylim(bottom=0)
    panels[2].set_xlabel("epoch")
    panels[2].xaxis.set_major_locator(MaxNLocator(integer=True))
    validated = [epoch for epoch in epochs if "val/loss" in epoch]
    if validated:
        _mark_best(panels, min(validated, key=lambda epoch: epoch["val/loss"]))
    for axes in panels[:2]:
        legend_above(axes)
    return figure


def draw_confusion(counts: npt.NDArray[Any], class_names: Sequence[str], title: str = "") -> Figure:
    r"""Which class was taken for which.

    Args:
        counts: (K, K) windows; a row for each true class, a column for each predicted one.
        class_names: K names.
        title: line above the picture.

    Returns:
        The figure. The colour of a cell is its fraction of the row, so that rare classes are seen;
        the numbers are windows and, where there is room, that fraction.

    Example:
        >>> figure = draw_confusion(np.array([[8, 2], [0, 5]]), ["cold", "hot"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['8\n80 %', '2\n20 %', '5\n100 %']
    """
    n_classes = len(counts)
    names = [_shown(name) for name in class_names]
    longest = max(len(name) for name in names)
    cell = 0.75 if n_classes <= FRACTIONS_UP_TO else 0.42  # inches
    side = float(np.clip(cell * n_classes, 3, 18))
    margin = 0.085 * longest
    figure = Figure(figsize=(side + margin + 1.9, side + margin + 1.1), layout="constrained")
    axes = figure.subplots()
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    font = 9 if n_classes <= NUMBERS_UP_TO else 6
    axes.set_xticks(range(n_classes), names, rotation=90 if longest > 4 else 0, fontsize=font)
    axes.set_yticks(range(n_classes), names, fontsize=font)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if n_classes <= NUMBERS_UP_TO:
        _write_numbers(axes, counts, fractions)
    bar = figure.colorbar(image, ax=axes, shrink=0.7)
    bar.set_label("fraction of the true class")
    axes.set_title(title, fontsize=11)
    return figure


def _mark_best(panels: Sequence[Axes], best: Epoch) -> None:
    for number, axes in enumerate(panels):
        label = f"lowest validation loss, epoch {best['epoch']:.0f}" if number == 0 else None
        axes.axvline(best["epoch"], color="#555555", linestyle=":", linewidth=1, label=label)


def _write_numbers(axes: Axes, counts: npt.NDArray[Any], fractions: npt.NDArray[Any]) -> None:
    has_fractions = len(counts) <= FRACTIONS_UP_TO
    for (row, column), count in np.ndenumerate(counts):
        if not count:
            continue
        fraction = fractions[row, column]
        axes.text(
            column,
            row,
            f"{count}\n{fraction:.0%}".replace("%", " %") if has_fractions else str(count),
            ha="center",
            va="center",
            fontsize=9 if has_fractions else 8,
            color="white" if fraction > 0.55 else "black",
        )


def _shown(name: str) -> str:
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."
    return short.replace("$", r"\$")  # two of them would be read as a formula
