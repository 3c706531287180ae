"""`DiagonalExtractor`: a GAF is read along its diagonals.

A pixel (i, j) of a GAF is what the times i and j have to do with each other. A pattern that comes
later moves along the diagonal, not down or to the right: the pixels of one lag j - i, in the order
of time, are a series, and it is for them that a convolution over time finds the same pattern
wherever it is. A two-dimensional convolution must learn this; with a hundred windows it does not.

1. The pixels of the lags `LAGS` of each image become a series of S steps each, centred: at step t
   the pixel (t - lag // 2, t - lag // 2 + lag).
2. Each series is normalised over the training windows, so that a signal that moves little counts as
   one that moves much. Beyond the edge of the image is zero, about their mean (the pixel at the
   edge is counted once more for each that is missing).
3. Three residual blocks of convolutions over time, all series at once (Wang et al.).
4. Average over time, and one linear layer.

In the GASF of a series scaled to [0, 1] the lag 0 is ``2 x^2 - 1``, from which x can be told;
scaled to [-1, 1] not its sign (Wang and Oates). So ``feature_range=[0,1]`` goes with this
extractor.

Sources: Wang, Yan & Oates, "Time series classification from scratch with deep neural networks: a
strong baseline", IJCNN 2017 (the blocks); Wang & Oates, "Imaging time-series to improve
classification and imputation", IJCAI 2015.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.models.extractors.layers import MOMENTUM, shrink

SIDE = 64
"""Images with a longer side are averaged down to this side."""
LAGS = (0, 1, 2, 4, 8, 16)
"""Pixels from the main diagonal."""
KERNELS = (7, 5, 3)
"""Of the convolutions of a block."""


def lag_pixels(side: int, device: torch.device | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Which pixels of an image of S x S are read.

    Args:
        side: S.
        device: of the results.

    Returns:
        Row and column of each pixel, (L, S) each, and (L, S) whether there is such a pixel; where
        not, row and column are those of one at the edge.

    Example:
        >>> row, column, there = lag_pixels(3)
        >>> row[1].tolist(), column[1].tolist(), there[1].tolist()
        ([0, 1, 2], [1, 2, 2], [True, True, False])
    """
    lag = torch.tensor(LAGS, device=device)[:, None]
    row = torch.arange(side, device=device) - lag // 2
    column = row + lag
    there = (row >= 0) & (column < side)
    return row.clamp(min=0), column.clamp(max=side - 1), there


def along_diagonals(images: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels of each of `LAGS` in the order of time.

    Args:
        images: (N, F, S, S).

    Returns:
        (N, F, L, S) pixels, and (L, S) whether there is such a pixel; where not, any stands there.

    Example:
        >>> pixels, there = along_diagonals(torch.arange(9.0).view(1, 1, 3, 3))
        >>> pixels[0, 0, :3].int().tolist(), there[:3].int().tolist()
        ([[0, 4, 8], [1, 5, 8], [1, 2, 5]], [[1, 1, 1], [1, 1, 0], [0, 1, 0]])
    """
    side = int(images.shape[-1])  # a trace of TorchScript has tensors here
    row, column, there = lag_pixels(side, images.device)
    return images.flatten(2)[:, :, row * side + column], there


class DiagonalExtractor(nn.Module):
    """(N, in_channels, S, S) -> (N, width), convolutions along the diagonals, for every S >= 2.

    Args:
        width: features of the result; a multiple of 8.
        in_channels: images that are seen together.

    Example:
        >>> DiagonalExtractor(32)(torch.zeros(6, 1, 26, 26)).shape
        torch.Size([6, 32])
    """

    def __init__(self, width: int, in_channels: int = 1) -> None:
        super().__init__()
        n_series = in_channels * len(LAGS)
        self.normalise = nn.BatchNorm1d(n_series, momentum=MOMENTUM, affine=False)
        self.blocks = nn.Sequential(
            TimeBlock(n_series, width),
            TimeBlock(width, 2 * width),
            TimeBlock(2 * width, 2 * width),
        )
        self.readout = nn.Linear(2 * width, width)

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        return self._read(*along_diagonals(shrink(images, SIDE)))

    def of_bands(self, bands: Tensor) -> Tensor:
        """The same from the pixels at `lag_pixels` alone: (N, in_channels, L, S) -> (N, width)."""
        return self._read(bands, lag_pixels(bands.shape[-1], bands.device)[2])

    def _read(self, pixels: Tensor, there: Tensor) -> Tensor:
        series = self.normalise(pixels.flatten(1, 2)).view_as(pixels) * there
        maps = self.blocks(series.flatten(1, 2))  # (N, 2 width, S)
        features: Tensor = self.readout(maps.mean(dim=-1))
        return features


class TimeBlock(nn.Module):
    """(N, n_in, S) -> (N, n_out, S): three convolutions and a shortcut."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, kernel in enumerate(KERNELS):
            layers += [
                nn.Conv1d(
                    n_out if number else n_in, n_out, kernel, padding=kernel // 2, bias=False
                ),
                nn.BatchNorm1d(n_out, momentum=MOMENTUM),
                nn.ReLU(),
            ]
        self.path = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential(
            nn.Identity() if n_in == n_out else nn.Conv1d(n_in, n_out, 1, bias=False),
            nn.BatchNorm1d(n_out, momentum=MOMENTUM),
        )

    def forward(self, series: Tensor) -> Tensor:
        """(N, n_in, S) -> (N, n_out, S)."""
        found: Tensor = F.relu(self.path(series) + self.shortcut(series))
        return found
