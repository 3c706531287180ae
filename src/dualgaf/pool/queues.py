"""`WorkStealingQueues`: which chunk a worker takes next.

Each worker has a queue of neighbouring chunks, so that it writes into a file of its own (a file
lets one writer in at a time, see `store.segments`). A worker whose queue is empty takes the last
chunk of the longest one (work stealing).
"""

import contextlib
from collections import deque
from collections.abc import Sequence
from itertools import pairwise


class WorkStealingQueues:
    """Chunks that nobody has taken yet. Safe between threads: a step is one call of a deque.

    Args:
        chunks: numbers of the chunks, in their order.
        n_queues: how many workers there are.

    Example:
        >>> queues = WorkStealingQueues([0, 1, 2, 3], 2)
        >>> [queues.take(1), queues.take(1), queues.take(1), queues.take(0), queues.take(0)]
        [2, 3, 1, 0, None]
    """

    def __init__(self, chunks: Sequence[int], n_queues: int) -> None:
        cuts = [k * len(chunks) // n_queues for k in range(n_queues + 1)]
        self._queues = [deque(chunks[a:b]) for a, b in pairwise(cuts)]
        self._returned: deque[int] = deque()

    def take(self, queue: int) -> int | None:
        """A chunk that came back, else the next of this queue, else the last of the fullest one.

        Returns:
            The chunk; None when all are taken.
        """
        for chunks in (self._returned, self._queues[queue]):
            with contextlib.suppress(IndexError):
                return chunks.popleft()
        while any(self._queues):
            with contextlib.suppress(IndexError):  # another thread may be faster
                return max(self._queues, key=len).pop()
        return None

    def put_back(self, chunk: int) -> None:
        """A chunk that was taken and is not done: whoever asks next takes it."""
        self._returned.append(chunk)
