"""The last section of docs/archive.md, from rows and from nothing else: a test compares the two."""

import re
import statistics
from collections.abc import Sequence

from benchmarks.accuracy.results import Row, seconds_of
from benchmarks.accuracy.sets import ROOT, SETS
from dualgaf.training.text_tables import markdown, summary

PAGE = ROOT / "docs" / "archive.md"
PART = re.compile(
    r"(?<=<!-- made by: python -m benchmarks.accuracy --page -->\n).*(?=<!-- end -->)", re.DOTALL
)
COLUMNS = {
    "DualGAFNet": ("dualgafnet", "accuracy"),
    "its images": ("dualgafnet", "images_accuracy"),
    "its kernels": ("dualgafnet", "kernels_accuracy"),
    "MiniRocket": ("minirocket", "accuracy"),
    "QUANT": ("quant", "accuracy"),
}
HEAD = """Test accuracy, mean ± standard deviation over seeds (number of seeds), a dash where
nothing is measured; full trainings, of which [accuracy](accuracy.md) says all. *Its images* and
*its kernels* are these members of DualGAFNet alone.
"""
READING = """Our reading: images are worth their price where several channels tell the class by how
they go together over a window, and where a mistake costs more than minutes of training. For one
signal, for a first look, and where seconds count, begin with MiniRocket or QUANT: `compare` runs
them for you, and shows on your own data whether an image adds anything.
"""
SAME = 5e-4
"""Scores are shown with three digits."""


def section(rows: Sequence[Row]) -> str:
    """The table, and what can be read in it."""
    scores = {
        chosen.title: {title: _scores(rows, name, *column) for title, column in COLUMNS.items()}
        for name, chosen in SETS.items()
    }
    lines = [[title, *map(summary, own.values())] for title, own in scores.items()]
    means = {
        title: {name: statistics.fmean(values) for name, values in own.items() if values}
        for title, own in scores.items()
    }
    known = {title: own for title, own in means.items() if len(own) == len(COLUMNS)}
    above = [t for t, own in known.items() if _lead(own) > SAME]
    below = [t for t, own in known.items() if _lead(own) < -SAME]
    images = [t for t, own in known.items() if own["its images"] > own["its kernels"] + SAME]
    alone = [t for t, own in known.items() if own["its images"] < own["its kernels"] - SAME]
    best = [
        t
        for t, own in known.items()
        if own["DualGAFNet"] > max(own["its images"], own["its kernels"]) + SAME
    ]
    n = len(known)
    return "\n".join([
        HEAD,
        markdown(["set", *COLUMNS], lines, texts=(0,)),
        f"Of the {n} sets in which all is measured:",
        "",
        f"- DualGAFNet is above MiniRocket and QUANT in {len(above)}: {_listed(above)}.",
        f"- One of the two is above it in {len(below)}: {_listed(below)}.",
        f"- Its images alone are above its kernels alone in {len(images)}: {_listed(images)}.",
        f"- They are below them in {len(alone)}: {_listed(alone)}.",
        f"- All together are above both of these members in {len(best)}: {_listed(best)}.",
        f"- A training, from reading to the test, takes {_times(rows)} times the seconds in which "
        "MiniRocket fits (of the CPU where rows have them), the median over the sets.",
        "",
        READING,
    ])  # fmt: skip


def _scores(rows: Sequence[Row], name: str, method: str, score: str) -> list[float]:
    return [row[score] for row in _rows_of(rows, name, method) if score in row]


def _rows_of(rows: Sequence[Row], name: str, method: str) -> list[Row]:
    return [row for row in rows if (row["set"], row["method"]) == (name, method)]


def _lead(own: dict[str, float]) -> float:
    return own["DualGAFNet"] - max(own["MiniRocket"], own["QUANT"])


def _times(rows: Sequence[Row]) -> str:
    ratios = []
    for name in SETS:
        network, other = (_rows_of(rows, name, method) for method in ("dualgafnet", "minirocket"))
        if network and other:
            ratios.append(seconds_of(network)[0] / seconds_of(other)[0])
    return f"{statistics.median(ratios):.0f}"


def _listed(titles: Sequence[str]) -> str:
    return ", ".join(titles) or "none"


def page(text: str, rows: Sequence[Row]) -> str:
    """The page with this section."""
    return PART.sub(lambda _: section(rows), text)
