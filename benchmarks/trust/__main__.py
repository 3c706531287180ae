"""Write docs/trust.md: `python -m benchmarks.trust` makes the rows that are missing (over an hour).

    python -m benchmarks.trust [--sets natops ...] [--page] [--rule] [--work runs/trust]

1. *Calibrated* and *sets*: a network is trained on each set as its experiment says, seed 0, and its
   test windows are judged with what it keeps of windows that it has not learned.
2. *New*: each of up to 6 classes of a set, drawn by a seed, is left out of training in turn. Test
   windows of that class are to look newer than those of the others. Beside it an isolation forest
   and the distance to the nearest window, both on MiniRocket features of aeon.

A row is written once it is made; Ctrl-C loses the one at work, and what its training has done is
in its run folder. Rows that are missing stand in the page as *not measured yet*. With
``--override trainer.max_epochs=2 --results FILE --output FILE`` there is a trial in minutes.
The rule of novelty was chosen on `CHOSEN_ON` (`--rule`).
"""

import argparse
import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy.sets import ROOT
from benchmarks.accuracy.tables import data_folder, write_tables
from benchmarks.made import made
from benchmarks.trust.page import page
from benchmarks.trust.shown import CHOSEN_ON, JUDGED, METHODS, WITH_NEW

PAGE = ROOT / "docs" / "trust.md"
RESULTS = ROOT / "benchmarks" / "results" / "trust.json"


def read_results(path: Path) -> dict[str, Any]:
    """Rows so far: ``judged`` by set, ``new`` by set and class."""
    return json.loads(path.read_text()) if path.is_file() else {"judged": {}, "new": {}}


def write_results(path: Path, results: dict[str, Any]) -> None:
    """All rows; the file is there whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    draft.replace(path)


def make(results: dict[str, Any], path: Path, work: Path, sets: list[str]) -> None:
    """Make what is missing."""
    from benchmarks.trust.rows import judged_row, new_rows

    for name in sets:
        if name in WITH_NEW:
            rows = results["new"].setdefault(name, {})
            for left_out, row in new_rows(name, work, dict(rows)):
                rows[left_out] = {**row, **made()}
                write_results(path, results)
                print(f"{name} without {left_out}: {_shown(row)}", flush=True)
        if name in JUDGED and name not in results["judged"]:
            results["judged"][name] = {**judged_row(name, work), **made()}
            write_results(path, results)
            print(f"{name}: {results['judged'][name]}", flush=True)


def _shown(row: dict[str, Any]) -> str:
    return ", ".join(f"{method} {row[method]:.3f}" for method in METHODS)


def main(arguments: list[str] | None = None) -> None:
    """Make the rows that are missing, then the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=dict.fromkeys((*WITH_NEW, *JUDGED)))
    parser.add_argument("--page", action="store_true", help="the page alone")
    parser.add_argument("--override", nargs="+", default=[], help="of every training, for a trial")
    parser.add_argument("--rule", action="store_true", help="novelty on the sets it was chosen on")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "trust")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    os.environ.setdefault("DUALGAF_DATA", "../shared/data")
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    work = given.work.resolve()
    if not given.page:
        from benchmarks.trust import rows as trainings

        trainings.MORE.extend(given.override)
    if given.rule:
        for name in CHOSEN_ON:
            rows = [row for _, row in trainings.new_rows(name, work, {})]
            means = {method: float(np.mean([row[method] for row in rows])) for method in METHODS}
            print(f"{name}: {_shown(means)}", flush=True)
        return
    results = read_results(given.results)
    if not given.page:
        sets = given.sets or list(dict.fromkeys((*WITH_NEW, *JUDGED)))
        if "tennessee_eastman" in sets:
            write_tables(data_folder())
        make(results, given.results, work, sets)
    given.output.write_text(page(results))


if __name__ == "__main__":
    main()
