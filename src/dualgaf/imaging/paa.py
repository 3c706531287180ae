"""Piecewise aggregate approximation (PAA): T steps become S means.

Where S does not divide T the segments are uneven. Segment k covers the steps ``edges[k] ..
edges[k + 1] - 1``; the edges are those of pyts, S + 1 numbers evenly from 0 to T, computed in
float64 and cut to whole numbers: ``linspace(0, T, S + 1).astype(int64)``. An edge that is whole in
exact arithmetic may be rounded to just below it, and is then one less: T = 30 in S = 22 segments
has 14 as its middle edge, not 15.

Source: Keogh, Chakrabarti, Pazzani, Mehrotra, "Dimensionality reduction for fast similarity search
in large time series databases", Knowledge and Information Systems 3 (2001).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import ConfigError

Array = npt.NDArray[Any]


def paa_edges(window_size: int, image_size: int) -> Array:
    """Edges of the S segments: segment k holds the steps ``edges[k] .. edges[k + 1] - 1``.

    Args:
        window_size: T, steps in a window.
        image_size: S, number of segments, 2 <= S <= T.

    Returns:
        (S + 1,) int64.

    Raises:
        ConfigError: ``image_size`` is not in 2..T.

    Example:
        >>> paa_edges(10, 4).tolist()
        [0, 2, 5, 7, 10]
        >>> int(paa_edges(30, 22)[11])
        14
    """
    if not 2 <= image_size <= window_size:
        raise ConfigError(
            f"image_size={image_size} does not fit a window of {window_size} steps; allowed: 2 to "
            f"{window_size}; type image_size={max(2, min(image_size, window_size))}"
        )
    return np.linspace(0, window_size, image_size + 1).astype(np.int64)


def longest_segment(edges: Array) -> int:
    """The most steps of a segment.

    Example:
        >>> longest_segment(paa_edges(10, 4))
        3
    """
    return int(np.diff(edges).max())
