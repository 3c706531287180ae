"""The residual networks: one extractor and a table of stages (He et al., 2016).

1. The stem: one or two convolutions.
2. Up to four stages of residual blocks; the first block of a stage may halve the map.
3. The readout over cells.

The classic members give up half of the side in the stem. A GAF has no background: each pixel is a
pair of times, and fine texture is a short event. The members with ``gaf`` in their name therefore
keep the side in the stem and take images of up to `FULL_RESOLUTION` pixels a side as they are; so
they cost several times as much. Channels follow the network's ``width``: with ``width=64`` they are
those of the earlier system, 64 to 512 in the classic members.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from dualgaf.models.extractors.layers import (
    FULL_RESOLUTION,
    RESOLUTION,
    CellReadout,
    convolution,
    group_norm,
    shrink,
)


@dataclass(frozen=True)
class ResNetPlan:
    """A row of the table of stages. Channels are counted in quarters of the width."""

    channels: tuple[int, ...]
    """Channels of each stage."""
    blocks: tuple[int, ...]
    """Residual blocks of each stage."""
    strides: tuple[int, ...]
    """Stride of each stage: 1 keeps the side, 2 halves it."""
    stem: tuple[int, ...]
    """Channels of each convolution of the stem."""
    stem_kernel: int = 3
    """Side of the kernels of the stem."""
    stem_stride: int = 1
    """Stride of the first convolution of the stem."""
    side: int = FULL_RESOLUTION
    """Images with a longer side are averaged down to this side."""


RESNETS = {
    "resnet18": ResNetPlan(
        (4, 8, 16, 32),
        (2, 2, 2, 2),
        (1, 2, 2, 2),
        (4,),
        stem_kernel=5,
        stem_stride=2,
        side=RESOLUTION,
    ),
    "resnet34": ResNetPlan(
        (4, 8, 16, 32),
        (3, 4, 6, 3),
        (1, 2, 2, 2),
        (4,),
        stem_kernel=5,
        stem_stride=2,
        side=RESOLUTION,
    ),
    "resnet_light": ResNetPlan((4, 8, 16), (2, 2, 2), (2, 2, 2), (2,), side=RESOLUTION),
    "resnet18_gaf": ResNetPlan((4, 8, 16, 32), (2, 2, 2, 2), (2, 2, 2, 2), (2,)),
    "resnet18_gaf_light": ResNetPlan((2, 4, 8, 16), (2, 2, 2, 2), (2, 2, 2, 2), (1,)),
    "resnet_gaf_deep": ResNetPlan((4, 8, 16, 32), (3, 4, 6, 3), (2, 2, 2, 2), (2, 2)),
    "resnet_gaf_preserve": ResNetPlan((4, 8, 16, 32), (2, 2, 2, 2), (1, 2, 2, 2), (4,)),
}
"""The members of the family. ``preserve`` keeps the side through the first stage as well."""


class ResNetExtractor(nn.Module):
    """(N, in_channels, S, S) -> (N, width) by residual blocks, for every S >= 2.

    Args:
        plan: a row of `RESNETS`, or one of your own.
        width: features of the result; a multiple of 8.
        in_channels: images that are seen together.

    Example:
        >>> import torch
        >>> extractor = ResNetExtractor(RESNETS["resnet18_gaf_light"], 32)
        >>> extractor(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, plan: ResNetPlan, width: int, in_channels: int = 1) -> None:
        super().__init__()
        self.side = plan.side
        quarter = width // 4
        layers: list[nn.Module] = []
        n_in, stride = in_channels, plan.stem_stride
        for n_quarters in plan.stem:
            n_out = n_quarters * quarter
            layers.append(convolution(n_in, n_out, plan.stem_kernel, stride=stride))
            n_in, stride = n_out, 1
        for n_quarters, n_blocks, stage_stride in zip(
            plan.channels, plan.blocks, plan.strides, strict=True
        ):
            n_out = n_quarters * quarter
            for i in range(n_blocks):
                layers.append(_ResidualConvolution(n_in, n_out, stage_stride if i == 0 else 1))
                n_in = n_out
        self.trunk = nn.Sequential(*layers)
        self.readout = CellReadout(n_in, width)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        features: Tensor = self.readout(self.trunk(shrink(images, self.side)))
        return features


class _ResidualConvolution(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut: (N, n_in, h, w) -> (N, n_out, h / s, w / s)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            convolution(n_in, n_out, 3, stride=stride),
            nn.Conv2d(n_out, n_out, 3, padding=1),
            group_norm(n_out),
        )
        same = stride == 1 and n_in == n_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(n_in, n_out, 1, stride=stride)
        self.activation = nn.GELU()

    def forward(self, maps: Tensor) -> Tensor:
        activated: Tensor = self.activation(self.path(maps) + self.shortcut(maps))
        return activated
