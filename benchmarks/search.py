"""Write docs/search.md: `python -m benchmarks.search` makes the rows that are missing (an hour).

    python -m benchmarks.search [--sets natops ...] [--page] [--work runs/search]
    python -m benchmarks.search --trials 2 --override trainer.max_epochs=1 \\
        --work runs/try --results runs/try/rows.json --output runs/try/page.md  (minutes)

For each set the default recipe is trained and tested, and a study of 20 trials is searched, whose
best is trained and tested. Both are typed with the same options, seed 0, and have the same test
windows, which the search does not read. A row is written when both are there. Ctrl-C loses nothing:
the same command goes on in the middle of the training, or the study, that was at work.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from benchmarks.accuracy.tables import with_data
from benchmarks.made import made, made_lines
from dualgaf.training.text_tables import markdown

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "search.md"
RESULTS = ROOT / "benchmarks" / "results" / "search.json"
DAYS = ("2008-02-12", "2008-05-15", "2009-02-11")
"""Of MZVAV-2-2: a damper that is stuck, a valve that is stuck, and a normal day, of other months
than most."""
SETS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "natops": ("NATOPS", ()),
    "racket_sports": ("RacketSports", ()),
    "epilepsy": ("Epilepsy", ()),
    "mzvav_2_2": (
        "AHU MZVAV-2-2, three days",
        (f"data.split.test_groups=[{','.join(DAYS)}]", "data.split.val_fraction=0.2"),
    ),
}
"""Title, and what is typed beside ``experiment=NAME``."""
NOT_YET = "not measured yet"
HEAD = f"""# What a search is worth

Made by `python -m benchmarks.search`; no number here is typed by hand.

`python -m dualgaf tune experiment=NAME n_trials=20 study=FILE` beside
`python train.py experiment=NAME`, both with seed 0. The search has the train split, and the val
split to judge by; its best trial is then trained on both and tested once, as every run is. The
archive's own test splits are tested, and of AHU MZVAV-2-2 three days ({", ".join(DAYS)}), with
`data.split.val_fraction=0.2` on both sides, so that the search has days to judge by.

## Test accuracy

*Better* are test windows that the searched network alone has right, *worse* those that the default
recipe alone has right. A group is a day of a plant, or a case of the archive; windows of a day are
right or wrong together, so p counts groups: those that one of the two has more windows of right, by
an exact sign test. It is how often chance alone would part them so, and says nothing of another
seed.
"""
MIDDLE = """
## The search

val/loss is what trials are judged by: of the default recipe, which is the first trial, and of the
best one. On a plant the val split is a few days: a loss that is lower on these may be of them
alone.
Minutes are of one process with what else the machine did.
"""
VALUES = """
## What was found
"""


def read_results(path: Path) -> dict[str, Any]:
    """Rows so far, by set."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def write_results(path: Path, rows: Mapping[str, Any]) -> None:
    """All rows; the file is there whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
    draft.replace(path)


def make_row(name: str, work: Path, n_trials: int, more: Sequence[str]) -> dict[str, Any]:
    """Train both sides of a set, or find what they have left, and compare them."""
    typed = [f"experiment={name}", *SETS[name][1], "quiet=true", *more]
    default, study = work / f"{name}-default", work / name
    run = f"hydra.run.dir={default}"
    _command("train", *typed, run)
    started = time.perf_counter()
    _command("tune", *typed, f"study={study}.journal", f"n_trials={n_trials}")
    return {**compared(default, study, time.perf_counter() - started), **made()}


def compared(default: Path, study: Path, seconds: float = 0.0) -> dict[str, Any]:
    """The row of a run and a study.

    Args:
        default: folder of the run.
        study: folder of the study.
        seconds: that the search took in this process; those of trials where that is less.
    """
    with (study / "trials.csv").open(newline="") as file:
        trials = list(csv.DictReader(file))
    ended = [each for each in trials if each["state"] == "ended"]
    best = min(ended, key=lambda each: (float(each["val/loss"]), int(each["trial"])))
    folder = study / f"best-{int(best['trial']):04d}"
    sides = [_right(default), _right(folder)]
    pairs = [(a, b) for (_, a), (_, b) in zip(*sides, strict=True)]
    gains: dict[str, int] = {}
    for (group, a), (_, b) in zip(*sides, strict=True):
        gains[group] = gains.get(group, 0) + b - a
    keys = list(best)
    searched = keys[keys.index("s") + 1 : keys.index("why")]
    metrics = json.loads((folder / "metrics.json").read_text())
    known = sum(float(each["s"] or 0) for each in trials) + float(metrics["fit/seconds"])
    return {
        "windows": len(pairs),
        "default": sum(a for a, _ in pairs) / len(pairs),
        "search": sum(b for _, b in pairs) / len(pairs),
        "better": sum(b and not a for a, b in pairs),
        "worse": sum(a and not b for a, b in pairs),
        "groups": [
            len(gains),
            sum(gain > 0 for gain in gains.values()),
            sum(gain < 0 for gain in gains.values()),
        ],
        "trials": len(trials),
        "pruned": sum(each["state"] == "pruned" for each in trials),
        "failed": sum(each["state"] == "failed" for each in trials),
        "best": int(best["trial"]),
        "val_loss": {"default": trials[0]["val/loss"], "best": best["val/loss"]},
        "drawn": {key: best[key] for key in searched},
        "default_drawn": {key: trials[0][key] for key in searched},
        "seconds": max(known, seconds),
    }


def page(rows: Mapping[str, Any]) -> str:
    """docs/search.md of these rows."""
    accuracy, search, found = [], [], []
    for name, (title, _) in SETS.items():
        row = rows.get(name)
        if row is None:
            accuracy.append([title, NOT_YET, *[""] * 6])
            search.append([title, NOT_YET, *[""] * 5])
            found.append([title, NOT_YET])
            continue
        groups, better, worse = row["groups"]
        p = binomtest(better, better + worse).pvalue if better + worse else 1.0
        figures = [f"{row['default']:.3f}", f"{row['search']:.3f}"]
        counts = [f"{row['better']}", f"{row['worse']}"]
        size = [f"{row['windows']}", f"{groups}"]
        accuracy.append([title, *size, *figures, *counts, f"{p:.2f}"])
        losses = [f"{float(row['val_loss'][side]):.3f}" for side in ("default", "best")]
        states = [f"{row[key]}" for key in ("trials", "pruned", "failed")]
        search.append([title, *states, *losses, f"{row['seconds'] / 60:.0f}"])
        found.append([title, _found(row)])
    head = ["set", "test windows", "groups", "default recipe", "20 trials", "better", "worse", "p"]
    parts = [HEAD, markdown(head, accuracy, [0]), _said(rows), MIDDLE]
    head = ["set", "trials", "pruned", "failed", "val/loss, default", "val/loss, best", "minutes"]
    parts += [markdown(head, search, [0]), VALUES]
    parts.append(
        markdown(["set", "settings of the best trial, and those by default"], found, [0, 1])
    )
    if rows:
        parts.append(f"## Where and when\n\n{made_lines(rows.values())}\n")
    return "\n".join(parts)


def _said(rows: Mapping[str, Any]) -> str:
    """What follows from the table, in a sentence; nothing where rows are missing."""
    if set(rows) != set(SETS):
        return ""
    gains = {SETS[name][0]: row["better"] - row["worse"] for name, row in rows.items()}
    parts = []
    for word, sign in (("more", 1), ("as many", 0), ("fewer", -1)):
        names = [title for title, gain in gains.items() if (gain > 0) - (gain < 0) == sign]
        if names:
            parts.append(
                f"{word} windows right on {len(names)} of {len(gains)} ({'; '.join(names)})"
            )
    return f"The search has {', '.join(parts)}.\n"


def _found(row: Mapping[str, Any]) -> str:
    def number(text: str) -> str:
        try:
            return f"{float(text):.3g}"
        except ValueError:
            return text

    if row["best"] == 0:
        return "the default recipe"
    return ", ".join(
        f"{key} {number(value)} ({number(row['default_drawn'][key])})"
        for key, value in row["drawn"].items()
    )


def _right(folder: Path) -> list[tuple[str, bool]]:
    """Of each test window its group, and whether it is right."""
    with (folder / "test_predictions.csv").open(newline="") as file:
        return [
            (line["group"], line["label"] == line["predicted"]) for line in csv.DictReader(file)
        ]


def _command(*words: str) -> None:
    command = [sys.executable, "-m", "dualgaf", *words]
    subprocess.run(command, cwd=ROOT, check=True, env=with_data())


def main(arguments: list[str] | None = None) -> None:
    """Make the rows that are missing, then the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--page", action="store_true", help="the page alone")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--override", nargs="+", default=[], help="of every training, for a trial")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "search")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args(arguments)
    if (given.override or given.trials != 20) and given.results == RESULTS:
        parser.error("rows of a trial are not kept beside the others; type --results FILE")
    rows = read_results(given.results)
    for name in [] if given.page else given.sets:
        if name not in rows:
            rows[name] = make_row(name, given.work.resolve(), given.trials, given.override)
            write_results(given.results, rows)
            print(f"{name}: {json.dumps(rows[name])}", flush=True)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(page(rows))


if __name__ == "__main__":
    main()
