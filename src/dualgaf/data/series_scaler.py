"""Standardising the windows that go beside the images, so that amplitude survives the imaging."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import SeriesError
from dualgaf.imaging.scaling import LEAST, are_constant, rounding, shift_of
from dualgaf.imaging.windows import TOO_FAR

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
    """(C,) float64; 1 for a channel that is constant by the rule of `dualgaf.imaging.scaling`."""

    @classmethod
    def fit(cls, series: Iterable[Array]) -> Self:
        """Mean and deviation over all steps of these (C, L_i) series, in float64.

        Raises:
            SeriesError: a channel has a range or a deviation that float64 does not hold.
        """
        parts = list(series)
        # In one pass: they may lie on a disk.
        lows, highs = zip(*((part.min(axis=1), part.max(axis=1)) for part in parts), strict=True)
        low = np.min(lows, axis=0).astype(np.float64)
        high = np.max(highs, axis=0).astype(np.float64)
        largest = np.maximum(abs(low), abs(high))
        constant = are_constant(low, high, largest, rounding(1, parts[0].dtype))
        factor = shift_of(largest)  # a power of two: it changes no digit
        steps = sum(part.shape[1] for part in parts)
        mean = sum((part * factor[:, None]).sum(axis=1) for part in parts) / steps
        squares = sum(_squares(part * factor[:, None], mean) for part in parts)
        std = np.where(constant, 1.0, np.sqrt(squares / steps) / factor)
        _check_range(low, high, std)
        # Their sum is not exact, and what is left of a constant is to be nothing.
        middle = low / 2 + high / 2
        middle[low == high] = low[low == high]
        return cls(np.where(constant, middle, mean / factor), std)

    def transform(self, windows: Array) -> Array:
        """(..., C, T) raw values to float32, standardised.

        Raises:
            SeriesError: a value is so far from the training split that float32 does not hold it.
        """
        with np.errstate(over="ignore"):
            found = self.standardise(windows).astype(np.float32)
        if np.isinf(found).any():
            raise SeriesError(f"there is a value that {TOO_FAR}")
        return found

    def standardise(self, windows: Array) -> Array:
        """`transform` in float64."""
        return np.asarray((windows - self.mean[:, None]) / self.std[:, None])

    def inverse_transform(self, windows: Array) -> Array:
        """(..., C, T) standardised values (array or CPU tensor) back to raw ones, float64."""
        return np.asarray(windows) * self.std[:, None] + self.mean[:, None]


def _check_range(low: Array, high: Array, std: Array) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        wide = np.isinf(high - low) & np.isfinite(low) & np.isfinite(high)
    for bad, what, how in (
        (wide, "span more than float64 holds, 1.8e308", "divide the channel by 1e100"),
        (
            std < LEAST,
            "change by less than float64 has digits for, 2.2e-308",
            "multiply it by 1e100",
        ),
    ):
        if bad.any():
            channel = int(np.argmax(bad))
            raise SeriesError(
                f"the values of channel {channel} of the training split, {low[channel]} to "
                f"{high[channel]}, {what}; {how}"
            )


def _squares(values: Array, mean: Array) -> Array:
    """(C,) sums of squared distances from the mean; ``values`` (C, T) are no more after it."""
    values -= mean[:, None]
    found: Array = np.square(values, out=values).sum(axis=1)
    return found
