import numpy as np
import pytest

from dualgaf import ArraySource, SimulatedSource, TableSource
from dualgaf.data import training_facts
from dualgaf.data.training_facts import TrainingFacts, source_settings, units_of
from dualgaf.data.windowed import read_windows


def facts_of(x, **settings):
    labels = [0, 1] * (len(x) // 2)
    far = (1e6 * np.ones((2, *x.shape[1:])), [0, 1])
    split = {"method": "official", "val_fraction": 0.0}
    source = ArraySource(train=(x, labels), test=far, split=split, overlap="allow", **settings)
    return TrainingFacts.of(read_windows(source, 0), source)


def test_ranges_and_quantiles_are_those_of_the_training_split_by_hand():
    x = np.arange(404.0).reshape(4, 1, 101)[:, [0, 0]] % 101  # 0 to 100 in each window
    x[:, 1] *= -2
    found = facts_of(x)
    assert (found.low.tolist(), found.high.tolist()) == ([0.0, -200.0], [100.0, 0.0])
    assert found.quantiles[:, 0].tolist() == pytest.approx([0.99, 5, 25, 50, 75, 95, 99], abs=0.1)
    assert found.quantiles[3].tolist() == [50.0, -100.0]
    assert (found.step, found.clock, found.stride) == (None, None, 101)


def test_ranges_are_of_every_window_and_quantiles_of_some(monkeypatch):
    x = np.random.default_rng(0).normal(size=(600, 2, 10))
    whole = facts_of(x)
    monkeypatch.setattr(training_facts, "MOST_STEPS", 3000)
    some = facts_of(x)
    assert np.array_equal(whole.low, x.min(axis=(0, 2)))
    assert np.array_equal(some.low, whole.low)
    assert np.array_equal(some.high, x.max(axis=(0, 2)))
    np.testing.assert_allclose(some.quantiles, whole.quantiles, atol=0.3)
    assert not np.array_equal(some.quantiles, whole.quantiles)


def test_they_come_back_from_plain_values():
    source = SimulatedSource(n_windows=30, window_size=24, stride=12)
    found = TrainingFacts.of(read_windows(source, 0), source)
    again = TrainingFacts.from_plain(found.to_plain())
    limits = vars(found.limits).items()
    for name, value in vars(found).items():
        assert name == "limits" or np.array_equal(getattr(again, name), value), name
    for name, value in limits:
        np.testing.assert_array_equal(getattr(again.limits, name), value, name)
    assert (again.step, again.clock, again.stride) == (300.0, "seconds", 12)
    assert again.units[:2] == ("degF", "degF")
    assert again.units[-1] == "inH2O"
    assert again.units[5] is None


def test_a_numeric_clock_has_its_own_unit(tmp_path):
    rows = [f"{2 * k},{k % 7},{'ab'[k // 60]},{k // 30}" for k in range(120)]
    (tmp_path / "a.csv").write_text("step,v,fault,run\n" + "\n".join(rows) + "\n")
    source = TableSource(
        tmp_path, window_size=10, stride=5, split={"method": "group", "val_fraction": 0}
    )
    found = TrainingFacts.of(read_windows(source, 0), source)
    assert (found.step, found.clock, found.stride) == (2.0, "number", 5)


def test_units_come_from_the_source_or_from_square_brackets():
    names = ("Zone Temp [C](Hourly)", "flow [m3/h]", "SAT (supply)", "x[2] y", "own [?]")

    class Source:
        units = {"own [?]": "kW"}  # noqa: RUF012

    assert units_of(names, Source()) == ("C", "m3/h", None, None, "kW")


def test_the_options_of_a_table_are_kept_and_not_its_place():
    source = TableSource(
        "/somewhere/plant", null_values=("-999",), decimal="comma", channels=np.array(["a", "b"])
    )
    found = source_settings(source)
    assert found["source"] == "TableSource"
    assert (found["null_values"], found["decimal"]) == (("-999",), "comma")
    assert (found["window_size"], found["max_gap"], found["channels"]) == (96, "auto", ("a", "b"))
    assert found["split"]["method"] == "group"
    assert "/somewhere" not in repr(found)


@pytest.mark.parametrize("make", [np.array, list], ids=["array", "list"])
def test_data_are_no_settings(make):
    x, y = make(np.zeros((4, 1, 5)).tolist()), make([0, 1, 0, 1])
    found = source_settings(ArraySource(train=(x, y), val=(x, y), predict=x, nan="interpolate"))
    assert found["nan"] == "interpolate"
    assert {"train", "val", "predict"}.isdisjoint(found)


def test_a_source_of_ones_own_is_named():
    class Mine:
        pass

    assert source_settings(Mine()) == {"source": "Mine"}
