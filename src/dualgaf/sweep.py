"""The end of a sweep: one table of all jobs, and one picture.

``sweep.csv`` has a row a job: its overrides and its metrics. It is written after each job, so it is
there when a later one fails or the sweep is stopped. The table on the screen has what tells jobs
apart, and marks the best; `dualgaf.sweep_picture` says what that is, and draws ``sweep.png``.
"""

import atexit
import csv
import json
import logging
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dualgaf.sweep_picture import BUILD, Row, best_job, compared, differs, draw_sweep

log = logging.getLogger(__name__)

SHOWN = ("val/acc", "test/acc", "test/f1_macro", "build/seconds", "build/backend", "build/cache")
"""Metrics in the printed table, beside the overrides; sweep.csv has all of them."""


class SweepTable(Callback):
    """Hydra callback: writes ``sweep.csv`` and ``sweep.png`` into the multirun folder, prints."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """See to the end also where Hydra leaves it out: after a failed job, or Ctrl-C."""
        atexit.register(self.on_multirun_end, config)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Write the table so far."""
        if config.hydra.mode == RunMode.MULTIRUN:
            _write(Path(config.hydra.sweep.dir))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Collect ``metrics.json`` of every job, print the table and draw the picture."""
        atexit.unregister(self.on_multirun_end)
        folder = Path(config.hydra.sweep.dir)
        rows = _write(folder)
        if not rows:
            return
        columns = _columns(rows)
        shown = [key for key in columns if key in SHOWN or ("/" not in key and _varies(rows, key))]
        log.info("sweep of %d jobs: %s\n%s", len(rows), folder / "sweep.csv", _text(rows, shown))
        if best_job(rows) is not None:
            draw_sweep(rows).savefig(folder / "sweep.png", dpi=110)
            log.info("picture: %s", folder / "sweep.png")


def _write(folder: Path) -> list[Row]:
    rows = [_row(job) for job in sorted(folder.glob("*/.hydra"), key=_number)]
    if rows:
        draft = folder / "sweep.csv.draft"
        with draft.open("w", newline="") as file:
            table = csv.DictWriter(file, _columns(rows))
            table.writeheader()
            table.writerows(rows)
        draft.replace(folder / "sweep.csv")
    return rows


def _columns(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _varies(rows: list[Row], key: str) -> bool:
    """Whether a column tells jobs apart; an override that all share need not be printed."""
    return differs(rows, key) or len(rows) == 1


def _number(hydra_folder: Path) -> tuple[int, str]:
    name = hydra_folder.parent.name
    return (int(name), "") if name.isdigit() else (1 << 30, name)


def _row(hydra_folder: Path) -> Row:
    job = hydra_folder.parent
    row: Row = {"job": job.name}
    for override in OmegaConf.load(hydra_folder / "overrides.yaml"):
        key, _, value = str(override).partition("=")
        row[key] = value
    metrics = job / "metrics.json"
    if metrics.is_file():
        row.update(json.loads(metrics.read_text()))
    return row


def _text(rows: list[Row], columns: list[str]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.4f}" if isinstance(value, float) else str(value)

    lines = [columns, *([cell(row.get(key, "")) for key in columns] for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]
    best, key = best_job(rows), compared(rows)
    mark = f"<- {'lowest' if key == BUILD else 'highest'} {key}"
    notes = ["", *(mark if row is best and len(rows) > 1 else "" for row in rows)]
    padded = (
        "  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=True)), note])
        for line, note in zip(lines, notes, strict=True)
    )
    return "\n".join(f"  {line}".rstrip() for line in padded)
