"""`dual_gaf_inverse`: the series that a pair of fields was drawn from.

With phi in [0, pi], GASF[i, j] = cos(phi_i + phi_j) and GADF[i, j] = sin(phi_i - phi_j). A GASF is
the same for x and -x (phi and pi - phi); a GADF changes its sign. So both together have one answer,
unless the GADF is zero everywhere: a constant, or a series of -1 and 1 alone.

The bound. Pixels are off by at most e: 3e-7 (float32), 2.5e-4 (float16), 1.6e-5 (uint16), 4e-3
(uint8). Where the least and the largest value of a series are the two ends of ``feature_range``, as
scaling by window makes it, their angles are known exactly, and each other angle follows from their
two columns: values come back to 4 e. Where they are not (``scaling="none"`` or ``"train"``) nothing
but the diagonal may tell the level, cos(2 phi), which is flat at its ends: to sqrt(e).
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import ConfigError, SeriesError, SeriesWarning, not_allowed, unknown_choice
from dualgaf.given import as_numbers
from dualgaf.imaging import inverse_angles
from dualgaf.imaging.packing import LEVELS, decode, unpack
from dualgaf.imaging.recipe import Layout, checked_range

Array = npt.NDArray[Any]

PIXEL_ERROR = {
    "float64": 3e-7,  # pyts draws in float64; a float32 that was widened is no better for it
    "float32": 3e-7,
    "float16": 2.5e-4,
    "uint16": 1.6e-5,
    "uint8": 4e-3,
}
"""e, by how much a pixel may be off, of each storage type."""
AT_A_TIME = 1 << 21
"""Pixels of one field that are worked on at a time."""

_REFUSED = {
    inverse_angles.CONSTANT: "is a constant, as far as its pixels tell: every constant is drawn "
    "alike, whatever its value; leave it out, or keep its value beside the images",
    inverse_angles.TWO_VALUES: "has no value but the two ends of the range, -1 and 1: x and -x "
    "have the same two fields; draw it with feature_range=(0, 1)",
    inverse_angles.TOO_COARSE: "changes by less than its pixels hold; draw it with "
    "dtype='float32', or with a wider feature_range than {range}",
    inverse_angles.NO_FIELDS: "does not fit: no series inside feature_range={range} has these "
    "fields; give the feature_range that they were drawn with, and images that were neither "
    "resized nor changed",
}


def dual_gaf_inverse(
    gasf: npt.ArrayLike,
    gadf: npt.ArrayLike | None = None,
    *,
    feature_range: tuple[float, float] = (-1.0, 1.0),
    original_range: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    window_size: int | None = None,
    layout: Layout = "dual",
) -> Array:
    """The series that fields were drawn from: the inverse of `dualgaf.dual_gaf`.

    Images of S pixels hold S values. Where they were drawn with an ``image_size`` below the T steps
    of a window, these are the PAA means, of which the steps do not come back.

    Args:
        gasf: (..., S, S) GASF in the type in which it is stored: float, uint8 or uint16.
        gadf: (..., S, S) GADF likewise. Left out where ``feature_range`` is on one side of zero.
        feature_range: that of the drawing.
        original_range: lows and highs of the series, in their units: two numbers, or two arrays
            that fit (...), such as ``(x.min(-1), x.max(-1))``. With PAA those of the means. Left
            out, values are inside ``feature_range``.
        window_size: T. A SeriesWarning tells where S is below it.
        layout: ``packed``: ``gasf`` is (..., S, S) with both fields, and there is no ``gadf``.

    Returns:
        (..., S) float64. In units of ``feature_range`` it is off by at most 1.2e-6 (float32), 1e-3
        (float16), 6.4e-5 (uint16) or 0.016 (uint8) where a series reaches both ends of
        ``feature_range``, as after ``scaling="window"``. For other series of which both ends are
        inside it is about the same, and at worst, where all angles are near 90 degrees,
        5.5e-4, 0.016, 4e-3 or 0.064.

    Raises:
        SeriesError: shape, type or values are none of two fields; a series is a constant, or has
            the values -1 and 1 alone; a GASF is alone, and x and -x are both in ``feature_range``.
        ConfigError: an option has a value that is not allowed.

    Example:
        >>> from dualgaf import dual_gaf
        >>> x = np.array([[[20.0, 21.0, 24.0, 23.0]]])
        >>> fields = dual_gaf(x)
        >>> dual_gaf_inverse(fields[:, 0], fields[:, 1]).round(3).tolist()
        [[[-1.0, -0.5, 1.0, 0.5]]]
        >>> dual_gaf_inverse(fields[:, 0], fields[:, 1], original_range=(20, 24)).round(3).tolist()
        [[[20.0, 21.0, 24.0, 23.0]]]
    """
    feature_range = checked_range(feature_range)
    sum_field, difference, error = _fields(gasf, gadf, layout)
    if difference is None and feature_range[0] < 0 < feature_range[1]:
        raise SeriesError(
            f"a GASF alone with feature_range={feature_range} has two answers: the GASF of x and "
            "of -x are equal; give the GADF, dual_gaf_inverse(gasf, gadf), or draw with "
            "feature_range=(0, 1); where one image holds both fields type layout='packed'"
        )
    size = sum_field.shape[-1]
    _check_window_size(window_size, size, original_range is not None)
    series = _invert(sum_field, difference, error, feature_range)
    return series if original_range is None else _in_units(series, feature_range, original_range)


def _invert(
    gasf: Array, gadf: Array | None, error: float, feature_range: tuple[float, float]
) -> Array:
    size = gasf.shape[-1]
    sums = gasf.reshape(-1, size, size)
    differences = None if gadf is None else gadf.reshape(-1, size, size)
    out = np.empty((len(sums), size))
    many = max(1, AT_A_TIME // (size * size))
    for first in range(0, len(sums), many):
        part = slice(first, first + many)
        fields = (_pixels(sums[part]), None if differences is None else _pixels(differences[part]))
        _check_pixels(fields, error, _name(gasf.shape, first))
        out[part], status = inverse_angles.solve(fields[0], fields[1], error, feature_range)
        bad = np.flatnonzero(status)
        if len(bad):
            told = _REFUSED[int(status[bad[0]])].format(range=feature_range)
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            raise SeriesError(f"{_name(gasf.shape, first)(bad[0])}{more} {told}")
    return out.reshape(gasf.shape[:-1])


def _pixels(stored: Array) -> Array:
    """Values in [-1, 1] as float64; NaN where an integer is no code of `packing`."""
    if stored.dtype.name not in LEVELS:
        return stored.astype(np.float64)
    return np.where(stored == 0, np.nan, decode(stored).astype(np.float64))


def _fields(gasf: Any, gadf: Any, layout: str) -> tuple[Array, Array | None, float]:
    """Both fields as they are stored, and by how much a pixel may be off."""
    if layout not in ("dual", "packed"):
        raise ConfigError(unknown_choice("layout", layout, ("dual", "packed")))
    given = {"gasf": as_numbers(gasf, "gasf", name="gasf")}
    if gadf is not None:
        given["gadf"] = as_numbers(gadf, "gadf", name="gadf")
    for name, field in given.items():
        if field.dtype.name not in PIXEL_ERROR:
            raise SeriesError(
                f"{name} has type {field.dtype}; allowed: float32, float64, float16, uint8, uint16 "
                f"(as dual_gaf stores them); type {name}.astype('float32') if these are values of "
                "-1 to 1"
            )
        if field.ndim < 2 or field.shape[-1] != field.shape[-2] or field.shape[-1] < 2:
            raise SeriesError(
                f"{name} has shape {field.shape}; needed: (..., S, S), square images with S of 2 "
                "and more; type fields[:, 0], fields[:, 1] for what dual_gaf gives"
            )
        if 0 in field.shape:
            raise SeriesError(f"{name} has shape {field.shape}: there is no image in it")
    error = max(PIXEL_ERROR[field.dtype.name] for field in given.values())
    if layout == "packed":
        if gadf is not None:
            raise ConfigError(
                "layout='packed' has both fields in the first array; type "
                "dual_gaf_inverse(packed, layout='packed')"
            )
        packed = given["gasf"]
        whole = unpack(packed.reshape(-1, 1, *packed.shape[-2:]))
        return whole[:, 0, 0].reshape(packed.shape), whole[:, 1, 0].reshape(packed.shape), error
    if gadf is not None and given["gasf"].shape != given["gadf"].shape:
        raise SeriesError(
            f"gasf has shape {given['gasf'].shape} and gadf {given['gadf'].shape}; needed: the same"
        )
    return given["gasf"], given.get("gadf"), error


def _check_pixels(
    fields: tuple[Array, Array | None], error: float, name: Callable[[int], str]
) -> None:
    """Raise SeriesError unless the first is symmetric, the second antisymmetric, in [-1, 1]."""
    for what, field, sign in zip(("gasf", "gadf"), fields, (1.0, -1.0), strict=True):
        if field is None:
            continue
        beyond = ~(abs(field) <= 1 + 2 * error).all(axis=(1, 2))
        if beyond.any():
            raise SeriesError(
                f"{what}: {name(int(np.argmax(beyond)))} holds a NaN or a value beyond [-1, 1]; "
                "needed: a field as dual_gaf draws it, in the type in which it is stored (uint8 "
                "pixels are codes of 1 to 255, with 128 for zero)"
            )
        askew = abs(field - sign * field.swapaxes(1, 2)).max(axis=(1, 2)) > 2 * error
        if askew.any():
            kind = "symmetric" if sign > 0 else "antisymmetric"
            raise SeriesError(
                f"{what}: {name(int(np.argmax(askew)))} is not {kind}; a GASF is symmetric, a GADF "
                "antisymmetric; type dual_gaf_inverse(gasf, gadf), in this order, or "
                "layout='packed' where one image holds both"
            )


def _name(shape: tuple[int, ...], first: int) -> Callable[[int], str]:
    """How to call the image ``first + n`` of an array of this shape."""

    def named(n: int) -> str:
        index = tuple(map(int, np.unravel_index(first + n, shape[:-2]))) if shape[:-2] else ()
        return f"image {list(index)}" if index else "the image"

    return named


def _check_window_size(window_size: int | None, size: int, has_units: bool) -> None:
    if window_size is None:
        return
    whole = isinstance(window_size, int | np.integer) and not isinstance(window_size, bool)
    if not whole or window_size < size:
        allowed = f"whole numbers from {size}, the side of the images, on"
        raise ConfigError(not_allowed("window_size", window_size, allowed, f"window_size={size}"))
    if window_size > size:
        units = "; original_range has to be that of the means" if has_units else ""
        warnings.warn(
            f"images of {size} pixels a side were drawn from windows of {window_size} steps: what "
            f"comes back are their {size} PAA means, not the steps{units}; draw with "
            f"image_size={window_size} for the steps",
            SeriesWarning,
            stacklevel=3,
        )


def _in_units(series: Array, feature_range: tuple[float, float], original_range: Any) -> Array:
    low, high = _units(original_range, series.shape[:-1])
    first, last = feature_range
    found: Array = low + (series - first) / (last - first) * (high - low)
    return found


def _units(original_range: Any, leading: tuple[int, ...]) -> tuple[Array, Array]:
    text = not_allowed(
        "original_range", original_range if np.ndim(original_range) < 2 else "...",
        f"two finite numbers low < high, or two arrays that fit {leading}",
        "original_range=(x.min(-1), x.max(-1))",
    )  # fmt: skip
    try:
        low, high = (
            np.broadcast_to(np.asarray(end, np.float64), leading)[..., None]
            for end in original_range
        )
    except (TypeError, ValueError):
        raise ConfigError(text) from None
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise ConfigError(text)
    return low, high
