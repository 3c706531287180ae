"""Image extractors: one field's image of one signal -> a feature vector.

An extractor is shared by all signals (they are folded into the batch) and the network owns one for
each field, because the GASF is symmetric and the GADF antisymmetric.

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

from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.errors import ConfigError, unknown_choice

RESOLUTION = 48
"""Images with a longer side are averaged down to this side."""
CELLS = 4
"""Side of the grid of cells that a feature map is averaged over."""


class LargeKernelExtractor(nn.Module):
    """(N, 1, S, S) -> (N, width) with few layers and large kernels, for every S >= 2.

    Args:
        width: features a signal; a multiple of 8.

    Example:
        >>> import torch
        >>> LargeKernelExtractor(32)(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(
            nn.Conv2d(1, half, 7, stride=2, padding=3),
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
        """(N, 1, S, S) -> (N, width)."""
        if images.shape[-1] > RESOLUTION:
            images = F.adaptive_avg_pool2d(images, RESOLUTION)
        maps = self.stem(images)  # (N, width, S / 4, S / 4)
        cells = F.adaptive_avg_pool2d(maps + self.block(maps), CELLS)
        features: Tensor = self.project(cells.flatten(1))
        return features


EXTRACTORS: dict[str, type[LargeKernelExtractor]] = {"large_kernel": LargeKernelExtractor}
"""What ``extractor=`` may name."""


def build_extractor(name: str, width: int) -> LargeKernelExtractor:
    """A new extractor by name.

    Raises:
        ConfigError: the name is not in `EXTRACTORS`.
    """
    if name not in EXTRACTORS:
        raise ConfigError(unknown_choice("extractor", name, EXTRACTORS))
    return EXTRACTORS[name](width)
