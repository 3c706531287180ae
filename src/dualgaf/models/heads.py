"""Heads: the features of a window -> one logit a class."""

from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice


class MLPHead(nn.Module):
    """Normalisation, one hidden layer, dropout, logits.

    Args:
        n_features: length of the input.
        num_classes: classes K.
        hidden: length of the hidden layer.
        dropout: share of the hidden layer that is dropped in training.

    Example:
        >>> import torch
        >>> MLPHead(192, 4, hidden=64, dropout=0.2)(torch.zeros(2, 192)).shape
        torch.Size([2, 4])
    """

    def __init__(self, n_features: int, num_classes: int, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(n_features),
            nn.Dropout(dropout),
            nn.Linear(n_features, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, n_features) -> (B, K)."""
        logits: Tensor = self.layers(features)
        return logits


HEADS: dict[str, type[MLPHead]] = {"mlp": MLPHead}
"""What ``head=`` may name."""


def build_head(
    name: str, n_features: int, num_classes: int, *, hidden: int, dropout: float
) -> MLPHead:
    """A new head by name.

    Raises:
        ConfigError: the name is not in `HEADS`.
    """
    if name not in HEADS:
        raise ConfigError(unknown_choice("head", name, HEADS))
    return HEADS[name](n_features, num_classes, hidden=hidden, dropout=dropout)
