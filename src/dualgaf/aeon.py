"""A classifier for aeon: `DualGAFNetClassifier`."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import DependencyError

# First, for what follows takes seconds and cannot be used without.
try:
    from aeon.classification.base import BaseClassifier
except ImportError as error:
    raise DependencyError(
        f"dualgaf.aeon needs aeon 1.0 or later: {error}; type pip install aeon"
    ) from error

from dualgaf.series.collection import check_finite, one_length
from dualgaf.training.estimator import NetEstimator

__all__ = ["DualGAFNetClassifier"]

Array = npt.NDArray[Any]


class DualGAFNetClassifier(NetEstimator, BaseClassifier):  # type: ignore[misc]
    """`dualgaf.DualGAFNet` as a classifier of aeon; parameters as of `dualgaf.sklearn`.

    Collections are numpy3D, or lists of series of unequal length, by ``ragged``.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(12, 2, 16))
        >>> model = DualGAFNetClassifier(max_steps=2, width=8, random_state=0)
        >>> model.fit(x, np.array(["on", "off"] * 6)).predict_proba(x).shape
        (12, 2)
    """

    _tags = {  # noqa: RUF012  # as aeon has it
        "X_inner_type": ["np-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "algorithm_type": "deeplearning",
    }

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """As `dualgaf.sklearn.DualGAFNetClassifier.load`."""
        found = super().load(path)
        found.n_classes_, found.is_fitted = len(found.classes_), True
        labels = found.classes_.tolist()
        found._class_dictionary = {label: index for index, label in enumerate(labels)}
        return found

    def _fit(self, X: Any, y: Any) -> "DualGAFNetClassifier":
        x = self._equal(X, None)
        self.n_channels_, self.n_steps_ = x.shape[1:]
        self.n_features_in_, self.n_dims_, self.channel_names_ = self.n_channels_, 3, None
        codes = np.array([self._class_dictionary[label] for label in y])
        self._learn(x, codes, None)
        return self

    def _predict_proba(self, X: Any) -> Array:
        return self._probabilities(self._equal(X, self.n_steps_))

    def _predict(self, X: Any) -> Array:
        return np.asarray(self.classes_[self._predict_proba(X).argmax(axis=1)])

    def _equal(self, x: Any, steps: int | None) -> Array:
        check_finite(x, None, x)
        if isinstance(x, list) or (steps is not None and x.shape[2] != steps):
            return one_length(list(x), self.ragged, steps)
        return np.asarray(x)

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> dict[str, Any]:
        apart = {"use_minirocket": False, "use_forest": False}
        return {"max_steps": 3, "width": 8, "image_size": 8, **apart}
