"""From the files of a folder to `FileRows`: roles, clocks, labels and numbers, alike in all files.

The first file decides which column plays which role, and every other file must agree. Everything
that is found out, or left out, is one sentence in the list that comes back.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from dualgaf.errors import NoTableError, SourceError
from dualgaf.series.inspection import Refuse
from dualgaf.series.tables.agreement import one_reading, say_clock
from dualgaf.series.tables.cells import CellRules, same_unit
from dualgaf.series.tables.classes import settle_classes
from dualgaf.series.tables.clocks import Clock, read_clock
from dualgaf.series.tables.columns import ColumnRoles, need_columns, need_list, same_channels
from dualgaf.series.tables.dialects.faultlog import (
    FaultLog,
    check_no_log,
    checked,
    classes_at,
    log_path,
    read_log,
)
from dualgaf.series.tables.dialects.hive import with_keys
from dualgaf.series.tables.dialects.long import FLUX, check_long, kept_beside, widened
from dualgaf.series.tables.dialects.sheets import SHEETS
from dualgaf.series.tables.dialects.steps import starts_of
from dualgaf.series.tables.dialects.units import take_units
from dualgaf.series.tables.dialects.zones import check_marks, local_and_instant
from dualgaf.series.tables.drafts import columns_said, draft_of
from dualgaf.series.tables.files import named_files, read_table
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.roles import check_roles, find_roles, need_roles
from dualgaf.series.tables.rows import FileDraft, FileRows
from dualgaf.series.tables.timecolumn import TimeColumn, joined, with_time_column

if TYPE_CHECKING:
    from dualgaf.series.tables.source import TableSource


class Read(NamedTuple):
    """The files of a folder, in order."""

    tables: list[FileRows]
    said: list[str]
    """What was found out or left out, a sentence each."""
    working: list[str]
    """Values of the working column."""
    roles: ColumnRoles
    header: tuple[str, ...]
    """Every column that is in some file."""


def read_rows(root: Path, source: "TableSource", refuse: Refuse) -> Read:
    """Every file of a folder, understood.

    Args:
        root: a folder, or one file.
        source: its settings.
        refuse: gets what must be decided although reading can go on.

    Raises:
        SourceError: a file, column or cell cannot be read, or files do not agree.
    """
    rules = CellRules(source.null_values, source.decimal)
    notes = Notes()
    log_file = log_path(root, source)
    paths = table_paths(root, source, notes)
    roles: ColumnRoles | None = None
    column: TimeColumn | None = None
    drafts: list[FileDraft] = []
    clocks: dict[str, Clock] = {}
    headers: dict[str, None] = {}
    for file, path in list(paths.items()):
        try:
            table, units = _cells(path, file, source, notes)
        except NoTableError:
            if len(paths) == 1:
                raise
            notes.add("a workbook without a table is left out", file)
            del paths[file]
            continue
        headers |= dict.fromkeys(table.columns)
        table, found = with_time_column(table, source, file, column)
        column = column or found
        if roles is not None:  # before a column is looked for that this file need not have
            need_roles(roles, source, table.columns, file, list(paths))
        own = find_roles(table, found.name, source, file)
        if roles is None:
            roles = own
            need_roles(roles, source, table.columns, file, list(paths))
        check_roles(roles, own, source, file, list(paths))
        if roles.time is not None:
            clocks[file] = read_clock(table[roles.time], file, source.time_format, source.year)
        of_file = replace(roles, label=own.label) if source.is_new else roles
        drafts.append(draft_of(table, of_file, source, file, rules, units))
    assert roles is not None
    if not source.is_new:
        need_columns(list(headers), source.exclude, "data.exclude", next(iter(paths)))
    assert column is not None
    log = None if log_file is None else read_log(log_file, source, notes)
    say_clock(column, clocks, source, notes)
    apart = {draft.file: draft.names for draft in drafts}
    times, instants, said = _times(clocks, source, log, apart)
    if log is not None:
        _label(drafts, times, log)
    said = notes.lines() + said + settle_classes(drafts, roles.label, source, refuse)
    said += columns_said(drafts)
    tables = [_rows(d, times.get(d.file), instants.get(d.file), roles, source) for d in drafts]
    working = sorted({value for draft in drafts for value in draft.working})
    return Read(tables, said, working, roles, tuple(headers))


def table_paths(root: Path, source: "TableSource", notes: Notes | None = None) -> dict[str, Path]:
    """The tables of a folder by name, without its fault log.

    Raises:
        SourceError: there is none, or a sheet is named and none is a workbook.
    """
    paths = named_files(root, source.pattern, notes)
    log = log_path(root, source)
    if source.sheet is not None and not any(
        str(path).lower().endswith(SHEETS) for path in (*paths.values(), log)
    ):
        raise SourceError(
            f"data.sheet={source.sheet}, and no file of {root} is a workbook ({', '.join(SHEETS)});"
            " type data.sheet=null"
        )
    if log is None:
        return paths
    left = {file: path for file, path in paths.items() if path.resolve() != log.resolve()}
    if not left:
        raise SourceError(f"folder {root} has no table beside its fault log; type data.root=FOLDER")
    return left


def shared_channels(tables: Sequence[FileRows], chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """The channels: those that were chosen, else every column that has numbers in some file.

    A sensor without a value in one file is a channel there, too, with every value missing.

    Raises:
        SourceError: there is none, a file lacks one, a chosen column is text, or two files have
            other units.
    """
    first = tables[0]
    names = chosen or tuple(
        name
        for name in first.columns
        if any(name in t.columns and t.columns[name].values is not None for t in tables)
    )
    if not names:
        raise SourceError(
            f"{first.file} has no numeric column that could be a channel; it has: "
            f"{', '.join(list(first.columns)[:20]) or 'none without another role'} (are the cells "
            "separated by commas?)"
        )
    for table in tables:
        if chosen is None:
            own = [
                name
                for name, column in table.columns.items()
                if column.values is not None or (column.kind == "empty" and name in names)
            ]
            same_channels(names, own, first.file, table.file, [t.file for t in tables])
        for name in names:
            same_unit(first.columns[name], table.columns[name], first.file, table.file)
    return names


def _cells(
    path: Path, file: str, source: "TableSource", notes: Notes
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The table of one file, a row a time and a column a sensor, and the units it names."""
    table = read_table(
        path, file, source.separator, source.header_line, source.encoding, notes, source.sheet
    )
    check_no_log(table, source, file)
    table, units = take_units(table, file, source.null_values, source.header_line, notes)
    long = source.long
    if long is None and set(FLUX) <= set(table.columns):
        long = FLUX
    if long is None:
        check_long(table, source, file)
    else:
        if len(long) == 4:
            need_list(table.columns, long, "data.long", file)
            table, column = joined(table, long[0], long[1])
            long = (f"{column.name}", *long[2:])
        table = widened(table, long, kept_beside(table.columns, source), file, notes)
        units = {}
    return with_keys(table, file), units


def _times(
    clocks: dict[str, Clock],
    source: "TableSource",
    log: FaultLog | None,
    apart: dict[str, list[pl.Series]],
) -> tuple[dict[str, pl.Series], dict[str, pl.Series], list[str]]:
    """Local times by file, those of the log too, and the instants that tell their order."""
    if log is not None:
        if not clocks:
            raise SourceError(
                f"{log.file} (data.fault_log) needs times, and the files have none; type "
                "data.time_column=NAME"
            )
        clocks = clocks | {f"{log.file}, start": log.start, f"{log.file}, end": log.end}
    if not clocks:
        return {}, {}, []
    times = one_reading(clocks)
    for file, clock in clocks.items():
        check_marks(clock.marks, file, source.time_zone, times[file])
    local, instants, said = local_and_instant(
        times,
        {file: clock.offset for file, clock in clocks.items()},
        source.time_zone,
        apart,
    )
    if source.stamps == "end":
        said.append("a time is the end of its interval: rows are moved to its start")
        for moved in (local, instants):
            for file in [f for f in moved if log is None or not f.startswith(f"{log.file}, ")]:
                moved[file] = starts_of(moved[file], file)
    return local, instants, said


def _label(drafts: list[FileDraft], times: dict[str, pl.Series], log: FaultLog) -> None:
    """Classes of all rows from the fault log."""
    intervals = checked(log, times[f"{log.file}, start"], times[f"{log.file}, end"])
    for draft in drafts:
        draft.label = classes_at(times[draft.file], intervals)


def _rows(
    draft: FileDraft,
    time: pl.Series | None,
    instant: pl.Series | None,
    roles: ColumnRoles,
    source: "TableSource",
) -> FileRows:
    """One row a data row, with the columns row, time, group, plant, label, split and keep.

    Where local times do not tell the order, ``time`` is the instant, and ``local`` stands beside.
    """
    row = pl.Series("row", np.arange(draft.height), dtype=pl.Int64)
    days = []
    by_day = source.group_columns is not None and not roles.groups
    if time is not None and time.dtype == pl.Datetime and by_day:
        days = [time.dt.date().cast(pl.String)]
    names = [name.alias(f"{k}") for k, name in enumerate([*draft.names, *days])]
    group = pl.DataFrame(names).select(pl.concat_str(pl.all(), separator="/"))
    columns = {
        "time": row if time is None else time if instant is None else instant,
        "group": group.to_series(),
        "plant": draft.plant,
        "label": draft.label,
        "split": draft.split,
        "keep": draft.keep,
    }
    if time is not None and instant is not None:
        columns["local"] = time
    rows = pl.DataFrame([row, *(column.alias(name) for name, column in columns.items())])
    return FileRows(draft.file, rows, None if time is None else roles.time, draft.columns)
