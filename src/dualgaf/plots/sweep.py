"""What a sweep compares, which job is best, and the picture of it.

1. Where ``parallel.*`` is swept, or nothing was trained, the build is what is compared: seconds and
   windows/s over the numbers of one override, a line for each value of the others. Jobs that differ
   in their seed only are repeats: the line is their median, and so is what the title names. A value
   that is no number, such as ``auto``, is a dashed line from side to side.
2. Any other sweep compares accuracy, a line per job: of the validation split where there is one, so
   that nobody chooses by the test split. Where seeds are swept beside something else, such as
   ablations, a line is a setting: the mean over its seeds, with a bar of one standard deviation.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualgaf.plots.legend import legend_above
from dualgaf.plots.palette import LINES
from dualgaf.system.machine import format_bytes

BUILD = "build/seconds"
SCORES = ("val/acc", "test/acc")
REPEAT = "seed"
"""The override whose values are repeats of one build."""
FOLD = "data.split.fold"
"""The override whose values are no rivals: each tests another part of the data."""
LOG_FROM = 20
"""Numbers that reach this many times the smallest are drawn on a logarithmic axis."""
_MARKERS = "osD^vPX<>*"

Row = dict[str, Any]
"""A job: overrides as text, metrics as numbers."""

_PANELS: dict[str, Callable[[Row], float]] = {
    "build time (s)": lambda row: float(row[BUILD]),
    "windows per second": lambda row: float(row["build/windows"]) / float(row[BUILD]),
}


def compared(rows: Sequence[Row]) -> str:
    """The metric that the jobs are compared by: ``build/seconds``, ``val/acc`` or ``test/acc``."""
    if any(key.lstrip("+").startswith("parallel.") for key in swept_overrides(rows)):
        return BUILD
    return next((score for score in SCORES if any(score in row for row in rows)), BUILD)


def best_job(rows: Sequence[Row]) -> Row | None:
    """The fastest build or the highest accuracy, the first of equals.

    None where none ended, or the jobs are folds.

    Example:
        >>> best_job([{"job": "0", "val/acc": 0.5}, {"job": "1", "val/acc": 0.75}])["job"]
        '1'
    """
    if FOLD in swept_overrides(rows):
        return None
    key = compared(rows)
    ended = [row for row in rows if _counts(row, key)]
    sign = 1 if key == BUILD else -1
    return min(ended, key=lambda row: sign * float(row[key]), default=None)


def draw_sweep(rows: Sequence[Row]) -> Figure:
    """The picture of a sweep of which at least one job ended.

    Args:
        rows: all jobs.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.
    """
    key = compared(rows)
    ended = [row for row in rows if _counts(row, key)]
    swept = [name for name in swept_overrides(rows) if name != REPEAT or key != BUILD]
    numbers = {
        name: len({n for row in ended if (n := _as_number(row[name])) is not None})
        for name in swept
    }
    along = max(numbers, key=lambda name: numbers[name], default=None)
    if key == BUILD and along is not None and numbers[along] > 1:
        return _draw_lines(ended, along, [name for name in swept if name != along])
    shown, told = [BUILD] if key == BUILD else list(SCORES), swept_overrides(rows)
    others = [name for name in told if name != REPEAT]
    if others and len(others) < len(told):
        return _draw_settings(ended, shown, others)
    return _draw_jobs(ended, shown, told)


def _draw_lines(rows: list[Row], along: str, others: list[str]) -> Figure:
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    # parallel.backend=auto may draw one line with threads and another with processes
    mixed = differs(rows, "build/backend") and not any(name.endswith("backend") for name in others)
    lines: dict[str, list[Row]] = {}
    for row in rows:
        label = _label(row, others) + (f" ({row['build/backend']})" if mixed else "")
        lines.setdefault(label.strip(), []).append(row)
    xs = sorted({x for row in rows if (x := _as_number(row[along])) is not None})
    for axes, (quantity, value) in zip(figure.subplots(1, 2), _PANELS.items(), strict=True):
        for number, (label, own) in enumerate(lines.items()):
            style = {"color": LINES[number % len(LINES)], "label": label or None}
            _draw_line(axes, _medians(own, along, value), _MARKERS[number % 10], style)
        if xs[0] > 0 and xs[-1] >= LOG_FROM * xs[0]:
            axes.set_xscale("log")
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.minorticks_off()
        axes.set_xlabel(f"{along} (windows per task)" if along.endswith("chunk_size") else along)
        axes.set_ylabel(quantity)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        legend_above(axes, 2)
    figure.suptitle(_title(rows), fontsize=11)
    return figure


def _draw_line(axes: Axes, points: dict[str, float], marker: str, style: dict[str, Any]) -> None:
    numeric = sorted((x, y) for text, y in points.items() if (x := _as_number(text)) is not None)
    if numeric:
        axes.plot(*zip(*numeric, strict=True), marker=marker, **style)
    for text, y in points.items():
        if _as_number(text) is None:
            name = ", ".join(filter(None, [text, style["label"]]))
            axes.axhline(y, linestyle="--", color=style["color"], label=name)


def _draw_jobs(rows: list[Row], metrics: list[str], swept: list[str]) -> Figure:
    figure = Figure(figsize=(8, 1.6 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    for number, metric in enumerate(metrics):
        found = [
            (float(row[metric]), place)
            for place, row in zip(places, rows, strict=True)
            if metric in row
        ]
        if found:
            style: dict[str, Any] = {"color": LINES[number], "label": metric}
            axes.plot(*zip(*found, strict=True), _MARKERS[number], **style)
    _name_lines(axes, [_label(row, swept) or f"job {row['job']}" for row in rows])
    if metrics == [BUILD]:
        _tell_seconds(axes, "", rows)
    else:
        _tell_accuracy(figure, axes, "", f"Accuracy of {len(rows)} jobs")
    return figure


def _draw_settings(rows: list[Row], metrics: list[str], others: list[str]) -> Figure:
    """A line for each setting: the mean over its seeds with one standard deviation, or the median.

    What seconds are compared by is the median, as one slow job says little; its bar is from the
    fastest to the slowest.
    """
    settings: dict[str, list[Row]] = {}
    for row in rows:
        settings.setdefault(_label(row, others), []).append(row)
    figure = Figure(figsize=(8, 1.9 + 0.36 * len(settings)), layout="constrained")
    axes = figure.subplots()
    for number, metric in enumerate(metrics):
        style: dict[str, Any] = {"color": LINES[number], "capsize": 3, "label": metric}
        shift = 0.16 * (number - (len(metrics) - 1) / 2)
        found = [
            (place + shift, [float(row[metric]) for row in own if metric in row])
            for place, own in enumerate(settings.values())
        ]
        points = [(place, *_with_bar(values, metric)) for place, values in found if values]
        if points:
            places, middles, below, above = zip(*points, strict=True)
            axes.errorbar(middles, places, xerr=[below, above], fmt=_MARKERS[number], **style)
    _name_lines(axes, list(settings))
    if metrics == [BUILD]:
        _tell_seconds(axes, ", median over the seeds; bar: fastest to slowest", rows)
    else:
        title = f"{len(settings)} settings, means over {_counts_text(settings)}"
        _tell_accuracy(figure, axes, ", mean; bar: one standard deviation", title)
    return figure


def _name_lines(axes: Axes, names: Sequence[str]) -> None:
    """A line each, the first at the top."""
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(alpha=0.3)


def _tell_seconds(axes: Axes, what: str, rows: list[Row]) -> None:
    axes.set_xlim(left=0)
    axes.set_xlabel(f"build time (s){what}")
    axes.set_title(_title(rows), fontsize=11)


def _tell_accuracy(figure: Figure, axes: Axes, what: str, title: str) -> None:
    axes.set_xlabel(f"accuracy (fraction of the windows){what}")
    figure.suptitle(title, fontsize=11)
    legend_above(axes)


def _with_bar(values: list[float], metric: str) -> tuple[float, float, float]:
    """What is drawn, and how far its bar goes down and up."""
    if metric == BUILD:
        middle = statistics.median(values)
        return middle, middle - min(values), max(values) - middle
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return statistics.mean(values), spread, spread


def _counts_text(settings: Mapping[str, Sequence[Row]]) -> str:
    counts = sorted({len(own) for own in settings.values()})
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def _title(rows: list[Row]) -> str:
    """What was built, where all jobs built the same, and how it was fastest."""
    parts = []
    sizes = {(row.get("build/windows"), row.get("build/bytes")) for row in rows}
    if len(sizes) == 1:
        windows, size = sizes.pop()
        parts.append(f"{windows} windows, {format_bytes(float(size or 0))}")
    same = [key for key in ("build/backing", "build/backend") if not differs(rows, key)]
    parts += [str(rows[0].get(key)) for key in same]
    title = "Build of the images" + (f": {', '.join(parts)}" if parts else "")
    swept = swept_overrides(rows)
    others = [name for name in swept if name != REPEAT]
    if REPEAT in swept and others:  # what is drawn are medians
        times: dict[str, list[float]] = {}
        for row in rows:
            times.setdefault(_label(row, others), []).append(float(row[BUILD]))
        how = min(times, key=lambda label: statistics.median(times[label]))
        told = f"lowest median: {statistics.median(times[how]):.3g} s"
    else:
        best = min(rows, key=_PANELS["build time (s)"])
        how, told = _label(best, swept), f"fastest job: {best[BUILD]:.3g} s"
    return f"{title}\n{told}" + (f" with {how}" if how else "")


def _label(row: Row, names: Sequence[str]) -> str:
    return " ".join(f"{name.split('.')[-1]}={row[name]}" for name in names)


def _medians(rows: list[Row], along: str, value: Callable[[Row], float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row[along], []).append(value(row))
    return {text: statistics.median(values) for text, values in found.items()}


def _counts(row: Row, key: str) -> bool:
    """Whether a job has this metric; a store that was found was not built."""
    return key in row and not (key == BUILD and (row.get("build/cache") == "hit" or not row[key]))


def swept_overrides(rows: Sequence[Row]) -> list[str]:
    """Overrides that differ between jobs."""
    names = dict.fromkeys(key for row in rows for key in row)
    return [name for name in names if "/" not in name and name != "job" and differs(rows, name)]


def differs(rows: Sequence[Row], key: str) -> bool:
    """Whether not all jobs have the same value here."""
    return len({str(row.get(key)) for row in rows}) > 1


def _as_number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
