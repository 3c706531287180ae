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
        texts = column.gather(first)
        texts = texts if as_texts is None else as_texts(texts)
        names = texts.drop_nulls().unique(maintain_order=True)
        codes = pl.Series(np.arange(len(names)), dtype=pl.Int32)
        heads = texts.replace_strict(names, codes, default=None, return_dtype=pl.Int32)
        return cls(_repeated(heads, first, len(column)), tuple(names.to_list()))

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
        known = self.codes.drop_nulls().to_numpy()
        found = np.bincount(known, minlength=len(self.names)).tolist()
        return {name: n for name, n in zip(self.names, found, strict=True) if n}


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
        pl.Series(part.names, dtype=pl.String).gather(column.gather(heads))
        if isinstance(part, Coded)
        else column.gather(heads).cast(pl.String)
        for part, column in zip(parts, columns, strict=True)
    ]
    found = Coded.of(pl.select(pl.concat_str(pl.lit(first), *texts, separator="/")).to_series())
    return Coded(_repeated(found.codes, heads, height), found.names)


def run_starts(column: pl.Series) -> Array:
    """(runs,) rows that differ from the one above them, the first among them.

    Example:
        >>> run_starts(pl.Series(["a", "a", None, None, "a"])).tolist()
        [0, 2, 4]
    """
    if not len(column):
        return np.zeros(0, dtype=np.int64)
    changes = column.slice(1).ne_missing(column.slice(0, len(column) - 1)).to_numpy()
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _repeated(heads: pl.Series, first: Array, height: int) -> pl.Series:
    """Each run's value in all of its rows."""
    if len(first) == height:
        return heads
    lengths = np.diff(np.append(first, height))
    if heads.has_nulls():
        return heads.gather(np.repeat(np.arange(len(first), dtype=np.uint32), lengths))
    return pl.Series(np.repeat(heads.to_numpy(), lengths))
