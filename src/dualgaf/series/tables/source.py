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
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.contents import Contents
from dualgaf.series.missing import cut_at_holes, repair_nan
from dualgaf.series.series import SeriesSet, join_sets
from dualgaf.series.tables.copies import drop_copies
from dualgaf.series.tables.dialects.faultlog import log_path
from dualgaf.series.tables.dialects.steps import resampled, step_width
from dualgaf.series.tables.reading import read_rows, shared_channels, table_paths
from dualgaf.series.tables.rows import FileRows, cut, largest_gap, sorted_by_time
from dualgaf.series.tables.settings import TableSettings
from dualgaf.series.tables.suspects import check_suspects

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableSource(TableSettings):
    """CSV or Parquet files in a folder; its fields are those of `TableSettings`.

    Raises:
        ConfigError: a setting has a value that is not allowed.

    Example:
        >>> source = TableSource("plant", working_column="is_working", max_gap="2h", label="file")
        >>> source.window_size, source.split.method
        (96, 'group')
    """

    def contents(self) -> str:
        """Hash of the files, their names in the folder, and the settings."""
        root = Path(self.root).expanduser()
        found = Contents(self, leave_out=("root", "fault_log"))
        for file, path in table_paths(root, self).items():
            found.add_file(file, path)
        if (faults := log_path(root, self)) is not None:
            found.add_file("fault_log", faults)
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
        channels = shared_channels(tables, self.channels)
        if self.channels is None:
            check_suspects(tables, channels)
        if not any(table.rows["keep"].any() for table in tables):
            raise SourceError(
                f"no row of {root} has {self.working_column}={self.working_value!r} (there: "
                f"{', '.join(working[:8])}); type data.working_value=... or "
                "data.working_column=null"
            )
        said += drop_copies(tables, channels, self.window_size, keep=self.same_time == "keep")
        mixed: list[int] = []
        parts = [
            part for table in tables if (part := self._series(table, channels, mixed)) is not None
        ]
        if sum(mixed):
            said.append(
                f"{sum(mixed)} steps of {self.step} in which the class changes are left out"
            )
        series_set = join_sets(parts, root.name)
        if self.fill_limit is not None:
            series_set, lost = cut_at_holes(series_set, self.fill_limit)
            if lost:
                said.append(f"{lost} rows in holes of more than {self.fill_limit} are left out")
        for line in said:
            log.warning("%s: %s", root.name, line)
        return repair_nan(series_set, self.nan, drop_dead=True)

    def _series(
        self, table: FileRows, channels: tuple[str, ...], mixed: list[int]
    ) -> SeriesSet | None:
        """The series of one file; None where no row is left."""
        rows = sorted_by_time(table, channels)
        gap = largest_gap(rows, table, self.max_gap)
        holes = self.max_gap == "auto"
        kept = rows.filter(pl.col("keep"))
        if self.step is not None and kept.height:
            kept, table, n = resampled(kept, table, channels, self.step, self.step_rule)
            mixed.append(n)
            width = step_width(table, self.step) * (1 + 1e-9)
            gap = width if holes or gap is None else max(gap, width)
            holes = False
        return cut(kept, table, channels, gap, holes) if kept.height else None
