"""`PrivateWriter`: rows in memory of this process, drawn where they stay."""

import contextlib
import errno
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import StoreFullError
from dualgaf.store.layout import StoreLayout
from dualgaf.store.store import Store
from dualgaf.store.writer import StoreWriter, checked_rows, filling_reserve

Array = npt.NDArray[Any]

# Methods without a docstring are documented by StoreWriter.
# ruff: noqa: D102


class PrivateWriter(StoreWriter):
    """Rows in memory of this process."""

    def __init__(self, layout: StoreLayout) -> None:
        super().__init__(layout, "private", in_memory=True, reserve=filling_reserve())
        self.segments = None
        self._rows: Array | None = None
        with contextlib.suppress(MemoryError):
            self._rows = np.empty((layout.n_rows, *layout.row_shape), dtype=layout.dtype)
        if self._rows is None:
            raise StoreFullError(errno.ENOMEM, "the system refuses that much memory")

    def rows(self, first: int, last: int) -> Array:
        """A view of these rows, to draw into without a copy."""
        assert self._rows is not None
        return self._rows[first:last]

    def write_rows(self, first: int, rows: Array) -> None:
        self.rows(first, first + len(rows))[:] = checked_rows(self.layout, first, rows)

    def read_rows(self, first: int, last: int) -> Array:
        return self.rows(first, last)

    def drop_rows(self, first: int) -> None:
        pass  # all of it is freed together

    def allocated_bytes(self) -> int:
        return 0  # private memory of this process is counted by the meter itself

    def missing_bytes(self) -> int:
        return self.layout.data_bytes - self.layout.row_bytes * sum(b - a for a, b in self._done)

    def seal(self) -> Store:
        assert self._rows is not None
        rows, self._rows = self._rows, None
        return Store.from_array(self.layout, rows)

    def abort(self) -> None:
        self._rows = None
