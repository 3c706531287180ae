"""`EnergyPlusSource`: runs of EnergyPlus, a class each; how their rows are read is `Tabular`'s."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, get_args

import polars as pl

from dualgaf.errors import ConfigError, SourceError, unknown_choice
from dualgaf.series.contents import Contents
from dualgaf.series.tables.dialects.eplus_csv import (
    MOST_VARIABLES,
    header_of,
    read_run_csv,
)
from dualgaf.series.tables.dialects.eplus_names import Variable, named, short, variable
from dualgaf.series.tables.dialects.eplus_periods import eio_of
from dualgaf.series.tables.dialects.eplus_sql import read_run_sql, sql_columns
from dualgaf.series.tables.dialects.eplus_steps import END, PERIOD, MixedSteps, at_one_step
from dualgaf.series.tables.files import without_hidden
from dualgaf.series.tables.folder import FolderSource
from dualgaf.series.tables.needed import with_all_names
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.settings import SameTime, Stamps
from dualgaf.series.tables.table import Table

_CSV, _SQL = (".csv", ".csv.gz"), (".sql", ".sqlite", ".db")
_METERS = ("mtr", "meter")
_OUT = "eplusout"


@dataclass(frozen=True)
class EnergyPlusSource(FolderSource):
    """What EnergyPlus writes: one run folder or one CSV a class, or one of them.

    A run folder has ``eplusout.csv``, of ReadVarsESO or of EnergyPlus' own writer, or
    ``eplusout.sql``. The class is the
    name of the folder below ``root``, which may have the runs of several severities in folders of
    its own, or of the file, where it lies in ``root``. Channels are called as the variable, with
    its key: ``SOUTH:Zone Air Temperature``; the unit is kept apart, and design days are left out.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> source = EnergyPlusSource("runs", mixed_steps="hold", exclude=["A:T [C](Hourly)"])
        >>> source.stamps, source.exclude
        ('end', ('A:T',))
    """

    mixed_steps: MixedSteps | None = field(default=None, kw_only=True)
    """What becomes of columns that are written at a coarser step than others: ``hold``: each row
    has the value of the interval that it lies in; ``drop``: they are left out; ``coarse``: all
    columns are brought to the coarsest step; None = there are none."""
    time_column: str | tuple[str, ...] | None = field(default=END, kw_only=True)
    """The ends of the intervals, with a year: that of the run where something tells it, or that of
    ``year``."""
    stamps: Stamps = field(default="end", kw_only=True)
    """EnergyPlus writes the end of an interval, so that 24:00 belongs to the day before."""
    same_time: SameTime = field(default="keep", kw_only=True)
    """Runs have other values at the same times."""

    kind: ClassVar[str] = "runs"
    part_column: ClassVar[str | None] = PERIOD

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mixed_steps not in (None, *get_args(MixedSteps)):
            raise ConfigError(
                unknown_choice("data.mixed_steps", self.mixed_steps, get_args(MixedSteps))
            )
        for option in ("channels", "exclude"):
            names = getattr(self, option)
            if names is not None:
                object.__setattr__(self, option, tuple(dict.fromkeys(map(short, names))))

    def contents(self) -> str:
        """Hash of the tables, what tells their periods, their names, and the settings."""
        found = Contents(self, leave_out=("root", "fault_log"))
        self._add_files(found)
        for file, path in self.paths().items():
            if (eio := eio_of(path)).is_file():
                found.add_file(f"{file}, eio", eio)
        return found.hexdigest()

    def tables(self, notes: Notes) -> Mapping[str, Table]:
        """The runs by the names of their files."""
        return {file: RunTable(path, file, self) for file, path in self.paths(notes).items()}

    def paths(self, notes: Notes | None = None) -> dict[str, Path]:
        """The tables of the runs by name.

        Raises:
            SourceError: there is none.
        """
        root = self._root
        if not root.exists():
            raise SourceError(f"there is no folder or file {root}; type data.root=FOLDER")
        if root.is_file():
            if not is_run(root):
                raise SourceError(_no_run(root.name, root))
            return {root.name: root}
        given = root.glob(self.pattern) if self.pattern else root.rglob("*")
        paths = without_hidden(root, (p for p in given if p.is_file()), self.pattern or "")
        runs = _one_a_run([path for path in paths if is_run(path)], notes or Notes())
        if not runs:
            raise SourceError(self._nothing(paths))
        found = {path.relative_to(root).as_posix(): path for path in runs}
        return self._without_log(found)

    def class_of(self, file: str) -> str:
        """The first folder below ``root``, else the name of the file."""
        path = Path(file)
        stem = _stem(path)
        root = self._root if self._root.is_dir() else self._root.parent
        alone = root.resolve().name if stem == _OUT else stem
        if self.label in ("file", "name"):
            return stem
        if self.label == "path":
            return path.with_name(stem).as_posix()
        if len(path.parts) == 1:
            return alone
        return path.parent.name if self.label == "folder" else path.parts[0]

    @property
    def shares_classes(self) -> bool:
        """Runs of several severities are of one class."""
        return self.label not in ("file", "column")

    def _nothing(self, there: Iterable[Path]) -> str:
        root = self._root
        names = {path.name for path in there}
        if any(name.endswith(".eso") for name in names):
            return (
                f"{root} has runs of EnergyPlus (.eso) and no table of them: ReadVarsESO did not "
                "run, which it does in silence where it may not be executed (chmod +x "
                "ReadVarsESO); run it, or let EnergyPlus write one (OutputControl:Files, Output "
                "CSV = Yes), then type data.root=FOLDER"
            )
        asked = f" (data.pattern={self.pattern})" if self.pattern else ""
        return _no_run(f"folder {root}{asked}", root)


@dataclass
class RunTable:
    """The table of a run that is not read yet."""

    path: Path
    """Where it is."""
    file: str
    """What messages call it."""
    settings: EnergyPlusSource
    """Which columns are needed, and what becomes of unequal steps."""
    named_units: Mapping[str, str] = field(default_factory=dict)
    """By short name, as soon as it is read."""

    header_line: ClassVar[int | None] = None

    def read(self, notes: Notes) -> pl.DataFrame:
        """Rows of run periods, at one step."""
        told = self.settings
        variables = named([self._variable(name) for name in columns_of(self.path)])
        self.named_units = {name: one.unit for name, one in variables.items() if one.unit}
        wanted = {
            name: one
            for name, one in variables.items()
            if name not in told.exclude and (told.channels is None or name in told.channels)
        }
        read = read_run_sql if is_sql(self.path) else read_run_csv
        written = {one.written: name for name, one in wanted.items()}
        table = read(self.path, self.file, written, told.year, notes).rename(written)
        dropped: set[str] = set()
        if wanted:
            table = at_one_step(table, wanted, told.mixed_steps, self.file, notes)
            dropped = {*wanted} - {*table.columns}
        parts = [PERIOD] if table[PERIOD].n_unique() > 1 else []
        if parts:
            periods = ", ".join(table[PERIOD].unique(maintain_order=True))
            notes.add(f"each run period is cut from the others: {periods}", self.file)
        names = (name for name in variables if name not in dropped)
        return with_all_names(table, [END, *parts, *names])

    def most_rows(self) -> int | None:
        """Not counted."""
        return None

    def _variable(self, column: str) -> Variable:
        found = variable(column)
        if found is None:
            raise SourceError(
                f"{self.file}, column {column!r} is none of EnergyPlus; leave it out, or type "
                "data=ahu for a table of a plant"
            )
        return found


def is_sql(path: Path) -> bool:
    """Whether a file is called as one of SQLite."""
    return path.name.lower().endswith(_SQL)


def columns_of(path: Path) -> list[str]:
    """The names of the columns of a table that EnergyPlus has written; none of any other file."""
    if is_sql(path):
        return sql_columns(path)
    return header_of(path)[1:] if path.name.lower().endswith(_CSV) else []


def is_run(path: Path) -> bool:
    """Whether a file is a table that EnergyPlus has written."""
    return path.is_file() and bool(columns_of(path))


def has_run(root: Path) -> bool:
    """Whether a folder has such a table, or a file is one."""
    return is_run(root) if root.is_file() else any(map(is_run, root.rglob("*")))


def _one_a_run(paths: list[Path], notes: Notes) -> list[Path]:
    """One table a run: variables, not meters; the CSV, unless ReadVarsESO may have cut it."""
    found = []
    for path in paths:
        beside = [other for other in paths if other.parent == path.parent and other != path]
        if beside and _stem(path).lower().endswith(_METERS):
            notes.add("tables of meters are left out (data.pattern reads them)", path.name)
            continue
        same = [other for other in beside if _stem(other) == _stem(path)]
        if any(is_sql(other) != is_sql(path) for other in same):
            table = path if not is_sql(path) else next(o for o in same if not is_sql(o))
            is_cut = len(columns_of(table)) == MOST_VARIABLES
            if is_cut != is_sql(path):
                why = f" has {MOST_VARIABLES} variables and" if is_cut else ""
                notes.add(f"{path.name}{why} is left out, and the other table of the run read")
                continue
        found.append(path)
    return found


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]


def _no_run(what: str, root: Path) -> str:
    return (
        f"{what} has no table of EnergyPlus: an eplusout.sql, or a CSV file whose header "
        f"begins 'Date/Time,KEY:Variable [unit](TimeStep)'; for other tables type "
        f"data=ahu data.root={root}"
    )
