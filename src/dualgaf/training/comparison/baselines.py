"""Methods without images: they learn from all training windows, for they need no validation.

``python -m dualgaf.training.comparison.baselines NAME FOLDER key=value ...`` is a job of a
comparison: it leaves ``metrics.json`` and ``test_predictions.csv`` in the folder, as a run does. It
reads the windows through the source of the configuration, and loads no torch.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.windowed import WindowedSplits, read_windows
from dualgaf.errors import ConfigError, DependencyError, DualGAFError, SplitError, unknown_choice
from dualgaf.series.source import Source
from dualgaf.system.termination import Stopped, stop_on_signals
from dualgaf.system.whole_file import whole_file
from dualgaf.training.code_stamp import stamp
from dualgaf.training.comparison.scores import Predictions, pooled_scores, write_labels

Array = npt.NDArray[Any]
Fitted = Callable[[Array], Array]

N_TREES = 500


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
    """Mean, std, slope, least and largest value of each channel: (N, C, T) -> (N, 5 C).

    Example:
        >>> simple_statistics(np.array([[[1.0, 2.0, 3.0]]])).round(3).tolist()
        [[2.0, 0.816, 1.0, 1.0, 3.0]]
    """
    steps = np.arange(windows.shape[2]) - (windows.shape[2] - 1) / 2
    slope = windows @ steps / (steps @ steps)
    parts = (windows.mean(2), windows.std(2), slope, windows.min(2), windows.max(2))
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Baseline:
    """A method without images."""

    fit: Callable[[Array, Array, int], Fitted]
    """Learns (N, C, T) windows and (N,) labels, with a seed; gives what predicts new windows."""
    needs_aeon: bool = True


BASELINES = {
    "minirocket": Baseline(minirocket),
    "multirocket_hydra": Baseline(multirocket_hydra),
    "quant": Baseline(quant),
    "forest": Baseline(random_forest, needs_aeon=False),
    "1nn": Baseline(nearest_neighbour, needs_aeon=False),
}


def check_baselines(names: Sequence[str]) -> None:
    """Refuse names that are not known, and what is not installed.

    Raises:
        ConfigError: a name is not known.
        DependencyError: one needs aeon, which is not there.
    """
    for name in names:
        if name not in BASELINES:
            close = get_close_matches(name, BASELINES, n=1, cutoff=0.0)[0]
            typed = f"baselines=[{close}]"
            raise ConfigError(unknown_choice("baselines", name, BASELINES, instead=typed))
    needing = [name for name in names if BASELINES[name].needs_aeon]
    if needing and find_spec("aeon") is None:
        raise DependencyError(
            f"baselines=[{','.join(needing)}] needs aeon, which is not installed; type "
            'pip install "dualgaf[accuracy]"'
        )


def run_baseline(method: str, source: Source, seed: int, split_seed: int = 0) -> Predictions:
    """Learn the training windows of a source, those for validation too, and predict its test.

    Args:
        method: a name in `BASELINES`.
        source: windows and splits are those that a network sees of it.
        seed: of the method.
        split_seed: of the split; that of the run where a network is to have the same.

    Raises:
        SplitError: there is no test split.
    """
    windowed = read_windows(source, seed=split_seed)
    if "test" not in windowed.indices:
        raise SplitError(
            "there is no test split, so nothing can be compared; type data.split.test_fraction=0.2"
        )
    x, y = _windows(windowed, "train", "val")
    new, label = _windows(windowed, "test")
    fit = BASELINES[method].fit
    few = np.random.default_rng(0).normal(size=(20, *x.shape[1:]))
    fit(few, np.array(["a", "b"] * 10), seed)  # compiles what it compiles
    started, before = time.perf_counter(), cpu_seconds()
    predict = fit(x, y, seed)
    fit_s, cpu_s = time.perf_counter() - started, cpu_seconds() - before
    return Predictions(label.tolist(), predict(new).tolist(), fit_s, cpu_s)


def _windows(windowed: WindowedSplits, *splits: str) -> tuple[Array, Array]:
    parts = [windowed.indices[split] for split in splits if split in windowed.indices]
    rows = np.sort(np.concatenate(parts))  # which are held out must not change a forest
    names = np.array(windowed.class_names)
    return windowed.windows.take(rows).astype(np.float64), names[windowed.labels[rows]]


def run_job(method: str, folder: Path, overrides: Sequence[str]) -> None:
    """Learn and test with the data of a configuration, and leave the files of a run.

    Args:
        method: a name in `BASELINES`.
        folder: where to; made where it is not there.
        overrides: ``key=value``, as after ``python train.py``.
    """
    from hydra.utils import instantiate

    from dualgaf.training.overrides import composed

    stamp(folder, anew=True)
    cfg = composed(["paths.run_dir=.", *overrides])
    source = instantiate(cfg.data, _convert_="all")
    found = run_baseline(method, source, cfg.seed, split_seed=cfg.seed)
    scores = pooled_scores(found.label, found.predicted)
    write_labels(folder, found)
    metrics = {
        "test/acc": scores["accuracy"],
        "test/f1_macro": scores["f1_macro"],
        "fit/seconds": found.fit_s,
    }
    with whole_file(folder / "metrics.json") as draft:
        draft.write_text(json.dumps(metrics, indent=2) + "\n")


def main(arguments: Sequence[str]) -> int:
    """A job; its exit status."""
    stop_on_signals()
    method, folder, *overrides = arguments
    try:
        run_job(method, Path(folder), overrides)
    except Stopped as stopped:
        return int(stopped.code or 0)
    except Exception as error:
        from dualgaf.training.config import own_error

        own = error if isinstance(error, DualGAFError) else own_error(error)
        if own is None:
            raise
        print(f"dualgaf: {own}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
