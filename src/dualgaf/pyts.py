"""What users of pyts know, under the same names; pyts need not be installed.

>>> from dualgaf.pyts import GramianAngularField
>>> GramianAngularField(image_size=2).fit_transform([[0.0, 10.0, 1.0, 3.0]]).tolist()
[[[1.0, -1.0], [-1.0, 1.0]]]
"""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.imaging.one_field import one_field
from dualgaf.imaging.parameters import Parameters

try:
    from sklearn.base import BaseEstimator as _Estimator
except ImportError:  # pipelines of scikit-learn need it, drawing does not
    _Estimator = Parameters

__all__ = ["GramianAngularField"]


class GramianAngularField(_Estimator):  # type: ignore[misc]
    """Drop-in for ``pyts.image.GramianAngularField`` 0.14.1: the same pixels to 1e-6.

    Differences: images are float32, half the memory of float64. A series that is constant up to
    rounding is drawn as a constant, GASF 1 and GADF 0, and a picture is the same at every scale,
    where pyts draws the rounding, and takes what changes by less than 2.2e-15 for a constant. A
    masked value is missing, and refused as NaN is. Times are refused with a TypeError also where
    all of X is times, of which pyts draws the counts of nanoseconds, and NaT as one of them.

    Memory of large images that are gone is kept for those of the next call, until the system is
    short of it.

    Args:
        image_size: S, or the part of T that S is, rounded up.
        sample_range: where each series is scaled to, a tuple inside [-1, 1]; None for values that
            are there already.
        method: ``summation`` or ``s`` (GASF), ``difference`` or ``d`` (GADF).
        overlapping: whether segments of PAA have the same length, and overlap for it.
        flatten: whether an image is one row of S * S pixels.

    Example:
        >>> X = np.sin(np.linspace(0, 9, 300)).reshape(3, 100)
        >>> GramianAngularField(image_size=0.24, method="d").transform(X).shape
        (3, 24, 24)
    """

    def __init__(
        self,
        image_size: int | float = 1.0,
        sample_range: tuple[float, float] | None = (-1, 1),
        method: str = "summation",
        overlapping: bool = False,
        flatten: bool = False,
    ) -> None:
        self.image_size = image_size
        self.sample_range = sample_range
        self.method = method
        self.overlapping = overlapping
        self.flatten = flatten

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Nothing is learned."""
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """An image of each series.

        Args:
            X: (N, T) finite numbers.

        Returns:
            (N, S, S) float32, or (N, S * S) with ``flatten``.

        Raises:
            SeriesError: a shape or a value is not allowed; it is a ValueError.
            ConfigError: a parameter has a value that is not allowed; it is a ValueError.
            SettingTypeError: X is sparse or holds times, or a parameter is of another type; it is a
                TypeError.
        """
        images = one_field(X, self.image_size, self.sample_range, self.method, self.overlapping)
        return images.reshape(len(images), -1) if self.flatten else images

    def fit_transform(self, X: npt.ArrayLike, y: Any = None) -> npt.NDArray[np.float32]:
        """`transform`, for pipelines."""
        return self.fit(X, y).transform(X)
