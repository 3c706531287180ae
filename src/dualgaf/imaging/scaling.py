"""Scaling into ``feature_range``; `bounds` fits it on the training split.

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

Array = npt.NDArray[Any]

CONSTANT_BELOW = 10 * float(np.finfo(np.float64).eps)
"""A range under this is a constant series (scikit-learn's rule)."""


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
