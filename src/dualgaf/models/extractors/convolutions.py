"""Three small convolutional extractors, each with another way to see short and long events at once.

All take (N, in_channels, S, S) for every S >= 2, average images of more than `RESOLUTION` pixels a
side down to that, and end in a `CellReadout`.

Sources: Szegedy et al., "Going deeper with convolutions", CVPR 2015; Yu and Koltun, "Multi-scale
context aggregation by dilated convolutions", ICLR 2016.
"""

import torch
from torch import Tensor, nn

from dualgaf.models.extractors.layers import CellReadout, convolution, group_norm, shrink


class InceptionExtractor(nn.Module):
    """Blocks of parallel 1 x 1, 3 x 3, 5 x 5 and pooled branches (Szegedy et al., 2015).

    The pool is an average, as elsewhere in the package: a maximum has no gradient but in one pixel.

    Args:
        width: features of the result; a multiple of 8.
        in_channels: images that are seen together.

    Example:
        >>> InceptionExtractor(32)(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, width: int, in_channels: int = 1) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            convolution(in_channels, width, 3, stride=2),
            _InceptionBlock(width, width),
            convolution(width, width, 3, stride=2),
            _InceptionBlock(width, width),
        )
        self.readout = CellReadout(width, width)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        features: Tensor = self.readout(self.trunk(shrink(images)))
        return features


class DilatedExtractor(nn.Module):
    """A 7 x 7 stem, then 3 x 3 convolutions of dilation 2 and 4 (Yu and Koltun, 2016).

    The map stays at half the side of the image while a pixel comes to see 31 pixels of it.

    Args:
        width: features of the result; a multiple of 8.
        in_channels: images that are seen together.

    Example:
        >>> DilatedExtractor(32)(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, width: int, in_channels: int = 1) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            convolution(in_channels, width // 2, 7, stride=2),
            convolution(width // 2, width, 3, dilation=2),
            convolution(width, width, 3, dilation=4),
        )
        self.readout = CellReadout(width, width)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        features: Tensor = self.readout(self.trunk(shrink(images)))
        return features


class MultiScaleExtractor(nn.Module):
    """Three layers, each with kernels of 3, 5 and 7 pixels side by side and half the side after it.

    Args:
        width: features of the result; a multiple of 8.
        in_channels: images that are seen together.

    Example:
        >>> MultiScaleExtractor(32)(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, width: int, in_channels: int = 1) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            _MultiScaleLayer(in_channels, width // 2),
            _MultiScaleLayer(width // 2, width),
            _MultiScaleLayer(width, width),
        )
        self.readout = CellReadout(width, width)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        features: Tensor = self.readout(self.trunk(shrink(images)))
        return features


class _InceptionBlock(nn.Module):
    """(N, n_in, h, w) -> (N, n_out, h, w); every branch gives a quarter of the features."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        quarter = n_out // 4
        self.branches = nn.ModuleList(
            [
                nn.Conv2d(n_in, quarter, 1),
                *(
                    nn.Sequential(
                        nn.Conv2d(n_in, quarter, 1),
                        nn.GELU(),
                        nn.Conv2d(quarter, quarter, kernel, padding=kernel // 2),
                    )
                    for kernel in (3, 5)
                ),
                nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), nn.Conv2d(n_in, quarter, 1)),
            ]
        )
        self.finish = nn.Sequential(group_norm(n_out), nn.GELU())

    def forward(self, maps: Tensor) -> Tensor:
        joined: Tensor = self.finish(torch.cat([branch(maps) for branch in self.branches], dim=1))
        return joined


class _MultiScaleLayer(nn.Module):
    """(N, n_in, h, w) -> (N, n_out, h / 2, w / 2); one 1 x 1 convolution joins the three scales."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Conv2d(n_in, n_out, kernel, stride=2, padding=kernel // 2) for kernel in (3, 5, 7)
        )
        self.join = nn.Sequential(nn.GELU(), convolution(3 * n_out, n_out, 1))

    def forward(self, maps: Tensor) -> Tensor:
        joined: Tensor = self.join(torch.cat([scale(maps) for scale in self.scales], dim=1))
        return joined
