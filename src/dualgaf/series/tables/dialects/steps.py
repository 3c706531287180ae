"""One step for all rows, and rows that are stamped at the end of their interval."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.inspection import duration_text
from dualgaf.series.tables.columns import parse_step
from dualgaf.series.tables.rows import FileRows, Ordered, median_step

_DAY_US = 86_400_000_000
_DIVISORS = (
    *(1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800),
    *(3600, 7200, 10800, 14400, 21600, 28800, 43200, 86400),
)
"""Seconds of steps that people use and that divide a day."""


def starts_of(time: pl.Series, file: str) -> pl.Series:
    """Where the intervals begin whose ends are these times: one step earlier.

    Args:
        time: in the order of the file, dates or numbers.
        file: its name, for messages.

    Raises:
        SourceError: there are no two times to tell the step.

    Example:
        >>> starts_of(pl.Series([5, 10, 15]), "a.csv").to_list()
        [0, 5, 10]
    """
    numbers = time.cast(pl.Int64) if time.dtype == pl.Datetime else time
    steps = numbers.diff()
    step = steps.filter(steps > 0).mode().sort()
    if not len(step):
        raise SourceError(
            f"{file}: data.stamps=end needs two times to tell how long an interval is; type "
            "data.stamps=start"
        )
    return pl.select((numbers - step[0]).cast(time.dtype)).to_series()


def resampled(
    rows: pl.DataFrame,
    table: FileRows,
    channels: Sequence[str],
    step: str | int | float,
    rule: str,
    *,
    keep_mixed: bool = False,
) -> tuple[pl.DataFrame, FileRows, int]:
    """Rows at one step, each from the rows that lie in it.

    A step without a row stays a gap: nothing is made up. One in which the class or the prescribed
    split changes is left out.

    Args:
        rows: those that are kept, sorted by group and time.
        table: the file.
        channels: names.
        step: ``data.step``.
        rule: ``mean``, ``last`` or ``max``, of the values that are there.
        keep_mixed: a step in which the class changes is kept, without a class.

    Returns:
        The rows, the file with its new values, and how many steps were left out.

    Raises:
        SourceError: the step is finer than that of the rows, or does not fit the times.
    """
    width = step_width(table, step)
    _check_coarser(rows, table, width, step)
    found = _by_step(rows, table, channels, width, rule)
    pure = found.filter(~pl.col("mixed"))
    if keep_mixed:
        of_one = pl.when(~pl.col("mixed")).then(pl.col("label")).alias("label")
        pure = found.with_columns(of_one)
    start = pure["bin"] * round(width) if table.dated else pure["bin"] * width
    time = (start - pure["ahead"]).cast(rows["time"].dtype).alias("time")
    columns = [time, pl.int_range(pure.height, eager=True).alias("row")]
    if "local" in rows.columns:
        columns.append(start.cast(rows["local"].dtype).alias("local"))
    kept = pure.select("group", "plant", "label", "split", "position").with_columns(columns)
    arrays = {
        name: replace(
            table.columns[name], ends=None, values=pure[f"{n}"].fill_null(np.nan).to_numpy()
        )
        for n, name in enumerate(channels)
    }
    return (
        kept,
        replace(table, rows=kept, columns=table.columns | arrays),
        found.height - pure.height,
    )


def _by_step(
    rows: pl.DataFrame, table: FileRows, channels: Sequence[str], width: float, rule: str
) -> pl.DataFrame:
    """A row for each group and step: the channels, called 0, 1 and so on, by the rule.

    ``bin`` is the number of the step, ``ahead`` how far a local clock is, ``mixed`` whether the
    class or the split changes in it.
    """
    at = "local" if "local" in rows.columns else "time"
    unit = pl.Int64 if table.dated else pl.Float64
    names = [f"{number}" for number in range(len(channels))]
    values = pl.DataFrame(table.matrix(channels)[rows["row"].to_numpy()], schema=names)
    frame = rows.with_columns(
        bin=(pl.col(at).cast(unit) / width).floor().cast(pl.Int64),
        ahead=pl.col(at).cast(unit) - pl.col("time").cast(unit),
    ).hstack(values.with_columns(pl.all().fill_nan(None)))
    of_rule = {
        "mean": pl.col(names).mean(),
        "last": pl.col(names).drop_nulls().last(),
        "max": pl.col(names).max(),
    }
    return frame.group_by("group", "bin", "ahead", maintain_order=True).agg(
        of_rule[rule],
        pl.col("plant", "label", "split", "position").first(),
        mixed=(pl.col("label").n_unique() > 1) | (pl.col("split").n_unique() > 1),
    )


def step_width(table: FileRows, step: str | int | float) -> float:
    """``data.step`` in units of the times of a file: microseconds, or numbers.

    Raises:
        SourceError: a duration for numbers or a number for dates, or a part of a day that does not
            divide it.
    """
    given = parse_step(step)
    assert given is not None
    size, is_duration = given
    if table.time_column is None or is_duration != table.dated:
        what = "has no column of times" if table.time_column is None else "has dates in"
        what = what if table.dated or table.time_column is None else "has numbers in"
        where = "" if table.time_column is None else f" column {table.time_column!r}"
        own = median_step(Ordered(table.rows))
        typed = "null" if table.time_column is None else f"{own or 1:g}"
        if table.dated:
            typed = day_step((own or 1e6) / 1e6, (own or 1e6) / 1e6)
        raise SourceError(
            f"{table.file}: data.step={step} does not fit: it {what}{where}; type data.step={typed}"
        )
    if is_duration and (_DAY_US % round(size * 1e6) or size > 86400):
        raise SourceError(
            f"{table.file}: data.step={step} does not divide a day, and days are divided into "
            f"steps; type data.step={day_step(size, (median_step(Ordered(table.rows)) or 0) / 1e6)}"
        )
    return size * 1e6 if is_duration else size


def day_step(seconds: float, least: float) -> str:
    """The step that divides a day and is nearest to what is asked for, as it is typed.

    Args:
        seconds: what is asked for.
        least: seconds between rows; a step is no finer.

    Example:
        >>> day_step(7 * 3600, 300), day_step(60, 7 * 60), day_step(90, 60)
        ('8h', '10min', '90s')
    """
    whole = round(seconds * 1e6)
    if seconds >= least and 0 < whole <= _DAY_US and _DAY_US % whole == 0:
        return duration_text(seconds)
    coarser = [width for width in _DIVISORS if width >= least] or _DIVISORS[-1:]
    return duration_text(min(coarser, key=lambda width: abs(np.log(width / seconds))))


def _check_coarser(
    rows: pl.DataFrame, table: FileRows, width: float, step: str | int | float
) -> None:
    steps = rows.select(pl.col("time").diff().over("group").cast(pl.Float64))["time"]
    median = steps.filter(steps > 0).median()
    if isinstance(median, float) and median > width * (1 + 1e-9):
        own = typed = f"{median:g}"
        if table.dated:
            own, typed = duration_text(median / 1e6), day_step(median / 1e6, median / 1e6)
        raise SourceError(
            f"{table.file}: data.step={step} is finer than its rows, which are {own} apart; "
            f"resampling makes no values up; type data.step={typed}"
        )
