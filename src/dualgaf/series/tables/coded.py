"""Texts of many rows of which few differ: a number a row, and what each number means.

A class, a group or a split is the same text over many rows. Kept as texts they take more memory
than a sensor, and comparing them takes longer than reading it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from dualgaf.series.arrays import Array


@dataclass(frozen=True)
class Coded:
    """A text a row, or none.

    Example:
        >>> found = Coded.of(pl.Series(["leak", "leak", None, "normal"]))
        >>> found.codes.to_list(), found.names
        ([0, 0, None, 1], ('leak', 'normal'))
    """

    codes: pl.Series
    """(rows,) Int32 indices into ``names``; null where there is no text."""
    names: tuple[str, ...]
    """Each text once."""

    @classmethod
    def of(
        cls, column: pl.Series, as_texts: Callable[[pl.Series], pl.Series] | None = None
    ) -> Self:
        """A column with a number a row.

        Args:
            column: (rows,) texts, or anything that ``as_texts`` makes texts of, cell by cell.
            as_texts: called with the first cell of each run of equal ones.
        """
        first = run_starts(column)
        heads = column.gather(first)
        texts = heads if as_texts is None else as_texts(heads)
        return cls._of_heads(texts.to_list(), first, len(column))

    @classmethod
    def _of_heads(cls, heads: Sequence[str | None], first: Array, height: int) -> Self:
        """From the text of each run and where it begins."""
        names: dict[str, int] = {}
        codes = [None if text is None else names.setdefault(text, len(names)) for text in heads]
        lengths = np.diff(np.append(first, height))
        if None not in codes:
            every = pl.Series(np.repeat(np.array(codes, dtype=np.int32), lengths))
        else:
            runs = np.repeat(np.arange(len(first), dtype=np.uint32), lengths)
            every = pl.Series(codes, dtype=pl.Int32).gather(runs)
        return cls(every, tuple(names))

    @classmethod
    def constant(cls, text: str | None, height: int) -> Self:
        """The same text in every row.

        Example:
            >>> Coded.constant("leak", 2).codes.to_list()
            [0, 0]
        """
        code = pl.Series([None if text is None else 0], dtype=pl.Int32)
        return cls(code.new_from_index(0, height), () if text is None else (text,))

    def __len__(self) -> int:
        return len(self.codes)

    def filled(self, text: str) -> Self:
        """With this text where there is none.

        Example:
            >>> Coded.of(pl.Series(["leak", None])).filled("normal").names
            ('leak', 'normal')
        """
        names = self.names if text in self.names else (*self.names, text)
        return type(self)(self.codes.fill_null(names.index(text)), names)

    def named(self, names: Sequence[str]) -> pl.Series:
        """(rows,) Int32 indices into other names, which hold all of these.

        Example:
            >>> Coded.of(pl.Series(["leak", None])).named(["fan", "leak"]).to_list()
            [1, None]
        """
        if tuple(names[: len(self.names)]) == self.names:
            return self.codes
        place = {name: index for index, name in enumerate(names)}
        moved = pl.Series([place[name] for name in self.names], dtype=pl.Int32)
        return moved.gather(self.codes)

    def counts(self) -> dict[str, int]:
        """Rows of each text, in the order of the names.

        Example:
            >>> Coded.of(pl.Series(["a", "a", None, "b"])).counts()
            {'a': 2, 'b': 1}
        """
        first = run_starts(self.codes)
        lengths, codes = np.diff(np.append(first, len(self))), self.codes.gather(first)
        known = codes.is_not_null().to_numpy()
        n = np.zeros(len(self.names), dtype=np.int64)
        np.add.at(n, codes.drop_nulls().to_numpy(), lengths[known])
        return {name: own for name, own in zip(self.names, n.tolist(), strict=True) if own}


def joined_texts(first: str, parts: Sequence[Coded | pl.Series], height: int) -> Coded:
    """Texts of several columns as one, with ``/`` between them.

    Args:
        first: stands in front of each.
        parts: (height,) each; a series is written as its text. None may be missing.
        height: rows.

    Example:
        >>> parts = [Coded.of(pl.Series(["1", "1", "2"])), pl.Series([7, 8, 8])]
        >>> joined_texts("a.csv", parts, 3).names
        ('a.csv/1/7', 'a.csv/1/8', 'a.csv/2/8')
    """
    if not parts:
        return Coded.constant(first, height)
    columns = [part.codes if isinstance(part, Coded) else part for part in parts]
    heads = np.unique(np.concatenate([run_starts(column) for column in columns]))
    texts = [
        [part.names[code] for code in column.gather(heads)]
        if isinstance(part, Coded)
        else column.gather(heads).cast(pl.String).to_list()
        for part, column in zip(parts, columns, strict=True)
    ]
    joined = ["/".join((first, *row)) for row in zip(*texts, strict=True)]
    return Coded._of_heads(joined, heads, height)


def run_starts(column: pl.Series) -> Array:
    """(runs,) rows that differ from the one above them, the first among them.

    Example:
        >>> run_starts(pl.Series(["a", "a", None, None, "a"])).tolist()
        [0, 2, 4]
    """
    if not len(column):
        return np.zeros(0, dtype=np.int64)
    n_missing = column.null_count()
    if n_missing == len(column) or (column.dtype == pl.Boolean and column.all(ignore_nulls=False)):
        return np.zeros(1, dtype=np.int64)
    if column.dtype.is_temporal():
        column = column.to_physical()
    if column.dtype.is_integer() and not n_missing:
        codes = column.to_numpy()
        changed = np.flatnonzero(codes[1:] != codes[:-1])
    else:
        changes = column.slice(1).ne_missing(column.slice(0, len(column) - 1))
        changed = changes.arg_true().to_numpy().astype(np.int64)
    return np.concatenate([[0], changed + 1])
