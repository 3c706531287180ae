"""From the files of a folder to `FileRows`: roles, clocks, labels and numbers, alike in all files.

The first file decides which column plays which role, and every other file must agree. Everything
that is found out, or left out, is one sentence in the list that comes back.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dualgaf.errors import SourceError, typed_option
from dualgaf.series.series import SPLITS
from dualgaf.series.tables.cells import CellRules, Column, label_texts, same_unit, understood
from dualgaf.series.tables.classes import classes_of, settle_classes
from dualgaf.series.tables.clocks import Clock, one_reading, read_clock
from dualgaf.series.tables.columns import (
    GROUP_NAMES,
    LABEL_NAMES,
    TIME_NAMES,
    ColumnRoles,
    need_columns,
    same_channels,
)
from dualgaf.series.tables.files import named_files, read_table
from dualgaf.series.tables.roles import check_roles, find_roles, need_roles
from dualgaf.series.tables.rows import FileDraft, FileRows

if TYPE_CHECKING:
    from dualgaf.series.tables.source import TableSource


def read_rows(root: Path, source: "TableSource") -> tuple[list[FileRows], list[str], list[str]]:
    """Every file of a folder, understood.

    Args:
        root: a folder, or one file.
        source: its settings.

    Returns:
        The files in order; what was found out or left out, a sentence each; and the values of the
        working column.

    Raises:
        SourceError: a file, column or cell cannot be read, or files do not agree.
    """
    rules = CellRules(source.null_values, source.decimal)
    paths = named_files(root, source.pattern)
    roles: ColumnRoles | None = None
    drafts: list[FileDraft] = []
    clocks: dict[str, Clock] = {}
    headers: dict[str, None] = {}
    for file, path in paths.items():
        table = read_table(path, file, source.separator, source.header_line)
        headers |= dict.fromkeys(table.columns)
        if roles is not None:  # before a column is looked for that this file need not have
            need_roles(roles, source, table.columns, file, list(paths))
        own = find_roles(table, source, file)
        if roles is None:
            roles = own
            need_roles(roles, source, table.columns, file, list(paths))
        check_roles(roles, own, source, file, list(paths))
        if roles.time is not None:
            clocks[file] = read_clock(table[roles.time], file, source.time_format)
        drafts.append(_draft(table, roles, source, file, rules))
    assert roles is not None
    need_columns(list(headers), source.exclude, "data.exclude", next(iter(paths)))
    said = settle_classes(drafts, roles.label, source)
    if roles.time is not None and roles.time != source.time_column:
        if roles.time.lower() not in TIME_NAMES:
            said.append(f"times are those of column {roles.time!r}")
        said += [f"times are read as {order}" for order in _orders(clocks)]
    times = one_reading(clocks) if clocks else {}
    said += _left_out(drafts)
    tables = [_rows(draft, times.get(draft.file), roles, source) for draft in drafts]
    return tables, said, sorted({value for draft in drafts for value in draft.working})


def chosen_channels(source: "TableSource") -> tuple[str, ...] | None:
    """``data.channels`` without ``data.exclude``; None = all columns of numbers are channels."""
    if source.channels is None:
        return None
    return tuple(name for name in source.channels if name not in source.exclude)


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


def _draft(
    table: pl.DataFrame, roles: ColumnRoles, source: "TableSource", file: str, rules: CellRules
) -> FileDraft:
    chosen = chosen_channels(source)
    if chosen is not None:
        need_columns(table.columns, chosen, "data.channels", file)
        wanted = list(chosen)
    else:
        labels = () if source.label_column else LABEL_NAMES[:1] * (source.label != "auto")
        # A nameless column is the row index that pandas writes in front of a table.
        out = {*roles.names, *source.exclude, *labels, ""}
        if source.group_columns is None:  # a day that is no group is no measurement either
            out |= {name for name in table.columns if name.lower() in GROUP_NAMES}
        wanted = [name for name in table.columns if name not in out]
    working = None if roles.working is None else label_texts(table[roles.working])
    columns = {}
    for name in wanted:
        column = understood(table[name], file, rules)
        if chosen is not None and column.kind == "text":
            numbers = [other for other in chosen if other != name]
            typed = typed_option("data.channels", numbers) if numbers else "data.channels=null"
            raise SourceError(
                f"{file}, column {name!r}, data row 1: {column.example!r} is not a number "
                f"(every cell is text); to leave the column out type {typed}"
            )
        columns[name] = column
    return FileDraft(
        file,
        table.height,
        columns,
        [label_texts(table[name]).fill_null("?") for name in roles.groups],
        classes_of(table, roles.label, source, file),
        _official(table, roles.split, file),
        _keep(table, working, source),
        () if working is None else tuple(working.drop_nulls().unique()),
    )


def _official(table: pl.DataFrame, split: str | None, file: str) -> pl.Series:
    if split is None:
        return pl.Series([None], dtype=pl.String).new_from_index(0, table.height)
    texts = label_texts(table[split])
    for mark in texts.drop_nulls().unique().to_list():
        if mark not in SPLITS:
            raise SourceError(
                f"{file}, column {split!r}: {mark!r} is no split; allowed: {', '.join(SPLITS)}; "
                "type data.split_column=null"
            )
    return texts


def _keep(table: pl.DataFrame, working: pl.Series | None, source: "TableSource") -> pl.Series:
    if working is None:
        return pl.Series([True]).new_from_index(0, table.height)
    wanted = label_texts(pl.Series([source.working_value]))[0]
    return working.to_frame("text").select(pl.col("text").eq(wanted).fill_null(False))["text"]


def _orders(clocks: dict[str, Clock]) -> list[str]:
    found = [tuple(clock.readings) for clock in clocks.values() if clock.form]
    return [" or ".join(order) for order in dict.fromkeys(found) if len(order) == 1]


def _left_out(drafts: list[FileDraft]) -> list[str]:
    """What is said of columns: how their cells were read, and which are no channels."""
    kinds: dict[str, dict[str, Column]] = {}
    for draft in drafts:
        for name, column in draft.columns.items():
            kinds.setdefault(name, {})[column.kind] = column
    notations: dict[str, list[str]] = {}
    for name, by_kind in kinds.items():
        if "numbers" in by_kind and (notation := by_kind["numbers"].found):
            notations.setdefault(notation, []).append(repr(name))
    found = [f"read as {how}: {', '.join(names)}" for how, names in notations.items()]
    texts = [
        f"{name!r} ({by_kind['text'].example!r})"
        for name, by_kind in kinds.items()
        if "text" in by_kind and "numbers" not in by_kind
    ]
    empty = [repr(name) for name, by_kind in kinds.items() if set(by_kind) == {"empty"}]
    if texts:
        found.append(f"columns of text are no channels: {', '.join(texts)}")
    if empty:
        found.append(f"columns without any value are no channels: {', '.join(empty)}")
    return found


def _rows(
    draft: FileDraft, time: pl.Series | None, roles: ColumnRoles, source: "TableSource"
) -> FileRows:
    """One row a data row, with the columns row, time, group, label, split and keep."""
    row = pl.Series("row", np.arange(draft.height), dtype=pl.Int64)
    days = []
    by_day = source.group_columns is not None and not roles.groups
    if time is not None and time.dtype == pl.Datetime and by_day:
        days = [time.dt.date().cast(pl.String)]
    # The file is part of the group: run 1 of one file is not run 1 of another.
    names = [pl.Series([draft.file]).new_from_index(0, draft.height), *draft.groups, *days]
    group = pl.DataFrame([name.alias(f"{k}") for k, name in enumerate(names)]).select(
        pl.concat_str(pl.all(), separator="/").alias("group")
    )["group"]
    columns = {
        "time": row if time is None else time,
        "group": group,
        "label": draft.label,
        "split": draft.split,
        "keep": draft.keep,
    }
    rows = pl.DataFrame([row, *(column.alias(name) for name, column in columns.items())])
    return FileRows(draft.file, rows, None if time is None else roles.time, draft.columns)
