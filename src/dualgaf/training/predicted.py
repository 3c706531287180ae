"""What a prediction leaves in a folder: ``predictions.csv``, ``events.csv`` and a picture."""

import math
from itertools import groupby
from pathlib import Path

import numpy as np

from dualgaf.inference.events import covered, day_lines, events_of, write_events
from dualgaf.inference.predictions import Prediction, write_predictions
from dualgaf.inference.sets import BETWEEN
from dualgaf.plots.predictions import Lane, draw_predictions
from dualgaf.system.whole_file import whole_file

FILES = ("predictions.csv", "events.csv", "predictions.png")


def write_prediction(
    folder: Path, found: Prediction, min_windows: int = 1, flagged: float = math.nan
) -> list[str]:
    """Write the tables and the picture; each is there whole, or not at all.

    Args:
        folder: where to; made where it is not there.
        found: the prediction.
        min_windows: fewest windows of an event.
        flagged: fraction of good windows that are unlike the training, see `Limits`.

    Returns:
        Lines that tell what was found, for the screen.
    """
    events = events_of(found)
    kept = [event for event in events if event.windows >= min_windows]
    write_predictions(folder / FILES[0], found)
    write_events(folder / FILES[1], found, kept)
    lanes, unit = _lanes(found)
    title = f"{len(found)} windows of {', '.join(dict.fromkeys(found.source))}"
    with whole_file(folder / FILES[2]) as draft:
        figure = draw_predictions(lanes, found.class_names, title[:90], unit)
        figure.savefig(draft, dpi=100, format="png")
    told = [*day_lines(found, events), *_sets(found), _unlike(found, flagged), *_score(found)]
    short = len(events) - len(kept)
    if short:
        told.append(f"{short} events of fewer than {min_windows} windows are not in events.csv")
    files = ", ".join(FILES)
    return [*told, f"{len(found)} windows, {len(kept)} events: {files} in {folder}"]


def _unlike(found: Prediction, flagged: float) -> str:
    if found.unlike_windows is None:
        return "not compared with the training: the checkpoint does not hold its values"
    rate = "is not known" if math.isnan(flagged) else f"was {flagged:.1%} in training"
    counts = ", ".join(
        f"{name} in {n}" for name, n in sorted(found.unlike_windows.items(), key=lambda c: -c[1])
    )
    n = sum(map(bool, found.unlike))
    told = f"unlike the training: {n} of {len(found)} windows" + (f" ({counts})" if counts else "")
    return f"{told}; what a good group has {rate}"


def _sets(found: Prediction) -> list[str]:
    """How many windows have more than one class in their set."""
    if found.set is None:
        return []
    several = sum(BETWEEN in text for text in found.set)
    return [f"sets: more than one class cannot be excluded in {several} of {len(found)} windows"]


def _score(found: Prediction) -> list[str]:
    """How many of the labels that are known are right."""
    if found.label is None:
        return []
    known = [(label, name) for label, name in zip(found.label, found.classes, strict=True) if label]
    right = sum(label == name for label, name in known)
    told = f"labels: {right} of {len(known)} windows right ({right / len(known):.1%})"
    without = len(found) - len(known)
    if without:
        told += f"; {without} windows are of no one class"
    new = sorted({label for label, _ in known} - {*found.class_names})
    if new:
        told += f"; the network has not learned {', '.join(new)}"
    return [told]


def _lanes(found: Prediction) -> tuple[list[Lane], str]:
    """A timeline for each group, and what is counted from left to right."""
    left, right = covered(found)
    scale = 3600.0 if found.dated else 1.0
    best, names = found.probabilities.max(axis=1, initial=0.0), found.classes.tolist()
    unlike = np.array([bool(text) for text in found.unlike])
    lanes = []
    for name, numbers in groupby(range(len(found)), key=lambda k: found.group[k]):
        own = np.array(list(numbers))
        first = left[own[0]]
        if found.dated and found.by_day:
            first = first // 86400 * 86400
        if not found.dated and found.has_times:
            first = 0.0
        lanes.append(
            Lane(
                name,
                (left[own] - first) / scale,
                (right[own] - first) / scale,
                [names[k] for k in own],
                best[own],
                unlike[own],
            )
        )
    unit = "number of the step" if found.has_times else "window"
    if found.dated:
        unit = "hour of the day" if found.by_day else "hours"
    return lanes, unit
