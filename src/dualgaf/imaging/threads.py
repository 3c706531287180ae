"""Work on many windows, a part in each of a few threads.

For compiled kernels, which release the GIL.
"""

from collections.abc import Callable
from itertools import pairwise
from threading import Thread


def share_out(work: Callable[[slice], None], n_windows: int, threads: int) -> None:
    """Call ``work`` for all of so many windows, part by part, a thread each.

    Args:
        work: is called with the windows of a part.
        n_windows: of all parts together.
        threads: parts, at most; the first is done by the thread that calls.

    Example:
        >>> share_out(print, 4, threads=1)
        slice(0, 4, None)
    """
    threads = max(1, min(threads, n_windows))
    edges = [n_windows * part // threads for part in range(threads + 1)]
    first, *others = (slice(start, end) for start, end in pairwise(edges))
    helpers = [Thread(target=work, args=(part,)) for part in others]
    for helper in helpers:
        helper.start()
    try:
        work(first)
    finally:
        for helper in helpers:
            helper.join()
