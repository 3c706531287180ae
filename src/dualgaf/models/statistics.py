"""Statistics branch: what the images lose, taken from the window itself.

Scaling each window to [-1, 1] before imaging removes its level and amplitude. Five numbers a
signal bring them back.
"""

import torch
from torch import Tensor, nn

STATISTICS = ("mean", "std", "min", "max", "slope")
"""The last axis of `basic_statistics`, in order."""


def basic_statistics(series: Tensor) -> Tensor:
    """Mean, deviation, minimum, maximum and slope of each window and signal.

    The deviation is that of the population (divided by T). The slope is that of the least-squares
    line, in units of the signal per whole window: a straight line from 0 to 3 has slope 3.

    Args:
        series: (B, C, T), any units.

    Returns:
        (B, C, 5), in the order of `STATISTICS`. For T = 1 deviation and slope are zero.

    Example:
        >>> basic_statistics(torch.tensor([[[0.0, 1.0, 2.0, 3.0]]]))
        tensor([[[1.5000, 1.1180, 0.0000, 3.0000, 3.0000]]])
    """
    mean = series.mean(dim=-1, keepdim=True)
    centred = series - mean
    std = centred.square().mean(dim=-1).sqrt()
    time = torch.linspace(-0.5, 0.5, series.shape[-1], dtype=series.dtype, device=series.device)
    if series.shape[-1] == 1:
        time = torch.zeros_like(time)
    slope = (centred * time).sum(dim=-1) / time.square().sum().clamp(min=1e-12)
    return torch.stack((mean[..., 0], std, series.amin(-1), series.amax(-1), slope), dim=-1)


class StatisticsBranch(nn.Module):
    """Raw windows (B, C, T) -> an embedding (B, width) of their `basic_statistics`.

    Args:
        n_channels: signals C.
        width: length of the embedding.

    Example:
        >>> StatisticsBranch(6, 32)(torch.zeros(2, 6, 100)).shape
        torch.Size([2, 32])
    """

    def __init__(self, n_channels: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(n_channels * len(STATISTICS), width), nn.GELU())

    def forward(self, series: Tensor) -> Tensor:
        """(B, C, T) -> (B, width)."""
        embedding: Tensor = self.embed(basic_statistics(series).flatten(1))
        return embedding
