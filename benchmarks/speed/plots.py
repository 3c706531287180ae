"""The plots of the suites that have one; matplotlib is loaded here only."""

from typing import TYPE_CHECKING, Any

from dualgaf.bench.results import Result, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(result: Result) -> "Figure | None":
    """The plot of a result; None where its suite has none."""
    from matplotlib.figure import Figure

    if result.suite not in _DRAW:
        return None
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    _DRAW[result.suite](axes, result)
    axes.grid(which="both", alpha=0.25)
    axes.legend(fontsize=8)
    return figure


def _scaling(axes: "Axes", result: Result) -> None:
    markers = {"N": "o", "T": "s", "C": "^"}
    colours = {"private": "#1f4e79", "shared": "#c0504d"}
    for (varied, memory), rows in _groups(result, "varied", "memory").items():
        x, y = [row["GB"] for row in rows], [row["seconds"] for row in rows]
        label = f"{memory}, {varied} varied"
        axes.loglog(x, y, markers[varied], color=colours[memory], label=label, markersize=5)
    for memory, colour in colours.items():
        rows = [row for row in result.reading.rows if row["memory"] == memory]
        largest = max(rows, key=lambda row: float(row["GB"]))
        smallest = min(row["GB"] for row in rows)
        slope = largest["seconds"] / largest["GB"]
        ends = [smallest, largest["GB"]]
        axes.plot(ends, [slope * end for end in ends], "--", color=colour, linewidth=0.8)
    axes.set_xlabel("GB of images (dashed: linear, through the largest)")
    axes.set_ylabel("seconds")


def _sweep(axes: "Axes", result: Result) -> None:
    colours = {"private": "#1f4e79", "shared": "#c0504d"}
    styles = {1: ":", 2: "-"}
    for (memory, n_jobs), rows in _groups(result, "memory", "n_jobs").items():
        if n_jobs == -1:
            label = f"{memory}, auto"
            axes.axhline(rows[0]["seconds"], color=colours[memory], linewidth=0.8, label=label)
            continue
        x, y = [row["chunk_size"] for row in rows], [row["seconds"] for row in rows]
        axes.semilogx(
            x, y, f"o{styles[n_jobs]}", color=colours[memory], label=f"{memory}, n_jobs={n_jobs}"
        )
    sizes = sorted({row["chunk_size"] for row in result.reading.rows} - {"auto"})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("chunk_size, windows")
    axes.set_ylabel("seconds")


def _groups(result: Result, *columns: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.reading.rows:
        groups.setdefault(tuple(row[column] for column in columns), []).append(row)
    return groups


_DRAW = {"scaling": _scaling, "sweep": _sweep}
