"""What was understood of a folder, as `TableFacts`, and the windows that cutting costs."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dualgaf.series.arrays import Array
from dualgaf.series.inspection import FileFacts, TableFacts
from dualgaf.series.series import clock_text
from dualgaf.series.tables.clocks import clock_array
from dualgaf.series.tables.coded import Coded
from dualgaf.series.tables.reading import Read
from dualgaf.series.tables.rows import FileRows, Ordered, time_numbers

if TYPE_CHECKING:
    from dualgaf.series.tables.tabular import Tabular

MISSING, LEFT_OUT, CHANGES = "rows are missing", "rows are left out", "the class changes"
_MOST = 2**40
"""Steps that no file has; larger numbers are no integers of polars."""
SHORT, DEAD = "piece too short", "a sensor has no value"


def table_facts(
    name: str,
    read: Read,
    files: Sequence[FileFacts],
    channels: tuple[str, ...],
    source: "Tabular",
    lost: Counter[str],
) -> TableFacts:
    """What is told of a folder.

    Args:
        name: of the folder.
        read: every file, understood.
        files: what is told of each.
        channels: C names.
        source: the settings.
        lost: windows by reason.
    """
    tables, roles = read.tables, read.roles
    classes: Counter[str] = Counter()
    plants: Counter[str] = Counter()
    for table in tables:
        copied = table.rows["copy"]
        own = table.rows.filter(~copied) if copied.any() else table.rows
        plants.update(Coded(own["plant"], table.plants).counts())
        classes.update(Coded(own["label"], table.classes).counts())
    units = {
        channel: unit
        for channel in channels
        if (unit := next((u for t in tables if (u := t.columns[channel].unit)), None))
    }
    column = None if source.by_file or source.fault_log is not None else roles.label
    labels_from = f"names of {source.kind}" if column is None else f"column {column!r}"
    if source.fault_log is not None:
        labels_from = f"fault log {source.log_name}"
    return TableFacts(
        name=name,
        files=tuple(files),
        time_column=roles.time,
        dated=all(table.dated for table in tables),
        label_column=column,
        labels_from=labels_from,
        plant_column=roles.plant,
        scale_by=source.scale_by,
        group_columns=roles.groups,
        channels=channels,
        units=units,
        left_out=_left_out(read, channels, source),
        classes=dict(sorted(classes.items())),
        plants=dict(sorted(plants.items())),
        lost={reason: n for reason, n in lost.items() if n > 0},
        notes=tuple(read.said),
        kind=source.kind,
    )


def lost_windows(
    ordered: Ordered, step: float | None, gap: float | None, steps: int, stride: int
) -> Counter[str]:
    """Windows that there would be if no row were missing, by what they are lost to.

    Args:
        ordered: rows of one file, sorted, with those that are not kept.
        step: of time, see `median_step`; None where rows are evenly spaced.
        gap: the largest inside a series; None = any.
        steps: T.
        stride: steps between two windows.
    """
    steps, stride = min(steps, _MOST), min(stride, _MOST)
    time, kept = time_numbers(ordered.rows), ordered.rows["keep"]
    groups = ordered.starts("group")
    jumps = ordered.jumps(gap) if gap is not None else groups
    holes = ordered.starts("keep")
    changes = [ordered.starts(name) for name in ("label", "split")]

    def lengths(*starts: Array) -> tuple[Array, Array]:
        first = np.unique(np.concatenate(starts))
        return first, np.diff(np.append(first, len(kept)))

    def windows(rows_of_each: Array) -> int:
        return int(((rows_of_each - steps) // stride + 1).clip(0).sum())

    whole = lengths(groups)[1]
    if step is not None and len(time):
        spans = time[np.append(groups[1:], len(time)) - 1] - time[groups]
        whole = (np.round(spans / step) + 1).astype(np.int64)
    _, runs = lengths(groups, jumps)
    counts = [windows(whole), windows(runs)]
    for cuts in ([holes], [holes, *changes]):
        first, own = lengths(groups, jumps, *cuts)
        counts.append(windows(own[kept.gather(first).to_numpy()]))
    found = Counter(
        {name: before - after for name, before, after in zip(
            (MISSING, LEFT_OUT, CHANGES), counts, counts[1:], strict=False)}
    )  # fmt: skip
    found[SHORT] = int((whole < steps).sum())
    return found


def file_facts(table: FileRows, step: float | None) -> FileFacts:
    """Rows, times and step of one file; ``step`` as of `median_step`."""
    time = table.rows["local" if "local" in table.rows.columns else "time"]
    if table.time_column is None:
        return FileFacts(table.file, table.rows.height, None, None, None)
    ends = clock_array(pl.Series([time.min(), time.max()], dtype=time.dtype))
    first, last = map(clock_text, ends)
    scale = 1e6 if table.dated else 1.0
    return FileFacts(
        table.file, table.rows.height, first, last, None if step is None else step / scale
    )


def _left_out(read: Read, channels: tuple[str, ...], source: "Tabular") -> dict[str, str]:
    roles, found = read.roles, dict[str, str]()
    if source.channels is not None:
        known = {*channels, *roles.names, source.part_column, ""}
        others = (name for name in read.header if name not in known)
        found = dict.fromkeys(others, "not chosen")
    for table in read.tables:
        for name, column in table.columns.items():
            if name not in channels:
                why = {"text": f"text, e.g. {column.example!r}", "empty": "no value at all"}
                found[name] = why.get(column.kind, "not chosen")
    if source.by_file and roles.label is not None:
        found[roles.label] = "classes, but the class is the name of the file"
    return found | dict.fromkeys(
        (name for name in source.exclude if name in read.header), "data.exclude"
    )
