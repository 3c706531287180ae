"""`MemoryWatch`: how many rows may be drawn now, while other programs take memory and give it back.

The plan has read the free memory once. While a store in memory is filled it is read again, ten
times a second and each time `CHECK_BYTES` of rows were handed out:

1. The rest of the store fits beside the reserve: chunks are handed out as they are, in parts of
   `CHECK_BYTES` where they are larger.
2. It does not fit: what is left is handed out in ever smaller parts, so that the workers together
   never have more under way than there is.
3. Nothing is left: who asks waits, one worker after the other. It goes on when memory is back.
4. After a twentieth of the time that the build has taken so far, the wait is over: StoreFullError.
   `store.places` then moves the finished rows to the next place, and the build goes on there.
"""

import logging
import math
import threading
import time

from dualgaf.store import writer as store_writer
from dualgaf.store.writer import StoreWriter
from dualgaf.system.machine import Headroom, format_bytes

READ_S = 0.1
"""Seconds between two readings of memory; one took 1.3 ms on a busy machine, in one trial."""
PAUSE_S = 0.02
"""Who has to wait asks again after so long."""
PARTS = 4
"""Where the rest does not fit, a worker gets a quarter of its share of what is left."""
PATIENCE = 0.05
"""Part of the build's time that may be spent waiting for memory to come back."""
PATIENCE_S = (0.2, 30.0)
"""The least and the most of it."""

log = logging.getLogger(__name__)


class MemoryWatch:
    """Hands out rows of a store as long as there is memory for them. Threads may share one.

    Args:
        writer: the store that is filled.
        workers: how many draw at the same time.

    Example:
        >>> from dualgaf.store.backing import open_writer
        >>> from dualgaf.store.layout import StoreLayout
        >>> with open_writer(StoreLayout(10, (3,), "uint8"), ["memfd"]) as writer:
        ...     watch = MemoryWatch(writer, workers=2)
        ...     watch.rows(2, 7)
        5
    """

    def __init__(self, writer: StoreWriter, workers: int) -> None:
        self._writer = writer
        self._workers = workers
        self._row_bytes = writer.layout.row_bytes
        # A store smaller than what is written between two readings takes no more than the reserve.
        small = writer.layout.total_bytes <= store_writer.CHECK_BYTES
        self._watched = writer.in_memory and not small
        self._lock = threading.Lock()
        self._under_way = 0
        """Bytes of rows that were handed out and are not done."""
        self._since_read = 0
        self._read_at = -math.inf
        self._left = 0
        self._fits = True
        self._began = time.monotonic()
        self._waits_from: float | None = None
        self._waited = 0.0

    def rows(self, first: int, last: int) -> int:
        """How many of the rows first..last-1, from the first on, may be drawn now.

        Tell `done` when they are drawn, or never will be.

        Returns:
            0: none yet; ask again after `PAUSE_S`.

        Raises:
            StoreFullError: memory is short, and did not come back in time.
        """
        wanted = last - first
        if not self._watched:
            return wanted
        with self._lock:
            now = time.monotonic()
            if now >= self._read_at + READ_S or self._since_read >= store_writer.CHECK_BYTES:
                self._read(now)
            if not (most := self._most()):
                headroom = self._read(now)  # before anybody waits, and while one does
                if not (most := self._most()):
                    self._wait(now, headroom)
                    return 0
            self._go_on(now)
            given = min(wanted, most)
            self._under_way += given * self._row_bytes
            self._since_read += given * self._row_bytes
            self._left -= given * self._row_bytes
            return given

    def done(self, rows: int) -> None:
        """Rows that were handed out are drawn, or have lost their worker."""
        if self._watched:
            with self._lock:
                self._under_way -= rows * self._row_bytes

    def _read(self, now: float) -> Headroom:
        spare, headroom = self._writer.spare_bytes()
        self._read_at, self._since_read = now, 0
        self._fits = spare >= self._writer.missing_bytes()
        self._left = spare - self._under_way
        return headroom

    def _most(self) -> int:
        """The most rows that one worker may get now."""
        most = max(1, store_writer.CHECK_BYTES // self._row_bytes)
        if self._fits:
            return most
        share = self._left // (PARTS * self._workers)
        fits = max(share, min(self._left, self._row_bytes)) // self._row_bytes
        return max(0, min(most, fits))

    def _wait(self, now: float, headroom: Headroom) -> None:
        if self._waits_from is None:
            self._waits_from = now
            left = format_bytes(headroom.bytes)
            log.warning("drawing waits for memory: %s are left (%s)", left, headroom.limited_by)
        least, longest = PATIENCE_S
        allowed = min(longest, PATIENCE * (now - self._began)) - self._waited
        if not self._under_way and now - self._waits_from >= max(least, allowed):
            raise self._writer.shortage(headroom)

    def _go_on(self, now: float) -> None:
        if self._waits_from is not None:
            self._waited += now - self._waits_from
            self._waits_from = None
