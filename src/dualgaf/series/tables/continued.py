"""Exports of one plant that overlap, as one record.

Two files that have rows in common are exports of one plant. The end of one lies somewhere in a day,
and so would the end of a series: the day would be two groups, one of which may be learned and the
other tested, and windows over that place would be lost. So such files are read as if the record had
been exported at once. Files that have no row in common are never joined: they may be two runs.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from dualgaf.series.arrays import Array
from dualgaf.series.inspection import FileFacts
from dualgaf.series.tables.cells import Column
from dualgaf.series.tables.facts import file_facts
from dualgaf.series.tables.rows import FileRows, median_step, sorted_by_time


def records(
    tables: Sequence[FileRows], channels: Sequence[str], said: list[str]
) -> tuple[list[FileRows], dict[str, FileFacts]]:
    """The tables, of which those that `drop_copies` has found to go on are one.

    Args:
        tables: every file; ``follows`` names earlier files that have rows of it.
        channels: names.
        said: a sentence a record is added.

    Returns:
        Tables in their order, a record where its first file stands; and what is told of the files
        that became part of one.

    Raises:
        SourceError: a time comes twice in a group of a file.
    """
    home = {table.file: table.file for table in tables}

    def first(file: str) -> str:
        return file if home[file] == file else first(home[file])

    for table in tables:
        for other in table.follows:
            home[first(table.file)] = first(other)
    members: dict[str, list[FileRows]] = {}
    for table in tables:
        members.setdefault(first(table.file), []).append(table)
    found: list[FileRows] = []
    facts: dict[str, FileFacts] = {}
    for parts in members.values():
        if len(parts) == 1:
            found += parts
            continue
        for part in parts:  # it marks rows of a file that come again as copies
            step = median_step(sorted_by_time(part, channels))
            facts[part.file] = file_facts(part, step)
        parts.sort(key=lambda part: (part.rows["time"].min(), part.file))
        record = _joined(parts)
        if record.rows.select("group", "time").is_duplicated().any():
            found += parts  # another class, say, at the same times: no one record
            continue
        said.append(f"{' and '.join(part.file for part in parts)} are read as one record")
        found.append(record)
    return found, facts


def _joined(parts: Sequence[FileRows]) -> FileRows:
    """One table of the rows of several, without copies."""
    name = " + ".join(part.file for part in parts)
    kept = [~part.rows["copy"].to_numpy() for part in parts]
    ends = np.cumsum([0, *(int(keep.sum()) for keep in kept)])
    groups: dict[str, int] = {}
    rows = []
    for part, keep, start in zip(parts, kept, ends, strict=False):
        own = part.rows.filter(pl.Series(keep))
        names = [f"{name}{group[len(part.file) :]}" for group in part.groups]
        used = own["group"].unique(maintain_order=True).to_list()
        codes = {code: groups.setdefault(names[code], len(groups)) for code in used}
        rows.append(
            own.with_columns(
                pl.int_range(pl.len(), dtype=pl.Int64).alias("row") + int(start),
                pl.col("group").replace_strict(codes, return_dtype=own["group"].dtype),
            )
        )
    columns = {
        column: _column([part.columns[column] for part in parts], kept)
        for column in parts[0].columns
        if all(column in part.columns for part in parts)
    }
    one = parts[0]
    whole = pl.concat(rows, how="vertical_relaxed")
    return FileRows(name, whole, one.time_column, columns, tuple(groups), one.classes, one.plants)


def _column(parts: Sequence[Column], kept: Sequence[Array]) -> Column:
    """One column of the kept cells of several files; NaN where a file has no number in it."""
    known = next((part for part in parts if part.values is not None), parts[0])
    if known.values is None:
        return known
    values = [
        np.full(int(keep.sum()), np.nan, dtype=known.values.dtype)
        if part.values is None
        else part.values[keep]
        for part, keep in zip(parts, kept, strict=True)
    ]
    return Column(
        known.name, known.kind, np.concatenate(values), unit=known.unit, found=known.found
    )
