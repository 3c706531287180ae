"""The tables of a comparison: ``rows.csv``, ``comparison.csv``, ``comparison.md``, and the screen.

A line of `comparison.csv` is a method on a set: mean and standard deviation (of the sample) over
repeats, and the rank among the methods that have a figure there. Folds are no repeats: their test
windows are counted together, and a repeat of which a fold is missing has no figure.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dualgaf.system.whole_file import whole_file, write_csv
from dualgaf.training.comparison.asked import FOLD, SCORES, Asked, Job, repeat_name
from dualgaf.training.comparison.ranking import DIGITS, Scores, Standing, ranks, standings
from dualgaf.training.comparison.rows import Row
from dualgaf.training.comparison.scores import pooled_scores, read_predictions
from dualgaf.training.text_tables import aligned, markdown, summary

HEAD = ("set", "method", "accuracy", "macro F1", "rank", "fit s", "job s", "failed")
RANKED = ("method", "mean rank", "above / same / below", "p")
_ROWS = ("state", "accuracy", "f1_macro", "windows", "fit_s", "job_s", "reason", "run")
_SPREADS = [f"{score}{ending}" for score in SCORES for ending in ("", "_std")]
_COLUMNS = ("set", "method", *_SPREADS, "repeats", "failed", "rank", "fit_s", "job_s")

Rows = Mapping[Job, Row]


@dataclass(frozen=True)
class Cell:
    """A method on a set."""

    set: str
    method: str
    scores: dict[str, list[float]]
    """Of each repeat, in `SCORES`."""
    fit_s: list[float]
    """Seconds that learning took, in each repeat."""
    job_s: list[float]
    """Seconds from the start of its process to its end."""
    failed: int
    rank: float | None = None


@dataclass(frozen=True)
class Compared:
    """What is known of a comparison so far."""

    cells: list[Cell]
    standings: list[Standing]
    """Over ``sets``; empty where there are fewer than two methods."""
    sets: list[str]
    """Those in which each of ``methods`` has a figure."""
    methods: list[str]
    """Those that have a figure at all."""
    scores: Scores
    """(sets, methods) means, as they are ranked."""
    failures: list[tuple[Job, str]]


def compared(asked: Asked, rows: Rows) -> Compared:
    """Put the rows of a comparison together."""
    cells = [_cell(asked, rows, name, method) for name in asked.sets for method in asked.methods]
    mean = {
        (cell.set, cell.method): statistics.fmean(cell.scores[asked.score])
        for cell in cells
        if cell.scores[asked.score]
    }
    ranked: dict[tuple[str, str], float] = {}
    for name in asked.sets:
        there = [method for method in asked.methods if (name, method) in mean]
        if there:
            found = ranks(np.array([[mean[name, method] for method in there]]))[0]
            ranked |= {(name, m): float(r) for m, r in zip(there, found, strict=True)}
    methods = [m for m in asked.methods if any((name, m) in mean for name in asked.sets)]
    sets = [name for name in asked.sets if all((name, m) in mean for m in methods)]
    scores = np.round([[mean[name, m] for m in methods] for name in sets], DIGITS)
    standing = standings(methods, scores, methods[0]) if len(methods) > 1 and sets else []
    cells = [Cell(**{**vars(c), "rank": ranked.get((c.set, c.method))}) for c in cells]
    failed = [(job, str(row["reason"])) for job, row in rows.items() if row["state"] == "failed"]
    return Compared(cells, standing, sets, methods, scores, failed)


def _cell(asked: Asked, rows: Rows, name: str, method: str) -> Cell:
    jobs = [job for job in asked.jobs if (job.set, job.method) == (name, method)]
    repeats: dict[tuple[tuple[str, str], ...], list[Job]] = {}
    for job in jobs:
        key = tuple(pair for pair in job.repeat if pair[0] != FOLD)
        repeats.setdefault(key, []).append(job)
    scores: dict[str, list[float]] = {score: [] for score in SCORES}
    fit_s, job_s = [], []
    for folds in repeats.values():
        own = [rows[job] for job in folds if job in rows and rows[job]["state"] == "done"]
        if len(own) < len(folds):
            continue
        found = own[0] if len(own) == 1 else _together(own)
        for score in SCORES:
            scores[score].append(found[score])
        fit_s.append(sum(row["fit_s"] for row in own))
        job_s.append(sum(row["job_s"] for row in own))
    failed = sum(job in rows and rows[job]["state"] == "failed" for job in jobs)
    return Cell(name, method, scores, fit_s, job_s, failed)


def _together(folds: Sequence[Row]) -> Row:
    label: list[str] = []
    predicted: list[str] = []
    for row in folds:
        own_label, own_predicted = read_predictions(Path(row["run"]))
        label += own_label
        predicted += own_predicted
    return pooled_scores(label, predicted)


def shown(found: Compared) -> str:
    """The tables as they are printed."""
    parts = [aligned([HEAD, *map(_line, found.cells)])]
    if found.standings:
        parts += [_over(found), aligned([RANKED, *_rank_lines(found)])]
    parts += [f"failed: {job}: {reason}" for job, reason in found.failures]
    return "\n".join(parts)


def write_tables(asked: Asked, rows: Rows, found: Compared) -> None:
    """Write ``rows.csv``, ``comparison.csv`` and ``comparison.md``."""
    body = [
        [job.set, job.method, repeat_name(job.repeat), *(row.get(key) for key in _ROWS)]
        for job, row in rows.items()
    ]
    write_csv(asked.folder / "rows.csv", ["set", "method", "repeat", *_ROWS], body)
    write_csv(asked.folder / "comparison.csv", _COLUMNS, map(_numbers, found.cells))
    typed = " ".join(asked.words)
    text = [
        f"# Comparison\n\n`python -m dualgaf compare {typed}`\n\nMean ± standard deviation over "
        f"repeats (number of them); ranked by {asked.score}; seconds are means.\n",
        markdown(HEAD, [*map(_line, found.cells)], texts=(0, 1)),
    ]
    if found.standings:
        text += [f"## Ranks\n\n{_over(found)}\n", markdown(RANKED, _rank_lines(found), texts=(0,))]
    if found.failures:
        text += ["## Failed\n", *(f"- {job}: {reason}" for job, reason in found.failures), ""]
    with whole_file(asked.folder / "comparison.md") as draft:
        draft.write_text("\n".join(text))


def _line(cell: Cell) -> list[str]:
    return [
        *(cell.set, cell.method),
        *(summary(cell.scores[score]) for score in SCORES),
        "-" if cell.rank is None else f"{cell.rank:g}",
        *(f"{statistics.fmean(s):.1f}" if s else "-" for s in (cell.fit_s, cell.job_s)),
        str(cell.failed) if cell.failed else "",
    ]


def _numbers(cell: Cell) -> list[object]:
    spreads: list[object] = []
    for score in SCORES:
        values = cell.scores[score]
        spreads.append(statistics.fmean(values) if values else None)
        spreads.append(statistics.stdev(values) if len(values) > 1 else None)
    seconds = [statistics.fmean(s) if s else None for s in (cell.fit_s, cell.job_s)]
    n_repeats = len(cell.fit_s)
    return [cell.set, cell.method, *spreads, n_repeats, cell.failed, cell.rank, *seconds]


def _over(found: Compared) -> str:
    left_out = sorted({cell.set for cell in found.cells} - {*found.sets})
    note = f" (not {', '.join(left_out)}: a method has no figure there)" if left_out else ""
    return (
        f"Over {len(found.sets)} sets{note}. Beside each method: sets in which {found.methods[0]} "
        "is above it, like it and below it, and p of a two-sided Wilcoxon signed-rank test against "
        "it, not corrected."
    )


def _rank_lines(found: Compared) -> list[list[str]]:
    lines = []
    for one in found.standings:
        is_own = one.method == found.methods[0]
        counts = "-" if is_own else f"{one.above} / {one.same} / {one.below}"
        p = "-" if one.p is None else f"{one.p:.2g}"
        lines.append([one.method, f"{one.rank:.2f}", counts, p])
    return lines
