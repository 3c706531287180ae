"""`ImagingRecipe`: every choice that decides the pixels of a dual GAF, and the sizes that follow.

Two builds with equal recipes on equal windows give equal bytes; nothing else (chunk size, workers,
place of the store) changes a pixel.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from dualgaf.errors import ConfigError, unknown_choice

Scaling = Literal["window", "train", "none"]
Storage = Literal["uint8", "uint16", "float16", "float32"]
Layout = Literal["dual", "packed"]


@dataclass(frozen=True)
class ImagingRecipe:
    """How a window of T steps becomes a GASF and a GADF of S x S pixels.

    Order: PAA to S means, then scaling to ``feature_range``, then the angle (as pyts does it).

    Raises:
        ConfigError: a field has a value that is not allowed.

    Example:
        >>> recipe = ImagingRecipe(image_size=96, storage="uint8")
        >>> recipe.row_shape(20), recipe.row_bytes(20)
        ((2, 20, 96, 96), 368640)
    """

    image_size: int
    """S, the side of both images; 2 <= S <= T."""
    scaling: Scaling = "window"
    """``window``: each window and channel by its own minimum and maximum; ``train``: each channel
    by the minimum and maximum of the training split; ``none``: values are in [-1, 1] already."""
    feature_range: tuple[float, float] = (-1.0, 1.0)
    """Target interval of the scaling, inside [-1, 1]."""
    storage: Storage = "uint8"
    """What a pixel is stored as; the largest error is 3.9e-3 (uint8), 1.6e-5 (uint16), 2.5e-4
    (float16)."""
    layout: Layout = "dual"
    """``dual``: (2, C, S, S), field 0 GASF, field 1 GADF; ``packed``: (C, S, S), GASF in the upper
    triangle with the diagonal, GADF in the strict lower one: lossless, half the bytes."""

    def __post_init__(self) -> None:
        for option, allowed in (("scaling", Scaling), ("storage", Storage), ("layout", Layout)):
            value = getattr(self, option)
            if value not in get_args(allowed):
                raise ConfigError(unknown_choice(option, value, get_args(allowed)))
        if isinstance(self.image_size, bool) or not isinstance(self.image_size, int | np.integer):
            raise ConfigError(
                f"image_size={self.image_size!r} is not a whole number; type image_size=48"
            )
        if self.image_size < 2:
            raise ConfigError(
                f"image_size={self.image_size} is too small; allowed: 2 to the window's length; "
                "type image_size=48"
            )
        object.__setattr__(self, "image_size", int(self.image_size))
        object.__setattr__(self, "feature_range", checked_range(self.feature_range))

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy type of a stored pixel."""
        return np.dtype(self.storage)

    def row_shape(self, n_channels: int) -> tuple[int, ...]:
        """Shape of one stored window: (2, C, S, S), or (C, S, S) when packed."""
        image = (n_channels, self.image_size, self.image_size)
        return image if self.layout == "packed" else (2, *image)

    def row_bytes(self, n_channels: int) -> int:
        """Bytes of one stored window."""
        return int(np.prod(self.row_shape(n_channels))) * self.dtype.itemsize

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values, for messages, fingerprints and manifests."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{**fields, "feature_range": tuple(fields["feature_range"])})


def checked_range(feature_range: object) -> tuple[float, float]:
    """Two numbers low < high inside [-1, 1], as a pair.

    Raises:
        ConfigError: it is anything else.

    Example:
        >>> checked_range([0, 1])
        (0.0, 1.0)
    """
    text = (
        f"feature_range={feature_range!r} is not allowed; allowed: two numbers low < high inside "
        "[-1, 1]; type feature_range=[-1,1]"
    )
    try:
        low, high = (float(value) for value in feature_range)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(text) from None
    if not -1.0 <= low < high <= 1.0:
        raise ConfigError(text)
    return (low, high)
