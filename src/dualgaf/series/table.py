"""CSV and Parquet files of plant data as series that no gap, group or label change crosses.

For each file:

1. Read it; strip blanks from the header; find which column plays which role (`columns.py`).
2. Parse times. Where a group's rows are not together or not in order of time, sort by group, then
   time; a time that comes twice in a group is an error.
3. Keep the rows whose working column has the working value.
4. Cut between two rows where the group, the label or the prescribed split changes, where time jumps
   by more than ``max_gap``, and, unless ``max_gap`` was given, where step 3 dropped a row.
5. Each piece is one series, also one that is shorter than a window.

polars reads, parses, sorts and compares; there is no loop over rows.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl

from dualgaf.errors import ConfigError, SourceError, not_allowed, unknown_choice
from dualgaf.series.arrays import Array
from dualgaf.series.columns import (
    GROUP_NAMES,
    LABEL_NAMES,
    TIME_NAMES,
    ColumnRoles,
    check_name,
    find_column,
    name_list,
    need_columns,
    parse_gap,
    same_channels,
)
from dualgaf.series.contents import Contents
from dualgaf.series.lengths import check_ragged_rule
from dualgaf.series.missing import check_nan_policy, repair_nan
from dualgaf.series.series import SPLITS, Origin, SeriesSet, join_sets
from dualgaf.series.source import check_window
from dualgaf.series.splits import SplitSettings
from dualgaf.series.table_files import (
    clock_texts,
    label_texts,
    list_files,
    numbers,
    parse_times,
    read_table,
    stem,
    text_columns,
)

LabelFrom = Literal["auto", "column", "file"]
_COLUMNS = ("label_column", "split_column", "working_column")


@dataclass(frozen=True)
class TableSource:
    """CSV or Parquet files in a folder.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> source = TableSource("plant", working_column="is_working", max_gap="2h", label="file")
        >>> source.window_size, source.split.method
        (96, 'group')
    """

    root: str | Path
    """A folder, or one file."""
    pattern: str | None = None
    """Which files of the folder, e.g. ``*.tidy.csv.gz``; None = all .csv, .csv.gz, .parquet."""
    time_column: str | None = "auto"
    """Column with times or step numbers; ``auto`` = datetime, time, timestamp, date or step; None =
    rows are evenly spaced and in order."""
    time_format: str | None = None
    """Format of times as text, e.g. ``%d/%m/%Y %H:%M``; None = ISO, month/day/year, day.month.year.
    Times with an offset are turned to UTC."""
    channels: tuple[str, ...] | None = None
    """Columns that are channels; None = all numeric columns that have a name and no other role."""
    exclude: tuple[str, ...] = ()
    """Columns that are no channels."""
    label: LabelFrom = "auto"
    """``column``; ``file``: the file's name without its ending; ``auto``: the column where there is
    one, else the file. A row whose cell is empty has no label and goes to predict."""
    label_column: str | None = None
    """Column with classes; None = fault, label, class or target."""
    group_columns: tuple[str, ...] = ()
    """Columns that tell groups apart, within a file; () = those of day, group, run, series_id that
    are there, else the calendar day, else the file."""
    split_column: str | None = None
    """Column with train, val, test or predict, for ``data.split.method=official``."""
    working_column: str | None = None
    """Column that says which rows are kept; None = all."""
    working_value: int | float | str | bool = 1
    """Rows are kept where the working column equals this."""
    max_gap: str | int | float = "auto"
    """Largest step of time inside a series: ``2h``, ``5min``, or a number for a numeric time
    column; ``auto`` = twice the median step of the file, and no dropped row."""
    null_values: tuple[str, ...] = ("", "NA", "NaN", "nan", "null", "#VALUE!")
    """Cells that are missing values."""
    nan: str = "error"
    """``error`` or ``interpolate``, see `dualgaf.series.missing`."""
    window_size: int | None = 96
    """T, steps in a window; None = each piece between two cuts is one window."""
    stride: int | None = None
    """Steps between the starts of two windows; None = ``window_size``."""
    split: SplitSettings = field(default_factory=lambda: SplitSettings("group"))
    """How series are dealt out to train, val and test."""
    ragged: str = "error"
    """Rule for pieces of unequal length where ``window_size`` is None."""

    def __post_init__(self) -> None:
        if not isinstance(self.root, str | Path) or not str(self.root):
            raise ConfigError(
                not_allowed("data.root", self.root, "a folder or a file", "data.root=FOLDER")
            )
        if self.label not in get_args(LabelFrom):
            raise ConfigError(unknown_choice("data.label", self.label, get_args(LabelFrom)))
        for option in ("channels", "exclude", "group_columns", "null_values"):
            given = name_list(f"data.{option}", getattr(self, option))
            object.__setattr__(self, option, given)
        for option in ("pattern", "time_column", "time_format", *_COLUMNS):
            check_name(f"data.{option}", getattr(self, option))
        if not isinstance(self.working_value, int | float | str):
            raise ConfigError(
                not_allowed(
                    "data.working_value",
                    self.working_value,
                    "a number, a text, true, false",
                    "data.working_value=1",
                )
            )
        parse_gap(self.max_gap)
        check_nan_policy(self.nan)
        check_ragged_rule(self.ragged)
        check_window(self.window_size, self.stride)
        object.__setattr__(self, "split", SplitSettings.of(self.split))

    def contents(self) -> str:
        """Hash of the files, their names in the folder, and the settings."""
        root = Path(self.root).expanduser()
        found = Contents(self, leave_out=("root",))
        for path in list_files(root, self.pattern):
            folder = root if root.is_dir() else root.parent
            found.add_file(path.relative_to(folder).as_posix(), path)
        return found.hexdigest()

    def load(self) -> SeriesSet:
        r"""All files as one set, one series a piece between two cuts.

        Returns:
            The set. `Origin` names the file and the first row (from 0, after sorting).

        Raises:
            SourceError: a folder, file, column or cell is missing or cannot be read.
            SeriesError: ``nan="error"`` and a value is missing.

        Example:
            >>> import tempfile
            >>> folder = tempfile.TemporaryDirectory()
            >>> text = "step,flow,fault\n1,0.5,a\n2,0.6,a\n3,0.7,b\n"
            >>> _ = Path(folder.name, "pump.csv").write_text(text)
            >>> TableSource(folder.name).load().lengths
            (2, 1)
            >>> folder.cleanup()
        """
        root = Path(self.root).expanduser()
        files = list_files(root, self.pattern)
        folder = root if root.is_dir() else root.parent
        parts: list[SeriesSet] = []
        working: set[str] = set()
        roles: ColumnRoles | None = None
        for path in files:
            file = path.relative_to(folder).as_posix()
            first = files[0].name if roles else None
            table = read_table(path, file, self.null_values)
            # The first file decides, so that no file gets its labels or groups in another way.
            roles = roles or self._roles(table.columns, file)
            self._check_roles(roles, table.columns, file, first)
            if roles.working is not None:
                working |= set(label_texts(table[roles.working]).drop_nulls().unique())
            part = self._series(table, roles, file, parts[0] if parts else None)
            parts += [] if part is None else [part]
        if not parts:
            raise SourceError(
                f"no row of {root} has {self.working_column}={self.working_value!r} (there: "
                f"{', '.join(sorted(working)[:8])}); type data.working_value=... or "
                "data.working_column=null"
            )
        return repair_nan(join_sets(parts, root.name), self.nan)

    def _series(
        self, table: pl.DataFrame, roles: ColumnRoles, file: str, first: SeriesSet | None
    ) -> SeriesSet | None:
        """The series of one file; None where the working filter leaves no row."""
        channels = self._channels(table, roles, file)
        if first is not None:
            same_channels(first.channel_names, channels, first.name, file)
            channels = first.channel_names
        values = numbers(table, channels, file, self.null_values)
        rows = _sorted_by_time(self._role_columns(table, roles, file), file)
        gap = self._gap(rows, roles, file)
        kept = rows.filter(pl.col("keep"))
        return self._cut(kept, values, gap, channels) if kept.height else None

    def _roles(self, header: list[str], file: str) -> ColumnRoles:
        time = find_column(header, TIME_NAMES) if self.time_column == "auto" else self.time_column
        # Also where it is not used: a column of classes must never become a channel.
        label = self.label_column or find_column(header, LABEL_NAMES)
        if self.label == "column" and label is None:
            need_columns(header, LABEL_NAMES[:1], "data.label_column", file)
        by_name = (find_column(header, [name]) for name in GROUP_NAMES)
        groups = self.group_columns or tuple(name for name in by_name if name is not None)
        return ColumnRoles(time, label, groups, self.split_column, self.working_column)

    def _check_roles(
        self, roles: ColumnRoles, header: list[str], file: str, first: str | None
    ) -> None:
        for option, names in (
            ("time_column", [roles.time]),
            ("label_column", [roles.label]),
            ("group_columns", roles.groups),
            ("split_column", [roles.split]),
            ("working_column", [roles.working]),
            ("exclude", self.exclude),
        ):
            given = [name for name in names if name is not None]
            need_columns(header, given, f"data.{option}", file, first)

    def _channels(self, table: pl.DataFrame, roles: ColumnRoles, file: str) -> tuple[str, ...]:
        if self.channels is not None:
            need_columns(table.columns, self.channels, "data.channels", file)
            return self.channels
        # A nameless column is the row index that pandas writes in front of a table.
        no_channels = {*roles.names, *self.exclude, *text_columns(table, self.null_values), ""}
        channels = tuple(name for name in table.columns if name not in no_channels)
        if not channels:
            raise SourceError(
                f"{file} has no numeric column that could be a channel; it has: "
                f"{', '.join(table.columns[:20])} (are the cells separated by commas?)"
            )
        return channels

    def _role_columns(self, table: pl.DataFrame, roles: ColumnRoles, file: str) -> pl.DataFrame:
        """One row a data row, with the columns row, time, clock, group, label, split and keep."""
        row = pl.Series("row", np.arange(table.height), dtype=pl.Int64)
        time, days = row, []
        if roles.time is not None:
            time = parse_times(table[roles.time], file, self.time_format)
            if time.dtype == pl.Datetime and not roles.groups:
                days = [time.dt.date().cast(pl.String)]
        # The file is part of the group: run 1 of one file is not run 1 of another.
        names = [label_texts(table[name]).fill_null("?") for name in roles.groups] + days
        group = pl.select(
            pl.concat_str([pl.repeat(file, table.height), *names], separator="/").alias("group")
        )
        if self.label == "file" or roles.label is None:
            label = pl.Series([stem(file)]).new_from_index(0, table.height)
        else:
            label = label_texts(table[roles.label])
        none = pl.Series([None], dtype=pl.String).new_from_index(0, table.height)
        return pl.DataFrame(
            [
                row,
                time.alias("time"),
                (none if roles.time is None else clock_texts(time)).alias("clock"),
                group["group"],
                label.alias("label"),
                (none if roles.split is None else self._official(table[roles.split], file)).alias(
                    "split"
                ),
                self._keep(table, roles.working),
            ]
        )

    def _official(self, column: pl.Series, file: str) -> pl.Series:
        texts = label_texts(column)
        for mark in texts.drop_nulls().unique().to_list():
            if mark not in SPLITS:
                raise SourceError(
                    f"{file}, column {column.name!r}: {mark!r} is no split; allowed: "
                    f"{', '.join(SPLITS)}; type data.split_column=null"
                )
        return texts

    def _keep(self, table: pl.DataFrame, working: str | None) -> pl.Series:
        if working is None:
            return pl.Series("keep", [True]).new_from_index(0, table.height).alias("keep")
        texts = label_texts(table[working])
        wanted = label_texts(pl.Series([self.working_value]))[0]
        return table.select(texts.eq(wanted).fill_null(False).alias("keep"))["keep"]

    def _gap(self, rows: pl.DataFrame, roles: ColumnRoles, file: str) -> float | None:
        """Largest step of time inside a series, in units of the time column; None = any."""
        timed = roles.time is not None
        dated = rows["time"].dtype == pl.Datetime
        given = parse_gap(self.max_gap)
        if given is None:
            steps = rows.select(pl.col("time").diff().over("group").cast(pl.Float64).alias("step"))[
                "step"
            ]
            median = steps.filter(steps > 0).median()
            # The factor keeps steps of 0.1 that are not exact from being cut at exactly twice.
            return 2.0 * float(median) * (1 + 1e-9) if timed and isinstance(median, float) else None
        size, is_duration = given
        if not timed:
            told, typed = "rows have no time column", "auto"
        elif dated:
            told, typed = f"column {roles.time!r} has dates", "2h"
        else:
            told, typed = f"column {roles.time!r} has numbers", "5"
        if is_duration != dated or not timed:
            raise SourceError(
                f"{file}: data.max_gap={self.max_gap!r} does not fit, {told}; "
                f"type data.max_gap={typed}"
            )
        return size * 1e6 if dated else size

    def _cut(
        self, rows: pl.DataFrame, values: Array, gap: float | None, channels: tuple[str, ...]
    ) -> SeriesSet:
        """The series of one file; ``rows`` are sorted and filtered."""
        cut = pl.lit(False)
        for name in ("group", "label", "split"):
            cut = cut | pl.col(name).ne_missing(pl.col(name).shift(1))
        if gap is not None:
            cut = cut | (pl.col("time").diff().cast(pl.Float64) > gap)
        if self.max_gap == "auto":
            cut = cut | (pl.col("position").diff() != 1)
        starts = rows.select(cut.fill_null(False).alias("cut"))["cut"].to_numpy().copy()
        starts[0] = True
        first = np.flatnonzero(starts)
        last = np.append(first[1:], rows.height)
        heads = rows[first]
        steps = values[rows["row"].to_numpy()]
        file = heads["file"][0]
        return SeriesSet(
            values=tuple(
                np.ascontiguousarray(steps[a:b].T) for a, b in zip(first, last, strict=True)
            ),
            labels=tuple(heads["label"].to_list()),
            channel_names=channels,
            groups=tuple(heads["group"].to_list()),
            origins=tuple(Origin(file, position) for position in heads["position"].to_list()),
            official=tuple(heads["split"].to_list()),
            start_times=tuple(heads["clock"].to_list()),
            name=file,
        )


def _sorted_by_time(rows: pl.DataFrame, file: str) -> pl.DataFrame:
    """Groups together and in order of time, with ``position``, the row's number after sorting."""
    same = pl.col("group") == pl.col("group").shift(1)
    together = rows.select((~same).fill_null(True).sum() == pl.col("group").n_unique()).item()
    rising = rows.select((~same | (pl.col("time").diff().cast(pl.Float64) > 0)).all()).item()
    if not (together and rising):
        rows = rows.with_columns(pl.col("row").min().over("group").alias("first"))
        rows = rows.sort("first", "time", maintain_order=True).drop("first")
        double = rows.filter(same & (pl.col("time") == pl.col("time").shift(1)))
        if double.height:
            raise SourceError(
                f"{file}: time {double['clock'][0]} comes twice in group {double['group'][0]!r} "
                f"(again in data row {double['row'][0] + 1}); a group needs one row a time; name "
                "the columns that tell runs apart: data.group_columns=[run], or type "
                "data.time_column=null for rows that are in order"
            )
    return (
        rows.with_columns(pl.lit(file).alias("file"))
        .with_row_index("position")
        .cast({"position": pl.Int64})
    )
