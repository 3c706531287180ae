"""`Lanes`: which chunk a worker takes next.

Each worker has a lane of neighbouring chunks, so that it writes into a file of its own (a file lets
one writer in at a time, see `store.segments`). A worker whose lane is empty helps with the fullest.
"""

import contextlib
from collections import deque
from collections.abc import Sequence
from itertools import pairwise


class Lanes:
    """Chunks that nobody has taken yet. Safe between threads: a step is one call of a deque.

    Args:
        chunks: numbers of the chunks, in their order.
        n_lanes: how many workers there are.

    Example:
        >>> lanes = Lanes([0, 1, 2, 3], 2)
        >>> [lanes.take(1), lanes.take(1), lanes.take(1), lanes.take(0), lanes.take(0)]
        [2, 3, 1, 0, None]
    """

    def __init__(self, chunks: Sequence[int], n_lanes: int) -> None:
        cuts = [k * len(chunks) // n_lanes for k in range(n_lanes + 1)]
        self._lanes = [deque(chunks[a:b]) for a, b in pairwise(cuts)]
        self._returned: deque[int] = deque()

    def take(self, lane: int) -> int | None:
        """A chunk that came back, else the next of this lane, else the last of the fullest one.

        Returns:
            The chunk; None when all are taken.
        """
        for chunks in (self._returned, self._lanes[lane]):
            with contextlib.suppress(IndexError):
                return chunks.popleft()
        while any(self._lanes):
            with contextlib.suppress(IndexError):  # another thread may be faster
                return max(self._lanes, key=len).pop()
        return None

    def put_back(self, chunk: int) -> None:
        """A chunk that was taken and is not done: whoever asks next takes it."""
        self._returned.append(chunk)
