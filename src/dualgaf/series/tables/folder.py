"""`FolderSource`, tables that are files of a folder."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

from dualgaf.errors import ConfigError, SourceError, not_allowed
from dualgaf.series.contents import Contents
from dualgaf.series.tables.columns import check_name
from dualgaf.series.tables.dialects.faultlog import FaultTable
from dualgaf.series.tables.fault_files import fault_file, read_fault_log
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.tabular import Tabular


@dataclass(frozen=True)
class FolderSource(Tabular):
    """Where the files are, and where their fault log is: `TableSource`, `EnergyPlusSource`."""

    root: str | Path
    """A folder, or one file."""
    pattern: str | None = None
    """Which files of the folder, e.g. ``*.tidy.csv.gz``; None = all tables in it, and in folders
    that are called ``key=value``."""

    def __post_init__(self) -> None:
        if not isinstance(self.root, str | Path) or not str(self.root):
            raise ConfigError(
                not_allowed("data.root", self.root, "a folder or a file", "data.root=FOLDER")
            )
        super().__post_init__()
        check_name("data.pattern", self.pattern)
        if self.pattern is not None and Path(self.pattern).is_absolute():
            raise ConfigError(
                not_allowed(
                    "data.pattern",
                    self.pattern,
                    "names of files below the folder",
                    'data.pattern="*.csv" data.root=FOLDER',
                )
            )

    @abstractmethod
    def paths(self, notes: Notes | None = None) -> dict[str, Path]:
        """The tables of the folder by name, without its fault log.

        Raises:
            SourceError: there is none.
        """

    def contents(self) -> str:
        """Hash of the files, their names in the folder, and the settings."""
        found = Contents(self, leave_out=("root", "fault_log"))
        self._add_files(found)
        return found.hexdigest()

    @property
    def place(self) -> str:
        """The folder, or the file, as messages call it."""
        return str(self._root)

    @property
    def set_name(self) -> str:
        """The name of the folder or file alone."""
        return self._root.name

    @property
    def log_name(self) -> str | None:
        """The name of the fault log's file."""
        return None if self.fault_log is None else Path(self.fault_log).name

    def fault_table(self, notes: Notes) -> FaultTable | None:
        """The fault log, read."""
        path = self._log_path()
        return None if path is None else read_fault_log(path, notes)

    def _add_files(self, found: Contents) -> None:
        for file, path in self.paths().items():
            found.add_file(file, path)
        if (log := self._log_path()) is not None:
            found.add_file("fault_log", log)

    def _without_log(self, paths: dict[str, Path]) -> dict[str, Path]:
        """The files without the fault log."""
        if (log := self._log_path()) is None:
            return paths
        left = {file: path for file, path in paths.items() if path.resolve() != log.resolve()}
        if not left:
            raise SourceError(
                f"folder {self._root} has no table beside its fault log; type data.root=FOLDER"
            )
        return left

    @property
    def _root(self) -> Path:
        return Path(self.root).expanduser()

    def _log_path(self) -> Path | None:
        """Where ``data.fault_log`` lies: as it is typed, or in the folder."""
        return fault_file(self.fault_log, self._root if self._root.is_dir() else self._root.parent)
