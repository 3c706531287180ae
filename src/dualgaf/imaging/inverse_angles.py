"""Angles from fields: the arithmetic of `dualgaf.imaging.inverse`, on (M, S, S) float64.

Where a series reaches both ends of its range, the columns of these two steps are enough: each other
angle is the one that fits its two (GASF alone) or four pixels there best, found on a grid and made
exact by Gauss-Newton steps. All other series begin with the diagonal, cos(2 phi), and go down the
sum of squares over all pixels: first an angle at a time, then all at once (Levenberg, "A method for
the solution of certain non-linear problems in least squares", 1944).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

CONSTANT, TWO_VALUES, TOO_COARSE, NO_FIELDS = 1, 2, 3, 4
"""Why there is no answer; 0 where there is one."""
GRID = 48
STEPS = 8
SWEEPS = 3
TRIES = 25
RESIDUAL = 8.0
"""Fields are those of an answer where no pixel is off by more than this many times e."""


def solve(
    gasf: Array, gadf: Array | None, error: float, feature_range: tuple[float, float]
) -> tuple[Array, Array]:
    """Values inside the range, and why there are none.

    Args:
        gasf: (M, S, S).
        gadf: (M, S, S), or None where the range is on one side of zero.
        error: e, by how much a pixel may be off.
        feature_range: low and high.

    Returns:
        (M, S) values, and (M,) whole numbers: 0, or one of the reasons above.

    Example:
        >>> x = np.array([0.0, 0.6, 1.0])
        >>> s = np.sqrt(1 - x * x)
        >>> gasf = x[:, None] * x - s[:, None] * s
        >>> values, status = solve(gasf[None], None, 1e-9, (0.0, 1.0))
        >>> values.round(6).tolist(), status.tolist()
        ([[0.0, 0.6, 1.0]], [0])
    """
    low, high = feature_range
    if gadf is None and high <= 0:  # the GASF of -x
        values, status = solve(gasf, None, error, (-high, -low))
        return -values, status
    ends = (float(np.arccos(high)), float(np.arccos(low)))
    phi = _between_ends(gasf, gadf, ends)
    status = np.zeros(len(gasf), np.int64)
    others = np.flatnonzero(_residual(gasf, gadf, phi) > RESIDUAL * error)
    if len(others):
        part = None if gadf is None else gadf[others]
        phi[others] = _from_diagonal(gasf[others], part, ends)
        wrong = _residual(gasf[others], part, phi[others]) > RESIDUAL * error
        status[others[wrong]] = NO_FIELDS
    flat = np.ptp(gasf, axis=(1, 2)) <= 4 * error
    if gadf is None:
        status[flat] = CONSTANT
    else:
        none = abs(gadf).max(axis=(1, 2)) <= 4 * error
        at_ends = gasf.diagonal(axis1=1, axis2=2).min(axis=1) >= 1 - 4 * error
        opposite = gasf.min(axis=(1, 2)) < 0
        status[none] = TOO_COARSE
        status[none & flat] = CONSTANT
        status[none & at_ends & opposite] = TWO_VALUES
    return np.clip(np.cos(phi), low, high), status


def _between_ends(gasf: Array, gadf: Array | None, ends: tuple[float, float]) -> Array:
    """(M, S) angles of series whose least and largest angle are these."""
    if gadf is None:  # all sums of angles are within half a turn: rows fall as the angle grows
        rows = gasf.sum(axis=2)
        known = (rows.argmax(axis=1), rows.argmin(axis=1))
    else:  # no angle is below the least: its row of sines has nothing above zero
        known = (gadf.max(axis=2).argmin(axis=1), gadf.min(axis=2).argmax(axis=1))
    at = np.arange(len(gasf))
    columns = [(gasf[at, :, index], end) for index, end in zip(known, ends, strict=True)]
    sines = [] if gadf is None else [(gadf[at, :, index], end)
                                     for index, end in zip(known, ends, strict=True)]  # fmt: skip
    phi, best = np.full(gasf.shape[:2], ends[0]), np.full(gasf.shape[:2], np.inf)
    for angle in np.linspace(*ends, GRID):
        cost = np.zeros(gasf.shape[:2])
        for column, end in columns:
            cost += (column - np.cos(angle + end)) ** 2
        for column, end in sines:
            cost += (column - np.sin(angle - end)) ** 2
        better = cost < best
        phi[better], best[better] = angle, cost[better]
    for _ in range(STEPS):
        slope, weight = np.zeros_like(phi), np.full_like(phi, 1e-12)
        for column, end in columns:
            own = -np.sin(phi + end)
            slope += own * (column - np.cos(phi + end))
            weight += own * own
        for column, end in sines:
            own = np.cos(phi - end)
            slope += own * (column - np.sin(phi - end))
            weight += own * own
        phi = np.clip(phi + slope / weight, *ends)
    return phi


def _from_diagonal(gasf: Array, gadf: Array | None, ends: tuple[float, float]) -> Array:
    """(M, S) angles of series of which nothing is known but that they are between the ends."""
    doubled = np.clip(gasf.diagonal(axis1=1, axis2=2), -1.0, 1.0)
    size = np.sqrt((1 + doubled) / 2)
    if gadf is not None:
        sine = np.sqrt((1 - doubled) / 2)
        at, first = np.arange(len(gasf)), size.argmax(axis=1)
        beside = gasf[at, first] + sine[at, first][:, None] * sine  # x_first times x
        values = np.where(beside < 0, -size, size)
        drawn = sine[:, :, None] * values[:, None, :] - values[:, :, None] * sine[:, None, :]
        flipped = (drawn * gadf).sum(axis=(1, 2)) < 0
        size = np.where(flipped[:, None], -values, values)
    phi = np.clip(np.arccos(size), *ends)
    for _ in range(SWEEPS):
        for i in range(phi.shape[1]):
            own = phi[:, i : i + 1]
            both = own + phi
            first = -np.sin(both)
            first[:, i] *= 2
            slope = (first * (gasf[:, i] - np.cos(both))).sum(axis=1)
            weight = (first * first).sum(axis=1) + 1e-12
            if gadf is not None:
                second = np.cos(own - phi)
                second[:, i] = 0.0
                slope += (second * (gadf[:, i] - np.sin(own - phi))).sum(axis=1)
                weight += (second * second).sum(axis=1)
            phi[:, i] = np.clip(phi[:, i] + slope / weight, *ends)
    return _all_at_once(gasf, gadf, phi, ends)


def _all_at_once(gasf: Array, gadf: Array | None, phi: Array, ends: tuple[float, float]) -> Array:
    """Angles further down the sum of squares over all pixels; a step that goes up is not taken."""
    at = np.arange(phi.shape[1])
    damping = np.full(len(phi), 1e-9)
    cost = _squares(gasf, gadf, phi)
    for _ in range(TRIES):
        first = -np.sin(phi[:, :, None] + phi[:, None, :])
        slope = (first * (gasf - np.cos(phi[:, :, None] + phi[:, None, :]))).sum(axis=2)
        normal = first * first
        weight = normal.sum(axis=2) + normal[:, at, at]  # its own pixel moves twice as fast
        if gadf is not None:
            apart = phi[:, :, None] - phi[:, None, :]
            second = np.cos(apart)
            second[:, at, at] = 0.0
            slope += (second * (gadf - np.sin(apart))).sum(axis=2)
            weight += (second * second).sum(axis=2)
            normal -= second * second
        normal[:, at, at] = weight * (1 + damping[:, None]) + 1e-15
        step = np.linalg.solve(normal, slope[:, :, None])[:, :, 0]
        moved = np.clip(phi + step, *ends)
        changed = _squares(gasf, gadf, moved)
        better = changed < cost
        phi = np.where(better[:, None], moved, phi)
        cost = np.where(better, changed, cost)
        damping = np.where(better, damping / 10, np.minimum(damping * 30, 1e3))
    return phi


def _squares(gasf: Array, gadf: Array | None, phi: Array) -> Array:
    """(M,) the sum of squares of the errors of all pixels if these are the angles."""
    first, second = phi[:, :, None], phi[:, None, :]
    cost = ((gasf - np.cos(first + second)) ** 2).sum(axis=(1, 2))
    if gadf is not None:
        cost += ((gadf - np.sin(first - second)) ** 2).sum(axis=(1, 2))
    return np.asarray(cost)


def _residual(gasf: Array, gadf: Array | None, phi: Array) -> Array:
    """(M,) the largest error of a pixel if these are the angles."""
    first, second = phi[:, :, None], phi[:, None, :]
    most = abs(gasf - np.cos(first + second)).max(axis=(1, 2))
    if gadf is not None:
        most = np.maximum(most, abs(gadf - np.sin(first - second)).max(axis=(1, 2)))
    return np.asarray(most)
