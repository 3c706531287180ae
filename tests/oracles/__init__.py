"""Independent truths for the images: the definition itself, in float64, loop by loop."""

import math
from itertools import pairwise
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def load_pyts() -> None:
    """Import what is compared with pyts, its functions as plain NumPy.

    At its import pyts compiles every function that it has, for half a minute; here it is the same
    arithmetic, but that a mean of eight numbers and more is summed in NumPy's order.
    """
    before, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, True
    try:
        import pyts.approximation
        import pyts.datasets
        import pyts.image  # noqa: F401
    finally:
        numba.config.DISABLE_JIT = before


def paa_by_pyts(x: Array, size: int) -> Array:
    """(N, T) to (N, S) float64 with pyts."""
    load_pyts()
    from pyts.approximation import PiecewiseAggregateApproximation

    paa = PiecewiseAggregateApproximation(window_size=None, output_size=size, overlapping=False)
    return np.asarray(paa.transform(x))


def gaf_by_angles(x: Array, image_size: int, feature_range: tuple[float, float]) -> Array:
    """GASF and GADF of one series by phi = arccos(x), cos(phi_i + phi_j), sin(phi_i - phi_j).

    x: (T,); returns (2, S, S) float64. The angle is taken from scaled PAA means.
    """
    edges = [math.floor(k * (len(x) / image_size)) for k in range(image_size)] + [len(x)]
    means = [math.fsum(x[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    r0, r1 = feature_range
    if high == low:
        scaled = [r0] * image_size
    else:
        scaled = [r0 + (r1 - r0) * (m - low) / (high - low) for m in means]
    phi = [math.acos(min(1.0, max(-1.0, v))) for v in scaled]
    out = np.empty((2, image_size, image_size))
    for i in range(image_size):
        for j in range(image_size):
            out[0, i, j] = math.cos(phi[i] + phi[j])
            out[1, i, j] = math.sin(phi[i] - phi[j])
    return out


def gaf_by_pyts(x: Array, image_size: int, feature_range: tuple[float, float] | None) -> Array:
    """(N, C, T) to (N, 2, C, S, S) float64 with pyts, channel by channel."""
    load_pyts()
    from pyts.image import GramianAngularField

    fields = [
        np.stack(
            [
                GramianAngularField(
                    image_size=image_size, sample_range=feature_range, method=method
                ).transform(x[:, channel])
                for channel in range(x.shape[1])
            ],
            axis=1,
        )
        for method in ("summation", "difference")
    ]
    return np.stack(fields, axis=1)
