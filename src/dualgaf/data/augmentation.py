"""Windows whose values are changed a little before they are drawn (``images=on_device``).

Each signal is multiplied by a factor near 1 (scaling), then noise is added (jitter). Both are in
deviations of the training split, around its mean; a channel that is constant there has none, and
stays as it is. Cosines, images and statistics all follow from
the changed series, so no image of it can be stored. A changed time axis, in contrast, can be
applied to images as they are: see `dualgaf.models.time_warp`.

What is drawn for a window is a function of seed, epoch and window (`Turn`): it is the same with any
number of loader workers, and where a training goes on.

Source: Um et al., "Data augmentation of wearable sensor data", ICMI 2017.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from dualgaf.errors import ConfigError, not_allowed

_CHANGE = 2
"""Changes are drawn from this, seed, epoch and window; `dualgaf.data.order` draws from 1 first."""


class Turn(int):
    """The index of a window, with what its changes in this epoch are drawn from.

    Example:
        >>> turn = Turn.of(3, seed=0, epoch=7)
        >>> turn + 0, turn.key
        (3, (2, 0, 7))
    """

    key: tuple[int, ...]

    @classmethod
    def of(cls, index: int, seed: int, epoch: int) -> Self:
        """A window in an epoch."""
        turn = cls(index)
        turn.key = (_CHANGE, seed, epoch)
        return turn


@dataclass(frozen=True)
class SeriesAugmentation:
    """How far the values of training windows are changed; 0 leaves a part out.

    Raises:
        ConfigError: a number is below 0.

    Example:
        >>> changed = SeriesAugmentation(jitter=0.1)(torch.zeros(2, 3, 50))
        >>> changed.shape, bool((changed != 0).all())
        (torch.Size([2, 3, 50]), True)
    """

    jitter: float = 0.0
    """Deviation of the noise, in deviations of the signal in the training split."""
    scaling: float = 0.0
    """Deviation of the logarithm of the factor, drawn for each window and signal."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ConfigError(
                    not_allowed(
                        f"augmentation.{field.name}",
                        value,
                        "a number, 0 or more",
                        f"datamodule.augmentation.{field.name}=0.1",
                    )
                )

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """An augmentation as it is, or built from a mapping; None where nothing is changed.

        Raises:
            ConfigError: it is no mapping, or a key or a number is not allowed.

        Example:
            >>> SeriesAugmentation.of({"jitter": 0.1}).jitter, SeriesAugmentation.of({})
            (0.1, None)
        """
        names = [field.name for field in fields(cls)]
        if isinstance(value, Mapping) and all(key in names for key in value):
            value = cls(**value)
        if not isinstance(value, cls | None):
            raise ConfigError(
                not_allowed(
                    "augmentation",
                    value,
                    f"a mapping with the keys {', '.join(names)}",
                    "datamodule.augmentation.jitter=0.1",
                )
            )
        return value if value is not None and any(vars(value).values()) else None

    def __call__(self, series: Tensor, keys: Sequence[tuple[int, ...]] | None = None) -> Tensor:
        """Changed copies of windows.

        Args:
            series: (B, C, T), standardised by the training split.
            keys: B, whole numbers from 0 on that the changes of each window are drawn from; None
                takes torch's generator of this process.

        Returns:
            (B, C, T).
        """
        n_windows, n_channels, n_steps = series.shape
        shape = (n_channels, 1 + n_steps)
        if keys is None:
            drawn = torch.randn((n_windows, *shape), dtype=series.dtype)
        else:
            each = [np.random.default_rng(key).standard_normal(shape) for key in keys]
            drawn = torch.from_numpy(np.stack(each)).to(series.dtype)
        factor = (drawn[..., :1] * self.scaling).exp()
        return series * factor + drawn[..., 1:] * self.jitter
