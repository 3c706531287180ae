"""Fusion of the two fields: features of the GASF and of the GADF -> one feature vector a signal."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.errors import ConfigError, unknown_choice


class AdaptiveFusion(nn.Module):
    """Weighted sum of the two fields; the weights are learned and differ by sample and signal.

    ``fused = w_0 gasf + w_1 gadf`` with ``(w_0, w_1) = softmax(linear([gasf, gadf]))``.

    Args:
        width: features a signal.

    Example:
        >>> features = torch.ones(2, 6, 32)
        >>> AdaptiveFusion(32)(features, features).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(2 * width, 2)

    def weights(self, gasf: Tensor, gadf: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, 2), summing to one over the fields."""
        return F.softmax(self.score(torch.cat((gasf, gadf), dim=-1)), dim=-1)

    def forward(self, gasf: Tensor, gadf: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, W)."""
        weights = self.weights(gasf, gadf)
        return weights[..., :1] * gasf + weights[..., 1:] * gadf


class ConcatFusion(nn.Module):
    """One linear layer over both fields' features side by side.

    Args:
        width: features a signal.

    Example:
        >>> features = torch.ones(2, 6, 32)
        >>> ConcatFusion(32)(features, features).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * width, width)

    def forward(self, gasf: Tensor, gadf: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, W)."""
        fused: Tensor = self.project(torch.cat((gasf, gadf), dim=-1))
        return fused


FUSIONS: dict[str, type[AdaptiveFusion] | type[ConcatFusion]] = {
    "adaptive": AdaptiveFusion,
    "concat": ConcatFusion,
}
"""What ``fusion=`` may name."""


def build_fusion(name: str, width: int) -> AdaptiveFusion | ConcatFusion:
    """A new fusion by name.

    Raises:
        ConfigError: the name is not in `FUSIONS`.
    """
    if name not in FUSIONS:
        raise ConfigError(unknown_choice("fusion", name, FUSIONS))
    return FUSIONS[name](width)
