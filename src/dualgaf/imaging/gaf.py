"""Gramian angular fields: `dual_gaf` for arrays at hand, `Renderer` for the build.

For a series scaled to [-1, 1], with phi = arccos(x), x the cosine and s = sqrt(1 - x^2) the sine,

    GASF[i, j] = cos(phi_i + phi_j) = x_i x_j - s_i s_j
    GADF[i, j] = sin(phi_i - phi_j) = s_i x_j - x_i s_j

The order is PAA, then scaling, then angle (as in pyts; the figure caption of the paper has the
rescaling first, which differs for scaling by window). Values agree with pyts to 1e-6, but for a
series that is constant up to rounding (`dualgaf.imaging.scaling` has the bound): it is drawn as a
constant, GASF 1 and GADF 0, where pyts draws the rounding.

Source: Wang and Oates, "Imaging time-series to improve classification and imputation", IJCAI 2015.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dualgaf.errors import ConfigError, SeriesError, unknown_choice
from dualgaf.given import (
    as_numbers,
    as_numpy,
    frame_channels,
    is_frame,
    refuse_one_frame,
    tell_order,
)
from dualgaf.imaging.compiled import kernel, preload
from dualgaf.imaging.paa import longest_segment, paa_edges
from dualgaf.imaging.packing import LEVELS
from dualgaf.imaging.recipe import ImagingRecipe, Layout, Storage
from dualgaf.imaging.scaling import rounding
from dualgaf.imaging.windows import NOT_FINITE, OK, OUT_OF_RANGE, TOO_SMALL, Windows

Array = npt.NDArray[Any]

preload(kernel)

HALF_SCRATCH_BYTES = 1 << 20
"""float16 is rendered through float32 in blocks of about this size, which stay in the cache."""

_REASONS = {
    NOT_FINITE: "holds a NaN or an infinity; fill its gaps, or leave such windows out: type "
    "x[np.isfinite(x).all(axis=(1, 2))]",
    OUT_OF_RANGE: "leaves [-1, 1], which scaling=none does not allow; type scaling=window",
    TOO_SMALL: "changes by less than float64 has digits for: all its values are below 2.2e-308; "
    "allowed: larger ones, or a constant; multiply the channel by 1e100",
}


class Renderer:
    """Renders windows by one recipe. Safe to share between threads; releases the GIL.

    Args:
        recipe: what to draw and how to store it.
        window_size: T, steps in a window.
        bounds: (2, C) float64, low and high of each channel from `bounds.fit_bounds`; needed
            for, and only for, ``scaling="train"``.

    Raises:
        ConfigError: ``image_size`` does not fit T, or ``bounds`` are missing or not wanted.

    Example:
        >>> recipe = ImagingRecipe(image_size=2, storage="float32")
        >>> windows = Windows(np.array([[0.0, 1.0, 3.0]]), np.array([0, 1]), window_size=2)
        >>> out = np.empty((2, 2, 1, 2, 2), dtype=np.float32)
        >>> Renderer(recipe, window_size=2).render(windows, 0, 2, out)
        >>> out[0, 0, 0].tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """

    def __init__(self, recipe: ImagingRecipe, window_size: int, bounds: Array | None = None):
        if (bounds is not None) != (recipe.scaling == "train"):
            raise ConfigError(
                f"scaling={recipe.scaling} {'needs' if bounds is None else 'takes no'} fitted "
                "bounds; they belong to scaling=train and come from fit_bounds"
            )
        self.recipe = recipe
        self.window_size = window_size
        self.bounds = bounds
        self._edges = paa_edges(window_size, recipe.image_size)

    def render(self, windows: Windows, first: int, last: int, out: Array) -> None:
        """Draw the windows first..last-1.

        Args:
            windows: N windows of T steps.
            first: first window.
            last: one past the last window.
            out: (last - first, *recipe.row_shape(C)) in the recipe's type, C-contiguous.

        Raises:
            SeriesError: a series holds a NaN or an infinity, leaves [-1, 1] where it may not, or
                changes and is all below 2.2e-308.
        """
        self.render_rows(windows, np.arange(first, last), out)

    def render_rows(self, windows: Windows, rows: Array, out: Array) -> None:
        """`render` of the windows of ``rows`` (B,) int64, in this order.

        Raises:
            SeriesError: as `render`.
        """
        images = out[:, None] if self.recipe.layout == "packed" else out
        if self.recipe.storage != "float16":
            n_levels = LEVELS.get(self.recipe.storage)
            self._draw(windows, rows, images, None if n_levels is None else float(n_levels))
            return
        most = max(1, HALF_SCRATCH_BYTES // (images[0].size * 4))
        scratch = np.empty((min(most, len(images)), *images.shape[1:]), dtype=np.float32)
        for start in range(0, len(images), most):
            part = images[start : start + most]
            self._draw(windows, rows[start : start + most], scratch[: len(part)], None)
            halves = part.reshape(-1).view(np.uint16)
            kernel().halve(scratch[: len(part)].reshape(-1), halves)

    def polar(self, windows: Windows, rows: Array) -> Array:
        """Cosine and sine of the windows of ``rows``: all that a device needs to draw them.

        Both come from float64 values: a sine made on the device from a float32 cosine near 1
        would be wrong by up to 4.9e-4.

        Args:
            windows: N windows of T steps.
            rows: (B,) int64 windows to take.

        Returns:
            (B, 2, C, S) float32: index 0 the cosine x, index 1 the sine s.

        Raises:
            SeriesError: as `render`.
        """
        shape = (len(rows), 2, windows.n_channels, self.recipe.image_size)
        out = np.empty(shape, dtype=np.float32)
        starts = windows.starts[rows]
        status = kernel().polar(
            windows.flat, starts, self.window_size, *self._arguments(windows), out
        )
        raise_for(status, rows)
        return out

    def _draw(self, windows: Windows, rows: Array, images: Array, n_levels: float | None) -> None:
        status = kernel().render(
            windows.flat,
            windows.starts[rows],
            self.window_size,
            *self._arguments(windows),
            n_levels,
            self.recipe.layout == "packed",
            images,
        )
        raise_for(status, rows)

    def _arguments(self, windows: Windows) -> tuple[Array, Array, Array]:
        bounds = np.zeros((2, windows.n_channels)) if self.bounds is None else self.bounds
        scaling, own_range = self.recipe.scaling, self.recipe.feature_range
        part = rounding(longest_segment(self._edges), windows.flat.dtype)
        return (
            self._edges,
            bounds,
            np.array([scaling == "train", scaling != "none", *own_range, part]),
        )


def raise_for(status: tuple[int, int, int], rows: Array) -> None:
    """Say what a kernel has found: place in ``rows``, channel and code; nothing where it is `OK`.

    Raises:
        SeriesError: a window cannot be drawn.
    """
    window, channel, code = status
    if code != OK:
        raise SeriesError(f"window {rows[window]}, channel {channel} {_REASONS[code]}")


def dual_gaf(
    x: npt.ArrayLike,
    image_size: int | None = None,
    feature_range: tuple[float, float] = (-1.0, 1.0),
    scaling: Literal["window", "none"] = "window",
    out: Array | None = None,
    dtype: Storage = "float32",
    layout: Layout = "dual",
) -> Array:
    """GASF and GADF of every window and channel, in one pass.

    Args:
        x: (N, C, T) array or tensor of finite numbers, or a list of N frames, whose rows are times
            and whose columns are channels.
        image_size: S, side of the images, 2 <= S <= T (PAA); T when left out.
        feature_range: where each window and channel is scaled to, inside [-1, 1].
        scaling: ``window`` by each series' own minimum and maximum; ``none`` takes values that
            are in [-1, 1] already. (``train`` needs a split: `dualgaf.DualGAFDataModule` has it.)
        out: array to fill and return, of the result's shape and type, C-contiguous.
        dtype: ``float32``, ``float16``, ``uint8`` or ``uint16``; `packing.decode` reads integers.
        layout: ``dual`` or ``packed``.

    Returns:
        (N, 2, C, S, S) array, field 0 GASF and field 1 GADF; packed: (N, C, S, S).

    Raises:
        SeriesError: ``x`` has the wrong shape, no window, a value that is not finite, or a series
            that changes below 2.2e-308.
        ConfigError: an option has a value that is not allowed.

    Example:
        >>> x = np.sin(np.linspace(0, 6, 2 * 3 * 50)).reshape(2, 3, 50)
        >>> dual_gaf(x, image_size=24).shape
        (2, 2, 3, 24, 24)
    """
    if scaling not in ("window", "none"):
        raise ConfigError(
            unknown_choice("scaling", scaling, ("window", "none"))
            + " (scaling=train is fitted by DualGAFDataModule)"
        )
    series = _checked_series(x)
    n, channels, steps = series.shape
    recipe = ImagingRecipe(
        image_size=steps if image_size is None else image_size,
        scaling=scaling,
        feature_range=feature_range,
        storage=np.dtype(dtype).name,  # type: ignore[arg-type]  # checked by the recipe
        layout=layout,
    )
    renderer = Renderer(recipe, steps)
    wanted = (n, *recipe.row_shape(channels))
    if out is None:
        out = np.empty(wanted, dtype=recipe.dtype)
    elif out.shape != wanted or out.dtype != recipe.dtype or not out.flags.c_contiguous:
        raise SeriesError(
            f"out has shape {out.shape} and type {out.dtype}; needed: a C-contiguous array of "
            f"shape {wanted} and type {recipe.dtype}"
        )
    renderer.render(Windows.stacked(series), 0, n, out)
    return out


def _checked_series(x: Any) -> Array:
    refuse_one_frame(x, "x")
    by_name = isinstance(x, list | tuple) and any(is_frame(item) for item in x)
    if by_name:
        x = [
            frame_channels(item, f"x: frame {index}")[0] if is_frame(item) else item
            for index, item in enumerate(x)
        ]
    series = as_numpy(x, "x")
    if series.ndim != 3:
        hint = "; for univariate series type x[:, None, :]" if series.ndim == 2 else ""
        raise SeriesError(
            f"x has {series.ndim} dimensions, shape {series.shape}; needed: (N, C, T), windows, "
            f"channels, steps{hint}"
        )
    if 0 in series.shape:
        raise SeriesError(f"x has shape {series.shape}; every one of N, C, T must be at least 1")
    series = as_numbers(series, "x", given=x)
    if not by_name:
        tell_order(series.shape[1], series.shape[2], "x", "np.swapaxes(x, 1, 2)")
    return series if series.dtype in (np.float32, np.float64) else series.astype(np.float64)
