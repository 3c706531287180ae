"""Methods without images see what a network sees, and are right where that is easy."""

import json

import numpy as np
import pytest

from dualgaf import SimulatedSource
from dualgaf.errors import SplitError
from dualgaf.series.splits import SplitSettings
from dualgaf.training.comparison.baselines import BASELINES, Baseline, main, run_baseline
from dualgaf.training.comparison.scores import read_predictions
from dualgaf.training.config import load_config, make_data


@pytest.fixture
def seen(monkeypatch):
    """What is learned and predicted; the first label is predicted always."""
    found = {}

    def fit(x, y, seed):
        found.update(x=x, y=y, seed=seed)

        def predict(new):
            found["new"] = new
            return np.repeat(y[:1], len(new))

        return predict

    monkeypatch.setitem(BASELINES, "told", Baseline(fit, needs_aeon=False))
    return found


@pytest.mark.parametrize("seed", [0, 3])
def test_windows_and_splits_are_those_of_the_network(seen, tmp_path, seed):
    typed = ["data=simulated", "data.n_windows=60", "data.window_size=12", f"seed={seed}"]
    assert main(["told", str(tmp_path), *typed]) == 0
    data = make_data(load_config(typed))
    windows = data.windows
    learned = np.sort(np.concatenate([windows.indices["train"], windows.indices["val"]]))
    tested = np.sort(windows.indices["test"])
    np.testing.assert_array_equal(seen["x"], windows.windows.take(learned))
    np.testing.assert_array_equal(seen["new"], windows.windows.take(tested))
    names = [data.class_names[k] for k in windows.labels[learned]]
    assert (seen["y"].tolist(), seen["seed"]) == (names, seed)
    label, predicted = read_predictions(tmp_path)
    assert label == [data.class_names[k] for k in windows.labels[tested]]
    assert set(predicted) == {names[0]}
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["test/acc"] == pytest.approx(label.count(names[0]) / len(label), abs=1e-6)
    data.close()


@pytest.mark.parametrize("name", ["forest", "1nn"])
def test_what_is_easy_is_learned(name):
    rng = np.random.default_rng(0)
    y = np.array(["low", "high"] * 10)
    x = rng.normal(size=(20, 2, 8)) + np.where(y == "high", 9.0, 0.0)[:, None, None]
    assert BASELINES[name].fit(x[:10], y[:10], 0)(x[10:]).tolist() == y[10:].tolist()


def test_without_a_test_split_nothing_is_compared(tmp_path, capsys):
    split = SplitSettings("group", test_fraction=0.0)
    with pytest.raises(SplitError, match=r"type data\.split\.test_fraction=0\.2"):
        run_baseline("1nn", SimulatedSource(n_windows=40, window_size=12, split=split), 0)
    typed = ["data=simulated", "data.n_windows=40", "data.split.test_fraction=0"]
    assert main(["1nn", str(tmp_path), *typed]) == 2
    assert capsys.readouterr().err.startswith("dualgaf: there is no test split")


def test_an_error_of_the_data_is_one_line(tmp_path, capsys):
    typed = ["data=ahu", f"data.root={tmp_path / 'none'}"]
    assert main(["1nn", str(tmp_path), *typed]) == 2
    assert capsys.readouterr().err.startswith("dualgaf: ")
