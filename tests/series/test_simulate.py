"""The simulated air-handling unit."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.imaging.windows import window_starts
from dualgaf.series.simulate import CHANNELS, CLASSES, SimulatedSource
from dualgaf.series.splits import split_series


@pytest.fixture(scope="module")
def days():
    """(days, C, 288) array of whole days, and their labels."""
    series_set = SimulatedSource(n_windows=600, seed=3).load()
    return np.stack(series_set.values), np.array(series_set.labels)


def _channel(days, name):
    return days[0][:, CHANNELS.index(name)].astype(float)


def _best_threshold(feature, label, labels):
    """Balanced accuracy of the best single threshold between a class and normal days."""
    own, normal = feature[labels == label], feature[labels == "normal"]
    cuts = np.quantile(feature, np.linspace(0, 1, 101))
    hits = [((own > cut).mean() + (normal <= cut).mean()) / 2 for cut in cuts]
    return max(max(hits), 1 - min(hits))


@given(
    n_windows=st.integers(5, 120),
    window_size=st.sampled_from([24, 96, 100, 288, 300]),
    stride=st.sampled_from([None, 12, 50]),
)
@settings(max_examples=25, deadline=None)
def test_exactly_the_windows_that_were_asked_for(n_windows, window_size, stride):
    source = SimulatedSource(n_windows, window_size, stride)
    series_set = source.load()
    starts, of_series = window_starts(series_set.lengths, window_size, stride or window_size)
    assert len(starts) == n_windows
    per_class = Counter(series_set.labels[index] for index in of_series)
    assert set(per_class) == set(CLASSES)
    assert max(per_class.values()) - min(per_class.values()) <= max(Counter(of_series).values())


def test_the_same_seed_gives_the_same_bytes():
    one, same, other = (SimulatedSource(20, seed=seed).load() for seed in (1, 1, 2))
    assert [s.tobytes() for s in one.values] == [s.tobytes() for s in same.values]
    assert [s.tobytes() for s in one.values] != [s.tobytes() for s in other.values]


def test_the_shape_of_a_set(days):
    series_set = SimulatedSource(n_windows=60, n_units=2).load()
    assert series_set.channel_names == CHANNELS
    assert series_set.lengths == (288,) * 20
    assert {series.dtype for series in series_set.values} == {np.dtype(np.float32)}
    assert len(set(series_set.groups)) == 20
    assert {group.split("/")[0] for group in series_set.groups} == {"unit_0", "unit_1"}
    assert np.isfinite(days[0]).all()


def test_small_sets_can_be_split_by_whole_days():
    source = SimulatedSource(n_windows=15)
    splits = split_series(source.load(), source.split, seed=0)
    assert all(
        splits[name].class_names == tuple(sorted(CLASSES)) for name in ("train", "val", "test")
    )


def test_signals_are_physical(days):
    for name in ("oa_damper_sig", "ra_damper_sig", "cc_valve_sig", "hc_valve_sig", "sf_speed_sig"):
        signal = _channel(days, name)
        assert signal.min() >= 0
        assert signal.max() <= 1
    np.testing.assert_allclose(
        _channel(days, "oa_damper_sig") + _channel(days, "ra_damper_sig"), 1, atol=1e-6
    )
    both = np.minimum(_channel(days, "cc_valve_sig"), _channel(days, "hc_valve_sig"))
    assert both.max() == 0
    for name in ("sat", "mat", "oat", "rat"):
        assert -10 < _channel(days, name).min() < _channel(days, name).max() < 130


def test_a_sound_unit_holds_its_set_point(days):
    error = np.abs(_channel(days, "sat") - _channel(days, "sat_sp"))[days[1] == "normal"]
    assert np.median(error) < 0.6


def test_weather_occupancy_and_set_points_do_not_give_the_class_away(days):
    for name in ("oat", "rat", "sat_sp", "sf_speed_sig", "sa_flow", "duct_static"):
        for feature in (_channel(days, name).mean(axis=1), _channel(days, name).std(axis=1)):
            for label in CLASSES[1:]:
                assert _best_threshold(feature, label, days[1]) < 0.72, (name, label)


def test_no_single_channel_separates_a_class(days):
    for name in CHANNELS:
        for feature in (_channel(days, name).mean(axis=1), _channel(days, name).std(axis=1)):
            for label in CLASSES[1:]:
                assert _best_threshold(feature, label, days[1]) < 0.9, (name, label)


def test_mixed_air_against_the_commanded_damper_shows_a_stuck_damper(days):
    commanded = _channel(days, "oa_damper_sig") * _channel(days, "oat") + _channel(
        days, "ra_damper_sig"
    ) * _channel(days, "rat")
    residual = np.abs(_channel(days, "mat") - commanded).mean(axis=1)
    assert _best_threshold(residual, "oa_damper_stuck", days[1]) > 0.97
    for label in ("cc_valve_stuck", "hc_valve_leak", "sat_sensor_bias"):
        assert _best_threshold(residual, label, days[1]) < 0.72


@pytest.mark.parametrize("label", ["cc_valve_stuck", "hc_valve_leak", "sat_sensor_bias"])
def test_supply_air_against_the_commanded_valves_shows_the_other_faults(days, label):
    # Middle of the range of coil constants: the unit's own are not known to whoever reads the data.
    through = 0.5 + 0.5 * _channel(days, "sf_speed_sig")
    mat = _channel(days, "mat")
    heated = _channel(days, "hc_valve_sig") * 0.4 * (140 - mat)
    cooled = _channel(days, "cc_valve_sig") * 0.84 * (mat - 45)
    expected = mat + 2 * _channel(days, "sf_speed_sig") + (heated - cooled) / through
    residual = np.abs((_channel(days, "sat") - expected).mean(axis=1))
    assert _best_threshold(residual, label, days[1]) > 0.9


def test_without_noise_the_mixing_equation_is_exact():
    series_set = SimulatedSource(n_windows=15, noise=0).load()
    for series, label in zip(series_set.values, series_set.labels, strict=True):
        of = dict(zip(CHANNELS, series.astype(float), strict=True))
        mixed = of["oa_damper_sig"] * of["oat"] + of["ra_damper_sig"] * of["rat"]
        agrees = np.abs(of["mat"] - mixed).max() < 1e-4
        assert agrees == (label != "oa_damper_stuck")


def test_windows_longer_than_a_day():
    series_set = SimulatedSource(n_windows=10, window_size=600).load()
    assert set(series_set.lengths) == {600}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"n_windows": 4},
            "data.n_windows=4 is not allowed; allowed: whole numbers from 5 on; type "
            "data.n_windows=2000",
        ),
        ({"n_windows": 0}, "data.n_windows=0 is not allowed"),
        ({"n_windows": 1e3}, "data.n_windows=1000.0 is not allowed"),
        ({"window_size": None}, "data.window_size=None is not allowed"),
        ({"window_size": 1}, "data.window_size=1 is not allowed"),
        ({"stride": 0}, "data.stride=0 is not allowed"),
        ({"seed": -1}, "data.seed=-1 is not allowed; allowed: whole numbers from 0 on; type data"),
        ({"n_units": 0}, "data.n_units=0 is not allowed"),
        ({"noise": -1}, "data.noise=-1 is not allowed; allowed: 0 and more; type data.noise=1.0"),
        ({"noise": float("nan")}, "data.noise=nan is not allowed"),
        ({"nan": "drop"}, "data.nan='drop' is not known"),
        ({"ragged": "cut"}, "data.ragged='cut' is not known"),
        ({"split": {"method": "day"}}, "data.split.method='day' is not known"),
    ],
)
def test_settings_fail_at_construction(fields, text):
    with pytest.raises(ConfigError) as caught:
        SimulatedSource(**fields)
    assert str(caught.value).startswith(text)


def test_a_window_longer_than_every_day_cannot_be_cut():
    with pytest.raises(SeriesError, match="window_size=289 is longer than every segment"):
        window_starts(SimulatedSource(n_windows=20).load().lengths, 289, 1)
