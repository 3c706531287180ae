"""Arrays, tensors and lists as a tuple of channels-first (C, L) series.

float32 stays float32 where every series is float32; every other numeric type becomes float64.
An array that has the right type and order already is not copied.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError

Array = npt.NDArray[Any]


def as_numpy(values: Any, what: str) -> Array:
    """A NumPy array of an array, list or tensor, also of one that has a gradient or is on a GPU.

    Args:
        values: anything that NumPy can read; a torch tensor is detached and brought to the CPU
            (by its own methods: torch is not imported here).
        what: name for the message.

    Returns:
        The array; it shares its memory with ``values`` where it can.

    Raises:
        SeriesError: NumPy cannot read it, e.g. a list of lists of unequal length.

    Example:
        >>> as_numpy([[1, 2]], "x").shape
        (1, 2)
    """
    try:
        if hasattr(values, "detach") and hasattr(values, "cpu"):
            values = values.detach().cpu()
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SeriesError(f"{what} cannot be read as an array: {error}") from error


def channels_first(x: Any, name: str) -> tuple[Array, ...]:
    """The series of ``x`` as (C, L_i) arrays of one floating-point type.

    Args:
        x: (N, C, T) array or tensor, or a list of (C, L_i) arrays or tensors.
        name: name of the arrays, for messages.

    Returns:
        N C-contiguous arrays, all float64 or all float32.

    Raises:
        SeriesError: the shape or the type does not fit.

    Example:
        >>> [series.shape for series in channels_first([np.zeros((1, 3)), np.ones((1, 4))], "x")]
        [(1, 3), (1, 4)]
    """
    if isinstance(x, list | tuple):
        series = [as_numpy(item, f"{name}: series {index}") for index, item in enumerate(x)]
        _check_list(series, name)
    else:
        block = as_numpy(x, f"{name}: x")
        _check_block(block, name)
        series = list(_floating(block, f"{name}: x"))
    floating = [_floating(item, f"{name}: series {index}") for index, item in enumerate(series)]
    dtype = np.result_type(*{item.dtype for item in floating})
    return tuple(np.ascontiguousarray(item, dtype=dtype) for item in floating)


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
                "channels, steps; for a univariate series type series[None, :]"
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


def _floating(values: Array, what: str) -> Array:
    kind = values.dtype.kind
    if kind == "O" and all(isinstance(value, int | float) for value in values.flat):
        kind = "f"
    if kind not in "fiub":
        hint = " (take the real part or the absolute value)" if kind == "c" else ""
        raise SeriesError(
            f"{what} has type {values.dtype}; allowed: numbers (float or int){hint}; "
            "type x.astype(float)"
        )
    return values if values.dtype == np.float32 else values.astype(np.float64, copy=False)
