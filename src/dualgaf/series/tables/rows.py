"""The rows of one file: their times, groups, labels and splits, and its columns of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.arrays import Array
from dualgaf.series.series import Origin, SeriesSet
from dualgaf.series.tables.cells import Column
from dualgaf.series.tables.clocks import clock_array
from dualgaf.series.tables.columns import parse_gap


@dataclass
class FileDraft:
    """One file before its dates and classes are known to be read as those of all files."""

    file: str
    height: int
    columns: dict[str, Column]
    groups: list[pl.Series]
    label: pl.Series
    split: pl.Series
    keep: pl.Series
    working: tuple[str, ...]
    """Values of the working column."""
    plant: pl.Series
    """(rows,) texts; null where plants are not told apart."""

    @property
    def names(self) -> list[pl.Series]:
        """What tells groups apart, without the days: the file, the plant, columns of groups.

        The file is part of it: run 1 of one file is not run 1 of another.
        """
        plants = [] if self.plant.dtype == pl.Null else [self.plant]
        return [pl.Series([self.file]).new_from_index(0, self.height), *plants, *self.groups]


@dataclass
class FileRows:
    """One file, understood.

    Attributes:
        file: its name in the folder.
        rows: a row a data row, in the order of the file, with the columns row, time, group, plant,
            label, split and keep; ``local`` where ``time`` is the instant in UTC.
        time_column: where ``time`` comes from; None = it is the number of the row.
        columns: those without a role, by name.
    """

    file: str
    rows: pl.DataFrame
    time_column: str | None
    columns: dict[str, Column]

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return self.rows["time"].dtype == pl.Datetime

    def matrix(self, channels: Sequence[str]) -> Array:
        """(rows, C); NaN in a channel that has no value in this file."""
        values = [self.columns[name].values for name in channels]
        single = all(column is None or column.dtype == np.float32 for column in values)
        found = np.full(
            (self.rows.height, len(values)), np.nan, dtype=np.float32 if single else np.float64
        )
        for index, column in enumerate(values):
            if column is not None:
                found[:, index] = column
        return found


def sorted_by_time(table: FileRows, channels: Sequence[str] = ()) -> pl.DataFrame:
    """Groups together and in order of time, with ``position``, the row's number after sorting.

    Args:
        table: one file.
        channels: names, for messages.

    Raises:
        SourceError: a time comes twice in a group.
    """
    rows, file = table.rows, table.file
    same = pl.col("group") == pl.col("group").shift(1)
    together = rows.select((~same).fill_null(True).sum() == pl.col("group").n_unique()).item()
    rising = rows.select((~same | (pl.col("time").diff().cast(pl.Float64) > 0)).all()).item()
    if not (together and rising):
        rows = rows.with_columns(pl.col("row").min().over("group").alias("first"))
        rows = rows.sort("first", "time", maintain_order=True).drop("first")
        double = rows.filter(same & (pl.col("time") == pl.col("time").shift(1)))
        if double.height:
            shown = double["local" if "local" in rows.columns else "time"]
            time = str(clock_array(shown)[0])
            raise SourceError(
                f"{file}: time {time.removesuffix('.000000')} comes twice in group "
                f"{double['group'][0]!r} (again in data row {double['row'][0] + 1}); a group needs "
                f"one row a time; {_apart(table)}, or type data.time_column=null for "
                "rows that are in order"
                f"{_other_ways(table, channels, shown)}"
            )
    return rows.with_row_index("position").cast({"position": pl.Int64})


def median_step(rows: pl.DataFrame) -> float | None:
    """Median step of time within groups, in microseconds for dates; None where there is none."""
    step = pl.col("time").diff().over("group").cast(pl.Float64).alias("step")
    steps = rows.select(step)["step"]
    median = steps.filter(steps > 0).median()
    return float(median) if isinstance(median, float) else None


def _other_ways(table: FileRows, channels: Sequence[str], time: pl.Series) -> str:
    """What else a time may mean that comes twice: a row a sensor, or the autumn hour."""
    texts = [name for name, column in table.columns.items() if column.kind == "text"]
    if len(channels) == 1 and texts and table.time_column is not None:
        names = [table.time_column, texts[0], channels[0]]
        return f"; if each row is one value of one sensor, type {typed_option('data.long', names)}"
    if table.dated and table.time_column is not None:
        hour = time.filter(time.dt.month().is_in([10, 11]) & (time.dt.weekday() == 7))
        if len(hour) == len(time) and (hour.dt.hour() <= 3).all():
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


def cut(
    rows: pl.DataFrame,
    table: FileRows,
    channels: tuple[str, ...],
    gap: float | None,
    holes: bool,
    is_new: bool = False,
) -> SeriesSet:
    """The series of one file.

    Args:
        rows: those that are kept, sorted.
        table: the file.
        channels: names.
        gap: see `largest_gap`.
        holes: whether a row that was left out ends a series.
        is_new: the class of a row does not; it is that of a step.
    """
    ends = pl.lit(False)
    for name in ("group", "split") if is_new else ("group", "label", "split"):
        ends = ends | pl.col(name).ne_missing(pl.col(name).shift(1))
    if gap is not None:
        ends = ends | (pl.col("time").diff().cast(pl.Float64) > gap)
    if holes:
        ends = ends | (pl.col("position").diff() != 1)
    starts = rows.select(ends.fill_null(False).alias("cut"))["cut"].to_numpy().copy()
    starts[0] = True
    first = np.flatnonzero(starts)
    pieces = list(zip(first, np.append(first[1:], rows.height), strict=True))
    heads = rows[first]
    steps = table.matrix(channels)[rows["row"].to_numpy()]
    shown = rows["local" if "local" in rows.columns else "time"]
    times = None if table.time_column is None else clock_array(shown)
    classes = rows["label"].to_numpy() if is_new else None
    return SeriesSet(
        values=tuple(np.ascontiguousarray(steps[a:b].T) for a, b in pieces),
        labels=(None,) * len(pieces) if is_new else tuple(heads["label"].to_list()),
        channel_names=channels,
        groups=tuple(heads["group"].to_list()),
        origins=tuple(Origin(table.file, position) for position in heads["position"].to_list()),
        official=tuple(heads["split"].to_list()),
        times=tuple(None if times is None else times[a:b] for a, b in pieces),
        step_labels=tuple(None if classes is None else classes[a:b] for a, b in pieces),
        plants=tuple(heads["plant"].to_list()),
        name=table.file,
    )
