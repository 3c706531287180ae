"""Batches, from what a loader ships to what a model sees.

A loader ships the smallest thing: stored pixels (`StoredBatch`), or cosine and sine of each series
(`PolarBatch`, for ``images=on_device``). `to_images` turns either into a `Batch` of float32 images
on whatever device the tensors are: by one kernel on the CPU, by torch operations elsewhere.
"""

from typing import NamedTuple

from torch import Tensor

from dualgaf.data import on_cpu, on_device
from dualgaf.data.buffers import ImageBuffers


class Batch(NamedTuple):
    """What a training step sees; unpacks as ``gasf, gadf, series, label``."""

    gasf: Tensor
    """(B, C, S, S) float32 in [-1, 1]."""
    gadf: Tensor
    """(B, C, S, S) float32 in [-1, 1]."""
    series: Tensor
    """(B, C, T) float32, standardised by the training split's mean and deviation."""
    label: Tensor
    """(B,) int64 class indices; -1 where a window has no label."""


class StoredBatch(NamedTuple):
    """Rows of the store, as they lie there."""

    fields: Tensor
    """(B, 2, C, S, S), or (B, C, S, S) when packed, in storage type."""
    series: Tensor
    """As in `Batch`."""
    label: Tensor
    """As in `Batch`."""


class PolarBatch(NamedTuple):
    """Cosine and sine of every series: all that the images are made of."""

    angles: Tensor
    """(B, 2, C, S) float32: index 0 the cosine, index 1 the sine."""
    series: Tensor
    """As in `Batch`."""
    label: Tensor
    """As in `Batch`."""


AnyBatch = Batch | StoredBatch | PolarBatch


def to_images(batch: AnyBatch, buffers: ImageBuffers) -> Batch:
    """The batch with float32 images; a `Batch` passes through unchanged.

    Args:
        batch: what a loader ships.
        buffers: where images on the CPU are put.

    Example:
        >>> import torch
        >>> fields = torch.full((1, 2, 3, 4, 4), 255, dtype=torch.uint8)
        >>> stored = StoredBatch(fields, torch.zeros(1, 3, 9), torch.zeros(1).long())
        >>> batch = to_images(stored, ImageBuffers())
        >>> batch.gasf.shape, batch.gasf.max().item()
        (torch.Size([1, 3, 4, 4]), 1.0)
    """
    if isinstance(batch, StoredBatch):
        pixels = batch.fields
        on_host = pixels.device.type == "cpu"
        images = on_cpu.read_all(pixels, buffers) if on_host else on_device.decode(pixels)
    elif isinstance(batch, PolarBatch):
        angles = batch.angles
        on_host = angles.device.type == "cpu"
        images = on_cpu.draw(angles, buffers) if on_host else on_device.draw(angles)
    else:
        return batch
    return Batch(*images, batch.series, batch.label)
