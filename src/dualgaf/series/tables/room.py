"""One array for the numbers of all files, so that series need no copy of them.

How many rows a file has at most is known before it is read: its numbers are written to where they
stay, and what was read is freed before the next file. Rows that are left out are closed up in the
same array. It may lie on a disk, see `dualgaf.series.mapped`.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from dualgaf.series.arrays import Array
from dualgaf.series.mapped import numbers_for
from dualgaf.series.tables.cells import Column
from dualgaf.series.tables.rows import FileDraft
from dualgaf.series.tables.table import Table

_AT_ONCE = 1 << 16
"""Numbers that are copied and looked at in one go: half a MB."""
_LEAST_SHARED, _THREADS = 1 << 20, 4
"""Numbers from which on several threads copy; how many, where polars may have as many."""
_LEAST_USED = 0.8
"""Where less of it is used in the end, what is used is copied and the rest given back."""


class Room:
    """Numbers of all files, a row a column.

    Example:
        >>> room = Room(["sat", "oat"], {"a.parquet": 2, "b.parquet": 1}, np.float32)
        >>> column = Column("oat", "numbers", np.array([1.0, 2.0], dtype=np.float32))
        >>> room.placed("a.parquet", {"oat": column})["oat"].values.base is room.flat
        True
    """

    def __init__(self, names: Sequence[str], rows: Mapping[str, int], dtype: Any) -> None:
        self.names = {name: place for place, name in enumerate(names)}
        first = np.cumsum([0, *rows.values()]).tolist()
        self.first = dict(zip(rows, first, strict=False))
        """Where the rows of each file begin; it may have fewer than there is room for."""
        self.n_rows = first[-1]
        self.flat, self.is_on_disk = numbers_for(len(names) * self.n_rows, np.dtype(dtype))

    def placed(self, file: str, columns: dict[str, Column]) -> dict[str, Column]:
        """The columns of a file, with their numbers in here where they fit.

        Args:
            file: its name.
            columns: by name; emptied. What a driver hands over is freed as soon as every column of
                it is written, where nobody else holds it.
        """
        found: dict[str, Column] = {}
        writing: dict[str, _Writing] = {}
        for name in list(columns):
            column = columns.pop(name)
            values = column.values
            if values is None or not self._fits(name, values):
                found[name] = column.joined()
                continue
            pieces = deque((values, *column.further))
            first = self.names[name] * self.n_rows + self.first[file]
            place = self.flat[first : first + sum(map(len, pieces))]
            found[name] = replace(column, values=place, further=())
            writing[name] = _Writing(place, pieces)
            del column, values
        with ThreadPoolExecutor(min(_THREADS, pl.thread_pool_size())) as pool:
            each = map if self.flat.size < _LEAST_SHARED else pool.map
            while turn := [one for one in writing.values() if one.pieces]:
                list(each(_Writing.next_piece, turn))
        return found | {
            name: replace(found[name], ends=own.ends()) for name, own in writing.items()
        }

    def _fits(self, name: str, values: Array) -> bool:
        return name in self.names and np.can_cast(values.dtype, self.flat.dtype)

    def holds(self, column: Column) -> bool:
        """Whether the numbers of a column are in here; also where it has none."""
        return column.name in self.names and (
            column.values is None or column.values.base is self.flat
        )

    def closed_up(self, channels: Sequence[str], n_rows: int) -> Array:
        """(C, n_rows): where the numbers of these channels go, row after row and without holes.

        Each must be written in the order of channels, and then of rows: it lies in what was read.

        Args:
            channels: some of ``names``, in that order.
            n_rows: of each.
        """
        size = len(channels) * n_rows
        return self.flat[:size].reshape(len(channels), n_rows)

    def without_rest(self, whole: Array) -> Array:
        """The same, or a copy where the rest of the room is large, and is no disk."""
        return (
            whole if self.is_on_disk or whole.size >= _LEAST_USED * self.flat.size else whole.copy()
        )


class _Writing:
    """A column whose pieces are written to their place one by one, and let go.

    Args:
        place: as long as all pieces.
        pieces: what is not written yet.
    """

    def __init__(self, place: Array, pieces: deque[Array]) -> None:
        self.pieces = pieces
        self._place = place
        self._ends: list[tuple[float, float]] = []

    def next_piece(self) -> None:
        """Write the next piece.

        Numbers are looked at while they are in the cache: a pass of its own takes as long as the
        copy.
        """
        piece = self.pieces.popleft()
        place, self._place = self._place[: len(piece)], self._place[len(piece) :]
        for first in range(0, len(piece), _AT_ONCE):
            part = piece[first : first + _AT_ONCE]
            place[first : first + len(part)] = part
            self._ends.append((part.min(), part.max()))

    def ends(self) -> tuple[float, float]:
        """The lowest and the highest that were written; NaN where one is missing."""
        low, high = np.array(self._ends).T
        return float(low.min()), float(high.max())


def room_for(draft: FileDraft, rows_of: Mapping[str, int]) -> Room | None:
    """Room for the numbers of all files, with the names and types of the first.

    Args:
        draft: the first file.
        rows_of: as many rows as each file has at most.

    Returns:
        None where the first file has far fewer: it has a line for each value of a sensor.
    """
    if 2 * draft.height < rows_of[draft.file]:
        return None
    values = {name: own for name, c in draft.columns.items() if (own := c.values) is not None}
    single = all(own.dtype == np.float32 for own in values.values())
    return Room(list(values), rows_of, np.float32 if single else np.float64)


def rows_of_tables(tables: Mapping[str, Table]) -> dict[str, int] | None:
    """As many rows as each table has at most; None where one of them cannot tell."""
    found = {}
    for name, table in tables.items():
        rows = table.most_rows()
        if rows is None:
            return None
        found[name] = rows
    return found
