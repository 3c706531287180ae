"""Columns that nobody has called channels and that are no measurements.

A network that is given the class, or the number of the row, learns nothing else and is right about
everything it has seen. Such a column is an error that says how to leave it out and how to keep it.

* It tells the class: one value for each class, another for each, in all rows of the folder.
* It counts rows: whole numbers that rise by exactly 1 from row to row.
* It is a second clock: a column with the name of a time or index that never falls, or one that is
  the date in seconds.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.arrays import Array
from dualgaf.series.inspection import Refuse
from dualgaf.series.tables.columns import LABEL_NAMES, TIME_NAMES
from dualgaf.series.tables.rows import FileRows

LEAST_ROWS = 8
"""Fewer rows may rise by one by accident."""
LEAST_EACH = 3
"""Rows of each class that a column must be the same in."""
_INDEX = re.compile(
    r"unnamed: ?\d+|__index_level_\d+__|index|idx|row|rows?_?(number|num|nr|id)"
    r"|id|.*[_ ]id|uid|uuid"
)
_CLOCKS = {*TIME_NAMES, "epoch", "unix", "unixtime", "unix_time", "ts", "_time", "clock"}
_UNIX_PER_US = {"s": 1e-6, "ms": 1e-3, "us": 1.0, "ns": 1e3}
_ZONES_US = 15 * 3600 * 1e6


def check_suspects(
    tables: Sequence[FileRows], channels: Sequence[str], refuse: Refuse
) -> tuple[str, ...]:
    """The channels that are measurements; each other column is refused.

    Args:
        tables: every file of the folder.
        channels: columns that would be channels because they are numbers.
        refuse: gets a SourceError that names the column, what it is, and both ways out.
    """
    kept = []
    for name in channels:
        if (why := _tells_the_class(tables, name) or _counts(tables, name, channels)) is None:
            kept.append(name)
            continue
        told = (
            f"column {name!r} {why}; a network would learn it instead of the plant; type "
            f"{typed_option('data.exclude', [name])} to leave it out, or "
            f"{typed_option('data.channels', list(channels))} if it is a measurement"
        )
        refuse(SourceError(told))
    return tuple(kept)


def _values(tables: Sequence[FileRows], name: str) -> Iterator[tuple[FileRows, Array]]:
    for table in tables:
        values = table.columns[name].values
        if values is not None:
            yield table, values


def _tells_the_class(tables: Sequence[FileRows], name: str) -> str | None:
    by_class: dict[str, float] = {}
    rows: dict[str, int] = {}
    for table, values in _values(tables, name):
        labels = table.rows["label"]
        frame = pl.DataFrame({"label": labels, "value": values}).drop_nulls()
        # Most columns are ruled out by a few rows.
        for part in (frame.head(512), frame):
            found = part.group_by("label").agg(
                pl.col("value").min().alias("low"), pl.col("value").max().alias("high"), pl.len()
            )
            if not (found["low"] == found["high"]).all():
                return None
        for code, low, _, n in found.iter_rows():
            label = table.classes[code]
            if by_class.setdefault(label, low) != low:
                return None
            rows[label] = rows.get(label, 0) + n
    distinct = set(by_class.values())
    if len(by_class) < 2 or len(distinct) < len(by_class) or min(rows.values()) < LEAST_EACH:
        return None
    whole = all(float(value).is_integer() for value in distinct)
    n_groups = sum(len(table.groups) for table in tables)
    if not whole and n_groups < 3 and name.lower() not in LABEL_NAMES:
        return None
    shown = ", ".join(f"{value:g} for {label!r}" for label, value in sorted(by_class.items())[:4])
    return f"tells the class: it is {shown} in every row"


def _counts(tables: Sequence[FileRows], name: str, channels: Sequence[str]) -> str | None:
    small = name.lower()
    named = small in _CLOCKS or _INDEX.fullmatch(small) is not None
    by_one = rising = unix = whole = True
    longest = 0
    for table, values in _values(tables, name):
        longest = max(longest, len(values))
        steps = np.diff(values[:64])
        for part in (values[:64], values):
            steps = np.diff(part)
            by_one = by_one and bool((steps == 1).all())
            rising = rising and bool((steps >= 0).all())
            with np.errstate(invalid="ignore"):  # one may be infinite
                whole = whole and bool((part % 1 == 0).all())
            unix = unix and _is_date(table, part)
        if not (whole and (by_one or unix or (named and rising))):
            return None
    if unix and longest > 1:
        return "is the date once more, as a number"
    if by_one and longest >= (2 if named else LEAST_ROWS) and (named or len(channels) > 1):
        return "is a number of the row: it rises by exactly 1 from row to row"
    if named and rising and longest > 1:
        return "counts or is a second clock: it has the name of one and never falls"
    return None


def _is_date(table: FileRows, values: Array) -> bool:
    """Whether the values are seconds (or ms, us, ns) since 1970, in whatever zone."""
    if not table.dated or not len(values):
        return False
    time = table.rows["time"][: len(values)].cast(pl.Int64).to_numpy()
    for unit in _UNIX_PER_US.values():
        ahead = values / unit - time
        if abs(ahead[0]) <= _ZONES_US and bool((abs(ahead - ahead[0]) < 1e6).all()):
            return True
    return False
