"""Fusion of the two fields: features of the GASF and of the GADF -> one feature vector a signal.

With ``early`` there are no features of each: one extractor sees the images of both.

Sources: Vaswani et al., "Attention is all you need", NeurIPS 2017; Dauphin, Fan, Auli and Grangier,
"Language modeling with gated convolutional networks", ICML 2017.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.errors import ConfigError, unknown_choice

ATTENTION_HEADS = 4
"""Heads of each attention layer; a width is a multiple of 8, so they always fit."""


class AdaptiveFusion(nn.Module):
    """Weighted sum of the two fields; the weights are learned and differ by sample and signal.

    ``fused = w_0 gasf + w_1 gadf`` with ``(w_0, w_1) = softmax(linear([gasf, gadf]))``.

    Args:
        width: features per signal.

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
        width: features per signal.

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


class BidirectionalFusion(nn.Module):
    """Cross attention both ways (Vaswani et al., 2017): each field asks all signals of the other.

    ``fused = linear([gasf + attend(gasf, gadf), gadf + attend(gadf, gasf)])``. With one signal
    there is one to ask, and attention is a linear layer.

    Args:
        width: features per signal; a multiple of 4.

    Example:
        >>> features = torch.ones(2, 6, 32)
        >>> BidirectionalFusion(32)(features, features).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gasf_asks = nn.MultiheadAttention(width, ATTENTION_HEADS, batch_first=True)
        self.gadf_asks = nn.MultiheadAttention(width, ATTENTION_HEADS, batch_first=True)
        self.project = nn.Linear(2 * width, width)

    def forward(self, gasf: Tensor, gadf: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, W)."""
        told_gasf, _ = self.gasf_asks(gasf, gadf, gadf, need_weights=False)
        told_gadf, _ = self.gadf_asks(gadf, gasf, gasf, need_weights=False)
        fused: Tensor = self.project(torch.cat((gasf + told_gasf, gadf + told_gadf), dim=-1))
        return fused


class GatedFusion(nn.Module):
    """A linear layer over both, and a gate in (0, 1) for each of its features.

    ``fused = sigmoid(linear([gasf, gadf])) * linear([gasf, gadf])`` (Dauphin et al., 2017).

    Args:
        width: features per signal.

    Example:
        >>> features = torch.ones(2, 6, 32)
        >>> GatedFusion(32)(features, features).shape
        torch.Size([2, 6, 32])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * width, 2 * width)

    def forward(self, gasf: Tensor, gadf: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, W)."""
        return F.glu(self.project(torch.cat((gasf, gadf), dim=-1)), dim=-1)


class ElementwiseFusion(nn.Module):
    """An operation of two tensors, feature by feature; nothing is learned.

    Args:
        operation: ``torch.add`` or ``torch.mul``.

    Example:
        >>> ElementwiseFusion(torch.mul)(torch.full((1, 1, 2), 3.0), torch.full((1, 1, 2), 2.0))
        tensor([[[6., 6.]]])
    """

    def __init__(self, operation: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.operation = operation

    def forward(self, gasf: Tensor, gadf: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, W)."""
        return self.operation(gasf, gadf)


class WeightedAddFusion(nn.Module):
    """``weight * gasf + (1 - weight) * gadf``: one learned weight in (0, 1) for all, 0.5 at first.

    Example:
        >>> WeightedAddFusion()(torch.ones(1, 1, 2), torch.zeros(1, 1, 2))
        tensor([[[0.5000, 0.5000]]], grad_fn=<LerpBackward1>)
    """

    def __init__(self) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(()))

    def forward(self, gasf: Tensor, gadf: Tensor) -> Tensor:
        """(B, C, W), (B, C, W) -> (B, C, W)."""
        return torch.lerp(gadf, gasf, torch.sigmoid(self.logit))


EARLY = "early"
"""The fusion that comes before the extractor, and so has no module here."""
FUSIONS: dict[str, Callable[[int], nn.Module]] = {
    "adaptive": AdaptiveFusion,
    "concat": ConcatFusion,
    "bidirectional": BidirectionalFusion,
    "gated": GatedFusion,
    "add": lambda _: ElementwiseFusion(torch.add),
    "mul": lambda _: ElementwiseFusion(torch.mul),
    "weighted_add": lambda _: WeightedAddFusion(),
}
"""What ``fusion=`` may name: width -> module."""


def build_fusion(name: str, width: int) -> nn.Module:
    """A new fusion by name.

    Raises:
        ConfigError: the name is not in `FUSIONS`.
    """
    if name not in FUSIONS:
        raise ConfigError(unknown_choice("model.fusion", name, FUSIONS))
    return FUSIONS[name](width)
