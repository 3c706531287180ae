"""From the files of a folder to `FileRows`: roles, clocks, labels and numbers, alike in all files.

The first file decides which column plays which role, and every other file must agree. Everything
that is found out, or left out, is one sentence in the list that comes back.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from dualgaf.errors import SourceError
from dualgaf.series.series import SPLITS
from dualgaf.series.tables.cells import CellRules, Column, label_texts, same_unit, understood
from dualgaf.series.tables.clocks import Clock, is_clock, one_reading, read_clock
from dualgaf.series.tables.columns import (
    GROUP_NAMES,
    LABEL_NAMES,
    TIME_NAMES,
    ColumnRoles,
    find_column,
    need_columns,
    same_channels,
    typed_list,
)
from dualgaf.series.tables.files import list_files, read_table, stem
from dualgaf.series.tables.rows import FileRows

if TYPE_CHECKING:
    from dualgaf.series.tables.source import TableSource

LabelFrom = Literal["auto", "column", "file", "name", "path", "folder"]
Unlabelled = Literal["predict", "drop", "class"] | None


@dataclass
class _Draft:
    """One file before its dates are known to be those of all files."""

    file: str
    height: int
    columns: dict[str, Column]
    groups: list[pl.Series]
    label: pl.Series
    split: pl.Series
    keep: pl.Series


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
    folder = root if root.is_dir() else root.parent
    paths = {p.relative_to(folder).as_posix(): p for p in list_files(root, source.pattern)}
    roles: ColumnRoles | None = None
    drafts: list[_Draft] = []
    clocks: dict[str, Clock] = {}
    working: set[str] = set()
    for file, path in paths.items():
        table = read_table(path, file, source.separator, source.header_line)
        own = _roles(table, source, file)
        roles = roles or own
        _check_roles(roles, own, source, table.columns, file, next(iter(paths)))
        if roles.time is not None:
            clocks[file] = read_clock(table[roles.time], file, source.time_format)
        if roles.working is not None:
            working |= set(label_texts(table[roles.working]).drop_nulls().unique())
        drafts.append(_draft(table, roles, source, file, rules))
    assert roles is not None
    said = _labels(drafts, roles, source)
    if roles.time is not None and roles.time != source.time_column:
        if roles.time.lower() not in TIME_NAMES:
            said.append(f"times are those of column {roles.time!r}")
        said += [f"times are read as {order}" for order in _orders(clocks)]
    times = one_reading(clocks) if clocks else {}
    said += _left_out(drafts, source)
    tables = [_rows(draft, times.get(draft.file), roles) for draft in drafts]
    return tables, said, sorted(working)


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
            same_channels(names, own, first.file, table.file)
        for name in names:
            same_unit(first.columns[name], table.columns[name], first.file, table.file)
    return names


def _roles(table: pl.DataFrame, source: "TableSource", file: str) -> ColumnRoles:
    header = table.columns
    time = source.time_column
    if time == "auto":
        time = find_column(header, TIME_NAMES)
        time = _found_clock(table, source, file) if time is None else time
    # Also where it is not used: a column of classes must never become a channel.
    label = source.label_column or find_column(header, LABEL_NAMES)
    if source.label == "column" and label is None:
        need_columns(header, LABEL_NAMES[:1], "data.label_column", file)
    by_name = (find_column(header, [name]) for name in GROUP_NAMES)
    groups = source.group_columns or tuple(name for name in by_name if name is not None)
    return ColumnRoles(time, label, groups, source.split_column, source.working_column)


def _found_clock(table: pl.DataFrame, source: "TableSource", file: str) -> str | None:
    """The column whose cells are dates, whatever it is called."""
    chosen = {*(source.channels or ()), *source.exclude, *source.group_columns}
    chosen |= {source.label_column or "", source.split_column or "", source.working_column or ""}
    found = [
        column.name
        for column in table
        if (column.name not in chosen or column.name == "")
        and (
            column.dtype in (pl.Date, pl.Datetime)
            or (column.dtype == pl.String and is_clock(column))
        )
    ]
    if len(found) > 1:
        raise SourceError(
            f"{file} has more than one column of times: {', '.join(map(repr, found))}; type "
            f"data.time_column={found[0] or found[1]}"
        )
    return found[0] if found else None


def _check_roles(
    roles: ColumnRoles,
    own: ColumnRoles,
    source: "TableSource",
    header: list[str],
    file: str,
    first: str,
) -> None:
    """Every file has the columns of the first, and no other column that would have had a role."""
    known = None if file == first else first
    by_file = source.label in ("file", "name", "path", "folder")
    for option, names in (
        ("time_column", [roles.time]),
        ("label_column", [roles.label if not by_file or source.label_column else None]),
        ("group_columns", roles.groups),
        ("split_column", [roles.split]),
        ("working_column", [roles.working]),
        ("exclude", source.exclude),
    ):
        given = [name for name in names if name is not None]
        need_columns(header, given, f"data.{option}", file, known)
    for what, mine, theirs in (
        ("times", own.time, roles.time),
        ("classes", None if by_file else own.label, roles.label),
        ("groups", (own.groups or (None,))[0], (roles.groups or (None,))[0]),
    ):
        if theirs is None and mine is not None:
            raise SourceError(
                f"{file} has a column of {what}, {mine!r}, which {first} lacks; choose files of "
                f'one kind with data.pattern="...", or leave the column out: '
                f"{typed_list('data.exclude', [mine])}"
                + (" data.label=file" if what == "classes" else "")
            )


def _draft(
    table: pl.DataFrame, roles: ColumnRoles, source: "TableSource", file: str, rules: CellRules
) -> _Draft:
    if source.channels is not None:
        need_columns(table.columns, source.channels, "data.channels", file)
        wanted = list(source.channels)
    else:
        labels = () if source.label_column else LABEL_NAMES[:1] * (source.label != "auto")
        # A nameless column is the row index that pandas writes in front of a table.
        out = {*roles.names, *source.exclude, *labels, ""}
        wanted = [name for name in table.columns if name not in out]
    columns = {}
    for name in wanted:
        column = understood(table[name], file, rules)
        if source.channels is not None and column.kind == "text":
            raise SourceError(
                f"{file}, column {name!r}, data row 1: {column.example!r} is not a number "
                "(every cell is text); if it means missing, add it to data.null_values; to leave "
                "the column out, leave it out of data.channels"
            )
        columns[name] = column
    return _Draft(
        file,
        table.height,
        columns,
        [label_texts(table[name]).fill_null("?") for name in roles.groups],
        _label(table, roles, source, file),
        _official(table, roles.split, file),
        _keep(table, roles.working, source),
    )


def _label(table: pl.DataFrame, roles: ColumnRoles, source: "TableSource", file: str) -> pl.Series:
    if source.label in ("auto", "column") and roles.label is not None:
        return label_texts(table[roles.label], source.null_values)
    path = Path(file)
    text = {
        "path": file.removesuffix(path.name) + stem(file),
        "folder": path.parent.name or stem(file),
    }.get(source.label, stem(file))
    return pl.Series([text]).new_from_index(0, table.height)


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


def _keep(table: pl.DataFrame, working: str | None, source: "TableSource") -> pl.Series:
    if working is None:
        return pl.Series([True]).new_from_index(0, table.height)
    texts = label_texts(table[working])
    wanted = label_texts(pl.Series([source.working_value]))[0]
    return texts.to_frame("text").select(pl.col("text").eq(wanted).fill_null(False))["text"]


def _labels(drafts: list[_Draft], roles: ColumnRoles, source: "TableSource") -> list[str]:
    """Deal with rows without a class; what is said of classes.

    Raises:
        SourceError: there are such rows and no rule for them, or two files give one name.
    """
    if roles.label is None or source.label in ("file", "name", "path", "folder"):
        _check_stems(drafts, source)
        return []
    missing = {d.file: int((d.label.is_null() & d.keep).sum()) for d in drafts}
    n = sum(missing.values())
    if not n:
        return []
    rows = f"{n} of {sum(d.height for d in drafts)} rows"
    where = ", ".join(file for file, own in list(missing.items()) if own)[:200]
    if source.unlabelled is None:
        raise SourceError(
            f"label column {roles.label!r}: {rows} have no label, the cell is missing ({where}); "
            "if they are a class of their own (often the normal one), type data.unlabelled=class "
            "data.unlabelled_class=normal; to predict and not to learn them, type "
            "data.unlabelled=predict; to leave them out, type data.unlabelled=drop"
        )
    for draft in drafts:
        if source.unlabelled == "class":
            draft.label = draft.label.fill_null(source.unlabelled_class)
        elif source.unlabelled == "drop":
            draft.keep = draft.keep & draft.label.is_not_null()
    means = {
        "class": f"are of class {source.unlabelled_class!r}",
        "drop": "are left out",
        "predict": "are not learned, and go to predict",
    }
    return [f"{rows} have no label and {means[source.unlabelled]}"]


def _check_stems(drafts: list[_Draft], source: "TableSource") -> None:
    if source.label not in ("auto", "file", "column"):
        return
    double = [name for name, n in Counter(stem(d.file) for d in drafts).items() if n > 1]
    if double:
        one, other, *_ = (d.file for d in drafts if stem(d.file) == double[0])
        raise SourceError(
            f"{one} and {other} have one name, and the class is the name of the file; type "
            f"data.label=name if both are class {double[0]!r}, data.label=path if each is a class "
            "of its own, or data.label=folder if the folder is the class"
        )


def _orders(clocks: dict[str, Clock]) -> list[str]:
    found = [tuple(clock.readings) for clock in clocks.values() if clock.form]
    return [" or ".join(order) for order in dict.fromkeys(found) if len(order) == 1]


def _left_out(drafts: list[_Draft], source: "TableSource") -> list[str]:
    """What is said of columns: how their cells were read, and which are no channels."""
    if not drafts:
        return []
    kinds: dict[str, dict[str, Column]] = {}
    for draft in drafts:
        for name, column in draft.columns.items():
            kinds.setdefault(name, {})[column.kind] = column
    found = [
        f"column {name!r} is read as: {by_kind['numbers'].found}"
        for name, by_kind in kinds.items()
        if "numbers" in by_kind and by_kind["numbers"].found
    ]
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


def _rows(draft: _Draft, time: pl.Series | None, roles: ColumnRoles) -> FileRows:
    """One row a data row, with the columns row, time, group, label, split and keep."""
    row = pl.Series("row", np.arange(draft.height), dtype=pl.Int64)
    days = []
    if time is not None and time.dtype == pl.Datetime and not roles.groups:
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
