"""Residual blocks of fully connected layers, for the residual heads."""

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Linear layers beside a shortcut, normalised first (He et al., "Identity mappings", 2016).

    Args:
        n_features: length of input and output.
        hidden: lengths of the layers in between.
        dropout: share of the result that is dropped in training.

    Example:
        >>> import torch
        >>> ResidualBlock(64, (16, 16), dropout=0.2)(torch.zeros(2, 64)).shape
        torch.Size([2, 64])
    """

    def __init__(self, n_features: int, hidden: tuple[int, ...], *, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.LayerNorm(n_features)]
        n_in = n_features
        for n_out in hidden:
            layers += [nn.Linear(n_in, n_out), nn.GELU()]
            n_in = n_out
        self.path = nn.Sequential(*layers, nn.Linear(n_in, n_features), nn.Dropout(dropout))

    def forward(self, features: Tensor) -> Tensor:
        """(B, n_features) -> (B, n_features)."""
        added: Tensor = features + self.path(features)
        return added
