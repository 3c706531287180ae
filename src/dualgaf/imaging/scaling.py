"""Scaling into ``feature_range``, and its fit on the training split.

The arithmetic is that of scikit-learn's ``MinMaxScaler``, which pyts calls: with low and high,

    scale = (r1 - r0) / (high - low);   x = v * scale + (r0 - low * scale)

in float64, and a series whose high - low is below 10 machine epsilons counts as constant
(x = r0). With a large offset (1e5 and an amplitude of 1) the rounding of these very operations
moves sqrt(1 - x^2) by up to 1e-5; another order of operations would therefore not agree with pyts
to 1e-6, so this order is kept on purpose. The result is clipped to [-1, 1].
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError
from dualgaf.imaging.paa import paa
from dualgaf.imaging.windows import Windows

Array = npt.NDArray[Any]

CONSTANT_BELOW = 10 * float(np.finfo(np.float64).eps)
"""A range under this is a constant series (scikit-learn's rule)."""

FIT_WINDOWS = 4096
"""Windows read at a time while fitting: bounds the scratch, changes no result."""


def scale(means: Array, low: Array, high: Array, feature_range: tuple[float, float]) -> Array:
    """Map [low, high] to ``feature_range`` and clip to [-1, 1].

    Args:
        means: (..., S) float64, the series after PAA.
        low: (..., 1) or scalar, value that maps to the range's low end.
        high: same shape, value that maps to the range's high end.
        feature_range: (r0, r1) inside [-1, 1].

    Returns:
        (..., S) float64, the cosine of the angle.

    Example:
        >>> scale(np.array([0.0, 1.0, 4.0]), 0.0, 4.0, (-1.0, 1.0)).tolist()
        [-1.0, -0.5, 1.0]
    """
    span = np.asarray(high - low, dtype=np.float64)
    span = np.where(span < CONSTANT_BELOW, 1.0, span)
    gain = (feature_range[1] - feature_range[0]) / span
    return np.asarray(np.clip(means * gain + (feature_range[0] - low * gain), -1.0, 1.0))


def fit_bounds(windows: Windows, rows: Array, image_size: int) -> Array:
    """Low and high of each channel over these windows, after PAA: what ``scaling="train"`` needs.

    Args:
        windows: all windows.
        rows: (M,) int64, the windows of the training split.
        image_size: S.

    Returns:
        (2, C) float64: row 0 the lows, row 1 the highs.

    Raises:
        SeriesError: there is no training window, or a value is not finite.

    Example:
        >>> windows = Windows(np.array([[0.0, 1.0, 2.0, 9.0]]), np.array([0, 2]), window_size=2)
        >>> fit_bounds(windows, np.array([0]), image_size=2).tolist()
        [[0.0], [1.0]]
    """
    if len(rows) == 0:
        raise SeriesError(
            "scaling=train needs training windows and there are none; type scaling=window"
        )
    lows: list[Array] = []
    highs: list[Array] = []
    for start in range(0, len(rows), FIT_WINDOWS):
        means = paa(windows.take(rows[start : start + FIT_WINDOWS]), image_size)
        lows.append(means.min(axis=(0, 2)))
        highs.append(means.max(axis=(0, 2)))
    bounds = np.stack([np.min(lows, axis=0), np.max(highs, axis=0)])
    if not np.isfinite(bounds).all():
        channel = int(np.argwhere(~np.isfinite(bounds))[0, 1])
        raise SeriesError(
            f"scaling=train: channel {channel} of the training split holds a NaN or an infinity; "
            "type data.nan=interpolate or clean the series"
        )
    return bounds
