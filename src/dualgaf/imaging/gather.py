"""What a batch is made of, in one pass each: stored rows, drawn angles and series, as float32.

Reading a pixel and moving it take one pass over the memory: a batch of 64 windows of 20 channels
and 96 steps is 94 MB of float32, so a second pass over it would cost as much as the first.
"""

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError
from dualgaf.imaging.compiled import gather_kernel, preload
from dualgaf.imaging.packing import LEVELS
from dualgaf.imaging.threads import share_out
from dualgaf.imaging.windows import TOO_FAR, Windows

Array = npt.NDArray[Any]

preload(gather_kernel)

WORTH_A_THREAD = 1 << 20
"""Pixels a field from which on threads are started: that takes 0.05 to 0.1 ms, and one thread needs
0.3 ms for so many."""


def gather(stored: Array, rows: Array, gasf: Array, gadf: Array, threads: int = 1) -> None:
    """Read rows of a store as float32 images; `packing.decode`, and `unpack` where needed.

    Args:
        stored: (N, 2, C, S, S), or (N, C, S, S) when packed, in storage type, C-contiguous.
        rows: (B,) int64, the rows to read.
        gasf: (B, C, S, S) float32, C-contiguous; filled.
        gadf: likewise.
        threads: how many share a large batch.

    Raises:
        IndexError: a row is not there.

    Example:
        >>> stored = np.array([[[[[128, 255], [255, 1]]], [[[128, 1], [255, 128]]]]], dtype=np.uint8)
        >>> gasf, gadf = np.empty((2, 1, 1, 2, 2), dtype=np.float32)
        >>> gather(stored, np.array([0]), gasf, gadf)
        >>> gasf.tolist(), gadf.tolist()
        ([[[[0.0, 1.0], [1.0, -1.0]]]], [[[[0.0, -1.0], [1.0, 0.0]]]])
    """  # noqa: E501
    # The kernel looks at no bound, and a closed store has no rows.
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(stored):
        raise IndexError(
            f"rows {rows.min()} to {rows.max()} are not all there: the store has {len(stored)} "
            "(a closed one has none)"
        )
    halves = stored.dtype == np.float16
    codes = stored.view(np.uint16) if halves else stored  # numba knows no float16
    n = 0 if halves else LEVELS.get(stored.dtype.name)
    n_levels = None if n is None else float(n)
    read = gather_kernel().read_packed
    if stored.ndim > gasf.ndim:
        pixels = prod(gasf.shape[1:])
        read, codes = gather_kernel().read_dual, codes.reshape(len(codes), 2, pixels)
        gasf, gadf = gasf.reshape(len(rows), pixels), gadf.reshape(len(rows), pixels)

    def work(part: slice) -> None:
        read(codes, rows[part], n_levels, gasf[part], gadf[part])

    share_out(work, len(gasf), _worth(gasf, threads))


def draw(angles: Array, gasf: Array, gadf: Array, threads: int = 1) -> None:
    """GASF and GADF from cosine and sine; the pixels that `Renderer` stores as float32.

    Args:
        angles: (B, 2, C, S) float32 of `Renderer.polar`: index 0 the cosine, index 1 the sine.
        gasf: (B, C, S, S) float32, C-contiguous; filled.
        gadf: likewise.
        threads: how many share a large batch.
    """
    kernel = gather_kernel()

    def work(part: slice) -> None:
        kernel.draw(angles[part], gasf[part], gadf[part])

    share_out(work, len(gasf), _worth(gasf, threads))


def gather_series(windows: Windows, rows: Array, mean: Array, std: Array) -> Array:
    """Windows as float32, less the mean of their channel and divided by its deviation.

    Args:
        windows: all windows, of C channels and T steps.
        rows: (B,) int64, the windows to take.
        mean: (C,) float64.
        std: (C,) float64.

    Returns:
        (B, C, T) float32.

    Raises:
        SeriesError: float32 does not hold a value.

    Example:
        >>> windows = Windows(np.array([[1.0, 3.0, 5.0]]), np.array([0, 1]), window_size=2)
        >>> gather_series(windows, np.array([1]), np.array([3.0]), np.array([2.0])).tolist()
        [[[0.0, 1.0]]]
    """
    out = np.empty((len(rows), windows.n_channels, windows.window_size), dtype=np.float32)
    window, channel = gather_kernel().standardise(
        windows.flat, windows.starts[rows], mean, std, out
    )
    if window >= 0:
        raise SeriesError(f"window {rows[window]}, channel {channel} holds a value that {TOO_FAR}")
    return out


def _worth(images: Array, threads: int) -> int:
    return 1 if images.size < WORTH_A_THREAD else threads
