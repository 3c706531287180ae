"""Every setting of tables, wherever they lie, and what is allowed for each."""

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from dualgaf.errors import ConfigError, check_whole, not_allowed, typed_option, unknown_choice
from dualgaf.series.labels import is_missing
from dualgaf.series.lengths import check_ragged_rule
from dualgaf.series.missing import check_nan_policy
from dualgaf.series.source import check_window
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.cells import Decimal
from dualgaf.series.tables.classes import LabelFrom, Unlabelled
from dualgaf.series.tables.columns import check_name, name_list, parse_gap, parse_step
from dualgaf.series.tables.dialects.zones import check_zone

StepRule = Literal["mean", "last", "max"]
Stamps = Literal["start", "end"]
SameTime = Literal["error", "keep"]
ScaleBy = Literal["all", "plant"]
_NAMES = (
    "time_format",
    "unlabelled_class",
    "label_column",
    "split_column",
    "working_column",
    "plant_column",
)


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """How cells are written, and what the columns are.

    Raises:
        ConfigError: a setting has a value that is not allowed.
    """

    is_new: ClassVar[bool] = False
    """Whether the tables are new ones for a trained network: classes are known where they are, and
    cut nothing."""

    time_column: str | tuple[str, ...] | None = "auto"
    """Column with times or step numbers; two columns, one with dates and one with times of day;
    ``auto`` = datetime, time, timestamp, date or step, else the one whose cells are times; None =
    rows are evenly spaced and in order."""
    time_format: str | None = None
    """Format of times, also of those that are digits, e.g. ``%d/%m/%Y %H:%M``; ``day_first``,
    ``month_first``, ``year_first``; ``unix_s``, ``unix_ms``, ``unix_us``, ``unix_ns``, ``excel``
    (days) or ``number``; None = what fits every file in one way only."""
    year: int | None = None
    """The year of dates that are written without one."""
    time_zone: str | None = None
    """Name of the zone that days are cut in, e.g. ``Europe/Berlin``; None = as it is written."""
    stamps: Stamps = "start"
    """Whether the time of a row is the start or the end of its interval."""
    step: str | int | float | None = None
    """One step for all files, e.g. ``15min``, or a number for a numeric time column; None = rows
    stay as they are."""
    step_rule: StepRule = "mean"
    """What becomes of the rows in one step: ``mean``, ``last``, ``max``."""
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
    fault_log: str | Path | None = None
    """A table with the columns start, end and class, one row a fault; its path, or its name in the
    folder. What lies outside has no label."""
    unlabelled: Unlabelled = None
    """What rows without a label are: ``predict``: they are not learned; ``drop``: they are left
    out; ``class``: they are a class; None: there are none."""
    unlabelled_class: str = "normal"
    """The class of ``unlabelled=class``."""
    group_columns: tuple[str, ...] | None = ()
    """Columns that tell groups apart, within a file; () = those of day, group, run, series_id that
    are there, else the calendar day, else the file; None = the file, whatever is there."""
    plant_column: str | None = None
    """Column, or key of a folder, that says which plant a row is of: no group has two plants."""
    scale_by: ScaleBy = "all"
    """``all``: channels are standardised by the training rows of all plants; ``plant``: those of
    each plant by its own training rows first, see `dualgaf.data.plants`."""
    split_column: str | None = None
    """Column with train, val, test or predict, for ``data.split.method=official``."""
    working_column: str | None = None
    """Column that says which rows are kept; None = all."""
    working_value: int | float | str | bool = 1
    """Rows are kept where the working column equals this."""
    max_gap: str | int | float = "auto"
    """Largest step of time inside a series: ``2h``, ``5min``, or a number for a numeric time
    column; ``auto`` = twice the median step of the file, and no dropped row."""
    same_time: SameTime = "error"
    """Two exports that overlap and have other values at the same times: ``error``; ``keep``: they
    are of two plants or runs."""
    null_values: tuple[str, ...] = ("", "NA", "NaN", "nan", "null", "#VALUE!")
    """Cells that are missing values. A number means it in every way of writing: ``-999`` is
    ``-999.0``, too, also in Parquet."""
    decimal: Decimal = "auto"
    """``point``, ``comma``; ``auto``: a point, and a comma where nothing else fits."""
    long: tuple[str, ...] | None = None
    """Columns with time (or date and time of day), name and value, where a row is one value of one
    sensor."""
    nan: str = "error"
    """``error`` or ``interpolate``, see `dualgaf.series.missing`."""
    fill_limit: int | None = None
    """Longest hole that ``nan=interpolate`` fills, in rows; a longer one ends the series."""
    window_size: int | None = 96
    """T, steps in a window; None = each piece between two cuts is one window."""
    stride: int | None = None
    """Steps between the starts of two windows; None = ``window_size``."""
    split: SplitSettings = field(default_factory=lambda: SplitSettings("group"))
    """How series are dealt out to train, val and test."""
    ragged: str = "error"
    """Rule for pieces of unequal length where ``window_size`` is None."""

    def __post_init__(self) -> None:
        if self.label not in get_args(LabelFrom):
            raise ConfigError(_unknown_label(self.label))
        for option in ("channels", "exclude", "group_columns", "null_values"):
            given = name_list(f"data.{option}", getattr(self, option))
            object.__setattr__(self, option, given)
        for option, allowed in (
            ("unlabelled", (None, "predict", "drop", "class")),
            ("decimal", get_args(Decimal)),
            ("step_rule", get_args(StepRule)),
            ("stamps", get_args(Stamps)),
            ("same_time", get_args(SameTime)),
            ("scale_by", get_args(ScaleBy)),
        ):
            if getattr(self, option) not in allowed:
                raise ConfigError(
                    unknown_choice(f"data.{option}", getattr(self, option), filter(None, allowed))
                )
        self._check_names()
        if not isinstance(self.working_value, int | float | str):
            raise ConfigError(
                not_allowed(
                    "data.working_value",
                    self.working_value,
                    "a number, a text, true, false",
                    "data.working_value=1",
                )
            )
        if self.scale_by == "plant" and self.plant_column is None:
            raise ConfigError(
                "data.scale_by=plant, and no column says which plant a row is of; type "
                "data.plant_column=NAME, or data.scale_by=all"
            )
        self._check_numbers()
        self._check_clock()
        self._check_layout()
        object.__setattr__(self, "split", SplitSettings.of(self.split))

    def _check_names(self) -> None:
        for option in _NAMES:
            check_name(f"data.{option}", getattr(self, option))
        if self.unlabelled == "class" and is_missing(self.unlabelled_class):
            raise ConfigError(
                not_allowed(
                    "data.unlabelled_class",
                    self.unlabelled_class,
                    "the name of a class",
                    "data.unlabelled_class=normal",
                )
            )

    def _check_numbers(self) -> None:
        if self.year is not None:
            check_whole("data.year", self.year, 1000, 2024)
            if self.year > 9999:
                raise ConfigError(
                    not_allowed("data.year", self.year, "1000 to 9999", "data.year=2024")
                )
        if self.fill_limit is not None:
            check_whole("data.fill_limit", self.fill_limit, 0, 3)
        parse_gap(self.max_gap)
        parse_step(self.step)
        check_nan_policy(self.nan)
        check_ragged_rule(self.ragged)
        check_window(self.window_size, self.stride)
        if self.fill_limit is not None and self.nan != "interpolate":
            raise ConfigError(
                f"data.fill_limit={self.fill_limit} says which holes are filled, and "
                "data.nan=error fills none; type data.nan=interpolate or data.fill_limit=null"
            )

    def _check_clock(self) -> None:
        check_zone(self.time_zone)
        columns = self.time_column
        if isinstance(columns, str | None):
            return
        given = _texts(columns, 2)
        if given is None or len(set(given)) < 2:
            raise ConfigError(
                not_allowed(
                    "data.time_column",
                    columns,
                    "auto, a name, two names (dates and times of day), or null",
                    "data.time_column=[Date,Time]",
                )
            )
        object.__setattr__(self, "time_column", given)

    def _check_layout(self) -> None:
        if self.long is not None:
            given = _texts(self.long, 3) or _texts(self.long, 4)
            if given is None or len(set(given)) < len(given):
                raise ConfigError(
                    not_allowed(
                        "data.long",
                        self.long,
                        "names of columns: time (or date and time of day), sensor, value; or null",
                        "data.long=[time,tag,value]",
                    )
                )
            object.__setattr__(self, "long", given)
        self._check_log()
        if self.fault_log is not None and (self.label != "auto" or self.label_column is not None):
            label = self.label != "auto"
            other = "data.label=auto" if label else "data.label_column=null"
            raise ConfigError(
                f"data.fault_log gives the classes, and so does {other.split('=')[0]}; type "
                f"{other}, or data.fault_log=null"
            )

    def _check_log(self) -> None:
        if not isinstance(self.fault_log, str | Path | None) or self.fault_log == "":
            raise ConfigError(
                not_allowed(
                    "data.fault_log", self.fault_log, "a file, or null", "data.fault_log=FILE"
                )
            )


def _texts(value: Any, n: int) -> tuple[str, ...] | None:
    """``n`` texts as a tuple; None where it is anything else."""
    if not isinstance(value, list | tuple) or len(value) != n:
        return None
    return tuple(value) if all(isinstance(item, str) for item in value) else None


def _unknown_label(label: object) -> str:
    """A word that is none of `LabelFrom`, nor written like one, is the name of a column."""
    known = get_args(LabelFrom)
    if not isinstance(label, str) or get_close_matches(label, known, n=1, cutoff=0.7):
        return unknown_choice("data.label", label, known)
    typed = f"{typed_option('data.label_column', label)} for a column of that name"
    return unknown_choice("data.label", label, known, instead=f"{typed}, or type data.label=auto")
