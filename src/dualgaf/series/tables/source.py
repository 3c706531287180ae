"""CSV and Parquet files of plant data as series that no gap, group or label change crosses.

1. Read each file (`files.py`); find which column plays which role (`columns.py`), what its cells
   mean (`cells.py`), and the times (`clocks.py`).
2. Over all files: one order of day and month, the channels, no column that tells the class
   (`suspects.py`), no row twice (`copies.py`).
3. For each file (`rows.py`): where a group's rows are not together or not in order of time, sort by
   group, then time; a time that comes twice in a group is an error. Keep the rows whose working
   column has the working value. Cut between two rows where the group, the label or the prescribed
   split changes, where time jumps by more than ``max_gap``, and, unless ``max_gap`` was given,
   where a row was left out.
4. Each piece is one series, also one that is shorter than a window.

polars reads, parses, sorts and compares; there is no loop over rows. What is left out is logged.
"""

import logging
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import polars as pl

from dualgaf.errors import (
    ConfigError,
    SourceError,
    check_whole,
    not_allowed,
    typed_option,
    unknown_choice,
)
from dualgaf.series.contents import Contents
from dualgaf.series.lengths import check_ragged_rule
from dualgaf.series.missing import check_nan_policy, repair_nan
from dualgaf.series.series import SeriesSet, join_sets
from dualgaf.series.source import check_window
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.cells import Decimal
from dualgaf.series.tables.classes import LabelFrom, Unlabelled
from dualgaf.series.tables.columns import check_name, name_list, parse_gap
from dualgaf.series.tables.copies import drop_copies
from dualgaf.series.tables.files import SEPARATORS, named_files
from dualgaf.series.tables.reading import chosen_channels, read_rows, shared_channels
from dualgaf.series.tables.rows import FileRows, cut, largest_gap, sorted_by_time
from dualgaf.series.tables.suspects import check_suspects

_COLUMNS = ("label_column", "split_column", "working_column")

log = logging.getLogger(__name__)


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
    """Format of times, also of those that are digits, e.g. ``%d/%m/%Y %H:%M``; None = ISO,
    day.month.year, and month/day/year or day/month/year, whichever fits every file. Times with an
    offset are turned to UTC."""
    channels: tuple[str, ...] | None = None
    """Columns that are channels; None = all numeric columns that have a name and no other role."""
    exclude: tuple[str, ...] = ()
    """Columns that are no channels."""
    label: LabelFrom = "auto"
    """``column``; ``file``: the file's name without its ending, for files of different names;
    ``name``: the same, also where two folders have a file of one name; ``path``: name and folders;
    ``folder``: the folder that a file lies in; ``auto``: the column where there is one, else the
    file."""
    label_column: str | None = None
    """Column with classes; None = fault, label, class or target."""
    unlabelled: Unlabelled = None
    """What rows are whose cell of the label column is empty: ``predict``: they are not learned;
    ``drop``: they are left out; ``class``: they are a class; None: there are none."""
    unlabelled_class: str = "normal"
    """The class of ``unlabelled=class``."""
    group_columns: tuple[str, ...] | None = ()
    """Columns that tell groups apart, within a file; () = those of day, group, run, series_id that
    are there, else the calendar day, else the file; None = the file, whatever is there."""
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
    """Cells that are missing values. A number means it in every way of writing: ``-999`` is
    ``-999.0``, too, also in Parquet."""
    separator: str | None = None
    """What stands between two cells: comma, semicolon, tab, pipe; None = what cuts header and first
    rows alike."""
    decimal: Decimal = "auto"
    """``point``, ``comma``; ``auto``: a point, and a comma where nothing else fits."""
    header_line: int = 1
    """The line of a CSV file that has the names of the columns."""
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
            raise ConfigError(_unknown_label(self.label))
        for option in ("channels", "exclude", "group_columns", "null_values"):
            given = name_list(f"data.{option}", getattr(self, option))
            object.__setattr__(self, option, given)
        for option, allowed in (
            ("unlabelled", (None, "predict", "drop", "class")),
            ("separator", (None, *SEPARATORS)),
            ("decimal", get_args(Decimal)),
        ):
            if getattr(self, option) not in allowed:
                raise ConfigError(
                    unknown_choice(f"data.{option}", getattr(self, option), filter(None, allowed))
                )
        check_whole("data.header_line", self.header_line, 1, 1)
        for option in ("pattern", "time_column", "time_format", "unlabelled_class", *_COLUMNS):
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
        for file, path in named_files(root, self.pattern).items():
            found.add_file(file, path)
        return found.hexdigest()

    def load(self) -> SeriesSet:
        r"""All files as one set, one series a piece between two cuts.

        Returns:
            The set. `Origin` names the file and the first row (from 0, after sorting).

        Raises:
            SourceError: a folder, file, column or cell is missing, cannot be read, or can be read
                in two ways.
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
        tables, said, working = read_rows(root, self)
        channels = shared_channels(tables, chosen_channels(self))
        if self.channels is None:
            check_suspects(tables, channels)
        if not any(table.rows["keep"].any() for table in tables):
            raise SourceError(
                f"no row of {root} has {self.working_column}={self.working_value!r} (there: "
                f"{', '.join(working[:8])}); type data.working_value=... or "
                "data.working_column=null"
            )
        said += drop_copies(tables, channels, self.window_size)
        parts = [part for table in tables if (part := self._series(table, channels)) is not None]
        for line in said:
            log.warning("%s: %s", root.name, line)
        return repair_nan(join_sets(parts, root.name), self.nan, drop_dead=True)

    def _series(self, table: FileRows, channels: tuple[str, ...]) -> SeriesSet | None:
        """The series of one file; None where no row is left."""
        rows = sorted_by_time(table.rows, table.file, table.columns)
        gap = largest_gap(rows, table, self.max_gap)
        kept = rows.filter(pl.col("keep"))
        return cut(kept, table, channels, gap, self.max_gap == "auto") if kept.height else None


def _unknown_label(label: object) -> str:
    """A word that is none of `LabelFrom`, nor written like one, is the name of a column."""
    known = get_args(LabelFrom)
    if not isinstance(label, str) or get_close_matches(label, known, n=1, cutoff=0.7):
        return unknown_choice("data.label", label, known)
    typed = f"{typed_option('data.label_column', label)} for a column of that name"
    return unknown_choice("data.label", label, known, instead=f"{typed}, or type data.label=auto")
