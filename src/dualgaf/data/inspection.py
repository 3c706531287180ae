"""What is known of a source before anything is trained: its files, columns, classes and windows.

`inspect_source` reads and cuts as a run would, and gathers what a run would stop at.
`windows_summary` is the first block that every run prints.
"""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dualgaf.data.windowed import WindowedSplits, cut_windows, usable_splits
from dualgaf.errors import DualGAFError
from dualgaf.series.doors import ARRAYS, door_of, in_python, worded
from dualgaf.series.inspection import FileFacts, Problem, TableFacts, duration_text
from dualgaf.series.series import SPLITS, SeriesSet
from dualgaf.series.source import Source
from dualgaf.series.tables.tabular import Tabular

MOST_FILES = 12
"""Lines of the list of files."""


@dataclass(frozen=True)
class Inspection:
    """What a run would make of a source, and what it would stop at."""

    facts: TableFacts | None
    """What was understood of the files; None where the source has none, or none can be read."""
    series: SeriesSet | None
    """All series; None where they cannot be read."""
    splits: Mapping[str, SeriesSet]
    """The series of each split; empty where they cannot be split."""
    windows: WindowedSplits | None
    """None where they cannot be cut."""
    notes: tuple[str, ...]
    """What was found alone, a sentence each."""
    problems: tuple[Problem, ...]
    """What must be decided first."""

    def as_json(self) -> dict[str, Any]:
        """The same keys whatever was found; null, or empty, where something is not known."""
        found: dict[str, Any] = dict.fromkeys(
            ("files", "rows", "time_column", "step_seconds", "start", "end", "label_column",
             "plant_column", "scale_by", "window_size", "windows")
        )  # fmt: skip
        found |= {"channels": [], "group_columns": [], "file_list": []}
        for key in ("units", "left_out", "classes", "plants", "windows_by_split",
                    "windows_by_class", "lost"):  # fmt: skip
            found[key] = {}
        if self.series is not None:
            found["rows"] = sum(self.series.lengths)
            found["channels"] = list(self.series.channel_names)
            found["classes"] = _rows_of_classes(self.series)
        if self.facts is not None:
            found |= {key: getattr(self.facts, key) for key in found if hasattr(self.facts, key)}
            found |= {"files": len(self.facts.files)}
            found["file_list"] = [vars(file) for file in self.facts.files]
        if self.windows is not None:
            found["window_size"] = self.windows.windows.window_size
            found["windows"] = len(self.windows.labels)
            found["windows_by_split"] = _by_split(self.windows)
            found["windows_by_class"] = windows_by_class(self.windows)
        found["notes"] = self.notes
        found["problems"] = [vars(problem) for problem in self.problems]
        return {key: list(v) if isinstance(v, tuple) else v for key, v in found.items()}

    @property
    def title(self) -> str:
        """A line above the picture."""
        name = "" if self.series is None else self.series.name
        if self.windows is None:
            return f"{name}: {len(self.problems)} to be decided"
        return f"{name}: {len(self.windows.labels)} windows"

    def __str__(self) -> str:
        lines = [] if self.facts is None else _facts_lines(self.facts)
        if self.windows is not None:
            lines += _windows_lines(self.windows)
        if self.facts is not None and len(self.facts.files) > 1:
            lines += ["", *_file_lines(self.facts.files)]
        if self.notes:
            lines += ["", "found alone", *(f"  {note}" for note in self.notes)]
        if self.problems:
            lines += ["", "to be decided"]
        for number, problem in enumerate(self.problems, 1):
            lines.append(f"  {number}. {problem.what}")
        return "\n".join(lines)


def inspect_source(source: Source, seed: int) -> Inspection:
    """Read, split and cut a source, and gather what a run would stop at.

    Args:
        source: any source; of tables all that must be decided is found at once where
            reading can go on.
        seed: of the split.

    Example:
        >>> from dualgaf import SimulatedSource
        >>> found = inspect_source(SimulatedSource(n_windows=40, window_size=24), seed=0)
        >>> found.problems, found.as_json()["windows"]
        ((), 40)
    """
    refused: list[DualGAFError] = []
    door = door_of(source)
    series: SeriesSet | None = None
    windows: WindowedSplits | None = None
    splits: dict[str, SeriesSet] = {}
    with _listening() as said:
        try:
            with worded(door):
                if isinstance(source, Tabular):
                    series = source.understand(refused.append)
                else:
                    series = source.load()
                splits = usable_splits(series, source, seed)
                windows = cut_windows(series, splits, source)
        except DualGAFError as error:
            refused.append(error)
    facts = None if series is None else series.facts
    names = () if facts is None else tuple(file.name for file in facts.files)
    told = [in_python(note) for note in said] if door == ARRAYS else said
    notes = (*(() if facts is None else facts.notes), *told)
    return Inspection(
        facts,
        series,
        splits,
        windows,
        tuple(dict.fromkeys(notes)),
        tuple(Problem.of(error, names) for error in refused),
    )


def windows_by_class(windows: WindowedSplits) -> dict[str, dict[str, int]]:
    """Windows of each class in each split; splits without one are left out.

    Args:
        windows: of a source.

    Example:
        >>> from dualgaf import SimulatedSource
        >>> from dualgaf.data.windowed import read_windows
        >>> found = read_windows(SimulatedSource(n_windows=40, window_size=24), seed=0)
        >>> sum(sum(counts.values()) for counts in windows_by_class(found).values())
        40
    """
    found: dict[str, dict[str, int]] = {}
    for number, name in [*enumerate(windows.class_names), (-1, "(no label)")]:
        counts = {
            split: n
            for split in _by_split(windows)
            if (n := int((windows.labels[windows.indices[split]] == number).sum()))
        }
        if counts or number >= 0:
            found[name] = counts
    return found


def windows_summary(windows: WindowedSplits, *, classes: bool = True) -> str:
    """What a run says first: which files, channels, classes and windows.

    Args:
        windows: of a source.
        classes: whether the table of windows by class is a part of it.

    Example:
        >>> from dualgaf import SimulatedSource
        >>> from dualgaf.data.windowed import read_windows
        >>> found = read_windows(SimulatedSource(n_windows=40, window_size=24), seed=0)
        >>> print(windows_summary(found).splitlines()[0])
        data
    """
    lines = [] if windows.facts is None else _facts_lines(windows.facts)
    lines += _windows_lines(windows)[: None if classes else -1 - len(windows_by_class(windows))]
    return "\n".join(["data", *(f"  {line}" for line in lines)])


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect what the package logs, and its warnings, instead of showing them."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener, logger = Listener(logging.WARNING), logging.getLogger("dualgaf")
    spread, logger.propagate = logger.propagate, False
    logger.addHandler(listener)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said += [str(warning.message) for warning in caught]
    finally:
        logger.removeHandler(listener)
        logger.propagate = spread


def _facts_lines(facts: TableFacts) -> list[str]:
    units = {name: f" ({unit})" for name, unit in facts.units.items()}
    channels = ", ".join(f"{name}{units.get(name, '')}" for name in facts.channels)
    lines = [
        f"{_tables(facts)}, {facts.rows} rows",
        f"times    {_times(facts)}",
        f"channels {len(facts.channels)}: {channels}",
        *(f"left out {name}: {why}" for name, why in facts.left_out.items()),
        f"classes  {_classes(facts)}",
        *_plants(facts),
    ]
    return [line if len(line) < 200 else f"{line[:190]} ..." for line in lines]


def _tables(facts: TableFacts) -> str:
    """What was read: frames in memory have no folder, and a query is one."""
    if facts.kind == "queries":
        return f"query    of {facts.name}"
    where = "" if facts.kind == "frames" else f" of {facts.name}"
    return f"{facts.kind:8} {len(facts.files)}{where}"


def _times(facts: TableFacts) -> str:
    if facts.time_column is None:
        return "none: rows are evenly spaced and in order"
    if not facts.dated:
        return f"column {facts.time_column!r}, numbers"
    step = "" if facts.step_seconds is None else f", every {duration_text(facts.step_seconds)}"
    return f"column {facts.time_column!r}{step}, {facts.start} to {facts.end}"


def _classes(facts: TableFacts) -> str:
    rows = ", ".join(f"{name} {n} rows" for name, n in facts.classes.items())
    return f"{len(facts.classes)} ({facts.labels_from}): {rows or 'none'}"


def _plants(facts: TableFacts) -> list[str]:
    if facts.plant_column is None:
        return []
    rows = ", ".join(f"{name} {n} rows" for name, n in facts.plants.items())
    scaled = "; each is scaled by its own training rows" if facts.scale_by == "plant" else ""
    return [f"plants   {len(facts.plants)} (column {facts.plant_column!r}): {rows}{scaled}"]


def _windows_lines(windows: WindowedSplits) -> list[str]:
    by_split = ", ".join(f"{split} {n}" for split, n in _by_split(windows).items())
    lines = [
        f"windows  {len(windows.labels)} of {windows.windows.window_size} steps, "
        f"{windows.windows.n_channels} channels: {by_split}"
    ]
    if (facts := windows.facts) is not None and facts.lost:
        lost = ", ".join(f"{reason} {n}" for reason, n in facts.lost.items())
        lines.append(f"lost     {sum(facts.lost.values())} windows: {lost}")
    by_class = windows_by_class(windows)
    width = max(map(len, by_class), default=0)
    splits = list(_by_split(windows))
    lines.append(f"         {'':{width}} {' '.join(f'{split:>8}' for split in splits)}")
    for name, counts in by_class.items():
        cells = " ".join(f"{counts.get(split, 0):8}" for split in splits)
        lines.append(f"         {name:{width}} {cells}")
    return lines


def _file_lines(files: Sequence[FileFacts]) -> list[str]:
    width = max(len(file.name) for file in files[:MOST_FILES])
    lines = []
    for file in files[:MOST_FILES]:
        step = "" if file.step_seconds is None else f"  step {file.step_seconds:g}"
        span = "" if file.start is None else f"  {file.start} to {file.end}"
        lines.append(f"{file.name:{width}} {file.rows:9} rows{span}{step}")
    more = len(files) - MOST_FILES
    return [*lines, *([f"... and {more} more"] if more > 0 else [])]


def _by_split(windows: WindowedSplits) -> dict[str, int]:
    return {name: len(windows.indices[name]) for name in SPLITS if name in windows.indices}


def _rows_of_classes(series: SeriesSet | None) -> dict[str, int]:
    found: Counter[str] = Counter()
    for values, label in zip(series.values, series.labels, strict=True) if series else ():
        if label is not None:
            found[label] += values.shape[1]
    return dict(found)
