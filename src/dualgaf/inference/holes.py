"""Holes that are too long to be filled, in rows that come one after the other."""

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.series.missing import in_long_holes

Array = npt.NDArray[Any]

log = logging.getLogger(__name__)


class Holes:
    """Says which rows lie in a hole of more than ``limit`` rows, as `cut_at_holes` does of a file.

    That a hole is long is known at its row ``limit + 1``: those before it were read as if it would
    be filled.

    Args:
        names: of the C channels.
        limit: rows of the longest hole that is filled.

    Example:
        >>> holes = Holes(["sat"], limit=1)
        >>> [holes.read(np.array([[value]]), np.array([False])) for value in (1.0, np.nan)]
        [(array([False]), False), (array([False]), False)]
        >>> holes.read(np.array([[np.nan, 2.0]]), np.array([False, False]))
        (array([ True, False]), True)
    """

    def __init__(self, names: Sequence[str], limit: int) -> None:
        self._names, self._limit = tuple(names), limit
        self._open = np.zeros(len(self._names), dtype=np.int64)

    def read(self, values: Array, is_new: Array) -> tuple[Array, bool]:
        """Go on with these rows.

        Args:
            values: (C, n), not finite where one is missing.
            is_new: (n,) whether a row does not follow the one before it; a hole ends there.

        Returns:
            (n,) whether a row lies in a hole that is too long, and whether rows that were read
            before turn out to.
        """
        inside = np.zeros(values.shape[1], dtype=bool)
        if not self._open.any() and np.isfinite(values).all():
            return inside, False
        before = False
        for first, after in pairwise([0, *(np.flatnonzero(is_new[1:]) + 1).tolist(), len(inside)]):
            if is_new[first]:
                self.forget()
            was_long = (self._open > self._limit).any()
            told = self._open.max()  # what is open is put before the rows, channel by channel
            is_open = np.arange(told) >= told - self._open[:, None]
            whole = np.concatenate([np.where(is_open, np.nan, 0), values[:, first:after]], axis=1)
            is_long = in_long_holes(whole, self._limit)
            inside[first:after] = is_long[told:]
            before |= bool(is_long[:told].any())
            self._open = np.minimum(_at_the_end(whole), self._limit + 1)
            if is_long.any() and not was_long:
                self._tell(whole)
        return inside, before

    def forget(self) -> None:
        """No hole is open."""
        self._open = np.zeros_like(self._open)

    def _tell(self, whole: Array) -> None:
        found = zip(self._names, whole, strict=True)
        names = [name for name, row in found if in_long_holes(row[None], self._limit).any()]
        log.warning(
            "%s: no value for more than %d rows (data.fill_limit of the training): rows are left "
            "out until there is one, and windows begin anew",
            ", ".join(names),
            self._limit,
        )


def _at_the_end(values: Array) -> Array:
    """(C,) how many values are missing at the end of each row of a (C, L) array."""
    is_finite = np.isfinite(values[:, ::-1])
    missing: Array = np.where(is_finite.any(axis=1), is_finite.argmax(axis=1), values.shape[1])
    return missing
