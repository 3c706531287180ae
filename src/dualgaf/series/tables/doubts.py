"""What a folder may not mean: files of unequal step, numbers that stand for nothing, odd dates."""

from collections.abc import Sequence

import numpy as np

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.arrays import Array
from dualgaf.series.inspection import FileFacts, Refuse, duration_text
from dualgaf.series.series import clock_text
from dualgaf.series.tables.cells import Column
from dualgaf.series.tables.clocks import clock_array
from dualgaf.series.tables.dialects.steps import day_step
from dualgaf.series.tables.rows import FileRows, Ordered

SENTINELS = (999.0, 9999.0, 99999.0, 999999.0, 999.9, 9999.9, 32767.0, 32768.0, 65535.0)
"""Numbers, of either sign, that loggers write where they have no value."""
LEAST_SENTINELS = 2
"""Once may be a measurement."""
_FAR = 2.0
_STEP_TOLERANCE = 1.05
_LONG_US = 365 * 86400 * 1e6


def check_steps(files: Sequence[FileFacts], dated: bool, refuse: Refuse) -> None:
    """Refuse files whose rows are not equally far apart: a window would be of unequal length.

    Args:
        files: every file.
        dated: whether times are dates.
        refuse: gets a SourceError that names two files and their steps.
    """
    steps = [(step, file.name) for file in files if file.rows > 2 and (step := file.step_seconds)]
    if not steps:
        return
    (low, first), (high, second) = min(steps), max(steps)
    if high <= low * _STEP_TOLERANCE:
        return
    short, long = (duration_text(step) if dated else f"{step:g}" for step in (low, high))
    refuse(
        SourceError(
            f"{first} has a row every {short} and {second} every {long}, so equal windows "
            "would be unequal times; choose files of one step with data.pattern=..., or "
            f"type data.step={day_step(high, high) if dated else long} to bring them to one"
        )
    )


def check_sentinels(
    tables: Sequence[FileRows], channels: Sequence[str], nulls: Sequence[str], refuse: Refuse
) -> None:
    """Refuse numbers that may stand for a missing value: one of `SENTINELS`, far from all others.

    Args:
        tables: every file.
        channels: names.
        nulls: ``data.null_values``.
        refuse: gets one SourceError that names the numbers, their columns, and both ways out.
    """
    found: dict[float, list[str]] = {}
    for name in channels:
        for value in _sentinels([table.columns[name] for table in tables]):
            found.setdefault(value, []).append(name)
    if not found:
        return
    told = ", ".join(f"{value:g} in {', '.join(names[:4])}" for value, names in found.items())
    missing = typed_option("data.null_values", [*nulls, *(f"{value:g}" for value in found)])
    refuse(
        SourceError(
            f"numbers that often mean a missing value come again and again, far from all others: "
            f"{told}; if they mean missing, type {missing} (and data.nan=interpolate to fill the "
            f"gaps); if they are measurements, type {typed_option('data.channels', list(channels))}"
        )
    )


def odd_dates(table: FileRows, ordered: Ordered) -> list[str]:
    """Sentences on a clock that jumps by more than a year.

    Args:
        table: of one file.
        ordered: its rows, sorted by group and time.
    """
    if not table.dated or ordered.rows.height < 2:
        return []
    times, steps = ordered.rows["time"], ordered.steps
    if steps.min() < 0:  # a group that begins before another
        times = times.sort()
        steps = np.diff(times.to_physical().to_numpy())
    at = int(steps.argmax()) + 1
    if steps[at - 1] <= _LONG_US:
        return []
    before, after = map(clock_text, clock_array(times[at - 1 : at + 1]))
    return [f"{table.file}: times jump from {before} to {after}; is the clock right?"]


def days_said(tables: Sequence[FileRows], grouped: bool, kind: str) -> list[str]:
    """A sentence where series are cut at midnight.

    Args:
        tables: every one.
        grouped: whether columns tell the groups.
        kind: what the tables are: ``files``, ``runs``.
    """
    if grouped or not all(table.dated for table in tables):
        return []
    days = sum(len(table.groups) for table in tables)
    if days <= len(tables):
        return []
    one = "query" if kind == "queries" else kind.removesuffix("s")
    return [
        f"series end at midnight, a group is a day of a {one} ({days} of them); to have others, "
        "type data.group_columns=[NAME], or data.group_columns=null for none"
    ]


def _ends(column: Column, values: Array) -> tuple[float, ...]:
    """The lowest and the highest value that is there."""
    low, high = column.ends or (values.min(), values.max())
    if not np.isnan(low):
        return low, high
    return () if np.isnan(values).all() else (np.nanmin(values), np.nanmax(values))


def _sentinels(columns: Sequence[Column]) -> list[float]:
    """Which of `SENTINELS` these columns hold, as their lowest or highest, far from the rest."""
    read = [(column, own) for column in columns if (own := column.values) is not None]
    ends = [end for column, own in read for end in _ends(column, own)]
    values = [own for _, own in read]
    found = []
    for value in {min(ends, default=0.0), max(ends, default=0.0)}:
        if not any(np.isclose(abs(value), known, rtol=1e-6) for known in SENTINELS):
            continue
        n = sum(int(np.count_nonzero(own == value)) for own in values)
        rest = [own[(own != value) & ~np.isnan(own)] for own in values]
        known = [own for own in rest if len(own)]
        if n < LEAST_SENTINELS or not known:
            continue
        low, high = min(own.min() for own in known), max(own.max() for own in known)
        if min(abs(value - low), abs(value - high)) > _FAR * (high - low):
            found.append(float(value))
    return sorted(found)
