"""Losses for training a classifier; each is called with logits (B, K) and classes (B,).

=========================== =====================================================================
`CrossEntropyLoss`          -log p of the true class; smoothing spreads part of it over all classes
`FocalLoss`                 the same times (1 - p) ^ gamma: what is right already counts less
`HybridFocalLoss`           a mixture of the two
`ConfidencePenaltyLoss`     cross-entropy less beta times the entropy of the answer
`AdaptiveSmoothingLoss`     cross-entropy, smoothed by as much as the answer is certain
=========================== =====================================================================

All take ``class_weights``, one for each class; a mean over windows is then weighted as in
`torch.nn.CrossEntropyLoss`, by the weight of each window's class. `balanced_class_weights` makes
them from a training split. The arguments are attributes of the same name, so that `loss_settings`
can tell them.

Sources: Lin et al., "Focal loss for dense object detection", ICCV 2017; Szegedy et al., "Rethinking
the Inception architecture for computer vision", CVPR 2016; Pereyra et al., "Regularizing neural
networks by penalizing confident output distributions", ICLR workshop 2017.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dualgaf.errors import check_number
from dualgaf.models.losses.class_weights import checked_weights, weighted_mean
from dualgaf.plain import plain_settings
from dualgaf.renamed import refuses_old_keywords


class CrossEntropyLoss(nn.Module):
    """`torch.nn.functional.cross_entropy`, with weights that can be typed in YAML.

    Args:
        label_smoothing: fraction of the target that is spread over all classes (Szegedy et al.,
            "Rethinking the Inception architecture", 2016), 0 <= fraction < 1.
        class_weights: K numbers above 0; None = all 1.

    Raises:
        ConfigError: a number is out of range.

    Example:
        >>> CrossEntropyLoss()(torch.zeros(1, 4), torch.tensor([0]))
        tensor(1.3863)
    """

    class_weights: Tensor | None

    @plain_settings
    def __init__(
        self, *, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        _check_fraction("label_smoothing", label_smoothing, 0.1)
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", checked_weights(class_weights), persistent=False)

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """(B, K), (B,) -> the mean loss, a scalar."""
        return F.cross_entropy(
            logits, label, weight=self.class_weights, label_smoothing=self.label_smoothing
        )


class FocalLoss(nn.Module):
    """``-(1 - p)^gamma log p`` of the true class (Lin et al., 2017).

    Args:
        gamma: 0 is cross-entropy; the larger, the less counts what is right already.
        class_weights: K numbers above 0, the paper's alpha; None = all 1.

    Raises:
        ConfigError: a number is out of range.

    Example:
        >>> FocalLoss(gamma=2.0)(torch.zeros(1, 2), torch.tensor([0]))  # (1/2)^2 log 2
        tensor(0.1733)
    """

    class_weights: Tensor | None

    @plain_settings
    def __init__(self, *, gamma: float = 2.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        _check_from_zero("gamma", gamma, 2.0)
        self.gamma = gamma
        self.register_buffer("class_weights", checked_weights(class_weights), persistent=False)

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """(B, K), (B,) -> the mean loss, a scalar."""
        return weighted_mean(_focal(logits, label, self.gamma), label, self.class_weights)


class HybridFocalLoss(nn.Module):
    """``weight * focal + (1 - weight) * cross-entropy``: hard windows first, others not at rest.

    Args:
        gamma: of the focal part.
        weight: of the focal part, 0 to 1.
        label_smoothing: of the cross-entropy, 0 <= fraction < 1.
        class_weights: K numbers above 0; None = all 1.

    Raises:
        ConfigError: a number is out of range.

    Example:
        >>> HybridFocalLoss()(torch.zeros(1, 2), torch.tensor([0]))  # 0.5 (1/4 + 1) log 2
        tensor(0.4332)
    """

    @refuses_old_keywords("loss")
    @plain_settings
    def __init__(
        self,
        *,
        gamma: float = 2.0,
        weight: float = 0.5,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        check_number("loss.weight", weight, lambda part: 0 <= part <= 1, "0 to 1", 0.5)
        self.gamma = gamma
        self.weight = weight
        self.label_smoothing = label_smoothing
        self.focal = FocalLoss(gamma=gamma, class_weights=class_weights)
        self.entropy = CrossEntropyLoss(
            label_smoothing=label_smoothing, class_weights=class_weights
        )

    @property
    def class_weights(self) -> Tensor | None:
        """(K,), or None for equal weights."""
        return self.focal.class_weights

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """(B, K), (B,) -> the mean loss, a scalar."""
        focal: Tensor = self.focal(logits, label)
        entropy: Tensor = self.entropy(logits, label)
        return torch.lerp(entropy, focal, self.weight)


class ConfidencePenaltyLoss(nn.Module):
    """Cross-entropy less ``beta`` times the entropy of the answer (Pereyra et al., 2017).

    An answer that is certain has entropy 0, an even one log K. (The earlier system subtracted the
    divergence from an even answer, which rewards certainty.)

    Args:
        beta: 0 is cross-entropy.
        class_weights: K numbers above 0; None = all 1.

    Raises:
        ConfigError: a number is out of range.

    Example:
        >>> ConfidencePenaltyLoss(beta=0.1)(torch.zeros(1, 2), torch.tensor([0]))  # 0.9 log 2
        tensor(0.6238)
    """

    class_weights: Tensor | None

    @plain_settings
    def __init__(self, *, beta: float = 0.1, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        _check_from_zero("beta", beta, 0.1)
        self.beta = beta
        self.register_buffer("class_weights", checked_weights(class_weights), persistent=False)

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """(B, K), (B,) -> the mean loss, a scalar."""
        log_p = F.log_softmax(logits.float(), dim=1)  # half precision has three digits
        entropy = -(log_p.exp() * log_p).sum(dim=1)
        loss = F.nll_loss(log_p, label, reduction="none") - self.beta * entropy
        return weighted_mean(loss, label, self.class_weights)


class AdaptiveSmoothingLoss(nn.Module):
    """Label smoothing that grows with the certainty of the answer, window by window.

    The fraction that is spread over all classes is ``most * (p_max - 1/K) / (1 - 1/K)``, with p_max
    the largest probability of the answer, through which no gradient flows: an even answer is not
    smoothed, a certain one by ``most``.

    Args:
        most: the largest fraction, 0 <= fraction < 1.
        class_weights: K numbers above 0; None = all 1.

    Raises:
        ConfigError: a number is out of range.

    Example:
        >>> AdaptiveSmoothingLoss()(torch.zeros(1, 2), torch.tensor([0]))  # log 2
        tensor(0.6931)
    """

    class_weights: Tensor | None

    @plain_settings
    def __init__(self, *, most: float = 0.2, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        _check_fraction("most", most, 0.2)
        self.most = most
        self.register_buffer("class_weights", checked_weights(class_weights), persistent=False)

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """(B, K), (B,) -> the mean loss, a scalar."""
        log_p = F.log_softmax(logits.float(), dim=1)  # half precision has three digits
        even = 1.0 / logits.shape[1]
        certainty = (log_p.detach().amax(dim=1).exp() - even) / (1.0 - even)
        hard = F.nll_loss(log_p, label, reduction="none")
        loss = torch.lerp(hard, -log_p.mean(dim=1), self.most * certainty)
        return weighted_mean(loss, label, self.class_weights)


def _focal(logits: Tensor, label: Tensor, gamma: float) -> Tensor:
    """(B, K), (B,) -> (B,)."""
    entropy = F.cross_entropy(logits, label, reduction="none")
    # 1 - p, exact where p is near 1; at 0 a power below 1 has no gradient
    wrong = (-torch.expm1(-entropy)).clamp(min=1e-12)
    return wrong.pow(gamma) * entropy


def _check_fraction(option: str, fraction: float, typed: float) -> None:
    check_number(f"loss.{option}", fraction, lambda part: 0 <= part < 1, "0 to below 1", typed)


def _check_from_zero(option: str, number: float, typed: float) -> None:
    check_number(f"loss.{option}", number, lambda found: found >= 0, "0 or more", typed)
