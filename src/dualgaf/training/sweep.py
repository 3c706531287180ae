"""The end of a sweep: one table of all jobs, one picture, and a page with both.

``sweep.csv`` has a row per job: its overrides and its metrics. It is written after each job, so it
is there when a later one fails or the sweep is stopped. The table on the screen has what tells jobs
apart, and marks the best; `dualgaf.plots.sweep` says what that is, and draws ``sweep.png``.
Where seeds are swept beside something else, a second table has the means over the seeds.
"""

import atexit
import csv
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dualgaf.plots.sweep import (
    BUILD,
    REPEAT,
    Row,
    best_job,
    compared,
    differs,
    draw_sweep,
    swept_overrides,
)
from dualgaf.report.index import IndexPage, read_records
from dualgaf.system.whole_file import whole_file
from dualgaf.training.code_stamp import codes_of, is_of_this_code, stamp
from dualgaf.training.command import when_stopped
from dualgaf.training.launcher import check_measuring
from dualgaf.training.pooled import pool_folds
from dualgaf.training.ranks import is_first
from dualgaf.training.report import STOPPED
from dualgaf.training.resume import as_typed_words
from dualgaf.training.run_folder import exit_on_error, traces
from dualgaf.training.skipping import begin_skipping
from dualgaf.training.slurm_jobs import watch_jobs
from dualgaf.training.sweep_page import TABLE, index_page, write_index
from dualgaf.training.text_tables import aligned

log = logging.getLogger(__name__)

SHOWN = ("val/acc", "test/acc", "test/f1_macro", "build/seconds", "build/backend", "build/cache")
"""Metrics in the printed table, beside the overrides; sweep.csv has all of them."""
SCORES = SHOWN[:3]
"""Those whose means over seeds are printed."""
_under_way: list[tuple["SweepTable", DictConfig]] = []


class SweepTable(Callback):
    """Hydra callback: writes ``sweep.csv`` and ``sweep.png`` into the multirun folder, prints.

    Example:
        ``conf/hydra/default.yaml`` has Hydra make it:

        >>> from hydra.utils import instantiate
        >>> isinstance(instantiate({"_target_": "dualgaf.SweepTable"}), Callback)
        True
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """See to the end also where Hydra leaves it out: after a failed job, or a signal.

        Raises:
            SystemExit: ``skip_finished=true`` without a folder, or jobs at the same time that
                would measure each other; with the text of the error.
        """
        exit_on_error(check_measuring, config)
        if str(OmegaConf.select(config, "hydra.launcher._target_")).endswith("SlurmLauncher"):
            watch_jobs()
        if config.get("skip_finished"):
            exit_on_error(begin_skipping, config)
        _under_way.append((self, config))

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note which code a job is of, also where it ends before it has begun."""
        if config.hydra.mode == RunMode.MULTIRUN and is_first():
            folder = Path(config.hydra.runtime.output_dir)
            if not codes_of(folder) and not traces(folder):
                stamp(folder, anew=True)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Write the table so far."""
        if config.hydra.mode == RunMode.MULTIRUN and is_first():
            _write(config)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Collect ``metrics.json`` of every job, print the table and draw the picture."""
        _under_way[:] = [each for each in _under_way if each[0] is not self]
        folder = Path(config.hydra.sweep.dir)
        rows = _write(config)
        if not rows:
            return
        others = len(_begun(folder)) - len(rows)
        if others:
            log.info("%d jobs of other code in %s are left out of the table", others, folder)
        columns = _columns(rows)
        shown = [key for key in columns if key in SHOWN or ("/" not in key and _varies(rows, key))]
        log.info("sweep of %d jobs: %s\n%s", len(rows), folder / TABLE, _text(rows, shown))
        means = mean_over_seeds(rows)
        if means:
            log.info("mean over seeds (standard deviation, number of them)\n%s", means)
        if pooled := pool_folds(folder, rows):
            log.info("all folds together, see %s\n%s", folder / "folds.csv", aligned(pooled))
        if best_job(rows) is not None:
            with whole_file(folder / "sweep.png") as draft:
                draw_sweep(rows).savefig(draft, dpi=110, format="png")
            log.info("picture: %s", folder / "sweep.png")
        if config.get("report", True):
            write_index(folder, sweep_index)


def sweep_index(folder: Path) -> IndexPage:
    """The page of a sweep that is over.

    Args:
        folder: with its ``sweep.csv``.
    """
    rows = read_records(folder / TABLE)
    means = mean_over_seeds(rows)
    notes = [("Mean over seeds (standard deviation, number of them)", means)] if means else []
    if (folder / "folds.csv").is_file():
        notes.append(("All folds together", aligned(pool_folds(folder, rows))))
    return index_page(folder, rows, notes)


@atexit.register
@when_stopped
def end_sweeps() -> None:
    """Print the tables of sweeps that have not come to their end."""
    for table, config in [*_under_way]:
        table.on_multirun_end(config)


def mean_over_seeds(rows: Sequence[Row]) -> str:
    """A table of the accuracies and F1 over the seeds of each setting; empty where no two compare.

    Example:
        >>> rows = [
        ...     {"job": str(n), "seed": seed, "ablation": name, "test/acc": acc}
        ...     for n, (name, seed, acc) in enumerate(
        ...         [("full", "0", 0.5), ("full", "1", 0.7), ("minimal", "0", 0.25)]
        ...     )
        ... ]
        >>> print(mean_over_seeds(rows))
          ablation  test/acc
          full      0.6000 (0.1414, 2)
          minimal   0.2500 (-, 1)
    """
    swept = swept_overrides(rows)
    others = [name for name in swept if name != REPEAT]
    scores = [key for key in SCORES if any(key in row for row in rows)]
    if len(others) == len(swept) or not others or not scores:
        return ""
    settings: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        settings.setdefault(tuple(str(row.get(name, "")) for name in others), []).append(row)

    def cell(own: list[Row], key: str) -> str:
        found = [float(row[key]) for row in own if key in row]
        if not found:
            return ""
        spread = f"{stdev(found):.4f}" if len(found) > 1 else "-"
        return f"{mean(found):.4f} ({spread}, {len(found)})"

    lines = [[*others, *scores]]
    lines += [[*at, *(cell(own, key) for key in scores)] for at, own in settings.items()]
    return aligned(lines)


def _write(config: DictConfig) -> list[Row]:
    folder, begun = Path(config.hydra.sweep.dir), _begun(Path(config.hydra.sweep.dir))
    if config.get("skip_finished"):
        begun = [path for path in begun if is_of_this_code(path.parent)]
    rows = [_row(job) for job in begun]
    if rows:
        with whole_file(folder / TABLE) as draft, draft.open("w", newline="") as file:
            table = csv.DictWriter(file, _columns(rows))
            table.writeheader()
            table.writerows(rows)
    return rows


def _begun(folder: Path) -> list[Path]:
    # Hydra writes the overrides last: without them a job was stopped before it began.
    return sorted({path.parent for path in folder.glob("*/.hydra/overrides.yaml")}, key=_number)


def _columns(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _varies(rows: list[Row], key: str) -> bool:
    """Whether a column tells jobs apart; an override that all share need not be printed."""
    return differs(rows, key) or len(rows) == 1


def _number(hydra_folder: Path) -> tuple[int, str]:
    name = hydra_folder.parent.name
    number = name.partition("-")[0]  # of `job_folder`, too
    return (int(number), name) if number.isdigit() else (1 << 30, name)


def _row(hydra_folder: Path) -> Row:
    job = hydra_folder.parent
    row: Row = {"job": job.name}
    for override in as_typed_words(OmegaConf.load(hydra_folder / "overrides.yaml")):
        key, _, value = override.partition("=")
        if key not in ("resume", "skip_finished", "launcher"):
            row[key] = value
    with suppress(FileNotFoundError):  # a job that goes on takes its earlier one away
        found = json.loads((job / "metrics.json").read_text())
        # The scores of a job that was stopped are not those of a whole training.
        row.update(found if STOPPED not in found else {STOPPED: found[STOPPED]})
    return row


def _text(rows: list[Row], columns: list[str]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.4f}" if isinstance(value, float) else str(value)

    lines = [columns, *([cell(row.get(key, "")) for key in columns] for row in rows)]
    best, key = best_job(rows), compared(rows)
    mark = f"<- {'lowest' if key == BUILD else 'highest'} {key}"
    notes = ["", *(mark if row is best and len(rows) > 1 else "" for row in rows)]
    return aligned([[*line, note] for line, note in zip(lines, notes, strict=True)])
