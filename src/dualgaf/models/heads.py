"""Heads: the features of a window -> one logit per class.

Source: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks", ECCV 2016.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice

N_BLOCKS = 2
"""Residual blocks of a residual head."""


class MLPHead(nn.Module):
    """Normalisation, one hidden layer, dropout, logits.

    Args:
        n_features: length of the input.
        num_classes: classes K.
        hidden: length of the hidden layer.
        dropout: fraction of the hidden layer that is dropped in training.

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


class SimpleHead(nn.Module):
    """Normalisation, dropout, logits: a linear classifier of the features.

    Args:
        n_features: length of the input.
        num_classes: classes K.
        hidden: not used, there is no hidden layer; all heads are built by the same call.
        dropout: fraction of the features that is dropped in training.

    Example:
        >>> import torch
        >>> SimpleHead(192, 4, hidden=64, dropout=0.2)(torch.zeros(2, 192)).shape
        torch.Size([2, 4])
    """

    def __init__(self, n_features: int, num_classes: int, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(n_features), nn.Dropout(dropout), nn.Linear(n_features, num_classes)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, n_features) -> (B, K)."""
        logits: Tensor = self.layers(features)
        return logits


class ResidualHead(nn.Module):
    """A linear layer to ``hidden`` features, `N_BLOCKS` residual blocks, logits.

    Args:
        divisors: layers in each block, as divisors of ``hidden``: ``(1,)`` is one layer of that
            length, ``(4, 4)`` a bottleneck of a quarter.
        n_features: length of the input.
        num_classes: classes K.
        hidden: features that pass along the shortcuts; a multiple of 4.
        dropout: fraction that is dropped in training, of the input and of each block's result.

    Example:
        >>> import torch
        >>> ResidualHead((4, 4), 192, 4, hidden=64, dropout=0.2)(torch.zeros(2, 192)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        divisors: tuple[int, ...],
        n_features: int,
        num_classes: int,
        *,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        inner = tuple(hidden // divisor for divisor in divisors)
        self.layers = nn.Sequential(
            nn.LayerNorm(n_features),
            nn.Dropout(dropout),
            nn.Linear(n_features, hidden),
            *(ResidualBlock(hidden, inner, dropout=dropout) for _ in range(N_BLOCKS)),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, n_features) -> (B, K)."""
        logits: Tensor = self.layers(features)
        return logits


class ResidualBlock(nn.Module):
    """Linear layers beside a shortcut, normalised first (He et al., 2016).

    Args:
        n_features: length of input and output.
        hidden: lengths of the layers in between.
        dropout: fraction of the result that is dropped in training.

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


HEADS: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLPHead,
    "simple": SimpleHead,
    "residual": partial(ResidualHead, (1,)),
    "residual_bottleneck": partial(ResidualHead, (4, 4)),
    "residual_dense": partial(ResidualHead, (1, 1)),
}
"""What ``head=`` may name."""


def build_head(
    name: str, n_features: int, num_classes: int, *, hidden: int, dropout: float
) -> nn.Module:
    """A new head by name.

    Raises:
        ConfigError: the name is not in `HEADS`.
    """
    if name not in HEADS:
        raise ConfigError(unknown_choice("model.head", name, HEADS))
    return HEADS[name](n_features, num_classes, hidden=hidden, dropout=dropout)
