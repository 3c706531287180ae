"""One file before its times and classes are known: its columns, groups, splits and kept rows."""

from typing import TYPE_CHECKING

import polars as pl

from dualgaf.errors import SourceError, clock_meant, typed_option
from dualgaf.series.series import SPLITS
from dualgaf.series.tables.cells import CellRules, Column, label_texts, understood
from dualgaf.series.tables.classes import classes_of
from dualgaf.series.tables.coded import Coded
from dualgaf.series.tables.columns import GROUP_NAMES, ColumnRoles, need_columns, need_learned
from dualgaf.series.tables.dialects.hive import keys_of
from dualgaf.series.tables.rows import FileDraft

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular


def chosen_channels(source: "Tabular") -> tuple[str, ...] | None:
    """``data.channels`` without ``data.exclude``; None = all columns of numbers are channels."""
    if source.channels is None:
        return None
    return tuple(name for name in source.channels if name not in source.exclude)


def draft_of(
    table: pl.DataFrame,
    roles: ColumnRoles,
    source: "Tabular",
    file: str,
    rules: CellRules,
    units: dict[str, str],
) -> FileDraft:
    """A file with its cells understood.

    Args:
        table: its cells.
        roles: of all files.
        source: the settings.
        file: its name.
        rules: of the cells.
        units: of columns, from a row of units.

    Raises:
        SourceError: a column or cell is missing or cannot be read.
    """
    chosen = chosen_channels(source)
    if chosen is not None:
        if source.is_new:
            need_learned(table.columns, chosen, file)
        need_columns(table.columns, chosen, "data.channels", file)
    wanted = _all_others(table, roles, source, file) if chosen is None else chosen
    working = None if roles.working is None else Coded.of(table[roles.working], label_texts)
    columns = {}
    for name in wanted:
        column = understood(table[name], file, rules, units.get(name))
        if source.is_new and column.kind == "text":
            raise SourceError(
                f"{file}, column {name!r}, data row 1: {column.example!r} is not a number (every "
                "cell is text), and the network has learned this channel; choose another file"
            )
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
        [Coded.of(table[name], label_texts).filled("?") for name in roles.groups],
        classes_of(table, roles.label, source, file),
        _official(table, roles.split, file),
        _keep(table, working, source),
        () if working is None else working.names,
        _plants(table, roles.plant, file),
        _parts(table, source.part_column),
    )


def _all_others(table: pl.DataFrame, roles: ColumnRoles, source: "Tabular", file: str) -> list[str]:
    """Columns that may be channels where none are named."""
    # A nameless column is the row index that pandas writes in front of a table; what a folder is
    # called is no measurement.
    out = {*roles.names, *source.exclude, source.part_column, "", *keys_of(file)}
    if source.group_columns is None:  # a day that is no group is no measurement either
        out |= {name for name in table.columns if name.lower() in GROUP_NAMES}
    return [name for name in table.columns if name not in out]


def no_working_row(source: "Tabular", there: list[str]) -> str:
    """The text for a folder of which no row is kept.

    Args:
        source: the settings.
        there: values of the working column.
    """
    told = f"no row of {source.place} has {source.working_column}={source.working_value!r}"
    typed, clock = "data.working_value=...", clock_meant(source.working_value)
    if clock in there:
        told += f", which YAML makes of {clock} without quotes"
        typed = typed_option("data.working_value", str(clock))
    listed = ", ".join(there[:8])
    return f"{told} (there: {listed}); type {typed} or data.working_column=null"


def columns_said(drafts: list[FileDraft]) -> list[str]:
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


def _plants(table: pl.DataFrame, plant: str | None, file: str) -> Coded:
    if plant is None:
        return Coded.constant(None, table.height)
    found = Coded.of(table[plant], label_texts)
    if found.codes.has_nulls():
        row = int(found.codes.is_null().arg_true()[0])
        raise SourceError(
            f"{file}, column {plant!r}, data row {row + 1}: the cell is empty, and a row is of one "
            "plant; write it there, or remove the row"
        )
    return found


def _parts(table: pl.DataFrame, column: str | None) -> Coded:
    if column is None or column not in table.columns:
        return Coded.constant(None, table.height)
    return Coded.of(table[column])


def _official(table: pl.DataFrame, split: str | None, file: str) -> Coded:
    if split is None:
        return Coded.constant(None, table.height)
    marks = Coded.of(table[split], label_texts)
    for mark in marks.names:
        if mark not in SPLITS:
            raise SourceError(
                f"{file}, column {split!r}: {mark!r} is no split; allowed: {', '.join(SPLITS)}; "
                "type data.split_column=null"
            )
    return marks


def _keep(table: pl.DataFrame, working: Coded | None, source: "Tabular") -> pl.Series:
    if working is None:
        return pl.Series([True]).new_from_index(0, table.height)
    wanted = label_texts(pl.Series([source.working_value]))[0]
    if wanted not in working.names:
        return pl.Series([False]).new_from_index(0, table.height)
    return (working.codes == working.names.index(wanted)).fill_null(False)
