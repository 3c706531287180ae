"""When a series is constant, and how far float64 holds the arithmetic: rules for all who divide.

Who draws divides by a range, who standardises by a deviation. Neither is exact: the mean of 100.1,
100.1 and 100.1 is not 100.1, so a series that never changes may seem to change by 1e-14, and a
division blows that up to a full-range pattern. Hence one rule:

    a series is constant where  high - low <= largest * (eps + (n + 8) * 2.2e-16)

``low`` and ``high`` are the extremes of what is divided: means of up to n steps each, or single
values, n = 1. ``largest`` is the largest absolute value that they come from. ``eps`` is that of the
type that the values come in, 1.2e-7 (float32) or 2.2e-16 (float64): what two values may differ by
that stand for one number. n * 2.2e-16 bounds what means of n equal steps differ by, and 8 is room
for what was computed before. Both sides scale with the values: the rule is the same at every
magnitude.

The rest is the arithmetic of scikit-learn's ``MinMaxScaler``, which pyts calls: with low and high,

    scale = (r1 - r0) / (high - low);   x = v * scale + (r0 - low * scale)

in float64. With a large offset (1e5 and an amplitude of 1) the rounding of these very operations
moves sqrt(1 - x^2) by up to 1e-5; another order of operations would therefore not agree with pyts
to 1e-6, so this order is kept on purpose. The result is clipped to [-1, 1].

Values above `LARGE` or all below `SMALL` are first multiplied by a power of two, `SHIFT` or its
inverse, which rounds nothing: a picture is the same at every scale. Values that change and are all
below `LEAST` have too few digits to be drawn.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LEAST = float(np.finfo(np.float64).tiny)
"""2.2e-308, the least number of float64 with all its digits."""
SHIFT = 2.0**600
"""What small numbers are multiplied by, and large ones divided by."""
LARGE, SMALL = 2.0**450, 2.0**-450
"""Between them squares and quotients neither overflow nor lose digits."""


def rounding(n_terms: int, dtype: npt.DTypeLike) -> float:
    """What values that are all the same may differ by, as a fraction of the largest of them.

    Args:
        n_terms: the most terms of a mean; 1 where values are taken as they are.
        dtype: the type that the values come in: float32, float64, or one of whole numbers.

    Example:
        >>> rounding(1, np.float64) / float(np.finfo(np.float64).eps)
        10.0
        >>> bool(np.isclose(rounding(4, np.float32), 1.192e-7, rtol=1e-3))
        True
    """
    own = np.finfo(np.promote_types(dtype, np.float32))  # no whole number is lost in it
    return float(own.eps) + (n_terms + 8) * float(np.finfo(np.float64).eps)


def are_constant(
    low: Array | float, high: Array | float, largest: Array | float, part: float
) -> Array:
    """Which series are constant by the rule of this module; ``part`` comes from `rounding`.

    Example:
        >>> low, high = np.array([1.4, 1.4]), np.array([1.4 + 4e-16, 1.4 + 1e-9])
        >>> are_constant(low, high, high, rounding(1, np.float64)).tolist()
        [True, False]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows varies
        return np.asarray(high - low <= largest * part)


def shift_of(largest: Array) -> Array:
    """The power of two to multiply values by, so that float64 holds their squares.

    Example:
        >>> shift_of(np.array([1.0, 1e-300, 1e300])).tolist() == [1.0, SHIFT, 1 / SHIFT]
        True
    """
    return np.where(largest > LARGE, 1 / SHIFT, np.where(largest < SMALL, SHIFT, 1.0))
