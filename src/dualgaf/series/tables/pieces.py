"""The series of all files: where each begins and ends, and its values.

Series that give windows lie end to end in one array, in the order of the source, so that windows
need no copy of them. Each file's values are forgotten as soon as they are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from dualgaf.series.arrays import Array
from dualgaf.series.series import SPLITS, Origin, SeriesSet
from dualgaf.series.tables.clocks import clock_array
from dualgaf.series.tables.room import Room
from dualgaf.series.tables.rows import FileRows, Ordered


@dataclass(frozen=True)
class Pieces:
    """The rows of one file that are kept, and where they are cut."""

    table: FileRows
    rows: pl.DataFrame
    """Sorted; at least one."""
    ends: Array
    """(pieces + 1,) the first row of each piece, and one beyond the last."""
    as_read: bool = False
    """Whether rows stand in the order of the file."""
    is_new: bool = False
    """Whether a class is that of a row, and ends no piece: in data that are predicted."""

    @property
    def lengths(self) -> Array:
        """(pieces,) rows of each."""
        return np.diff(self.ends)


def pieces_of(
    ordered: Ordered, table: FileRows, gap: float | None, holes: bool, is_new: bool = False
) -> Pieces:
    """Where series begin and end.

    Args:
        ordered: the rows that are kept, sorted.
        table: the file.
        gap: see `largest_gap`.
        holes: whether a row that was left out ends a series.
        is_new: whether classes end none.
    """
    ends_with = ("group", "split") if is_new else ("group", "label", "split")
    rows = ordered.rows
    starts = [ordered.starts(name) for name in ends_with]
    if gap is not None:
        starts.append(ordered.jumps(gap))
    if holes and not _is_run(rows["position"]):
        starts.append(np.flatnonzero(np.diff(rows["position"].to_numpy()) != 1) + 1)
    ends = np.append(np.unique(np.concatenate(starts)), rows.height)
    return Pieces(table, rows, ends, ordered.as_read, is_new)


def _is_run(numbers: pl.Series) -> bool:
    """Whether numbers that rise leave none out."""
    return bool(numbers[-1] - numbers[0] == len(numbers) - 1)


def series_of(
    parts: Sequence[Pieces],
    channels: tuple[str, ...],
    least: int,
    name: str,
    room: Room | None = None,
) -> SeriesSet:
    """All pieces as one set.

    Args:
        parts: every file that has rows; their values are forgotten.
        channels: C names.
        least: steps of a window; shorter series lie elsewhere than the others.
        name: of the set.
        room: where the values are, if they are in one place.
    """
    values = _in_room(parts, channels, least, room) or _copied(parts, channels, least)
    heads = [part.rows[part.ends[:-1]] for part in parts]
    return SeriesSet(
        values=values,
        labels=tuple(
            None if code is None or part.is_new else part.table.classes[code]
            for part, own in zip(parts, heads, strict=True)
            for code in own["label"].to_list()
        ),
        channel_names=channels,
        groups=tuple(
            part.table.groups[code]
            for part, own in zip(parts, heads, strict=True)
            for code in own["group"].to_list()
        ),
        origins=tuple(
            Origin(part.table.file, position)
            for part, own in zip(parts, heads, strict=True)
            for position in own["position"].to_list()
        ),
        official=tuple(
            None if code is None else SPLITS[code]
            for own in heads
            for code in own["split"].to_list()
        ),
        plants=tuple(
            None if code is None else part.table.plants[code]
            for part, own in zip(parts, heads, strict=True)
            for code in own["plant"].to_list()
        ),
        times=tuple(time for part in parts for time in _times(part)),
        step_labels=tuple(classes for part in parts for classes in _classes(part)),
        name=name,
    )


class _Places:
    """Where the series of a file go: those that give windows end to end, others by themselves."""

    def __init__(self, part: Pieces, at: int, least: int, n_channels: int, dtype: Any) -> None:
        self.part, self.at = part, at
        order = part.rows["row"]
        whole = part.as_read and _is_run(order)
        self.rows = slice(order[0], order[-1] + 1) if whole else order.to_numpy()
        self.series: list[Array | tuple[int, int]] = []
        """Arrays of short ones; where the others begin and end."""
        self.moves: list[tuple[int, int, int]] = []
        """Of those: where to, from which row to which."""
        self.short: list[tuple[Array, int, int]] = []
        for first, last in pairwise(part.ends.tolist()):
            if last - first < least:
                own = np.empty((n_channels, last - first), dtype=dtype)
                self.short.append((own, first, last))
                self.series.append(own)
                continue
            self.series.append((at, at + last - first))
            if self.moves and self.moves[-1][2] == first:
                begin, before, _ = self.moves.pop()
                self.moves.append((begin, before, last))
            else:
                self.moves.append((at, first, last))
            at += last - first
        self.end = at

    def write(self, whole: Array, channel: int, name: str) -> None:
        """Write one channel, its first rows first."""
        values = self.part.table.columns[name].values
        kept = None if values is None else values[self.rows]
        for own, first, last in self.short:
            own[channel] = np.nan if kept is None else kept[first:last]
        for at, first, last in self.moves:
            whole[channel, at : at + last - first] = np.nan if kept is None else kept[first:last]

    def values(self, whole: Array) -> list[Array]:
        """(C, L_i) the series."""
        return [
            own if isinstance(own, np.ndarray) else whole[:, own[0] : own[1]] for own in self.series
        ]


def _placed(
    parts: Sequence[Pieces], least: int, n_channels: int, dtype: Any
) -> tuple[list[_Places], int]:
    """The places of each file, and the rows of all series that give windows."""
    found: list[_Places] = []
    for part in parts:
        at = found[-1].end if found else 0
        found.append(_Places(part, at, least, n_channels, dtype))
    return found, found[-1].end


def _copied(parts: Sequence[Pieces], channels: Sequence[str], least: int) -> tuple[Array, ...]:
    single = all(part.table.is_single(channels) for part in parts)
    dtype = np.float32 if single else np.float64
    places, total = _placed(parts, least, len(channels), dtype)
    whole = np.empty((len(channels), total), dtype=dtype)
    for place in places:
        for channel, name in enumerate(channels):
            place.write(whole, channel, name)
        place.part.table.release(channels)
    return tuple(series for place in places for series in place.values(whole))


def _in_room(
    parts: Sequence[Pieces], channels: Sequence[str], least: int, room: Room | None
) -> tuple[Array, ...]:
    """As `_copied`, within the room; nothing where the values are not in there."""
    if room is None or not all(
        room.holds(part.table.columns[name]) for part in parts for name in channels
    ):
        return ()
    places, total = _placed(parts, least, len(channels), room.flat.dtype)
    whole = room.closed_up(channels, total)
    for channel, name in enumerate(channels):
        for place in places:
            place.write(whole, channel, name)
    for place in places:
        place.part.table.release(channels)
    whole = room.without_rest(whole)
    return tuple(series for place in places for series in place.values(whole))


def _classes(part: Pieces) -> list[Array | None]:
    """The class of each row of each piece, where it ends no piece."""
    if not part.is_new:
        return [None] * len(part.lengths)
    names = np.array([*part.table.classes, None], dtype=object)
    every = names[part.rows["label"].fill_null(len(names) - 1).to_numpy()]
    return [every[first:last] for first, last in pairwise(part.ends.tolist())]


def _times(part: Pieces) -> list[Array | None]:
    if part.table.time_column is None:
        return [None] * len(part.lengths)
    times = clock_array(part.rows["local" if "local" in part.rows.columns else "time"])
    return [times[first:last] for first, last in pairwise(part.ends.tolist())]
