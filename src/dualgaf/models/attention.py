"""Attention over signals: how much each signal's features count, sample by sample.

With ``arrangement=stacked`` what is weighed are the groups of signals.

Sources: Hu, Shen and Sun, "Squeeze-and-excitation networks", CVPR 2018; Woo, Park, Lee and Kweon,
"CBAM: Convolutional block attention module", ECCV 2018; Vaswani et al., "Attention is all you
need", NeurIPS 2017.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.models.fusion import ATTENTION_HEADS

NEIGHBOURS = 7
"""Signals that spatial attention sees at once, in the order of the columns."""


class ChannelAttention(nn.Module):
    """Squeeze-and-excitation over the signals (Hu et al., 2018).

    Each signal is squeezed to the mean of its features; two linear layers over all signals give
    each a weight in (0, 2), so that a signal can be damped or lifted.

    Args:
        n_channels: signals C.

    Example:
        >>> ChannelAttention(6)(torch.ones(2, 6, 32)).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        hidden = max(4, n_channels // 2)
        self.excite = nn.Sequential(
            nn.Linear(n_channels, hidden), nn.GELU(), nn.Linear(hidden, n_channels)
        )

    def weights(self, features: Tensor) -> Tensor:
        """(B, C, W) -> (B, C), each in (0, 2)."""
        return 2.0 * torch.sigmoid(self.excite(features.mean(dim=-1)))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, W) -> (B, C, W)."""
        return features * self.weights(features).unsqueeze(-1)


class SpatialAttention(nn.Module):
    """A convolution along the signals (the spatial half of CBAM, Woo et al., 2018).

    Each signal is squeezed to the mean and the maximum of its features; a kernel over `NEIGHBOURS`
    signals gives each a weight in (0, 2). It has few weights, and the order of the columns counts.

    Example:
        >>> SpatialAttention()(torch.ones(2, 6, 32)).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self) -> None:
        super().__init__()
        self.neighbours = nn.Conv1d(2, 1, NEIGHBOURS, padding=NEIGHBOURS // 2)

    def weights(self, features: Tensor) -> Tensor:
        """(B, C, W) -> (B, C), each in (0, 2)."""
        squeezed = torch.stack((features.mean(dim=-1), features.amax(dim=-1)), dim=1)  # (B, 2, C)
        return 2.0 * torch.sigmoid(self.neighbours(squeezed).squeeze(1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, W) -> (B, C, W)."""
        return features * self.weights(features).unsqueeze(-1)


class CBAMAttention(nn.Module):
    """Weights from all signals by mean and maximum, then from neighbours (Woo et al., 2018).

    Args:
        n_channels: signals C.

    Example:
        >>> CBAMAttention(6)(torch.ones(2, 6, 32)).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.channel = ChannelAttention(n_channels)
        self.spatial = SpatialAttention()

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, W) -> (B, C, W)."""
        excite = self.channel.excite
        score = excite(features.mean(dim=-1)) + excite(features.amax(dim=-1))
        weighed: Tensor = self.spatial(features * 2.0 * torch.sigmoid(score).unsqueeze(-1))
        return weighed


class SelfAttention(nn.Module):
    """Each signal asks all signals (Vaswani et al., 2017), normalised first and added.

    Args:
        width: features per signal; a multiple of 4.

    Example:
        >>> SelfAttention(32)(torch.ones(2, 6, 32)).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.asks = nn.MultiheadAttention(width, ATTENTION_HEADS, batch_first=True)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, W) -> (B, C, W)."""
        normed = self.norm(features)
        told, _ = self.asks(normed, normed, normed, need_weights=False)
        added: Tensor = features + told
        return added


ATTENTIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "channel": lambda n_channels, _: ChannelAttention(n_channels),
    "spatial": lambda _, __: SpatialAttention(),
    "cbam": lambda n_channels, _: CBAMAttention(n_channels),
    "self": lambda _, width: SelfAttention(width),
    "none": lambda _, __: nn.Identity(),
}
"""What ``attention=`` may name: (n_channels, width) -> module."""


def build_attention(name: str, n_channels: int, width: int) -> nn.Module:
    """A new attention by name; ``none`` leaves the features as they are.

    Raises:
        ConfigError: the name is not in `ATTENTIONS`.
    """
    if name not in ATTENTIONS:
        raise ConfigError(unknown_choice("model.attention", name, ATTENTIONS))
    return ATTENTIONS[name](n_channels, width)
