"""Images in memory: stored pixels read back, or angles drawn, in one pass into recycled memory.

The counterpart of `dualgaf.data.on_device` where the model is on the CPU; the values are the same
to the last bit.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dualgaf.data.buffers import ImageBuffers
from dualgaf.imaging import gather
from dualgaf.machine import cpu_count

Array = npt.NDArray[Any]

THREADS = min(2, cpu_count())
"""Threads that make a batch. Two fill memory faster than one; more were not measured."""


def read_rows(stored: Array, rows: Array, buffers: ImageBuffers) -> tuple[Tensor, Tensor]:
    """GASF and GADF of rows of a store.

    Args:
        stored: (N, 2, C, S, S), or (N, C, S, S) when packed, in storage type.
        rows: (B,) int64.
        buffers: where the images are put.

    Returns:
        gasf and gadf, each (B, C, S, S) float32 and contiguous.

    Raises:
        IndexError: a row is not there.

    Example:
        >>> stored = np.array([[[[128, 255], [1, 128]]]], dtype=np.uint8)
        >>> gasf, gadf = read_rows(stored, np.array([0]), ImageBuffers())
        >>> gasf.tolist(), gadf.tolist()
        ([[[[0.0, 1.0], [1.0, 0.0]]]], [[[[0.0, 1.0], [-1.0, 0.0]]]])
    """
    gasf, gadf = (buffers.take((len(rows), *stored.shape[-3:])) for _ in range(2))
    gather.gather(stored, rows, gasf.numpy(), gadf.numpy(), THREADS)
    return gasf, gadf


def read_all(fields: Tensor, buffers: ImageBuffers) -> tuple[Tensor, Tensor]:
    """GASF and GADF of the stored pixels of a batch, (B, 2, C, S, S) or (B, C, S, S)."""
    return read_rows(fields.contiguous().numpy(), np.arange(len(fields)), buffers)


def draw(angles: Tensor, buffers: ImageBuffers) -> tuple[Tensor, Tensor]:
    """GASF and GADF from cosine and sine, (B, 2, C, S) float32; each (B, C, S, S), contiguous."""
    batch, _, channels, size = angles.shape
    gasf, gadf = (buffers.take((batch, channels, size, size)) for _ in range(2))
    gather.draw(angles.contiguous().numpy(), gasf.numpy(), gadf.numpy(), THREADS)
    return gasf, gadf
