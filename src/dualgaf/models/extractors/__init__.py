"""Image extractors: one field's image of one signal, or of several, -> a feature vector.

``per_signal`` shares one extractor among all signals (they are folded into the batch); ``stacked``
gives it all signals as input channels. The network owns one for each field, because the GASF is
symmetric and the GADF antisymmetric.
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.models.extractors.convolutions import (
    DilatedExtractor,
    InceptionExtractor,
    MultiScaleExtractor,
)
from dualgaf.models.extractors.diagonals import DiagonalExtractor
from dualgaf.models.extractors.large_kernel import LargeKernelExtractor
from dualgaf.models.extractors.resnet import RESNETS, ResNetExtractor

EXTRACTORS: dict[str, Callable[[int, int], nn.Module]] = {
    "large_kernel": LargeKernelExtractor,
    "diagonal": DiagonalExtractor,
    "inception": InceptionExtractor,
    "dilated": DilatedExtractor,
    "multiscale": MultiScaleExtractor,
    **{name: partial(ResNetExtractor, plan) for name, plan in RESNETS.items()},
}
"""What ``extractor=`` may name: (width, in_channels) -> module."""


def build_extractor(name: str, width: int, in_channels: int = 1) -> nn.Module:
    """A new extractor by name.

    Raises:
        ConfigError: the name is not in `EXTRACTORS`.
    """
    if name not in EXTRACTORS:
        raise ConfigError(unknown_choice("model.extractor", name, EXTRACTORS))
    return EXTRACTORS[name](width, in_channels)
