"""What each part of the recipe is worth: tables of ``sweep.csv`` files of `sweep=ablation`.

python train.py -m sweep=ablation experiment=japanese_vowels refit=false
cp multirun/DATE/TIME/sweep.csv benchmarks/results/ablation/japanese_vowels.csv
python -m benchmarks.accuracy --page
"""

import csv
import statistics
from collections.abc import Iterable
from pathlib import Path

from benchmarks.accuracy.sets import ROOT
from dualgaf.training.text_tables import markdown, summary

FOLDER = ROOT / "benchmarks" / "results" / "ablation"

VARIED = ("ablation", "seed")
OWN = ("job", "sweep", *VARIED)
"""Columns of a sweep's table that are not typed as they are."""

HEAD = """## What each part is worth

Test accuracy and macro F1 of networks that see signals apart (`model=per_signal`), so that there is
attention to leave out. The last column is the difference of mean accuracy to `full`. They learned
with the recipe before `docs/design/0019-fewer-steps.md` and 0020: twice the steps, no forest.
"""
TEXT = """A table again, printed:

```bash
python train.py -m sweep=ablation {typed}
```
"""


def ablations(folder: Path = FOLDER) -> str:
    """The section of docs/accuracy.md; empty where no sweep was kept."""
    parts = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        typed = [f"{key}={rows[0][key]}" for key in rows[0] if "/" not in key and key not in OWN]
        typed += [f"{key}={','.join(_unique(row[key] for row in rows))}" for key in VARIED]
        parts += [TEXT.format(typed=" ".join(typed)), _table(rows)]
    return "\n".join([HEAD, *parts]) if parts else ""


def _table(rows: list[dict[str, str]]) -> str:
    def scores(name: str, key: str) -> list[float]:
        return [float(row[key]) for row in rows if row["ablation"] == name and row.get(key)]

    full = statistics.fmean(scores("full", "test/acc"))
    lines = []
    for name in _unique(row["ablation"] for row in rows):
        accuracy = scores(name, "test/acc")
        f1 = summary(scores(name, "test/f1_macro"))
        gain = f"{statistics.fmean(accuracy) - full:+.3f}" if accuracy else "-"
        lines.append([f"`{name}`", _told(name), summary(accuracy), f1, gain])
    head = ["ablation", "what it is", "accuracy", "macro F1", "to full"]
    return markdown(head, lines, texts=(0, 1))


def _told(name: str) -> str:
    """What the file of an ablation says of itself, behind what is to be typed."""
    command = (ROOT / "conf" / "ablation" / f"{name}.yaml").read_text().splitlines()[1]
    return command.split("  ")[-1].strip()


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
