"""Which column of a file plays which role beside that of the times, from its header."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.tables.classes import BY_FILE
from dualgaf.series.tables.columns import (
    GROUP_NAMES,
    LABEL_NAMES,
    ColumnRoles,
    find_column,
    need_columns,
    without_file,
)

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular


def find_roles(table: pl.DataFrame, time: str | None, source: "Tabular", file: str) -> ColumnRoles:
    """Which column of a file plays which role.

    Args:
        table: its cells.
        time: its column of times.
        source: the settings.
        file: its name.

    Raises:
        SourceError: there is no column of classes, or the plants are in it.
    """
    header = [name for name in table.columns if name not in source.exclude]
    # Also where it is not used: a column of classes must never become a channel.
    label = source.label_column or find_column(header, LABEL_NAMES)
    if source.is_new and label not in header:
        label = None
    if source.label == "column" and label is None:
        raise SourceError(
            f"{file} has no column {LABEL_NAMES[0]!r} (data.label_column), nor "
            f"{', '.join(LABEL_NAMES[1:])}; it has: "
            f"{', '.join(header[:20])}{', ...' if len(header) > 20 else ''}; type "
            "data.label_column=NAME with one of these, or data.label=file where each file is a "
            "class"
        )
    by_name = (find_column(header, [name]) for name in GROUP_NAMES)
    groups = source.group_columns or tuple(name for name in by_name if name is not None)
    groups = () if source.group_columns is None else groups
    plant, split, working = source.plant_column, source.split_column, source.working_column
    by_file = source.label in BY_FILE or source.fault_log is not None
    if plant is not None and plant in (time, None if by_file else label):
        what = "times" if plant == time else "classes"
        raise SourceError(
            f"{file}, column {plant!r} has the {what}, so it cannot say which plant a row is of "
            "(data.plant_column); type data.plant_column=NAME, or data.plant_column=null"
        )
    return ColumnRoles(time, label, groups, split, working, plant)


def need_roles(
    roles: ColumnRoles,
    source: "Tabular",
    header: Sequence[str],
    file: str,
    files: Sequence[str],
) -> None:
    """Raise unless a file has the columns of the first.

    Args:
        roles: of all files.
        source: the settings.
        header: of the file.
        file: its name.
        files: names of all files, in their order.

    Raises:
        SourceError: names the column and both files.
    """
    known = None if file == files[0] else files[0]
    by_file = source.label in BY_FILE or source.fault_log is not None
    label = None if source.is_new or (by_file and not source.label_column) else roles.label
    for option, names in (
        ("time_column", [roles.time]),
        ("label_column", [label]),
        ("group_columns", roles.groups),
        ("split_column", [roles.split]),
        ("working_column", [roles.working]),
        ("plant_column", [roles.plant]),
    ):
        given = [name for name in names if name is not None]
        need_columns(header, given, f"data.{option}", file, known, files)


def check_roles(
    roles: ColumnRoles, own: ColumnRoles, source: "Tabular", file: str, files: Sequence[str]
) -> None:
    """Raise where a file has a column that would have had a role, and the first has none.

    Args:
        roles: of all files.
        own: what this file alone would have had.
        source: the settings.
        file: its name.
        files: names of all files, in their order.

    Raises:
        SourceError: names the column and both files.
    """
    first, by_file = files[0], source.label in BY_FILE or source.fault_log is not None
    for what, mine, theirs in (
        ("times", own.time, roles.time),
        ("classes", None if by_file or source.is_new else own.label, roles.label),
        ("groups", (own.groups or (None,))[0], (roles.groups or (None,))[0]),
    ):
        if theirs is None and mine is not None:
            raise SourceError(
                f"{file} has a column of {what}, {mine!r}, which {first} lacks; choose "
                f"files of one kind, {without_file(file, files)}, or leave the column out, type "
                f"{typed_option('data.exclude', [mine])}"
                + (" data.label=file" if what == "classes" else "")
            )
