"""`SplitReport`: what the test split says, from the tables that a run leaves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from dualgaf.inference.sets import BETWEEN

MOST_CONFUSIONS = 10
"""Pairs of classes that are listed."""
MOST_MISTAKES = 8
"""Windows that are listed."""


@dataclass(frozen=True)
class Mistake:
    """A test window that was taken for another class."""

    window: int
    """Its number in the test split."""
    group: str
    start: str
    label: str
    predicted: str
    probability: str


@dataclass(frozen=True)
class SplitReport:
    """Tables of the test split."""

    n_windows: int
    right: int
    classes: Sequence[Sequence[str]]
    """Name, precision, recall, F1, windows; the last is their mean."""
    confusions: Sequence[tuple[str, str, int]]
    """True class, predicted class, windows; the most frequent first."""
    mistakes: Sequence[Mistake]
    """The most certain ones."""
    sets: Sequence[tuple[str, str, str]]
    """Classes in a set, windows, how often the true class is in it; the last is of all. Empty
    without sets."""
    calibration: Sequence[str]
    """What was measured, a sentence each."""

    @property
    def accuracy(self) -> float:
        """Fraction of the windows that are right."""
        return self.right / max(1, self.n_windows)

    @classmethod
    def read(cls, folder: Path, metrics: Mapping[str, Any]) -> Self | None:
        """Of the tables in the folder of a run; None where it has tested nothing.

        Args:
            folder: of the run.
            metrics: what its ``metrics.json`` says.
        """
        paths = folder / "test_predictions.csv", folder / "report.csv"
        if not all(path.is_file() for path in paths):
            return None
        windows, classes = (pl.read_csv(path, infer_schema=False) for path in paths)
        if "label" not in windows.columns:
            return None
        # Not the probabilities of every class: an earlier version has no columns after these.
        wanted = ("window", "group", "start", "label", "predicted", "probability", "set")
        windows = windows.select(name for name in wanted if name in windows.columns)
        known = windows.filter(pl.col("label").fill_null("") != "")
        wrong = known.filter(pl.col("label") != pl.col("predicted"))
        pairs = Counter(wrong.select("label", "predicted").iter_rows())
        return cls(
            n_windows=len(known),
            right=len(known) - len(wrong),
            classes=[[cell or "" for cell in row] for row in classes.iter_rows()],
            confusions=[(*pair, n) for pair, n in pairs.most_common(MOST_CONFUSIONS)],
            mistakes=_mistakes(wrong),
            sets=_sets(known),
            calibration=_calibration(metrics),
        )


def _mistakes(wrong: pl.DataFrame) -> list[Mistake]:
    certain = wrong.with_columns(pl.col("probability").cast(pl.Float64))
    certain = certain.sort("probability", descending=True, maintain_order=True).head(MOST_MISTAKES)
    return [
        Mistake(
            int(row["window"]),
            row["group"] or "",
            (row.get("start") or "").removesuffix(".000000"),
            row["label"],
            row["predicted"],
            f"{row['probability']:.3f}",
        )
        for row in certain.iter_rows(named=True)
    ]


def _sets(known: pl.DataFrame) -> list[tuple[str, str, str]]:
    if "set" not in known.columns or known["set"].is_null().all():
        return []
    sets = [(text or "", label) for text, label in known.select("set", "label").iter_rows()]
    sizes: dict[int, list[bool]] = {}
    for text, label in sets:
        # A name may have the separator in it, so the true class is looked for as a whole.
        inside = f"{BETWEEN}{label}{BETWEEN}" in f"{BETWEEN}{text}{BETWEEN}"
        sizes.setdefault(text.count(BETWEEN) + 1 if text else 0, []).append(inside)
    rows = [
        (str(size), str(len(own)), f"{100 * sum(own) / len(own):.1f} %")
        for size, own in sorted(sizes.items())
    ]
    all_of_them = [own for each in sizes.values() for own in each]
    total = f"{100 * sum(all_of_them) / len(all_of_them):.1f} %"
    return [*rows, ("all", str(len(all_of_them)), total)]


def _calibration(metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    if "fit/temperature" in metrics:
        lines.append(
            f"Temperature {metrics['fit/temperature']:.3g}, measured on windows that the network "
            "had not learned."
        )
    for split, name in (("val", "validation"), ("test", "test")):
        if f"{split}/ece" in metrics:
            before, after = metrics[f"{split}/ece_before"], metrics[f"{split}/ece"]
            lines.append(
                f"Calibration error of {name} windows: {before:.3f} as the network gives "
                f"probabilities, {after:.3f} with the temperature."
            )
    return lines or ["Probabilities are as the network gives them: nothing was calibrated."]
