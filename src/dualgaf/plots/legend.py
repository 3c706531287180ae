"""Legends beside a panel: inside of it they hide what they explain."""

from matplotlib.axes import Axes


def legend_above(axes: Axes, columns: int = 3) -> None:
    """Write the legend of a panel above it; none where nothing has a label.

    The figure needs the constrained layout, which makes room for it.

    Args:
        axes: the panel.
        columns: entries side by side, at most.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure(layout="constrained").subplots()
        >>> _ = axes.plot([0, 1], label="loss")
        >>> legend_above(axes)
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['loss']
    """
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=min(columns, len(handles)),
            fontsize=8,
            frameon=False,
        )
