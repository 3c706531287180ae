"""A fault log that is a file, beside tables of any kind."""

from pathlib import Path

from dualgaf.errors import SourceError
from dualgaf.series.tables.dialects.faultlog import FaultTable
from dualgaf.series.tables.dialects.sheets import SHEETS
from dualgaf.series.tables.files import read_table
from dualgaf.series.tables.notes import Notes


def fault_file(given: str | Path | None, folder: Path) -> Path | None:
    """Where ``data.fault_log`` lies: as it is typed, or in a folder; None where there is none.

    Raises:
        SourceError: it is in neither.
    """
    if given is None:
        return None
    typed = Path(given).expanduser()
    for path in (typed, folder / typed):
        if path.is_file():
            return path
    raise SourceError(
        f"there is no file {typed}, and none of that name in {folder}; type data.fault_log=FILE"
    )


def read_fault_log(
    path: Path,
    notes: Notes,
    separator: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> FaultTable:
    """A fault log that is a file.

    Args:
        path: where it is.
        notes: what was found out goes there.
        separator: ``data.separator``.
        encoding: ``data.encoding``.
        sheet: ``data.sheet``, which is of the log where that has several.

    Raises:
        SourceError: it cannot be read.
    """
    file, how = path.name, (separator, None, encoding, notes)
    try:
        table = read_table(path, file, *how)
    except SourceError:
        if sheet is None:
            raise
        table = read_table(path, file, *how, sheet)
    return FaultTable(file, table, file.lower().endswith(SHEETS))
