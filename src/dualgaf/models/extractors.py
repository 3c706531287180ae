"""Image extractors: one field's image of one signal -> a feature vector.

An extractor is shared by all signals (they are folded into the batch) and the network owns one for
each field, because the GASF is symmetric and the GADF antisymmetric.

`LargeKernelExtractor`, step by step:

1. average the image down to about `RESOLUTION` pixels a side, so that cost does not grow with S;
2. a 7 x 7 convolution with stride 2: a large kernel sees a whole event of the series at once;
3. residual blocks with 7 x 7 depthwise kernels, halving the side and doubling the channels between
   them;
4. average over a grid of `CELLS` x `CELLS` cells, not over the whole image: row and column of a GAF
   are times, so where something happens must reach the classifier;
5. one linear layer over the cells.

Normalisation is by group of channels within one sample: batches of one work, and training and
evaluation compute the same function.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.errors import ConfigError, unknown_choice

RESOLUTION = 64
"""Images with a side of twice this many pixels or more are averaged down to less than that."""
CELLS = 4
"""Side of the grid of cells that a feature map is averaged over."""


class LargeKernelBlock(nn.Module):
    """Residual block: 7 x 7 depthwise convolution, normalisation, 1 x 1 convolution.

    After Liu et al., "A ConvNet for the 2020s", 2022, without the expansion.

    Args:
        n_features: channels in and out.

    Example:
        >>> LargeKernelBlock(16)(torch.zeros(2, 16, 8, 8)).shape
        torch.Size([2, 16, 8, 8])
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(n_features, n_features, 7, padding=3, groups=n_features)
        self.norm = nn.GroupNorm(4, n_features)
        self.mix = nn.Conv2d(n_features, n_features, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, W, H, H) -> (N, W, H, H)."""
        return maps + F.gelu(self.mix(self.norm(self.spatial(maps))))


class LargeKernelExtractor(nn.Module):
    """(N, 1, S, S) -> (N, width) with few layers and large kernels, for every S >= 2.

    Args:
        width: features a signal; a multiple of 8.

    Example:
        >>> LargeKernelExtractor(32)(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(
            nn.Conv2d(1, half, 7, stride=2, padding=3), nn.GroupNorm(4, half), nn.GELU()
        )
        self.stages = nn.Sequential(
            LargeKernelBlock(half),
            nn.Conv2d(half, width, 3, stride=2, padding=1),
            nn.GroupNorm(4, width),
            nn.GELU(),
            LargeKernelBlock(width),
        )
        self.project = nn.Linear(width * CELLS * CELLS, width)

    def maps(self, images: Tensor) -> Tensor:
        """Feature maps (N, width, H, H) before the cells, H about S / 4 for S below 128."""
        shrink = images.shape[-1] // RESOLUTION
        if shrink > 1:
            images = F.avg_pool2d(images, shrink)
        maps: Tensor = self.stages(self.stem(images))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, width)."""
        cells = F.adaptive_avg_pool2d(self.maps(images), CELLS)
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
