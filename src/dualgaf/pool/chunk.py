"""Filling one chunk of a store: the same code in a worker process, a thread, and in line.

A chunk is drawn in blocks of a few windows. A block fits the processor's second-level cache, so
copying it into the store reads no memory. Private memory needs no block: it is drawn in place.
"""

import errno
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SystemRefusedError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.windows import Windows
from dualgaf.store.writer import PrivateWriter, StoreWriter
from dualgaf.system.machine import format_bytes, process_limits

Array = npt.NDArray[Any]

BLOCK_BYTES = 2 << 20
"""Size of a block: it stays in the caches of a core, and a call for each costs nothing."""
KERNEL_BYTES = 256 << 20
"""What compiling the kernel and the heaps of the threads may take of a process' limit."""


def check_limits() -> None:
    """Look before the kernel is used: its compiler ends a process that gets no memory, or hangs.

    Raises:
        SystemRefusedError: ``ulimit -v`` or ``ulimit -d`` leaves less than `KERNEL_BYTES`.

    Example:
        >>> check_limits()
    """
    for left in process_limits():
        if left.bytes < KERNEL_BYTES:
            raise SystemRefusedError(
                errno.ENOMEM,
                f"{left.limited_by} leaves this process {format_bytes(left.bytes)}, and drawing "
                f"needs {format_bytes(KERNEL_BYTES)}; type ulimit "
                f"{'-v' if left.limited_by == 'RLIMIT_AS' else '-d'} unlimited",
            )


class ChunkFiller:
    """Draws chunks of windows into a store. Threads may share one.

    Args:
        renderer: what to draw.
        windows: the N windows.
        writer: where row n of the store is window n.

    Raises:
        SystemRefusedError: see `check_limits`.
    """

    def __init__(self, renderer: Renderer, windows: Windows, writer: StoreWriter) -> None:
        check_limits()
        self.renderer = renderer
        self.windows = windows
        self.writer = writer
        self._own = threading.local()

    def fill(self, first: int, last: int) -> None:
        """Draw windows first..last-1 into rows first..last-1.

        Raises:
            SeriesError: a window cannot be drawn.
            StoreFullError: the place of the store is full.
        """
        if isinstance(self.writer, PrivateWriter):
            self.renderer.render(self.windows, first, last, self.writer.rows(first, last))
            return
        block = self._block()
        for start in range(first, last, len(block)):
            stop = min(start + len(block), last)
            rows = block[: stop - start]
            self.renderer.render(self.windows, start, stop, rows)
            self.writer.write_rows(start, rows)

    def _block(self) -> Array:
        if not hasattr(self._own, "block"):
            layout = self.writer.layout
            rows = max(1, BLOCK_BYTES // layout.row_bytes)
            self._own.block = np.empty((rows, *layout.row_shape), dtype=layout.dtype)
        block: Array = self._own.block
        return block
