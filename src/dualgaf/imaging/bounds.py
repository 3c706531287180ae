"""``scaling="train"``: low and high of each channel in training, and what is outside of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError
from dualgaf.imaging.compiled import kernel
from dualgaf.imaging.paa import longest_segment, paa_edges
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.scaling import LEAST, are_constant, rounding
from dualgaf.imaging.windows import Windows

Array = npt.NDArray[Any]

AT_A_TIME = 256
"""Windows that are counted at a time."""


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
            "allowed: finite numbers; the source has to fill gaps"
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


@dataclass(frozen=True, eq=False)
class Outside:
    """What of some windows is outside of the training range, by channel."""

    windows: Array
    """(C,) windows with such a value."""
    values: Array
    """(C,) values, after PAA."""
    clipped: Array
    """(C,) values that are drawn as another one: beyond -1 or 1 once they are scaled. With
    ``feature_range=[0,1]`` there is room below."""
    total: int
    """Windows that there are, of ``windows.sum()`` at most."""


def count_outside(windows: Windows, rows: Array, recipe: ImagingRecipe, bounds: Array) -> Outside:
    """Count what leaves the range of the training split, by more than rounding.

    Args:
        windows: all windows.
        rows: (M,) int64, those to look at.
        recipe: how they are drawn, with ``scaling="train"``.
        bounds: (2, C) of `fit_bounds`.

    Example:
        >>> windows = Windows(np.array([[0.0, 1.0, 2.0, 9.0]]), np.array([0, 2]), window_size=2)
        >>> recipe, bounds = ImagingRecipe(2, scaling="train"), np.array([[0.0], [2.0]])
        >>> found = count_outside(windows, np.array([0, 1]), recipe, bounds)
        >>> found.windows.tolist(), found.values.tolist(), found.total
        ([1], [1], 2)
    """
    edges = paa_edges(windows.window_size, recipe.image_size)
    part = rounding(longest_segment(edges), windows.flat.dtype)
    counts = np.zeros((3, windows.n_channels), np.int64)
    limits = _limits(recipe, bounds, part)
    for first in range(0, len(rows), AT_A_TIME):
        block = windows.take(rows[first : first + AT_A_TIME]).astype(np.float64)
        near = abs(block).max(axis=2, keepdims=True) * part
        with np.errstate(over="ignore", invalid="ignore"):
            means = np.add.reduceat(block, edges[:-1], axis=2) / np.diff(edges)
            outside, clipped = (
                (means < low[:, None] - near) | (means > high[:, None] + near)
                for low, high in limits
            )
        counts += [outside.any(axis=2).sum(axis=0), outside.sum((0, 2)), clipped.sum((0, 2))]
    return Outside(counts[0], counts[1], counts[2], len(rows))


def _limits(recipe: ImagingRecipe, bounds: Array, part: float) -> tuple[Array, Array]:
    """(2, C) each: the range of the training split, and what is drawn without being clipped."""
    first, last = recipe.feature_range
    low, high = bounds
    with np.errstate(over="ignore"):
        constant = are_constant(low, high, np.maximum(abs(low), abs(high)), part)
        each = np.where(constant, 1.0, high - low) / (last - first)  # for a step of 1 in the image
        return bounds, np.stack([low - (first + 1) * each, low + (1 - first) * each])
