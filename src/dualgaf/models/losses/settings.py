"""A loss as plain values, so that a checkpoint can hold it, and back."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from torch import nn

from dualgaf.errors import ConfigError, not_allowed, unknown_choice
from dualgaf.models.losses.classification import (
    AdaptiveSmoothingLoss,
    ConfidencePenaltyLoss,
    CrossEntropyLoss,
    FocalLoss,
    HybridFocalLoss,
)

LOSSES: dict[str, type[nn.Module]] = {
    kind.__name__: kind
    for kind in (
        CrossEntropyLoss,
        FocalLoss,
        HybridFocalLoss,
        ConfidencePenaltyLoss,
        AdaptiveSmoothingLoss,
    )
}
"""The losses that a checkpoint can hold, by the name of their class."""


def loss_settings(loss: nn.Module) -> dict[str, Any] | None:
    """The class of a loss and its arguments; None for a loss that is not in `LOSSES`.

    Example:
        >>> loss_settings(FocalLoss(gamma=1.0))
        {'loss': 'FocalLoss', 'gamma': 1.0, 'class_weights': None}
    """
    kind = type(loss)
    if LOSSES.get(kind.__name__) is not kind:
        return None
    told = {name: getattr(loss, name) for name in signature(kind).parameters}
    weights = told["class_weights"]
    return {
        "loss": kind.__name__,
        **told,
        "class_weights": None if weights is None else weights.tolist(),
    }


def build_loss(settings: Mapping[str, Any]) -> nn.Module:
    """The loss that `loss_settings` told.

    Raises:
        ConfigError: there is no such loss, or a number is out of range.

    Example:
        >>> build_loss({"loss": "FocalLoss", "gamma": 1.0}).gamma
        1.0
    """
    arguments = dict(settings)
    name = arguments.pop("loss", None)
    if name not in LOSSES:
        raise ConfigError(unknown_choice("loss", name, LOSSES))
    return LOSSES[name](**arguments)


def weighted_loss(loss: nn.Module, class_weights: Sequence[float], num_classes: int) -> nn.Module:
    """The same loss with a weight for each class.

    Args:
        loss: one of `LOSSES` without weights.
        class_weights: K numbers above 0.
        num_classes: K.

    Raises:
        ConfigError: the loss takes no weights or has some, or there is not one for each class.
    """
    settings = loss_settings(loss)
    if settings is None:
        raise ConfigError(
            f"class_weights are given, and the loss is {type(loss).__name__}, which does not take "
            f"them; allowed: {', '.join(LOSSES)}; give the weights to your loss"
        )
    if settings["class_weights"] is not None:
        raise ConfigError(
            "class_weights are given twice, to the loss and beside it; type "
            "classifier.class_weights=null"
        )
    check_one_each(class_weights, num_classes)
    return build_loss({**settings, "class_weights": list(class_weights)})


def check_one_each(class_weights: Sequence[float], num_classes: int) -> None:
    """Refuse weights that are not one for each class.

    Raises:
        ConfigError: they are more, or fewer, or a text.
    """
    if isinstance(class_weights, str) or len(class_weights) != num_classes:
        raise ConfigError(
            not_allowed(
                "class_weights",
                class_weights,
                f"a number for each of {num_classes} classes",
                "classifier.class_weights=balanced",
            )
        )
