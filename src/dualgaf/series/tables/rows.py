"""The rows of one file: their times, groups, labels and splits, and its columns of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.arrays import Array
from dualgaf.series.tables.cells import Column
from dualgaf.series.tables.clocks import clock_array
from dualgaf.series.tables.coded import Coded, run_starts
from dualgaf.series.tables.columns import parse_gap


@dataclass
class FileDraft:
    """One file before its dates and classes are known to be read as those of all files."""

    file: str
    height: int
    columns: dict[str, Column]
    groups: list[Coded]
    label: Coded
    split: Coded
    keep: pl.Series
    working: tuple[str, ...]
    """Values of the working column."""
    plant: Coded
    """Of none where plants are not told apart."""
    part: Coded
    """Of none where the file is of one part."""

    @property
    def apart(self) -> list[Coded]:
        """What tells groups of the file apart, without the days: plant, part, columns of groups."""
        return [*(one for one in (self.plant, self.part) if one.names), *self.groups]


@dataclass
class FileRows:
    """One file, understood.

    Attributes:
        file: its name in the folder.
        rows: a row a data row, in the order of the file, with the columns row, time, group, plant,
            label, split, keep and copy (an earlier file has it); ``local`` where ``time`` is the
            instant in UTC. Group, plant, label and split are indices into ``groups``, ``plants``,
            ``classes`` and `SPLITS`.
        time_column: where ``time`` comes from; None = it is the number of the row.
        columns: those without a role, by name.
        groups: of this file; each has a row.
        classes: of all files.
        plants: of all files.
        follows: earlier files that have rows of this one, at the same dates.
    """

    file: str
    rows: pl.DataFrame
    time_column: str | None
    columns: dict[str, Column]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    plants: tuple[str, ...]
    follows: tuple[str, ...] = ()

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return self.rows["time"].dtype == pl.Datetime

    def is_single(self, channels: Sequence[str]) -> bool:
        """Whether all values of these channels are float32."""
        values = [self.columns[name].values for name in channels]
        return all(column is None or column.dtype == np.float32 for column in values)

    def release(self, channels: Sequence[str]) -> None:
        """Forget the values of these channels."""
        self.columns |= {name: replace(self.columns[name], values=None) for name in channels}

    def matrix(self, channels: Sequence[str]) -> Array:
        """(rows, C); NaN in a channel that has no value in this file."""
        values = [self.columns[name].values for name in channels]
        single = self.is_single(channels)
        found = np.full(
            (self.rows.height, len(values)), np.nan, dtype=np.float32 if single else np.float64
        )
        for index, column in enumerate(values):
            if column is not None:
                found[:, index] = column
        return found


class Ordered:
    """Rows of one file, and what several steps ask of them; it is worked out once.

    Example:
        >>> found = Ordered(pl.DataFrame({"time": [0, 1, 5], "group": [0, 0, 1]}))
        >>> found.steps.tolist(), found.starts("group").tolist(), found.jumps(2.0).tolist()
        ([1, 4], [0, 2], [2])
    """

    def __init__(self, rows: pl.DataFrame, *, as_read: bool = False) -> None:
        self.rows = rows
        self.as_read = as_read
        """Whether none was moved: rows stand as the file has them."""
        self._starts: dict[str, Array] = {}

    @cached_property
    def steps(self) -> Array:
        """(rows - 1,) from one time to the next, int64 or float64."""
        return np.diff(time_numbers(self.rows))

    def starts(self, name: str) -> Array:
        """(runs,) see `run_starts`."""
        if name not in self._starts:
            self._starts[name] = run_starts(self.rows[name])
        return self._starts[name]

    def jumps(self, gap: float) -> Array:
        """Rows before which time goes on by more than ``gap``."""
        if not len(self.steps) or self.steps.max() <= gap:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.steps > gap) + 1

    def kept(self) -> "Ordered":
        """Those that are kept."""
        if self.rows["keep"].all():
            return self
        return Ordered(self.rows.filter(pl.col("keep")), as_read=self.as_read)


def sorted_by_time(
    table: FileRows, channels: Sequence[str] = (), *, is_ordered: bool = True
) -> Ordered:
    """Groups together and in order of time, with ``position``, the row's number after sorting.

    Args:
        table: one file.
        channels: names, for messages.
        is_ordered: whether groups stand as the file has them; else the earlier comes first, of two
            that begin at one time that of the first name.

    Raises:
        SourceError: a time comes twice in a group.
    """
    rows, file = table.rows, table.file
    given = Ordered(rows, as_read=True)
    first = given.starts("group")
    begins = time_numbers(rows)[first]
    by_name = not is_ordered and not (np.diff(begins) > 0).all()
    if len(first) > len(table.groups) or not _rises(given) or by_name:
        key = pl.col("row" if is_ordered else "time").min().over("group")
        rank = pl.lit(0) if is_ordered else _ranks(table.groups, rows["group"])
        rows = rows.with_columns(first=key, rank=rank)
        rows = rows.sort("first", "rank", "time", maintain_order=True).drop("first", "rank")
        rows, double = _once(rows, table, channels)
        if double.height:
            shown = double["local" if "local" in rows.columns else "time"]
            time, group = str(clock_array(shown)[0]), table.groups[double["group"][0]]
            raise SourceError(
                f"{file}: time {time.removesuffix('.000000')} comes twice in group "
                f"{group!r} (again in data row {double['row'][0] + 1}); a group needs one row a "
                f"time; {_apart(table)}, or type data.time_column=null for rows that are in order"
                f"{_other_ways(table, channels, double)}"
            )
        position = pl.int_range(pl.len(), dtype=pl.Int64).alias("position")
        return Ordered(rows.with_columns(position))
    given.rows = rows.with_columns(pl.col("row").alias("position"))
    return given


def _rises(ordered: Ordered) -> bool:
    """Whether time goes on from row to row of each group."""
    steps = ordered.steps
    if not len(steps) or steps.min() > 0:
        return True
    within = steps.copy()
    within[ordered.starts("group")[1:] - 1] = 1  # from one group to the next
    return bool((within > 0).all())


def _ranks(names: Sequence[str], codes: pl.Series) -> pl.Series:
    """The place of each row's group in the order of names."""
    places = np.argsort(np.argsort(np.array(names)))
    return pl.Series(places).gather(codes)


def time_numbers(rows: pl.DataFrame) -> Array:
    """(rows,) times as int64 or float64; dates in microseconds."""
    time = rows["time"].to_physical()
    return time.cast(pl.Float64 if time.dtype.is_float() else pl.Int64).to_numpy()


def _once(
    rows: pl.DataFrame, table: FileRows, channels: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows without those that come again with the same values, and those that come with others.

    Args:
        rows: sorted by group and time.
        table: the file; what comes again is marked there as a copy.
        channels: names.
    """
    again = (pl.col("group") == pl.col("group").shift(1)) & (
        pl.col("time") == pl.col("time").shift(1)
    )
    twice = rows.select(again.fill_null(False)).to_series()
    double = rows.filter(twice)
    # Numbers prove nothing: each run of a simulation begins alike
    if not (double.height and table.dated and channels) or _is_autumn(table, double):
        return rows, double
    before = rows.filter(twice.shift(-1, fill_value=False))
    values = table.matrix(channels)
    a, b = (values[own["row"].to_numpy()] for own in (double, before))
    alike = pl.Series(((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1))
    for name in ("label", "split", "keep"):
        alike = alike & double[name].eq_missing(before[name])
    if not alike.all():
        return rows, double.filter(~alike)
    copy = pl.col("copy") | pl.col("row").is_in(double["row"].implode())
    table.rows = table.rows.with_columns(copy=copy, keep=pl.col("keep") & ~copy)
    return rows.filter(~twice), double.clear()


def _is_autumn(table: FileRows, double: pl.DataFrame) -> bool:
    """Whether times that come twice are all in a night in which clocks go back."""
    if not table.dated or table.time_column is None:
        return False
    time = double["local" if "local" in double.columns else "time"]
    return bool(
        (time.dt.month().is_in([10, 11]) & (time.dt.weekday() == 7) & (time.dt.hour() <= 3)).all()
    )


def median_step(ordered: Ordered) -> float | None:
    """Median step of time within groups, in microseconds for dates; None where there is none."""
    first = ordered.starts("group")
    if len(first) > ordered.rows["group"].gather(first).n_unique():
        ordered = Ordered(ordered.rows.sort("group", maintain_order=True))
        first = ordered.starts("group")
    steps = ordered.steps
    if len(steps) and steps[0] > 0 and first[1:2].tolist() != [1]:
        between = np.count_nonzero(steps[first[1:] - 1] == steps[0])
        if 2 * (np.count_nonzero(steps == steps[0]) - between) > len(steps):
            return float(steps[0])  # what most are is the median
    within = np.ones(len(steps), dtype=bool)
    within[first[1:] - 1] = False
    steps = steps[within & (steps > 0)]
    return float(np.median(steps)) if len(steps) else None


def _other_ways(table: FileRows, channels: Sequence[str], double: pl.DataFrame) -> str:
    """What else a time may mean that comes twice: a row a sensor, or the autumn hour."""
    texts = [name for name, column in table.columns.items() if column.kind == "text"]
    if len(channels) == 1 and texts and table.time_column is not None:
        names = [table.time_column, texts[0], channels[0]]
        return f"; if each row is one value of one sensor, type {typed_option('data.long', names)}"
    if _is_autumn(table, double):
        return (
            "; if it is the hour that comes twice in autumn, type the zone of the plant: "
            "data.time_zone=Europe/Berlin"
        )
    return ""


def _apart(table: FileRows) -> str:
    """What to do with rows of one time that are of several runs."""
    texts = [name for name, column in table.columns.items() if column.kind == "text"]
    return (
        "name the columns that tell runs apart: type "
        f"{typed_option('data.group_columns', texts[:1] or ['NAME'])}"
    )


def largest_gap(table: FileRows, step: float | None, max_gap: str | int | float) -> float | None:
    """Largest step of time inside a series, in units of the time column; None = any.

    Args:
        table: the file.
        step: see `median_step`; None where times are not known.
        max_gap: ``data.max_gap``.

    Raises:
        SourceError: a duration for a column of numbers, or a number for one of dates.
    """
    given = parse_gap(max_gap)
    if given is None:
        # The factor keeps steps of 0.1 that are not exact from being cut at exactly twice.
        return None if step is None else 2.0 * step * (1 + 1e-9)
    size, is_duration = given
    if table.time_column is None:
        told, typed = "rows have no time column", "auto"
    elif table.dated:
        told, typed = f"column {table.time_column!r} has dates", "2h"
    else:
        told, typed = f"column {table.time_column!r} has numbers", "5"
    if is_duration != table.dated or table.time_column is None:
        raise SourceError(
            f"{table.file}: data.max_gap={max_gap!r} does not fit, {told}; "
            f"type data.max_gap={typed}"
        )
    return size * 1e6 if table.dated else size
