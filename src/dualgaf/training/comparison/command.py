"""`compare`: do the jobs that have no row, and write the tables after each.

A comparison that was stopped, or killed, goes on where it was: a job that has a row is not done
again, one that was stopped goes on from its newest epoch, one that failed is tried again.
"""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dualgaf.errors import ConfigError, DependencyError
from dualgaf.store.lock import locked
from dualgaf.system.termination import Stopped
from dualgaf.system.whole_file import whole_file
from dualgaf.training.comparison.asked import Asked, Job, asked_for, named_folder
from dualgaf.training.comparison.job import run_job
from dualgaf.training.comparison.rows import Row, folder_of, row_of
from dualgaf.training.comparison.table import Compared, compared, shown, write_tables
from dualgaf.training.resume import key_of, typed_folder

KEPT = "compare.json"
"""What was typed, in the folder of a comparison."""
PICTURE = "critical_difference.svg"
FAILED = 2
"""Exit status where a job failed."""

Runner = Callable[[Job, Path, Callable[[float], None]], Row]


def compare(words: Sequence[str], run: Runner = run_job) -> int:
    """Compare what was typed.

    Args:
        words: ``key=value``, see `dualgaf.training.comparison.asked`; ``compare.dir=FOLDER`` alone
            goes on with what was typed for that folder.
        run: does a job.

    Returns:
        The exit status: 2 where a job failed.

    Raises:
        ConfigError: a key or a name is not known, or the folder is in use.
        DependencyError: a baseline needs what is not installed.
        Stopped: a signal has ended it.
    """
    asked = asked_for(_in_full(words))

    def refuse() -> None:
        raise ConfigError(
            f"another process is at work on the comparison in {asked.folder}; wait for its end, "
            "or type another compare.dir=FOLDER"
        )

    asked.folder.mkdir(parents=True, exist_ok=True)
    with locked(asked.folder / ".lock", refuse):
        with whole_file(asked.folder / KEPT) as draft:
            draft.write_text(json.dumps({"words": list(asked.words)}, indent=2) + "\n")
        try:
            found = _all_jobs(asked, run)
        except Stopped:
            typed = typed_folder("compare.dir", asked.folder)
            _say(f"\nto go on type python -m dualgaf compare {typed}")
            raise
        print(shown(found))
        print(_pictured(asked, found))
    return FAILED if found.failures else 0


def _in_full(words: Sequence[str]) -> list[str]:
    folder = named_folder(words)
    if folder is None or any(key_of(word) != "compare.dir" for word in words):
        return [*words]
    if not (folder / KEPT).is_file():
        raise ConfigError(
            f"{folder} holds no comparison, for there is no {folder / KEPT}; type "
            f"experiment=natops,basic_motions {typed_folder('compare.dir', folder)}"
        )
    return [*json.loads((folder / KEPT).read_text())["words"], words[-1]]


def _all_jobs(asked: Asked, run: Runner) -> Compared:
    places: dict[Job, Path] = {}
    for job in asked.jobs:
        places[job] = folder_of(job, asked.folder, places.values())
    before = {job: row for job in asked.jobs if (row := row_of(places[job])) is not None}
    rows = {job: row for job, row in before.items() if row["state"] == "done"}
    todo = [job for job in asked.jobs if job not in rows]
    again = len(before) - len(rows)
    note = f", {again} that failed before are tried again" if again else ""
    _say(f"{len(asked.jobs)} jobs, {len(rows)} are done{note}; in {asked.folder}")
    for job in todo:
        number = asked.jobs.index(job) + 1
        left = _left_s(todo[todo.index(job) :], rows)
        line = Line(f"[{number}/{len(asked.jobs)}] {job}", left)
        row = run(job, places[job], line.show)
        rows[job] = row
        line.end(row)
        write_tables(asked, _in_order(asked, rows), compared(asked, _in_order(asked, rows)))
    rows = _in_order(asked, rows)
    found = compared(asked, rows)
    write_tables(asked, rows, found)
    return found


def _in_order(asked: Asked, rows: dict[Job, Row]) -> dict[Job, Row]:
    return {job: rows[job] for job in asked.jobs if job in rows}


def _left_s(todo: Sequence[Job], rows: dict[Job, Row]) -> float | None:
    """How long the jobs that are left may take, by those of their method; None = nobody knows."""
    done = [(job, row["job_s"]) for job, row in rows.items() if row["state"] == "done"]
    if not done:
        return None

    def expected(job: Job) -> float:
        alike = [s for each, s in done if each.method == job.method]
        close = [s for each, s in done if (each.set, each.method) == (job.set, job.method)]
        return statistics.fmean(close or alike or [s for _, s in done])

    return sum(map(expected, todo))


class Line:
    """What is said of a job: in a terminal while it runs, and when it has ended.

    Args:
        title: its beginning.
        left_s: how long this job and the others may take; None = nobody knows.
    """

    def __init__(self, title: str, left_s: float | None) -> None:
        self._title, self._left_s, self._width = title, left_s, 0

    def show(self, so_far_s: float) -> None:
        """Show that it runs; nothing where the output is no terminal."""
        if sys.stderr.isatty():
            left_s = self._left_s
            left = "" if left_s is None else f", about {_time(max(left_s - so_far_s, 0))} left"
            self._write(f"{self._title}: {_time(so_far_s)}{left}", "")

    def end(self, row: Row) -> None:
        """Say what has become of it."""
        told = f"failed: {row.get('reason')}"
        if row["state"] == "done":
            told = f"accuracy {row['accuracy']:.3f}, macro F1 {row['f1_macro']:.3f}"
        self._write(f"{self._title}: {told}, {_time(row['job_s'])}", "\n")

    def _write(self, text: str, end: str) -> None:
        back = "\r" if self._width else ""
        sys.stderr.write(f"{back}{text.ljust(self._width)}{end}")
        sys.stderr.flush()
        self._width = len(text)


def _time(seconds: float) -> str:
    """Seconds as people say them.

    Example:
        >>> _time(4.26), _time(75), _time(7300)
        ('4 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _pictured(asked: Asked, found: Compared) -> str:
    files = f"tables: {asked.folder / 'comparison.md'}, comparison.csv, rows.csv"
    from dualgaf.plots.critical_difference import write_critical_difference

    try:
        there = write_critical_difference(asked.folder / PICTURE, found.scores, found.methods)
    except DependencyError as error:
        return f"{files}; {error}"
    if not there:
        (asked.folder / PICTURE).unlink(missing_ok=True)
        return f"{files}; no picture of ranks: it needs three methods, two sets, and a difference"
    return (
        f"{files}; picture: {asked.folder / PICTURE}, whose lines join what one-sided tests with "
        "Holm's correction do not tell apart"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
