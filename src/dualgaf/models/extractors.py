"""Image extractors: one field's image of one signal, or of several, -> a feature vector.

``per_signal`` shares one extractor among all signals (they are folded into the batch); ``stacked``
gives it all signals as input channels. The network owns one for each field, because the GASF is
symmetric and the GADF antisymmetric.

`LargeKernelExtractor`, step by step:

1. average an image of more than `RESOLUTION` pixels a side down to that, so that cost does not grow
   with S;
2. a 7 x 7, then a 5 x 5 convolution, each with stride 2: a large kernel sees a whole event of the
   series at once; then a 3 x 3 convolution with a residual path;
3. average over a grid of `CELLS` x `CELLS` cells, not over the whole image: row and column of a GAF
   are times, so where something happens must reach the classifier;
4. one linear layer over the cells.

Full convolutions, not depthwise ones: on a CPU these are twenty times faster at this size.
Normalisation is by group of channels within one sample: batches of one work, and training and
evaluation compute the same function.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.models.cells import CELLS, shrink
from dualgaf.models.convolutions import DilatedExtractor, InceptionExtractor, MultiScaleExtractor
from dualgaf.models.resnet import RESNETS, ResNetExtractor


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
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, half, 7, stride=2, padding=3),
            nn.GroupNorm(4, half),
            nn.GELU(),
            nn.Conv2d(half, width, 5, stride=2, padding=2),
            nn.GroupNorm(4, width),
            nn.GELU(),
        )
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(4, width), nn.GELU()
        )
        self.project = nn.Linear(width * CELLS * CELLS, width)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        maps = self.stem(shrink(images))  # (N, width, S / 4, S / 4)
        cells = F.adaptive_avg_pool2d(maps + self.block(maps), CELLS)
        features: Tensor = self.project(cells.flatten(1))
        return features


EXTRACTORS: dict[str, Callable[[int, int], nn.Module]] = {
    "large_kernel": LargeKernelExtractor,
    "inception": InceptionExtractor,
    "dilated": DilatedExtractor,
    "multiscale": MultiScaleExtractor,
    **{name: partial(ResNetExtractor, plan) for name, plan in RESNETS.items()},
}
"""What ``extractor=`` may name: (width, in_channels) -> module."""


def build_extractor(name: str, width: int, in_channels: int = 1) -> nn.Module:
    """A new extractor by name.

    Raises:
        ConfigError: the name is not in `EXTRACTORS`.
    """
    if name not in EXTRACTORS:
        raise ConfigError(unknown_choice("extractor", name, EXTRACTORS))
    return EXTRACTORS[name](width, in_channels)
