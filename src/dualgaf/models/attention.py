"""Attention over signals: how much each signal's features count, sample by sample."""

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice


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


ATTENTIONS = ("channel", "none")
"""What ``attention=`` may name."""


def build_attention(name: str, n_channels: int) -> ChannelAttention | nn.Identity:
    """A new attention by name; ``none`` leaves the features as they are.

    Raises:
        ConfigError: the name is not in `ATTENTIONS`.
    """
    if name not in ATTENTIONS:
        raise ConfigError(unknown_choice("attention", name, ATTENTIONS))
    return ChannelAttention(n_channels) if name == "channel" else nn.Identity()
