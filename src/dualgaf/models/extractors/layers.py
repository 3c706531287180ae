"""How extractors begin and, but for `diagonal`, end: a bounded image in, a grid of cells out.

Row and column of a GAF are times, so where something happens must reach the classifier: a map is
averaged over a grid of `CELLS` x `CELLS` cells, not over the whole image.
"""

from math import gcd

from torch import Tensor, nn
from torch.nn import functional as F

RESOLUTION = 48
"""Images with a longer side are averaged down to this side."""
FULL_RESOLUTION = 96
"""Likewise, in the extractors that keep resolution longer."""
MOMENTUM = 0.2
"""What the latest batch counts in the means that a normalisation keeps, see `BatchNorm`."""
CELLS = 4
"""Side of the grid of cells that a feature map is averaged over."""


def shrink(images: Tensor, side: int = RESOLUTION) -> Tensor:
    """(N, F, S, S) -> (N, F, side, side) by averages where S is more than ``side``."""
    return F.adaptive_avg_pool2d(images, side) if images.shape[-1] > side else images


def group_norm(n_features: int) -> nn.GroupNorm:
    """Normalisation within one sample, in up to four groups of four features or more.

    A group of one feature would leave nothing of a map of one pixel.

    Example:
        >>> [group_norm(n).num_groups for n in (2, 4, 8, 18, 64)]
        [1, 1, 2, 2, 4]
    """
    return nn.GroupNorm(gcd(n_features, max(1, min(4, n_features // 4))), n_features)


class BatchNorm(nn.BatchNorm2d):
    """Normalisation over the batch; a batch of one map of one pixel uses what was seen before.

    Such a batch has no deviation, and torch refuses it. What was seen before counts half after
    three steps (torch: seven): a small set has few steps an epoch, and its first epochs would be
    validated with the means of a network that is long gone.

    Example:
        >>> import torch
        >>> BatchNorm(4)(torch.ones(1, 4, 1, 1)).shape
        torch.Size([1, 4, 1, 1])
    """

    def __init__(self, n_features: int) -> None:
        super().__init__(n_features, momentum=MOMENTUM)

    def forward(self, input: Tensor) -> Tensor:
        """(N, F, h, w) -> the same shape."""
        if self.training and input.numel() == self.num_features:
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


def convolution(
    n_in: int, n_out: int, kernel: int, *, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """Convolution, normalisation, GELU: (N, n_in, h, w) -> (N, n_out, h / stride, w / stride)."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride=stride, padding=padding, dilation=dilation),
        group_norm(n_out),
        nn.GELU(),
    )


class CellReadout(nn.Module):
    """One linear layer over the cells of a feature map: (N, F, h, w) -> (N, width).

    Args:
        n_features: features F of the map.
        width: length of the result.

    Example:
        >>> import torch
        >>> CellReadout(64, 32)(torch.zeros(6, 64, 3, 3)).shape
        torch.Size([6, 32])
    """

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(n_features * CELLS * CELLS, width)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, F, h, w) -> (N, width)."""
        features: Tensor = self.project(F.adaptive_avg_pool2d(maps, CELLS).flatten(1))
        return features
