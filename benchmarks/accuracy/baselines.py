"""Methods without images: they learn from all training windows, for they need no validation."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.windowed import WindowedSplits, read_windows
from dualgaf.series.source import Source

Array = npt.NDArray[Any]
Fitted = Callable[[Array], Array]

N_TREES = 500


@dataclass(frozen=True)
class Predictions:
    """What was predicted for the test windows of a fold, and how long learning took."""

    label: list[str]
    predicted: list[str]
    fit_s: float
    """Seconds of the clock; beside other jobs they say little."""
    cpu_s: float
    """Seconds of CPU of all threads and children; a network's are those of reading, drawing and
    testing, too."""


def cpu_seconds() -> float:
    """What this process has computed so far, with its children that have ended."""
    told = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in told)


def minirocket(x: Array, y: Array, seed: int) -> Fitted:
    """10 000 features and a ridge classifier, with the settings of aeon."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    model = MiniRocketClassifier(random_state=seed)
    model.fit(x.astype(np.float32), y)
    return lambda new: np.asarray(model.predict(new.astype(np.float32)))


def multirocket_hydra(x: Array, y: Array, seed: int) -> Fitted:
    """MultiRocket's features and Hydra's competing kernels, with the settings of aeon."""
    from aeon.classification.convolution_based import MultiRocketHydraClassifier

    model = MultiRocketHydraClassifier(random_state=seed)
    model.fit(x.astype(np.float32), y)
    return lambda new: np.asarray(model.predict(new.astype(np.float32)))


def quant(x: Array, y: Array, seed: int) -> Fitted:
    """Quantiles of intervals and 200 extra trees, with the settings of aeon."""
    from aeon.classification.interval_based import QUANTClassifier

    model = QUANTClassifier(random_state=seed)
    model.fit(x, y)
    return lambda new: np.asarray(model.predict(new))


def nearest_neighbour(x: Array, y: Array, seed: int) -> Fitted:
    """Euclidean, each channel with the mean and deviation of the training windows taken out."""
    from sklearn.neighbors import KNeighborsClassifier

    scaler = SeriesScaler.fit(list(x))

    def flat(windows: Array) -> Array:
        return scaler.standardise(windows).reshape(len(windows), -1)

    model = KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(flat(x), y)
    return lambda new: np.asarray(model.predict(flat(new)))


def random_forest(x: Array, y: Array, seed: int) -> Fitted:
    """500 trees on five statistics a channel."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=N_TREES, random_state=seed)
    model.fit(simple_statistics(x), y)
    return lambda new: np.asarray(model.predict(simple_statistics(new)))


def simple_statistics(windows: Array) -> Array:
    """Mean, std, slope, least and largest value of each channel: (N, C, T) -> (N, 5 C)."""
    steps = np.arange(windows.shape[2]) - (windows.shape[2] - 1) / 2
    slope = windows @ steps / (steps @ steps)
    parts = (windows.mean(2), windows.std(2), slope, windows.min(2), windows.max(2))
    return np.concatenate(parts, axis=1)


BASELINES = {
    "minirocket": minirocket,
    "multirocket_hydra": multirocket_hydra,
    "quant": quant,
    "nearest_neighbour": nearest_neighbour,
    "random_forest": random_forest,
}


def run_baseline(method: str, source: Source, seed: int) -> Predictions:
    """Learn the training windows of a source and predict its test windows.

    Args:
        method: a name in `BASELINES`.
        source: without a validation split; one that it has is learned, too.
        seed: of the method; the split has none to draw.
    """
    windowed = read_windows(source, seed=0)
    x, y = _windows(windowed, "train", "val")
    new, label = _windows(windowed, "test")
    few = np.random.default_rng(0).normal(size=(20, *x.shape[1:]))
    BASELINES[method](few, np.array(["a", "b"] * 10), seed)  # compiles what it compiles
    started, before = time.perf_counter(), cpu_seconds()
    predict = BASELINES[method](x, y, seed)
    fit_s, cpu_s = time.perf_counter() - started, cpu_seconds() - before
    return Predictions(label.tolist(), predict(new).tolist(), fit_s, cpu_s)


def _windows(windowed: WindowedSplits, *splits: str) -> tuple[Array, Array]:
    rows = np.concatenate(
        [windowed.indices[split] for split in splits if split in windowed.indices]
    )
    names = np.array(windowed.class_names)
    return windowed.windows.take(rows).astype(np.float64), names[windowed.labels[rows]]
