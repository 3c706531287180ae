"""`LargeKernelExtractor`: few layers and large kernels, step by step.

1. a convolution of `KERNEL` x `KERNEL`, the same for every signal, whose stride leaves a map of
   about `MAP` x `MAP` pixels, so that cost does not grow with S. Averaging down to that instead
   would wipe out what is fast, a step of a runner for instance. Only images of more than `READ`
   pixels a side, of which the kernels would leave pixels out, are averaged down to that;
2. a 1 x 1 convolution mixes the features of all signals that are seen together;
3. a 5 x 5 convolution with stride 2, then a 3 x 3 convolution with a residual path;
4. average over a grid of `CELLS` x `CELLS` cells, not over the whole image: row and column of a GAF
   are times, so where something happens must reach the classifier;
5. one linear layer over the cells.

Sharing the first convolution keeps many signals cheap: its parameters do not grow with their
number, and it learns from each of them. Full convolutions, not depthwise ones: on a CPU these are
twenty times faster at this size.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.models.extractors.layers import BatchNorm, CellReadout, shrink

MAP = 16
"""Side of the map that the first convolution of `LargeKernelExtractor` leaves, about."""
KERNEL = 9
"""Side of the first kernel."""
READ = KERNEL * MAP
"""Side of the largest image of which the first convolution reads every pixel."""
FILTERS = 8
"""Features of each signal that it finds."""


class LargeKernelExtractor(nn.Module):
    """(N, in_channels, S, S) -> (N, width), few layers and large kernels, for every S >= 2.

    Args:
        width: features of the result; a multiple of 8.
        in_channels: images that are seen together.

    Example:
        >>> import torch
        >>> LargeKernelExtractor(32)(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, width: int, in_channels: int = 1) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.Conv2d(1, FILTERS, KERNEL)
        self.after_stem = nn.Sequential(BatchNorm(FILTERS), nn.GELU())
        self.mix = nn.Sequential(
            nn.Conv2d(in_channels * FILTERS, half, 1), BatchNorm(half), nn.GELU()
        )
        self.reduce = nn.Sequential(
            nn.Conv2d(half, width, 5, stride=2, padding=2), BatchNorm(width), nn.GELU()
        )
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), BatchNorm(width), nn.GELU()
        )
        self.readout = CellReadout(width, width)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        images = shrink(images, READ)
        side = int(images.shape[-1])  # a trace of TorchScript has tensors here
        stride = max(1, round(side / MAP))
        beyond = (side - 1) // stride * stride + KERNEL - side  # what the kernels reach past it
        each = images.flatten(0, 1).unsqueeze(1)  # (N in_channels, 1, S, S)
        maps = F.conv2d(each, self.stem.weight, self.stem.bias, stride, (beyond + 1) // 2)
        maps = self.after_stem(maps)  # (N in_channels, FILTERS, h, w)
        maps = self.mix(maps.unflatten(0, (-1, images.shape[1])).flatten(1, 2))
        maps = self.reduce(maps)  # (N, width, h / 2, w / 2)
        features: Tensor = self.readout(maps + self.block(maps))
        return features
