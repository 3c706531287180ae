"""One row: a set, a method, a seed. In a process of its own, so that its peak of memory is its own.

python -m benchmarks.accuracy.row natops minirocket 0 runs/accuracy/natops/minirocket/0
"""

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.results import NETWORKS
from benchmarks.accuracy.sets import SETS, folds, read_source
from benchmarks.made import made
from dualgaf.training.comparison import scores
from dualgaf.training.comparison.baselines import run_baseline
from dualgaf.training.comparison.scores import Predictions

BASELINE_OF = {"nearest_neighbour": "1nn", "random_forest": "forest"}
"""What `python -m dualgaf compare` calls methods whose rows have an older name."""


def make_row(name: str, method: str, seed: int, folder: Path, overrides: Sequence[str]) -> Any:
    """Train on every fold of a set and count all test windows together.

    Args:
        name: a name in `SETS`.
        method: a name in `results.METHODS`.
        seed: of the method, and for networks of the validation split.
        folder: run directories of the folds are made in it.
        overrides: for networks, beside ``experiment=NAME seed=SEED``.

    Returns:
        The row, in plain values.
    """
    done: list[Predictions] = []
    parameters = None
    right: dict[str, float] = {}
    for number, fold in enumerate(folds(SETS[name])):
        if method not in NETWORKS:
            source = read_source(name, [*fold, "data.split.val_fraction=0"])
            done.append(run_baseline(BASELINE_OF.get(method, method), source, seed))
        else:
            from benchmarks.accuracy.networks import run_network

            typed = [f"experiment={name}", f"seed={seed}", *fold, *overrides]
            training = run_network(method, typed, folder / f"fold{number}")
            parameters = training.parameters
            for side, accuracy in training.alone.items():
                of_fold = accuracy * len(training.predictions.label)
                right[side] = right.get(side, 0.0) + of_fold
            done.append(training.predictions)
    pooled = pooled_scores(done)
    return {
        "set": name,
        "method": method,
        "seed": seed,
        **pooled,
        **{f"{side}_accuracy": round(n / pooled["windows"], 6) for side, n in right.items()},
        "trainings": len(done),
        "fit_s": round(sum(one.fit_s for one in done), 3),
        "cpu_s": round(sum(one.cpu_s for one in done), 3),
        "parameters": parameters,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "overrides": list(overrides),
        **made(),
    }


def pooled_scores(done: Sequence[Predictions]) -> dict[str, Any]:
    """Scores of the windows of all folds together."""
    label = [text for one in done for text in one.label]
    return scores.pooled_scores(label, [text for one in done for text in one.predicted])


def main(arguments: Sequence[str]) -> None:
    """Write ``row.json`` into the folder that is named."""
    name, method, seed, folder, *overrides = arguments
    row = make_row(name, method, int(seed), Path(folder), overrides)
    Path(folder, "row.json").write_text(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
