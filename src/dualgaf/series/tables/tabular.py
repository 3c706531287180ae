"""Tables of plant data as series that no gap, group or label change crosses.

1. Read each table (`files.py`, `frames.py`, `sql.py`); find which column plays which role
   (`columns.py`), what its cells mean (`cells.py`), and the times (`clocks.py`).
2. Over all files: one order of day and month, the channels, no column that tells the class
   (`suspects.py`), no row twice (`copies.py`).
3. For each file (`rows.py`): where a group's rows are not together or not in order of time, sort by
   group, then time; a time that comes twice in a group is an error. Keep the rows whose working
   column has the working value. Cut (`pieces.py`) between two rows where the group, the label or
   the prescribed split changes, where time jumps by more than ``max_gap``, and, unless ``max_gap``
   was given, where a row was left out.
4. Each piece is one series, also one that is shorter than a window. Those that are not lie end to
   end in one array, which `room.py` has ready before the files are read.

polars reads, parses, sorts and compares; there is no loop over rows. What is left out is logged.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.inspection import Refuse, refuse_at_once, tell_notes
from dualgaf.series.missing import cut_at_holes, repair_nan
from dualgaf.series.series import SeriesSet
from dualgaf.series.tables.classes import BY_FILE
from dualgaf.series.tables.continued import records
from dualgaf.series.tables.copies import drop_copies
from dualgaf.series.tables.dialects.faultlog import FaultTable
from dualgaf.series.tables.dialects.steps import resampled, step_width
from dualgaf.series.tables.doubts import check_sentinels, check_steps, days_said, odd_dates
from dualgaf.series.tables.drafts import chosen_channels, no_working_row
from dualgaf.series.tables.facts import DEAD, file_facts, lost_windows, table_facts
from dualgaf.series.tables.files import stem
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.pieces import Pieces, pieces_of, series_of
from dualgaf.series.tables.reading import read_rows, shared_channels
from dualgaf.series.tables.rows import FileRows, Ordered, largest_gap, median_step, sorted_by_time
from dualgaf.series.tables.settings import TableSettings
from dualgaf.series.tables.suspects import check_suspects
from dualgaf.series.tables.table import Table


@dataclass(frozen=True)
class Tabular(TableSettings, ABC):
    """What reads tables, wherever they lie: `TableSource`, `FrameSource`, `SQLSource`."""

    kind: ClassVar[str] = "files"
    """What the tables are, in messages."""
    is_ordered: ClassVar[bool] = True
    """Whether rows have an order of their own; else there must be a column of times."""
    part_column: ClassVar[str | None] = None
    """A column that tells parts of a table apart that no series crosses, where it is there."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the tables lie, as messages call it."""

    @property
    @abstractmethod
    def set_name(self) -> str:
        """What the set of all series is called."""

    @property
    @abstractmethod
    def log_name(self) -> str | None:
        """What messages call the fault log; None where there is none."""

    @property
    def names_tell(self) -> bool:
        """Whether the name of a table may be the class of its rows."""
        return True

    def class_of(self, file: str) -> str:
        """The class of a table whose name tells it."""
        path = Path(file)
        named = {"path": file.removesuffix(path.name) + stem(file), "folder": path.parent.name}
        return named.get(self.label) or stem(file)

    @property
    def shares_classes(self) -> bool:
        """Whether two tables of one name are of one class, and the user need not say so."""
        return self.label not in ("auto", "file", "column")

    @abstractmethod
    def tables(self, notes: Notes) -> Mapping[str, Table]:
        """The tables by name, in order, one or more, not read yet.

        Raises:
            SourceError: there is none.
        """

    @abstractmethod
    def fault_table(self, notes: Notes) -> FaultTable | None:
        """The fault log, read, where there is one."""

    def load(self) -> SeriesSet:
        r"""All tables as one set, one series a piece between two cuts.

        Returns:
            The set. `Origin` names the table and the first row (from 0, after sorting).

        Raises:
            SourceError: a folder, table, column or cell is missing, cannot be read, or can be read
                in two ways.
            SeriesError: ``nan="error"`` and a value is missing.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> from dualgaf import TableSource
            >>> folder = tempfile.TemporaryDirectory()
            >>> text = "step,flow,fault\n1,0.5,a\n2,0.6,a\n3,0.7,b\n"
            >>> _ = Path(folder.name, "pump.csv").write_text(text)
            >>> TableSource(folder.name).load().lengths
            (2, 1)
            >>> folder.cleanup()
        """
        found = self.understand(refuse_at_once)
        if found.facts is not None:
            tell_notes(found.facts)
        return found

    def understand(self, refuse: Refuse) -> SeriesSet:
        """As `load`, without a word, and with a say in what is refused.

        Args:
            refuse: gets each error after which reading can go on, so that several are seen at
                once: columns that are no measurements are left out then, and rows without a class
                are not learned.

        Returns:
            The set, with its ``facts``.

        Raises:
            SourceError, SeriesError: reading cannot go on.
        """
        read = read_rows(self, refuse)
        tables, said = read.tables, read.said
        channels = shared_channels(tables, chosen_channels(self))
        if self.channels is None:
            channels = check_suspects(tables, channels, refuse)
            check_sentinels(tables, channels, self.null_values, refuse)
        if not any(table.rows["keep"].any() for table in tables):
            raise SourceError(no_working_row(self, read.working))
        said += drop_copies(tables, channels, self.window_size, keep=self.same_time == "keep")
        joined, of_file = records(tables, channels, said)
        lost, mixed = Counter[str](), 0
        parts: list[Pieces] = []
        for table in joined:
            ordered = sorted_by_time(table, channels, is_ordered=self.is_ordered)
            if (again := table.rows.height - ordered.rows.height) > 0:
                said.append(f"{again} rows of {table.file} come twice, and are read once")
            step = None if table.time_column is None else median_step(ordered)
            of_file.setdefault(table.file, file_facts(table, step))
            said += odd_dates(table, ordered)
            part, n_mixed = self._pieces(table, ordered, channels, step, lost)
            mixed += n_mixed
            parts += [] if part is None else [part]
        files = [of_file[table.file] for table in tables]
        said += days_said(joined, bool(read.roles.groups), self.kind)
        if self.step is None:
            check_steps(files, all(table.dated for table in tables), refuse)
        if mixed:
            said.append(f"{mixed} steps of {self.step} in which the class changes are left out")
        if not parts:
            raise SourceError(
                f"no row of {self.place} is left: the class changes in every step of data.step="
                f"{self.step}; type data.step=null, or a finer step"
            )
        # Where nothing is missing, there is nothing to fill: most values were looked at as read
        is_whole = all(part.table.columns[name].is_finite for part in parts for name in channels)
        whole = series_of(parts, channels, self.window_size or 0, self.set_name, read.room)
        del parts
        if not is_whole:
            whole = self._repaired(whole, said, lost)
        facts = table_facts(self.set_name, read, files, channels, self, lost)
        return replace(whole, facts=facts)

    @property
    def by_file(self) -> bool:
        """Whether no column of classes is looked for."""
        return self.label in BY_FILE

    def _repaired(self, whole: SeriesSet, said: list[str], lost: Counter[str]) -> SeriesSet:
        """Without what is missing, by the options."""
        before = self._n_windows(whole)
        if self.fill_limit is not None:
            whole, n_rows = cut_at_holes(whole, self.fill_limit)
            if n_rows:
                said.append(f"{n_rows} rows in holes of more than {self.fill_limit} are left out")
        found = repair_nan(whole, self.nan, drop_dead=True)
        lost[DEAD] = before - self._n_windows(found)
        return found

    def _pieces(
        self,
        table: FileRows,
        ordered: Ordered,
        channels: tuple[str, ...],
        step: float | None,
        lost: Counter[str],
    ) -> tuple[Pieces | None, int]:
        """The series of one file, None where no row is left; and the steps of two classes."""
        gap, holes, n_mixed = largest_gap(table, step, self.max_gap), self.max_gap == "auto", 0
        kept = ordered.kept()
        if self.step is not None and kept.rows.height:
            fine = table
            rows, table, n_mixed = resampled(
                kept.rows, fine, channels, self.step, self.step_rule, keep_mixed=self.is_new
            )
            fine.release(channels)
            width = step_width(table, self.step)
            wide = width * (1 + 1e-9)
            gap, step = wide if holes or gap is None else max(gap, wide), width
            kept = ordered = Ordered(rows.with_columns(pl.lit(True).alias("keep")), as_read=True)
            holes = False
        if self.window_size is not None:
            cut_by = ordered
            if self.is_new:
                unnamed = pl.lit(None, dtype=pl.Int32).alias("label")
                cut_by = Ordered(ordered.rows.with_columns(unnamed))
            lost += lost_windows(cut_by, step, gap, self.window_size, self._stride)
        if not kept.rows.height:
            return None, n_mixed
        return pieces_of(kept, table, gap, holes, self.is_new), n_mixed

    @property
    def _stride(self) -> int:
        return self.stride or self.window_size or 1

    def _n_windows(self, series_set: SeriesSet) -> int:
        if self.window_size is None:
            return len(series_set)
        longest_first = (n - self.window_size for n in series_set.lengths)
        return sum(max(0, last // self._stride + 1) for last in longest_first)
