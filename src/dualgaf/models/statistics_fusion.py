"""How the embedding of the statistics joins the features of the images.

Each module takes the features of all signals (B, C, W) and the embedding (B, W). ``concat`` lays it
beside them, (B, C W + W); the others let it change each signal's features, (B, C W).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.models.fusion import ATTENTION_HEADS, AdaptiveFusion, GatedFusion


class ConcatStatistics(nn.Module):
    """The embedding beside the features of all signals; nothing is learned.

    Example:
        >>> ConcatStatistics()(torch.zeros(2, 6, 32), torch.zeros(2, 32)).shape
        torch.Size([2, 224])
    """

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """(B, C, W), (B, W) -> (B, C W + W)."""
        return torch.cat((features.flatten(1), embedding), dim=1)


class FusedStatistics(nn.Module):
    """A fusion of two feature vectors, of each signal's own and the embedding.

    Args:
        fusion: (B, C, W), (B, C, W) -> (B, C, W).

    Example:
        >>> FusedStatistics(GatedFusion(32))(torch.zeros(2, 6, 32), torch.zeros(2, 32)).shape
        torch.Size([2, 192])
    """

    def __init__(self, fusion: nn.Module) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """(B, C, W), (B, W) -> (B, C W)."""
        fused: Tensor = self.fusion(features, embedding.unsqueeze(1).expand_as(features))
        return fused.flatten(1)


class AttentionStatistics(nn.Module):
    """Each signal asks its own features and the embedding (Vaswani et al., 2017).

    The earlier system let it ask the embedding alone: with one answer the weights are always 1.

    Args:
        width: features per signal; a multiple of 4.

    Example:
        >>> features = torch.zeros(2, 6, 32)
        >>> AttentionStatistics(32)(features, features).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.asks = nn.MultiheadAttention(width, ATTENTION_HEADS, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, W)."""
        answers = torch.stack((features, embedding), dim=2).flatten(0, 1)  # (B C, 2, W)
        asking = features.flatten(0, 1).unsqueeze(1)  # (B C, 1, W)
        told, _ = self.asks(asking, answers, answers, need_weights=False)
        fused: Tensor = self.norm(features + told.view(features.shape))
        return fused


STATISTICS_FUSIONS: dict[str, Callable[[int], nn.Module]] = {
    "concat": lambda _: ConcatStatistics(),
    "attention": lambda width: FusedStatistics(AttentionStatistics(width)),
    "gated": lambda width: FusedStatistics(GatedFusion(width)),
    "adaptive": lambda width: FusedStatistics(AdaptiveFusion(width)),
}
"""What ``statistics_fusion=`` may name: width -> module."""


def build_statistics_fusion(name: str, width: int) -> nn.Module:
    """A new fusion of statistics by name.

    Raises:
        ConfigError: the name is not in `STATISTICS_FUSIONS`.
    """
    if name not in STATISTICS_FUSIONS:
        raise ConfigError(unknown_choice("model.statistics_fusion", name, STATISTICS_FUSIONS))
    return STATISTICS_FUSIONS[name](width)
