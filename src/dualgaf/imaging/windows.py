"""Windows of series: which steps belong to which window, without copying them.

All series of a set lie end to end in one array ``flat`` (C, L); a window is its first step in it.
Overlapping windows therefore share their bytes, and a worker needs two arrays only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError, not_allowed

Array = npt.NDArray[Any]

OK, NOT_FINITE, OUT_OF_RANGE, TOO_SMALL = 0, 1, 2, 3
"""What a kernel says of a window that it was to read."""
TOO_FAR = (
    "float32 does not hold once it is standardised: it is a NaN, an infinity, or more than 3.4e38 "
    "deviations from the mean of the training split; clean the series, or divide it by 1e100"
)
"""What an error says of a value that a batch cannot hold."""


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows of T steps and C channels over one flat array.

    Example:
        >>> windows = Windows(np.arange(6.0).reshape(1, 6), np.array([0, 2]), window_size=4)
        >>> windows.block(0, 2).shape
        (2, 1, 4)
    """

    flat: Array
    """(C, L) float32 or float64, C-contiguous: all series end to end."""
    starts: Array
    """(N,) int64: first step of each window in ``flat``."""
    window_size: int
    """T, steps in a window."""

    @classmethod
    def stacked(cls, windows: Array) -> Self:
        """Windows that lie in one (N, C, T) array, of which a copy is made.

        Example:
            >>> Windows.stacked(np.arange(6.0).reshape(2, 1, 3)).take([1]).tolist()
            [[[3.0, 4.0, 5.0]]]
        """
        n, channels, steps = windows.shape
        flat = np.ascontiguousarray(windows.transpose(1, 0, 2)).reshape(channels, n * steps)
        return cls(flat, np.arange(n, dtype=np.int64) * steps, steps)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def n_channels(self) -> int:
        """C, the number of channels."""
        return int(self.flat.shape[0])

    def take(self, rows: Array | Sequence[int]) -> Array:
        """The windows of these rows as one (B, C, T) array, a copy."""
        first = self.starts[np.asarray(rows, dtype=np.int64)]
        steps = first[:, None] + np.arange(self.window_size)
        return self.flat[:, steps].transpose(1, 0, 2)

    def block(self, first: int, last: int) -> Array:
        """Windows first..last-1 as one (last - first, C, T) array, a copy."""
        return self.take(np.arange(first, last))


def window_starts(lengths: Sequence[int], window_size: int, stride: int) -> tuple[Array, Array]:
    """First steps of all windows; no window crosses the end of a series.

    Args:
        lengths: steps of each series, in the order in which they lie end to end.
        window_size: T >= 2.
        stride: steps between the starts of two windows, >= 1.

    Returns:
        (N,) int64 starts in the flat array, and (N,) int64 index of the series of each window.

    Raises:
        SeriesError: the size or stride is not allowed, or no series is long enough.

    Example:
        >>> starts, series = window_starts([5, 3], window_size=2, stride=2)
        >>> starts.tolist(), series.tolist()
        ([0, 2, 5], [0, 0, 1])
    """
    if window_size < 2:
        raise SeriesError(
            f"window_size={window_size} is too small; allowed: 2 and more; type window_size=96"
        )
    if stride < 1:
        raise SeriesError(not_allowed("stride", stride, "1 and more", "stride=1"))
    steps = np.array(lengths, dtype=np.int64)
    counts = np.maximum((steps - window_size) // stride + 1, 0)
    if not counts.sum():
        longest = max(lengths, default=0)
        raise SeriesError(
            f"window_size={window_size} is longer than every segment (the longest of "
            f"{len(lengths)} has {longest} steps); type window_size={max(2, longest)} or less"
        )
    series = np.repeat(np.arange(len(steps)), counts)
    # Where windows would begin if the first series began so far ahead.
    ahead = np.cumsum(steps) - steps - stride * (np.cumsum(counts) - counts)
    starts = np.arange(counts.sum(), dtype=np.int64)
    starts *= stride
    starts += np.repeat(ahead, counts)
    return starts, series
