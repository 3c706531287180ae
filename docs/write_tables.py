"""Writes docs/tables.md: each dialect of tables, what is found alone, what must be typed.

    python docs/write_tables.py

Every dialect of `table_dialects` is written into a folder, read by `TableSource`, and counted by an
independent reader, which has the csv module and datetime alone and is told how the files are
written. A test compares the page with what this program makes.
"""

import logging
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from table_dialects import DIALECTS, LOG, Dialect, write

from dualgaf.data.windowed import read_windows
from dualgaf.errors import DualGAFError, typed_option
from dualgaf.series.inspection import Problem
from dualgaf.series.series import clock_text
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.source import TableSource
from oracles import tables

PAGE = Path(__file__).with_name("tables.md")
STEPS, STRIDE = 8, 2
SPLIT = SplitSettings("stratified", val_fraction=0, test_fraction=0)
SHOWN_LINES = 3
MIDNIGHT = "series end at midnight"
HEAD = f"""# Tables in many dialects

Made by `python docs/write_tables.py`; a test compares this page with what that program makes.

One measured table, two files of a row every five minutes with a gap and two classes, is written in
each of these ways and read with `data=ahu data.root=FOLDER data.window_size={STEPS}
data.stride={STRIDE}`. What is certain is found alone and said; what is ambiguous is an error that
says what to type. *Counted* are the same files by an independent reader, the csv module and
datetime alone, row by row: rows, windows, and the class, first and last time of each window.
`python -m dualgaf inspect data=ahu data.root=FOLDER` says the same of your own folder; all options
are in [the interface](interface.md#tables).

Said of every dialect, and not repeated below: *{MIDNIGHT}, a group is a day of a file*.
"""


@dataclass(frozen=True)
class Told:
    """What came of a dialect."""

    dialect: Dialect
    lines: tuple[str, ...]
    """The first of the first file, as texts; none of other kinds of files."""
    files: tuple[str, ...]
    asked: Problem | None
    """What is said where nothing is typed."""
    notes: tuple[str, ...]
    """What is found alone."""
    rows: tuple[int, int]
    """Read, and counted."""
    windows: tuple[int, int]

    @property
    def typed(self) -> str:
        """What must be typed."""
        return " ".join(
            typed_option(f"data.{name}", value)
            if isinstance(value, str | list)
            else f"data.{name}={value}"
            for name, value in self.dialect.typed.items()
        )


def tell(dialect: Dialect) -> Told:
    """Write, count and read a dialect.

    Raises:
        AssertionError: windows differ from those of the independent reader, or something that is
            said to be ambiguous is read.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "plant")
        folder.mkdir()
        written = write(folder, dialect)
        log = LOG if dialect.label == "log" else None
        rest = dialect.typed.get("unlabelled_class")
        counted = tables.windows(folder, STEPS, STRIDE, written, log, rest)
        n_rows = tables.n_rows(folder, written)
        first, how = next(iter(written.items()))
        lines = _shown((folder / first).read_text(encoding=how.encoding).splitlines(), dialect)
        if dialect.change is not None:
            lines = []
            for name in written:
                dialect.change(folder / name)
        files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        asked = _asked(folder, files) if dialect.typed else None
        assert bool(asked) == bool(dialect.typed), f"{dialect.title}: nothing is asked for"
        source = TableSource(folder, None, **_options(dialect.typed))
        found = read_windows(source, seed=0)
        ours, theirs = _windows(found), sorted(window[1:4] for window in counted)
        assert ours == theirs, f"{dialect.title}: windows are {ours}, counted {theirs}"
        assert found.facts is not None
        return Told(
            dialect, tuple(lines), tuple(files), asked, found.facts.notes,
            (found.facts.rows, n_rows), (len(ours), len(theirs)),
        )  # fmt: skip


def _shown(lines: list[str], dialect: Dialect) -> list[str]:
    """The first lines, and what makes the dialect where that is further down."""
    shown = lines[: SHOWN_LINES + dialect.how.above]
    if dialect.how.cut or dialect.shows:
        shown += ["...", lines[-1] if dialect.how.cut else _with(lines, dialect.shows)]
    return shown


def _with(lines: list[str], text: str) -> str:
    return next(line for line in lines if text in line)


def _options(typed: Mapping[str, object]) -> dict[str, object]:
    return {"window_size": STEPS, "stride": STRIDE, "split": SPLIT, **typed}


def _asked(folder: Path, files: list[str]) -> Problem | None:
    """What is said where nothing is typed."""
    refused: list[DualGAFError] = []
    try:
        TableSource(folder, None, **_options({})).understand(refused.append)
    except DualGAFError as error:
        refused.append(error)
    return Problem.of(refused[0], tuple(files)) if refused else None


def _windows(found) -> list[tuple[str, str, str]]:
    """(class, first time, last time) of each window."""
    ends = (found.start_times, found.end_times)
    times = [[clock_text(t).replace("T", " ") for t in np.asarray(end)] for end in ends]
    labels = [found.class_names[label] for label in found.labels]
    return sorted(zip(labels, *times, strict=True))


def page() -> str:
    """The text of docs/tables.md."""
    logging.disable(logging.CRITICAL)
    try:
        told = [tell(dialect) for dialect in DIALECTS]
    finally:
        logging.disable(logging.NOTSET)
    rows = [
        "| dialect | must be typed | rows | counted | windows | counted |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for own in told:
        typed = f"`{own.typed}`" if own.typed else ""
        numbers = " | ".join(map(str, (*own.rows, *own.windows)))
        rows.append(
            f"| [{own.dialect.title}](#{_anchor(own.dialect.title)}) | {typed} | {numbers} |"
        )
    return "\n".join([HEAD, *rows, "", *map(_section, told)])


def _section(told: Told) -> str:
    lines = [f"## {told.dialect.title}", ""]
    if told.lines:
        lines += ["```text", *(line.replace("\t", "⇥") for line in told.lines), "```", ""]
    lines.append(f"Files: {', '.join(f'`{name}`' for name in told.files)}.")
    if told.asked is not None:
        lines += ["", f"Without options: *{told.asked.what}*", "", f"Typed: `{told.typed}`."]
    notes = [note for note in told.notes if not note.startswith(MIDNIGHT)]
    if notes:
        lines += ["", "Said:", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _anchor(title: str) -> str:
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
