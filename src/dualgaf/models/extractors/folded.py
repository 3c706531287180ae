"""`FoldedDiagonals`: what a trained `DiagonalExtractor` gives, in fewer passes over memory.

A normalisation that learns no more multiplies and adds fixed numbers: those of the convolutions go
into their weights, and the first, of the pixels, is done where pixels are drawn. Steps lie before
series in memory ("channels last"), which the convolutions of the CPU read without another copy.

Numbers are those of the extractor to float32's rounding: sums are added in another order.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.models.extractors.diagonals import DiagonalExtractor, TimeBlock

Kernel = tuple[Tensor, Tensor]
"""Weights (n_out, n_in, 1, steps) and what is added, (n_out,)."""


class FoldedDiagonals:
    """(N, S, M) normalised pixels, M = in_channels * L -> (N, width).

    Args:
        extractor: a trained one on the CPU; its weights are copied.

    Example:
        >>> extractor = DiagonalExtractor(32).eval()
        >>> FoldedDiagonals(extractor)(torch.zeros(5, 26, 6)).shape
        torch.Size([5, 32])
    """

    centre: npt.NDArray[np.float32]
    """(M,) to take from pixels."""
    scale: npt.NDArray[np.float32]
    """(M,) to multiply what is left by."""

    @torch.no_grad()
    def __init__(self, extractor: DiagonalExtractor) -> None:
        factor, _ = _fixed(extractor.normalise)
        mean = extractor.normalise.running_mean
        assert mean is not None
        self.centre, self.scale = mean.numpy().copy(), factor.numpy().copy()
        self._blocks = [
            _folded(block) for block in extractor.blocks if isinstance(block, TimeBlock)
        ]
        self._weight = extractor.readout.weight.detach().clone()
        self._bias = extractor.readout.bias.detach().clone()

    def __call__(self, pixels: Tensor) -> Tensor:
        """(N, S, M) -> (N, width)."""
        maps = pixels.transpose(1, 2).unsqueeze(2)  # (N, M, 1, S), as it lies in memory
        for first, second, third, shortcut in self._blocks:
            short = _convolved(maps, shortcut)
            maps = F.relu_(_convolved(maps, first))
            maps = F.relu_(_convolved(maps, second))
            maps = F.relu_(_convolved(maps, third).add_(short))
        return F.linear(maps.mean(dim=(2, 3)), self._weight, self._bias)


def _convolved(maps: Tensor, kernel: Kernel) -> Tensor:
    weight, bias = kernel
    if weight.ndim == 1:  # a shortcut that only normalises
        return torch.addcmul(bias[:, None, None], maps, weight[:, None, None])
    return F.conv2d(maps, weight, bias, padding=(0, weight.shape[-1] // 2))


def _folded(block: TimeBlock) -> tuple[Kernel, ...]:
    """The three convolutions of a block and its shortcut."""
    path = list(block.path)
    kernels = [
        _kernel(convolution, norm)
        for convolution, norm in pairwise(path)
        if isinstance(convolution, nn.Conv1d) and isinstance(norm, nn.BatchNorm1d)
    ]
    shortcut, norm = block.shortcut
    assert isinstance(norm, nn.BatchNorm1d)
    last = _kernel(shortcut, norm) if isinstance(shortcut, nn.Conv1d) else _fixed(norm)
    return (*kernels, last)


def _kernel(convolution: nn.Conv1d, norm: nn.BatchNorm1d) -> Kernel:
    factor, shift = _fixed(norm)
    weight = (convolution.weight * factor[:, None, None]).unsqueeze(2)
    return weight.contiguous(memory_format=torch.channels_last), shift


def _fixed(norm: nn.BatchNorm1d) -> Kernel:
    """What a normalisation multiplies by and adds, (F,) each."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    factor = (variance.double() + norm.eps).rsqrt()
    shift = -mean.double() * factor
    if norm.affine:
        factor, shift = factor * norm.weight, shift * norm.weight + norm.bias
    return factor.float(), shift.float()
