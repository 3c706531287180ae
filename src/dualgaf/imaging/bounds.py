"""The fit of ``scaling="train"``: low and high of each channel over the training windows."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError
from dualgaf.imaging.compiled import kernel
from dualgaf.imaging.paa import longest_segment, paa_edges
from dualgaf.imaging.scaling import LEAST, are_constant, rounding
from dualgaf.imaging.windows import Windows

Array = npt.NDArray[Any]


def fit_bounds(windows: Windows, rows: Array, image_size: int) -> Array:
    """Low and high of each channel over these windows, after PAA.

    Args:
        windows: all windows.
        rows: (M,) int64, the windows of the training split.
        image_size: S.

    Returns:
        (2, C) float64: row 0 the lows, row 1 the highs; equal for a channel that is constant by
        the rule of `dualgaf.imaging.scaling`.

    Raises:
        SeriesError: there is no training window, a value is not finite, or a channel changes and is
            all below 2.2e-308.

    Example:
        >>> windows = Windows(np.array([[0.0, 1.0, 2.0, 9.0]]), np.array([0, 2]), window_size=2)
        >>> fit_bounds(windows, np.array([0]), image_size=2).tolist()
        [[0.0], [1.0]]
    """
    if len(rows) == 0:
        raise SeriesError(
            "scaling=train needs training windows and there are none; type scaling=window"
        )
    bounds = np.empty((2, windows.n_channels), np.float64)
    bounds[0], bounds[1] = np.inf, -np.inf
    largest = np.zeros(windows.n_channels)
    edges = paa_edges(windows.window_size, image_size)
    starts, steps = windows.starts[rows], windows.window_size
    channel = kernel().widen(windows.flat, starts, steps, edges, bounds, largest)
    if channel >= 0:
        raise SeriesError(
            f"scaling=train: channel {channel} of the training split holds a NaN or an infinity; "
            "type data.nan=interpolate or clean the series"
        )
    low, high = bounds
    part = rounding(longest_segment(edges), windows.flat.dtype)
    constant = are_constant(low, high, largest, part)
    small = ~constant & (np.maximum(abs(low), abs(high)) < LEAST)
    if small.any():
        raise SeriesError(
            f"scaling=train: channel {np.argmax(small)} of the training split changes, and all its "
            "values are below 2.2e-308, where float64 has too few digits; allowed: larger ones, or "
            "a constant; multiply the channel by 1e100"
        )
    bounds[:, constant] = low[constant] + (high[constant] - low[constant]) / 2
    return bounds
