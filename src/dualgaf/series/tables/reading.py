"""From tables to `FileRows`: roles, clocks, labels and numbers, alike in all files.

The first file decides which column plays which role, and every other file must agree. Everything
that is found out, or left out, is one sentence in the list that comes back.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.inspection import Refuse
from dualgaf.series.series import SPLITS
from dualgaf.series.tables.agreement import one_reading, say_clock
from dualgaf.series.tables.ahead import each_table
from dualgaf.series.tables.cells import CellRules, same_unit
from dualgaf.series.tables.classes import settle_classes
from dualgaf.series.tables.clocks import Clock, read_clock
from dualgaf.series.tables.coded import Coded, joined_texts
from dualgaf.series.tables.columns import ColumnRoles, need_columns, same_channels
from dualgaf.series.tables.dialects.faultlog import (
    FaultLog,
    checked,
    classes_at,
    read_log,
)
from dualgaf.series.tables.dialects.steps import starts_of
from dualgaf.series.tables.dialects.zones import check_marks, local_and_instant
from dualgaf.series.tables.drafts import chosen_channels, columns_said, draft_of
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.roles import check_roles, find_roles, need_roles
from dualgaf.series.tables.room import Room, room_for, rows_of_tables
from dualgaf.series.tables.rows import FileDraft, FileRows
from dualgaf.series.tables.timecolumn import TimeColumn, with_time_column

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular


_DAY_US = 86_400_000_000


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
    room: Room | None
    """Where the numbers are, if they are in one place."""


def read_rows(source: "Tabular", refuse: Refuse) -> Read:
    """Every table of a source, understood.

    Args:
        source: which tables, and its settings.
        refuse: gets what must be decided although reading can go on.

    Raises:
        SourceError: a file, column or cell cannot be read, or files do not agree.
    """
    rules, notes = CellRules(source.null_values, source.decimal), Notes()
    given = source.tables(notes)
    roles: ColumnRoles | None = None
    column: TimeColumn | None = None
    drafts: list[FileDraft] = []
    clocks: dict[str, Clock] = {}
    headers: dict[str, None] = {}
    room, rows_of = None, rows_of_tables(given) if source.step is None else None
    for file, table, units in each_table(given, source, notes):
        headers |= dict.fromkeys(table.columns)
        table, found = with_time_column(table, source, file, column)
        column = column or found
        own = _own_roles(table, roles, found.name, source, file, list(given))
        roles = roles or own
        if roles.time is not None:
            clocks[file] = read_clock(table[roles.time], file, source.time_format, source.year)
            if roles.time not in {
                *replace(roles, time=None).names,
                *(chosen_channels(source) or ()),
            }:
                # they are read; as texts they take as much memory as four sensors
                table = table.with_columns(pl.lit(None).alias(roles.time))
        of_file = replace(roles, label=own.label) if source.is_new else roles
        draft = draft_of(table, of_file, source, file, rules, units)
        if not drafts and rows_of is not None:
            room = room_for(draft, rows_of)
        del table  # its numbers are in the draft, and in the room before long
        if room is None:
            draft.columns = {name: column.joined() for name, column in draft.columns.items()}
        else:
            columns, draft.columns = draft.columns, {}
            draft.columns = room.placed(file, columns)
        drafts.append(draft)
    assert roles is not None
    assert column is not None
    if not source.is_new:
        need_columns(list(headers), source.exclude, "data.exclude", drafts[0].file)
    faults = source.fault_table(notes)
    log = None if faults is None else read_log(faults, source, notes)
    say_clock(column, clocks, source, notes)
    apart = {draft.file: [part.codes for part in draft.apart] for draft in drafts}
    times, instants, said = _times(clocks, source, log, apart)
    if log is not None:
        _label(drafts, times, log)
    said = notes.lines() + said + settle_classes(drafts, roles.label, source, refuse)
    said += columns_said(drafts)
    working = sorted({value for draft in drafts for value in draft.working})
    tables = _all_rows(drafts, times, instants, roles, source)
    return Read(tables, said, working, roles, tuple(headers), room)


def _own_roles(
    table: pl.DataFrame,
    first: ColumnRoles | None,
    time_column: str | None,
    source: "Tabular",
    file: str,
    files: list[str],
) -> ColumnRoles:
    """The roles in one file, which agree with those of the first file, if this is another."""
    if first is not None:  # before a column is looked for that this file need not have
        need_roles(first, source, table.columns, file, files)
    own = find_roles(table, time_column, source, file)
    if first is None:
        need_roles(own, source, table.columns, file, files)
    check_roles(first or own, own, source, file, files)
    return own


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


def _times(
    clocks: dict[str, Clock],
    source: "Tabular",
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
        draft.label = Coded.of(classes_at(times[draft.file], intervals))


def _all_rows(
    drafts: Sequence[FileDraft],
    times: dict[str, pl.Series],
    instants: dict[str, pl.Series],
    roles: ColumnRoles,
    source: "Tabular",
) -> list[FileRows]:
    """Every file with one list of classes and one of plants; times are taken out of theirs."""
    classes = tuple(dict.fromkeys(name for draft in drafts for name in draft.label.names))
    plants = tuple(dict.fromkeys(name for draft in drafts for name in draft.plant.names))
    found = []
    for draft in drafts:
        both = times.pop(draft.file, None), instants.pop(draft.file, None)
        found.append(_rows(draft, *both, roles, classes, plants, source))
    return found


def _days(time: pl.Series) -> pl.Series:
    """The date of each time; polars takes four times as long."""
    days = time.to_physical().to_numpy() // _DAY_US
    return pl.Series(days.astype(np.int32)).cast(pl.Date)


def _rows(
    draft: FileDraft,
    time: pl.Series | None,
    instant: pl.Series | None,
    roles: ColumnRoles,
    classes: tuple[str, ...],
    plants: tuple[str, ...],
    source: "Tabular",
) -> FileRows:
    """One row a data row, with the columns of `FileRows`.

    Where local times do not tell the order, ``time`` is the instant, and ``local`` stands beside.
    """
    row = pl.int_range(draft.height, dtype=pl.Int64, eager=True)
    days = []
    by_day = source.group_columns is not None and not roles.groups
    if time is not None and time.dtype == pl.Datetime and by_day:
        days = [_days(time)]
    # The file is part of the group: run 1 of one file is not run 1 of another.
    group = joined_texts(draft.file, [*draft.apart, *days], draft.height)
    columns = {
        "row": row,
        "time": row if time is None else time if instant is None else instant,
        "group": group.codes,
        "plant": draft.plant.named(plants),
        "label": draft.label.named(classes),
        "split": draft.split.named(SPLITS),
        "keep": draft.keep,
        "copy": pl.Series([False]).new_from_index(0, draft.height),
    }
    if time is not None and instant is not None:
        columns["local"] = time
    rows = pl.DataFrame([column.alias(name) for name, column in columns.items()])
    time_column = None if time is None else roles.time
    return FileRows(draft.file, rows, time_column, draft.columns, group.names, classes, plants)
