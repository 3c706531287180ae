"""Extractors that are not ours: any module of yours, or a backbone of timm.

A factory takes the number of images that are seen together and gives a module:

    (N, in_channels, S, S) -> (N, F, h, w) or (N, F)

`Backbone` finds F by trying and adds the layer that makes ``width`` features of it. On the command
line a factory is a class or function by its path, with ``_partial_: true`` and its other arguments;
conf/model/timm.yaml is an example.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.models.eval_mode import eval_mode
from dualgaf.models.extractors import EXTRACTORS, build_extractor
from dualgaf.models.extractors.layers import CellReadout
from dualgaf.models.signal_groups import ExtractorMaker

TRIAL_SIDE = 32
"""Side of the image that a module is tried with where the size of the images is not known; what
many backbones need at least."""

ExtractorFactory = Callable[[int], nn.Module]
"""in_channels -> module."""


class Backbone(nn.Module):
    """A module of somebody else, and a linear layer to ``width`` features.

    A map of features is read out cell by cell, as in the package's own extractors.

    Args:
        module: (N, in_channels, S, S) -> (N, F, h, w) or (N, F).
        width: features of the result.
        in_channels: images that are seen together.
        image_size: S, to try the module with.

    Raises:
        ConfigError: the module does not take such an image, or gives something else.

    Example:
        >>> Backbone(nn.Conv2d(3, 7, 5), 32, in_channels=3)(torch.zeros(2, 3, 26, 26)).shape
        torch.Size([2, 32])
    """

    def __init__(
        self, module: nn.Module, width: int, *, in_channels: int, image_size: int | None = None
    ) -> None:
        super().__init__()
        side = image_size or TRIAL_SIDE
        result = _tried(module, torch.zeros(2, in_channels, side, side))
        self.module = module
        n_features = result.shape[1]
        self.readout: nn.Module = (
            CellReadout(n_features, width) if result.ndim == 4 else nn.Linear(n_features, width)
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, width)."""
        features: Tensor = self.readout(self.module(images))
        return features


class TimmBackbone(nn.Module):
    """The feature map of a model of timm, (N, in_channels, S, S) -> (N, F, h, w).

    timm is not installed with dualgaf. Weights are not fetched: they start at random.

    Args:
        in_channels: images that are seen together.
        model_name: a name that ``timm.list_models()`` lists; convolutional ones take any size.

    Raises:
        ConfigError: timm is not installed, or has no such model.

    Example:
        >>> from functools import partial
        >>> make = partial(TimmBackbone, model_name="resnet18")  # what model=timm gives the network
        >>> qualified_name(make)
        {'path': 'dualgaf.models.backbone.TimmBackbone'}
    """

    def __init__(self, in_channels: int, *, model_name: str) -> None:
        super().__init__()
        try:
            timm = import_module("timm")
        except ImportError as error:
            raise ConfigError(
                f"model_name={model_name} is a backbone of timm, which is not installed; type "
                "pip install timm, or choose another extractor"
            ) from error
        try:
            self.model = timm.create_model(
                model_name, pretrained=False, in_chans=in_channels, num_classes=0, global_pool=""
            )
        except RuntimeError as error:
            raise ConfigError(
                f"timm has no model_name={model_name}: {error}; allowed: what timm.list_models() "
                "lists; type model.extractor.model_name=resnet18"
            ) from error

    def forward(self, images: Tensor) -> Tensor:
        """(N, in_channels, S, S) -> (N, F, h, w)."""
        maps: Tensor = self.model(images)
        return maps


def extractor_maker(extractor: object, width: int, image_size: int | None) -> ExtractorMaker:
    """What builds the extractors of a network.

    Args:
        extractor: a name in `EXTRACTORS`, or a factory.
        width: features of an extractor's result.
        image_size: S, where it is known.

    Raises:
        ConfigError: the name is not known, or the factory is none.
    """
    if isinstance(extractor, str | None):
        if extractor is None or extractor not in EXTRACTORS:
            raise ConfigError(
                unknown_choice("model.extractor", extractor, ("auto", *EXTRACTORS, "largest"))
            )
        own = extractor
        return lambda name, in_channels: build_extractor(name or own, width, in_channels)
    factory = _checked_factory(extractor)

    def make(name: str | None, in_channels: int) -> nn.Module:
        if name is not None:
            return build_extractor(name, width, in_channels)
        module = factory(in_channels)
        return Backbone(module, width, in_channels=in_channels, image_size=image_size)

    return make


def qualified_name(extractor: object) -> str | dict[str, str]:
    """An extractor in plain values: its name, or where its factory is defined.

    Example:
        >>> qualified_name(partial(TimmBackbone, model_name="resnet18"))
        {'path': 'dualgaf.models.backbone.TimmBackbone'}
    """
    if isinstance(extractor, str):
        return extractor
    while isinstance(extractor, partial):
        extractor = extractor.func
    named = extractor if hasattr(extractor, "__qualname__") else type(extractor)
    return {"path": f"{named.__module__}.{named.__qualname__}"}


def _checked_factory(extractor: object) -> ExtractorFactory:
    if isinstance(extractor, Mapping):
        raise ConfigError(
            f"extractor={dict(extractor)} is the description of an extractor, not the extractor. "
            "A checkpoint runs no code but the package's own: build the net with your extractor "
            "and load it with DualGAFClassifier.load_from_checkpoint(path, net=net)"
        )
    if isinstance(extractor, nn.Module) or not callable(extractor):
        raise ConfigError(
            f"extractor={type(extractor).__name__} is not allowed; allowed: a name, or a callable "
            "that takes the number of input channels and gives a module, as each field needs its "
            "own; in YAML type _partial_: true beside _target_"
        )
    return extractor


def _tried(module: nn.Module, images: Tensor) -> Tensor:
    try:
        with eval_mode(module), torch.no_grad():  # so that the trial changes no running mean
            result = module(images)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise ConfigError(
            f"the extractor {type(module).__name__} does not take images of shape "
            f"{tuple(images.shape)}: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error
    if not isinstance(result, Tensor) or result.ndim not in (2, 4) or len(result) != len(images):
        got = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
        raise ConfigError(
            f"the extractor {type(module).__name__} makes {got} of images of shape "
            f"{tuple(images.shape)}; needed: (N, F, h, w) or (N, F)"
        )
    return result
