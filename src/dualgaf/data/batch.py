"""Batches, from what a loader ships to what a model sees.

A loader ships the smallest thing: stored pixels (`StoredBatch`), or cosine and sine of each series
(`PolarBatch`, for ``images=on_device``). `to_images` turns either into a `Batch` of float32 images
on whatever device the tensors are:

- on the CPU by one compiled pass into recycled memory (`read_rows`, `draw_on_cpu`);
- elsewhere by few torch operations (`decode`, `draw_on_device`), in place on the memory of their
  results, which torch's allocator for the device hands out again when a batch is gone.

Both reverse `dualgaf.imaging.packing`, or follow the formula of `dualgaf.imaging.gaf`; their values
are the same to the last bit.

A dataset gathers a whole batch at once, and `mark`s it: torch's `default_collate`, which would
stack it like windows, then gives the batch with its images, so that a `DataLoader` of one's own
works without a ``collate_fn``.
"""

from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.multiprocessing.reductions import reduce_tensor
from torch.utils.data._utils.collate import default_collate_fn_map

from dualgaf.data.buffers import ImageBuffers
from dualgaf.imaging import gather
from dualgaf.imaging.packing import LEVELS
from dualgaf.system.machine import cpu_count

Array = npt.NDArray[Any]

THREADS = min(2, cpu_count())
"""Threads that make a batch. Two fill memory faster than one; more were not measured."""
_N_LEVELS = {torch.uint8: LEVELS["uint8"], torch.uint16: LEVELS["uint16"]}


class Batch(NamedTuple):
    """What a training step sees; unpacks as ``gasf, gadf, series, label``.

    Example:
        >>> image, series = torch.zeros(4, 3, 8, 8), torch.zeros(4, 3, 24)
        >>> gasf, gadf, *_ = Batch(image, image, series, torch.zeros(4).long())
        >>> gasf.shape
        torch.Size([4, 3, 8, 8])
    """

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


class Gathered(Tensor):
    """The first tensor of a marked batch; what is made of it is an ordinary tensor."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]


def mark(batch: AnyBatch) -> AnyBatch:
    """The batch, known to `default_collate` as one that is whole.

    Example:
        >>> image, series = torch.zeros(4, 3, 8, 8), torch.zeros(4, 3, 24)
        >>> batch = mark(Batch(image, image, series, torch.zeros(4).long()))
        >>> [tensor.shape[0] for tensor in default_collate(batch)]
        [4, 4, 4, 4]
    """
    first, *others = batch
    return type(batch)(first.as_subclass(Gathered), *others)


def unmark(batch: AnyBatch) -> AnyBatch:
    """The batch with ordinary tensors."""
    first, *others = batch
    return type(batch)(first.as_subclass(Tensor), *others)


def _with_images(batch: AnyBatch, **_: Any) -> Batch:
    return to_images(unmark(batch), ImageBuffers())


default_collate_fn_map[Gathered] = _with_images
ForkingPickler.register(Gathered, reduce_tensor)  # out of a loader worker: as an ordinary one


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
        images = read_all(pixels, buffers) if on_host else decode(pixels)
    elif isinstance(batch, PolarBatch):
        angles = batch.angles
        on_host = angles.device.type == "cpu"
        images = draw_on_cpu(angles, buffers) if on_host else draw_on_device(angles)
    else:
        return batch
    return Batch(*images, batch.series, batch.label)


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


def draw_on_cpu(angles: Tensor, buffers: ImageBuffers) -> tuple[Tensor, Tensor]:
    """GASF and GADF from cosine and sine, (B, 2, C, S) float32; each (B, C, S, S), contiguous."""
    batch, _, channels, size = angles.shape
    gasf, gadf = (buffers.take((batch, channels, size, size)) for _ in range(2))
    gather.draw(angles.contiguous().numpy(), gasf.numpy(), gadf.numpy(), THREADS)
    return gasf, gadf


def decode(fields: Tensor) -> tuple[Tensor, Tensor]:
    """GASF and GADF from rows of a store.

    Args:
        fields: (B, 2, C, S, S), or (B, C, S, S) when packed, in storage type.

    Returns:
        gasf and gadf, each (B, C, S, S) float32.

    Example:
        >>> gasf, gadf = decode(torch.tensor([[[[128, 255], [1, 128]]]], dtype=torch.uint8))
        >>> gasf.tolist(), gadf.tolist()
        ([[[[0.0, 1.0], [1.0, 0.0]]]], [[[[0.0, 1.0], [-1.0, 0.0]]]])
    """
    if fields.ndim == 5:
        return _values(fields[:, 0]), _values(fields[:, 1])
    values = _values(fields)
    above = torch.ones(fields.shape[-2:], dtype=torch.bool, device=fields.device).triu()
    gasf = torch.where(above, values, values.mT)
    gadf = torch.where(above, 0.0 - values.mT, values)
    gadf.diagonal(dim1=-2, dim2=-1).zero_()
    return gasf, gadf


def _values(codes: Tensor) -> Tensor:
    n = _N_LEVELS.get(codes.dtype)
    # Dividing, not multiplying by 1 / n: the ends must come out as exactly -1 and 1.
    return codes.float() if n is None else codes.float().sub_(n + 1).div_(n)


def draw_on_device(angles: Tensor) -> tuple[Tensor, Tensor]:
    """GASF and GADF from cosine and sine.

    Args:
        angles: (B, 2, C, S) float32: index 0 the cosine x, index 1 the sine s.

    Returns:
        gasf = x_i x_j - s_i s_j and gadf = s_i x_j - x_i s_j, each (B, C, S, S) float32.

    Example:
        >>> gasf, gadf = draw_on_device(torch.tensor([[[[-1.0, 0.0]], [[0.0, 1.0]]]]))
        >>> gasf[0, 0].diagonal().tolist(), gadf.tolist()
        ([1.0, -1.0], [[[[0.0, 1.0], [-1.0, 0.0]]]])
    """
    cosine, sine = angles[:, 0], angles[:, 1]
    x_i, x_j = cosine.unsqueeze(-1), cosine.unsqueeze(-2)
    s_i, s_j = sine.unsqueeze(-1), sine.unsqueeze(-2)
    # Not addcmul: it may join the product and the sum into one rounding, and GADF would no longer
    # be exactly antisymmetric.
    product = s_i * s_j
    gasf = (x_i * x_j).sub_(product)
    gadf = (s_i * x_j).sub_(torch.mul(x_i, s_j, out=product))
    return gasf, gadf
