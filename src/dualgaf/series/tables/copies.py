"""Rows that two files of a folder both have: copied files, and exports that overlap.

Left in, the same day would be in train and in test. What is compared is the content:

* Where times are dates, a run of rows is a copy that an earlier file has at the same times with the
  same values, as soon as it is as long as a window. Files whose dates do not meet are not compared.
* Where they are numbers or there are none, equal rows of two runs prove nothing (a simulation
  begins alike each time); a file is a copy if all of its rows equal those of another.

Copied rows are read once. A whole file that is there under two classes is an error; so are two
exports that have other values at the same times (`conflicts.py`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import xxhash

from dualgaf.errors import SourceError
from dualgaf.series.arrays import Array
from dualgaf.series.tables.conflicts import check_same_times, following
from dualgaf.series.tables.rows import FileRows


def drop_copies(
    tables: Sequence[FileRows], channels: Sequence[str], least: int | None, *, keep: bool = False
) -> list[str]:
    """Mark rows that an earlier file has as not kept.

    Args:
        tables: every file; their rows and what they follow change.
        channels: names.
        least: rows in a run that is a copy; None = whole files only.
        keep: whether two files may have other values at the same times.

    Returns:
        What was found, a sentence a pair of files.

    Raises:
        SourceError: a file is a copy of another and has other classes, or two exports have other
            values at the same times.
    """
    said = []
    first: dict[str, FileRows] = {}
    alike_at_ends = Counter(map(_span, tables))
    for table in tables:
        if alike_at_ends[_span(table)] == 1:
            continue
        twin = first.setdefault(_content(table, channels), table)
        if twin is not table and _varies(table, channels):
            said.append(_same_file(twin, table))
    dated = [table for table in tables if table.dated and table.rows["keep"].any()]
    pairs = set() if keep else following(dated)
    if least is not None:
        overlaps, alike = _overlaps(_that_meet(dated), channels, least)
        for one, other in [] if keep else alike:
            later = next(table for table in dated if table.file == other)
            later.follows = (*later.follows, one)
        said += overlaps
        places = {table.file: place for place, table in enumerate(dated)}
        pairs |= set() if keep else {(places[one], places[other]) for one, other in alike}
    check_same_times(dated, channels, pairs)
    return said


def _span(table: FileRows) -> tuple[int, float, float]:
    """Rows, first and last time: most files are told apart by these."""
    ends = table.rows["time"][[0, -1]].cast(pl.Float64)
    return table.rows.height, ends[0], ends[1]


def _content(table: FileRows, channels: Sequence[str]) -> str:
    found = xxhash.xxh3_128(f"{table.rows.height} {table.rows['time'].dtype}".encode())
    found.update(np.ascontiguousarray(table.rows["time"].cast(pl.Float64).to_numpy()).data)
    if table.plants:  # two of them may be alike
        found.update(table.rows["plant"].to_numpy().tobytes())
    for name in channels:
        values = table.columns[name].values
        found.update(name.encode() + b"\0")
        if values is not None:
            found.update(np.ascontiguousarray(values, dtype=np.float64).data)
    return found.hexdigest()


def _varies(table: FileRows, channels: Sequence[str]) -> bool:
    """A file of constants, or of one row, may equal another by accident."""
    columns = (table.columns[name].values for name in channels)
    return any(values is not None and bool((values != values[0]).any()) for values in columns)


def _same_file(twin: FileRows, table: FileRows) -> str:
    ours, theirs = (t.rows.select("label", "split") for t in (table, twin))
    if not ours.equals(theirs):
        if table.time_column is not None and not table.dated:
            return f"{table.file} has the rows of {twin.file}, with other labels; both are read"
        raise SourceError(
            f"{table.file} has the same rows as {twin.file}, with other classes "
            f"({_classes(table)} and {_classes(twin)}); remove one of them, or choose files with "
            'data.pattern="..."'
        )
    if not _same_runs(twin, table):
        return f"{table.file} has the rows of {twin.file}, in other groups; both are read"
    table.rows = table.rows.with_columns(keep=pl.lit(False), copy=pl.lit(True))
    return f"{table.file} has the same rows as {twin.file}; it is left out"


def _same_runs(twin: FileRows, table: FileRows) -> bool:
    """Whether groups begin and end at the same rows."""
    changes = [t.rows["group"].ne_missing(t.rows["group"].shift(1)) for t in (twin, table)]
    return bool((changes[0] == changes[1]).all())


def _classes(table: FileRows) -> str:
    codes = table.rows["label"].unique()
    known = sorted(table.classes[code] for code in codes.drop_nulls())
    return ", ".join(map(repr, [*[None] * codes.null_count(), *known][:3]))


def _overlaps(
    tables: Sequence[FileRows], channels: Sequence[str], least: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """What is said, and which files have rows in common, the earlier first."""
    # Two channels rule most files out; only what is left is compared in full.
    few = [_row_hashes(table, channels[:2]) for table in tables]
    if not tables or pl.concat(few).n_unique() == sum(map(len, few)):
        return [], []
    said, alike = [], []
    for table, (copied, owner) in zip(tables, _copied(tables, channels, least), strict=True):
        keep = table.rows["keep"].to_numpy()
        copied = copied & keep
        if copied.any():
            table.rows = table.rows.with_columns(
                keep=pl.Series(keep & ~copied), copy=pl.Series(copied)
            )
            files = [tables[other].file for other in np.unique(owner[copied])]
            alike += [(file, table.file) for file in files]
            names = ", ".join(files)
            said.append(
                f"{int(copied.sum())} rows of {table.file} are in {names}, too; they are read once"
            )
    return said, alike


def _copied(
    tables: Sequence[FileRows], channels: Sequence[str], least: int
) -> Iterator[tuple[Array, Array]]:
    """For each file which rows an earlier one has, in runs, and which file that is."""
    hashes = [_row_hashes(table, channels).to_numpy() for table in tables]
    _, first, inverse = np.unique(np.concatenate(hashes), return_index=True, return_inverse=True)
    ends = np.cumsum([len(own) for own in hashes])
    owners = np.searchsorted(ends, first, side="right")[inverse]
    for index, owner in enumerate(np.split(owners, ends[:-1])):
        yield _runs(owner < index, least), owner


def _that_meet(tables: Sequence[FileRows]) -> list[FileRows]:
    """Those whose dates overlap with those of another."""
    if len(tables) < 2:
        return []
    spans = [(table.rows["time"].min(), table.rows["time"].max()) for table in tables]
    return [
        table
        for index, table in enumerate(tables)
        if any(
            spans[index][0] <= high and low <= spans[index][1]  # type: ignore[operator]
            for other, (low, high) in enumerate(spans)
            if other != index
        )
    ]


def _row_hashes(table: FileRows, channels: Sequence[str]) -> pl.Series:
    """(rows,) of time, plant, class and values; by name: the order of columns does not matter."""
    columns = list(table.rows.select("time", "plant", "label"))
    for number, name in enumerate(channels):
        values = table.columns[name].values
        if values is not None:
            columns.append(pl.Series(f"{number}", values, dtype=pl.Float64))
    return pl.DataFrame(columns).hash_rows(seed=len(columns))


def _runs(found: Array, least: int) -> Array:
    """Those that stand in runs of at least ``least``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], found, [False]]).astype(np.int8)))
    kept = np.zeros(len(found), dtype=bool)
    for a, b in edges.reshape(-1, 2):
        if b - a >= least:
            kept[a:b] = True
    return kept
