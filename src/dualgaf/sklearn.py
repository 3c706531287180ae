"""Estimators for scikit-learn: `DualGAFNetClassifier` and `DualGAFTransformer`.

>>> import numpy as np
>>> from dualgaf.sklearn import DualGAFTransformer
>>> X = np.sin(np.linspace(0, 9, 120)).reshape(4, 2, 15)
>>> DualGAFTransformer(image_size=5).fit_transform(X).shape
(4, 100)
"""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dualgaf.errors import DependencyError, SeriesError

# First, for what follows takes seconds and cannot be used without.
try:
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise DependencyError(
        f"dualgaf.sklearn needs scikit-learn 1.6 or later: {error}; type "
        'pip install "scikit-learn>=1.6"'
    ) from error

from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.series.collection import check_finite, one_length, read_collection
from dualgaf.training.estimator import NetEstimator

__all__ = ["DualGAFNetClassifier", "DualGAFTransformer"]

Array = npt.NDArray[Any]


class _WindowsIn:
    """What both estimators do with what they are given."""

    ragged: str
    n_channels_: int
    n_steps_: int
    n_dims_: int
    channel_names_: tuple[str, ...] | None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.three_d_array = True
        return tags

    def _windows(self, x: Any, y: Any = None, *, reset: bool) -> tuple[Array, Any]:
        """(N, C, T) numbers, and labels as they are."""
        given = x
        x, names = read_collection(x)
        if isinstance(x, list | tuple) and len(x) and isinstance(x[0], np.ndarray):
            check_finite(x, names, given)
            x = one_length(x, self.ragged, None if reset else self.n_steps_)
        elif isinstance(x, np.ndarray) and x.ndim == 3:
            check_finite(x, names, given)
        extra = {} if y is None else {"y": y}
        found = validate_data(
            self, x, **extra, reset=reset, allow_nd=True, dtype=(np.float64, np.float32),
            ensure_min_features=2 if reset else 1,
        )  # fmt: skip
        x, y = found if extra else (found, None)
        if x.ndim > 3:
            raise SeriesError(
                f"X has shape {x.shape}; needed: (N, C, T), or (N, T) for one channel"
            )
        n_dims, x = x.ndim, x[:, None, :] if x.ndim == 2 else x
        if 0 in x.shape or x.shape[2] < 2:
            raise SeriesError(f"X has shape {x.shape}; needed: (N, C, T) with T of 2 and more")
        if reset:
            _, self.n_channels_, self.n_steps_ = x.shape
            self.n_dims_, self.channel_names_ = n_dims, names
        self._check_same(x, n_dims, names)
        return x, y

    def _check_same(self, x: Array, n_dims: int, names: tuple[str, ...] | None) -> None:
        if n_dims != self.n_dims_ or x.shape[1:] != (self.n_channels_, self.n_steps_):
            raise SeriesError(
                f"X has windows of {x.shape[1]} channels and {x.shape[2]} steps ({n_dims} "
                f"dimensions); it was fitted with {self.n_channels_} channels and "
                f"{self.n_steps_} steps ({self.n_dims_} dimensions); give windows of that shape"
            )
        own = self.channel_names_
        if names is not None and own is not None and tuple(names) != tuple(own):
            raise SeriesError(
                f"X has the channels {', '.join(names)}; it was fitted with {', '.join(own)}; give "
                "the same channels in that order"
            )


class DualGAFNetClassifier(_WindowsIn, ClassifierMixin, NetEstimator, BaseEstimator):  # type: ignore[misc]
    """`dualgaf.DualGAFNet` as a classifier of scikit-learn.

    Windows are (N, C, T) arrays, or (N, T) for one channel. Frames of sktime with two levels in
    their index or a series in each cell are read, and lists of series of unequal length, by
    ``ragged``. What is missing is refused. Parameters have the names of ``train.py`` and of
    `dualgaf.DualGAFDataModule`; there is no val split, so nothing ends a training early.

    Args:
        max_epochs: epochs; ``auto`` as many as 750 steps take, 10 to 75.
        max_steps: steps of the optimiser at most; -1 = no limit.
        random_state: of the weights, the order of windows, and all else that is drawn.
        verbose: 0 prints nothing, 1 shows progress, 2 the network as well.
        ragged: for series of unequal length: ``resample`` to the longest of the training,
            ``pad``, ``truncate`` or ``error``.

    Attributes:
        classes_: (K,) labels.
        n_features_in_: channels C, or the steps T where X was (N, T).
        n_iter_: steps of the optimiser that were taken.
        classifier_: the trained `dualgaf.DualGAFClassifier`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(12, 2, 16))
        >>> model = DualGAFNetClassifier(max_steps=2, width=8, random_state=0)
        >>> model.fit(x, ["on", "off"] * 6).predict_proba(x).shape
        (12, 2)
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on windows and their labels.

        Args:
            X: (N, C, T) or (N, T) finite numbers, or what the class tells.
            y: (N,) labels of two classes or more.

        Raises:
            SeriesError: a shape or a value is not allowed, or there is one class only.
            ConfigError: a parameter has a value that is not allowed.
        """
        if y is None:
            raise ValueError("This estimator requires y to be passed, but the target y is None.")
        x, y = self._windows(X, y, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            (only,) = self.classes_.tolist()
            raise SeriesError(
                f"y has one class only, {only!r}; needed: two or more; add windows of another class"
            )
        self._learn(x, codes, self.channel_names_)
        return self

    def predict_proba(self, X: Any) -> Array:
        """(N, K) float64 probabilities, in the order of ``classes_``; a row adds up to 1."""
        check_is_fitted(self, "classifier_")
        return self._probabilities(self._windows(X, reset=False)[0])

    def predict(self, X: Any) -> Array:
        """(N,) the label with the highest probability."""
        scores = self.predict_proba(X)
        return np.asarray(self.classes_[scores.argmax(axis=1)])


class DualGAFTransformer(_WindowsIn, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """`dualgaf.dual_gaf` as a transformer of scikit-learn.

    Args:
        image_size: S, side of the images; None is T.
        feature_range: where series are scaled to, inside [-1, 1].
        scaling: ``window``, ``none``, or ``train``: by the lows and highs of the fitted windows.
        flatten: whether a window becomes a row of 2 * C * S * S pixels, as most estimators need.
        ragged: as of `DualGAFNetClassifier`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(4, 3, 16))
        >>> DualGAFTransformer(flatten=False).fit_transform(x).shape
        (4, 2, 3, 16, 16)
    """

    def __init__(
        self,
        image_size: int | None = None,
        feature_range: tuple[float, float] = (-1.0, 1.0),
        scaling: str = "window",
        flatten: bool = True,
        ragged: str = "resample",
    ) -> None:
        self.image_size = image_size
        self.feature_range = feature_range
        self.scaling = scaling
        self.flatten = flatten
        self.ragged = ragged

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # images are float32
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Keep the shape of windows, and for ``scaling="train"`` their lows and highs."""
        x, _ = self._windows(X, reset=True)
        size = x.shape[2] if self.image_size is None else self.image_size
        recipe = ImagingRecipe(size, self.scaling, self.feature_range, "float32")  # type: ignore[arg-type]
        windows, bounds = Windows.stacked(x), None
        if recipe.scaling == "train":
            bounds = fit_bounds(windows, np.arange(len(x)), recipe.image_size)
        self.renderer_ = Renderer(recipe, self.n_steps_, bounds)
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """(N, 2 * C * S * S), or (N, 2, C, S, S): first all GASF, then all GADF."""
        check_is_fitted(self, "renderer_")
        x, _ = self._windows(X, reset=False)
        shape = (len(x), *self.renderer_.recipe.row_shape(self.n_channels_))
        out = np.empty(shape, np.float32)
        self.renderer_.render(Windows.stacked(x), 0, len(x), out)
        return out.reshape(len(x), -1) if self.flatten else out
