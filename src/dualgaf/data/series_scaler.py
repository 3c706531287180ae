"""Standardising the windows that go beside the images, so that amplitude survives the imaging."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class SeriesScaler:
    """Subtracts each channel's mean and divides by its std, both of the training split.

    Example:
        >>> scaler = SeriesScaler.fit([np.array([[1.0, 3.0], [5.0, 5.0]])])
        >>> scaler.transform(np.array([[3.0], [7.0]])).tolist()
        [[1.0], [2.0]]
    """

    mean: Array
    """(C,) float64."""
    std: Array
    """(C,) float64; 1 for a constant channel."""

    @classmethod
    def fit(cls, series: Iterable[Array]) -> Self:
        """Mean and deviation over all steps of these (C, L_i) series, in float64."""
        parts = list(series)
        steps = sum(part.shape[1] for part in parts)
        mean = sum(part.sum(axis=1, dtype=np.float64) for part in parts) / steps
        squares = sum(np.square(part - mean[:, None]).sum(axis=1) for part in parts)
        std = np.sqrt(squares / steps)
        return cls(mean, np.where(std > 0, std, 1.0))

    def transform(self, windows: Array) -> Array:
        """(..., C, T) raw values to float32, standardised."""
        return self.standardise(windows).astype(np.float32)

    def standardise(self, windows: Array) -> Array:
        """`transform` in float64."""
        return np.asarray((windows - self.mean[:, None]) / self.std[:, None])

    def inverse_transform(self, windows: Array) -> Array:
        """(..., C, T) standardised values (array or CPU tensor) back to raw ones, float64."""
        return np.asarray(windows) * self.std[:, None] + self.mean[:, None]
