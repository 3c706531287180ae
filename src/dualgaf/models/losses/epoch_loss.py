"""The loss of an epoch: that of all its windows at once, from the losses of its batches.

A mean of means of batches would depend on how the windows are cut into batches, and most where
classes have weights: a batch of a rare class would count as much as one of a common one. By
Lightning it would be one, and one that is rounded where ranks have other numbers of windows.
"""

import math

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric


class EpochLoss(MeanMetric):
    """The mean of the losses of batches, each weighted by its `divisor`; also over ranks.

    Example:
        >>> loss, found = nn.CrossEntropyLoss(torch.tensor([1.0, 9.0])), EpochLoss()
        >>> logits, label = torch.tensor([[1.0, 0.0], [2.0, 1.0], [1.0, 3.0]]), torch.tensor([0, 1, 1])
        >>> for batch in (slice(0, 2), slice(2, 3)):
        ...     found.update(loss(logits[batch], label[batch]), divisor(loss, label[batch]))
        >>> torch.testing.assert_close(found.compute(), loss(logits, label))
    """  # noqa: E501

    def __init__(self) -> None:
        # What is no number must be seen; "disable" of torchmetrics 1.9 leaves the weights out, too.
        super().__init__(nan_strategy=math.nan)


def divisor(loss: nn.Module, label: Tensor) -> Tensor:
    """What a loss divides by in a batch: the number of its windows, or the sum of their weights.

    Times that, losses of batches add up to a mean over all windows that does not depend on how
    they were cut into batches.

    Args:
        loss: one of the package's or of `torch.nn`; one of your own is taken for a plain mean, or
            for a mean by its ``class_weights`` (K,).
        label: (B,) classes.

    Example:
        >>> divisor(nn.CrossEntropyLoss(torch.tensor([1.0, 9.0])), torch.tensor([0, 1, 1]))
        tensor(19.)
    """
    class_weights = getattr(loss, "class_weights", None)
    if class_weights is None and isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss):
        class_weights = loss.weight
    if not isinstance(class_weights, Tensor):
        return torch.tensor(float(len(label)), device=label.device)
    return class_weights[label].sum()
