"""Weights of classes: rare faults count as much as common ones."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dualgaf.errors import ConfigError, SeriesError


def balanced_class_weights(label: Tensor, num_classes: int) -> list[float]:
    """A weight for each class so that all weigh the same: N / (K n_k), as in scikit-learn.

    Args:
        label: (N,) classes of the training split.
        num_classes: classes K.

    Returns:
        K weights, whose mean over the windows is 1.

    Raises:
        SeriesError: a class has no window.

    Example:
        >>> balanced_class_weights(torch.tensor([0, 0, 0, 1]), 2)
        [0.6666666865348816, 2.0]
    """
    counts = torch.bincount(label, minlength=num_classes)
    if len(counts) != num_classes or (counts == 0).any():
        raise SeriesError(
            f"the windows of the classes number {counts.tolist()}; needed: at least one of each of "
            f"{num_classes} classes"
        )
    weights: list[float] = (len(label) / (num_classes * counts)).tolist()
    return weights


def weighted_mean(loss: Tensor, label: Tensor, class_weights: Tensor | None) -> Tensor:
    """Mean of the losses of windows, each weighted by its class.

    Args:
        loss: (B,).
        label: (B,) classes.
        class_weights: (K,), or None for equal weights.

    Example:
        >>> loss, label = torch.tensor([3.0, 6.0]), torch.tensor([0, 1])
        >>> weighted_mean(loss, label, torch.tensor([1.0, 2.0]))
        tensor(5.)
    """
    if class_weights is None:
        return loss.mean()
    weights = class_weights[label]
    return (weights * loss).sum() / weights.sum()


def checked_weights(class_weights: Sequence[float] | None) -> Tensor | None:
    """Weights as they are typed -> (K,).

    Raises:
        ConfigError: there are less than two, or one is not above 0.
    """
    if class_weights is None:
        return None
    weights = torch.tensor([float(weight) for weight in class_weights])
    if len(weights) < 2 or not (weights > 0).all() or not torch.isfinite(weights).all():
        raise ConfigError(
            f"classifier.class_weights={list(class_weights)} is not allowed; allowed: a number "
            "above 0 for each class; type classifier.class_weights=balanced"
        )
    return weights
