"""Arrays, tensors, frames and lists as a tuple of channels-first (C, L) series.

float32 stays float32 where every series is float32; every other numeric type becomes float64.
An array that has the right type and order already is not copied.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError
from dualgaf.given import as_numbers, as_numpy, frame_channels, is_frame, refuse_one_frame

Array = npt.NDArray[Any]


def read_series(x: Any, name: str) -> tuple[list[Array], tuple[str, ...] | None]:
    """The series of ``x`` as they are, but with channels first and NaN where a value is missing.

    Args:
        x: (N, C, T) array or tensor, or a list of (C, L_i) arrays or tensors, or a list of frames
            with rows as times and columns as channels.
        name: name of the arrays, for messages.

    Returns:
        N (C, L_i) arrays of numbers, and the names of the columns of frames.

    Raises:
        SeriesError: the shape or the type does not fit.

    Example:
        >>> series, names = read_series(np.zeros((5, 2, 3)), "x")
        >>> len(series), series[0].shape, names
        (5, (2, 3), None)
    """
    if not isinstance(x, list | tuple):
        refuse_one_frame(x, f"{name}: x")
        block = as_numpy(x, f"{name}: x")
        _check_block(block, name)
        return list(as_numbers(block, f"{name}: x", given=x)), None
    whats = [f"{name}: series {index}" for index in range(len(x))]
    if any(is_frame(item) for item in x):
        return _read_frames(x, whats)
    series = [as_numpy(item, what) for item, what in zip(x, whats, strict=True)]
    _check_list(series, name)
    return [
        as_numbers(item, what, given=own, name="series")
        for item, what, own in zip(series, whats, x, strict=True)
    ], None


def channels_first(x: Any, name: str) -> tuple[tuple[Array, ...], tuple[str, ...] | None]:
    """The series of ``x`` as (C, L_i) arrays of one floating-point type.

    Args:
        x: as for `read_series`.
        name: name of the arrays, for messages.

    Returns:
        N C-contiguous arrays, all float64 or all float32, and the names of the columns of frames.

    Raises:
        SeriesError: the shape or the type does not fit.

    Example:
        >>> series, _ = channels_first([np.zeros((1, 3)), np.ones((1, 4))], "x")
        >>> [one.shape for one in series]
        [(1, 3), (1, 4)]
    """
    series, names = read_series(x, name)
    is_single = all(item.dtype == np.float32 for item in series)
    dtype = np.float32 if is_single else np.float64
    return tuple(np.ascontiguousarray(item, dtype=dtype) for item in series), names


def named_channels(names: Sequence[Any] | None, n_channels: int, what: str) -> tuple[str, ...]:
    """C different channel names: those given, or channel_0, channel_1, ...

    Raises:
        SeriesError: there are not C of them, or one comes twice.

    Example:
        >>> named_channels(None, 2, "x")
        ('channel_0', 'channel_1')
    """
    if names is None:
        return tuple(f"channel_{index}" for index in range(n_channels))
    texts = tuple(str(name) for name in names)
    if isinstance(names, str) or len(texts) != n_channels:
        raise SeriesError(
            f"{what}: {len(texts)} channel names for {n_channels} channels; give one a channel"
        )
    double = next((text for text in texts if texts.count(text) > 1), None)
    if double is not None:
        raise SeriesError(f"{what}: channel name {double!r} comes twice; give each its own name")
    return texts


def _check_block(block: Array, name: str) -> None:
    shape = block.shape
    if block.ndim == 2:
        raise SeriesError(
            f"{name}: x has shape {shape}; needed: (N, C, T), windows, channels, steps; "
            "for univariate series type x[:, None, :]"
        )
    if block.ndim != 3:
        raise SeriesError(
            f"{name}: x has {block.ndim} dimensions, shape {shape}; needed: 3, (N, C, T), windows, "
            "channels, steps"
        )
    for size, what in zip(shape, ("windows", "channels", "steps"), strict=True):
        if size == 0:
            raise SeriesError(
                f"{name}: x has shape {shape}, zero {what}; needed: (N, C, T) with at least one "
                "of each"
            )


def _check_list(series: Sequence[Array], name: str) -> None:
    if not series:
        raise SeriesError(f"{name}: x is an empty list, zero windows; needed: at least one series")
    n_channels = series[0].shape[0] if series[0].ndim == 2 else 0
    for index, item in enumerate(series):
        if item.ndim != 2:
            raise SeriesError(
                f"{name}: series {index} of the list has shape {item.shape}; needed: (C, L), "
                "channels, steps; for a univariate series type np.asarray(series)[None, :]"
            )
        if 0 in item.shape:
            raise SeriesError(
                f"{name}: series {index} of the list has shape {item.shape}; needed: (C, L) with "
                "at least one channel and one step"
            )
        if item.shape[0] != n_channels:
            raise SeriesError(
                f"{name}: series {index} has {item.shape[0]} channels, series 0 has {n_channels}; "
                "all series need the same channels"
            )


def _read_frames(
    x: Sequence[Any], whats: Sequence[str]
) -> tuple[list[Array], tuple[str, ...] | None]:
    series: list[Array] = []
    names: tuple[str, ...] | None = None
    for item, what in zip(x, whats, strict=True):
        if not is_frame(item):
            raise SeriesError(
                f"{what} is a {type(item).__name__}, others are frames; give frames only, or "
                "type [frame.to_numpy().T for frame in x]"
            )
        values, own = frame_channels(item, what)
        if not series:
            names = own
        elif len(values) != len(series[0]) or (own is None) != (names is None):
            raise SeriesError(
                f"{what} has columns {_listed(own, values)}, {whats[0]} has "
                f"{_listed(names, series[0])}; all frames need the same columns"
            )
        series.append(
            values if own is None or names is None else _in_order(values, own, names, what)
        )
    return series, names


def _in_order(values: Array, own: tuple[str, ...], names: tuple[str, ...], what: str) -> Array:
    """Channels in the order of the first frame: a name says more than a place."""
    if own == names:
        return values
    if sorted(own) != sorted(names):
        raise SeriesError(
            f"{what} has columns {', '.join(own)}, the first has {', '.join(names)}; all frames "
            "need the same columns"
        )
    return values[[own.index(name) for name in names]]


def _listed(names: tuple[str, ...] | None, values: Array) -> str:
    return f"0 to {len(values) - 1}" if names is None else ", ".join(names)
