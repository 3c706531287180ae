"""Windows unlike the training: what is flagged, and what the text says, by hand."""

import datetime

import numpy as np
import pytest

from dualgaf.data.training_facts import QUANTILES, TrainingFacts
from dualgaf.data.training_limits import LIKE, MIDDLE, STILL, VALUE, Limits, WindowStats, folds_of
from dualgaf.imaging.windows import Windows
from dualgaf.inference import unlike
from dualgaf.inference.units import READINGS, plain_unit, readings_into
from dualgaf.inference.unlike import UNIT, compare


def days(n_days, *, seed=0, low=41.0, high=95.2):
    """(8 * n_days, 2, 12) windows: oat over a day, and a valve between 0 and 100."""
    rng = np.random.default_rng(seed)
    hours = np.linspace(0, 2 * np.pi, 96 * n_days).reshape(n_days, 96) % (2 * np.pi)
    hours = np.tile(np.linspace(0, 2 * np.pi, 96), (n_days, 1))
    middle, swing = (low + high) / 2, (high - low) / 2
    season = rng.uniform(-0.1, 0.1, size=(n_days, 1))
    oat = middle + swing * (0.85 * np.sin(hours) + season)
    valve = 50 + 45 * np.cos(3 * hours + rng.normal(size=(n_days, 1)))
    x = np.stack([oat, valve], axis=1).reshape(n_days, 2, 8, 12)
    return x.swapaxes(1, 2).reshape(-1, 2, 12)


def facts_of(x, groups, units=(None, None), step=60.0):
    stats = WindowStats.of(x)
    return TrainingFacts(
        low=x.min(axis=(0, 2)),
        high=x.max(axis=(0, 2)),
        quantiles=np.quantile(x, QUANTILES, axis=(0, 2)),
        units=units,
        step=step,
        clock="seconds",
        stride=12,
        labels_digest="",
        source={},
        limits=Limits.of(stats, folds_of(groups)),
    )


TRAIN = days(20)
GROUPS = [f"day {k // 8}" for k in range(160)]
FACTS = facts_of(TRAIN, GROUPS)
NAMES = ("oat", "valve")


def found_in(x, *, facts=FACTS, source=None, start=None, units=None):
    n = len(x)
    windows = Windows.stacked(np.ascontiguousarray(x))
    found = compare(
        windows,
        np.arange(n),
        NAMES,
        facts,
        source=source or ["a.csv"] * n,
        start=start,
        units=units,
    )
    assert found is not None
    return found


def test_a_plain_day_is_like_the_training_and_the_rate_says_so():
    found = found_in(days(30, seed=7))
    assert (found.codes != LIKE).mean() <= 0.01
    assert FACTS.limits.flagged <= 0.02
    assert found_in(TRAIN).windows.tolist() == [0, 0]


def test_limits_by_hand():
    # Four days with ranges 0-10, 1-11, 0-10 and 2-14: the last leaves the others by 3 above, and
    # nothing below; twice that is 6, more than a quarter of 14.
    lows, highs = np.array([0.0, 1, 0, 2]), np.array([10.0, 11, 10, 14])
    x = np.stack([np.linspace(a, b, 12) for a, b in zip(lows, highs, strict=True)])[:, None]
    limits = Limits.of(WindowStats.of(x), np.arange(4))
    assert limits.values[:, 0].tolist() == [-6.0 * factor(limits), 14 + 6.0 * factor(limits)]
    assert limits.medians[:, 0].tolist() == [5.0, 8.0]
    assert limits.moved.tolist() == [10.0]
    assert limits.least_move.tolist() == [1.0]  # a fifth of 10, half as much with wider margins


def factor(limits):
    return (limits.values[1, 0] - 14) / 6.0


def test_margins_are_a_quarter_of_the_range_for_equal_days_and_wider_where_days_are_flagged():
    same = np.tile(np.linspace(0, 8, 12), (6, 1, 1))
    limits = Limits.of(WindowStats.of(same), np.arange(6))
    assert (limits.values[:, 0].tolist(), limits.flagged) == ([-2.0, 10.0], 0.0)
    one = Limits.of(WindowStats.of(same), np.zeros(6, dtype=int))
    assert np.isnan(one.flagged)
    # One day of six is far from the others: it is flagged however wide the margins are.
    other = same.copy()
    other[5] += 1000
    wide = Limits.of(WindowStats.of(other), np.arange(6))
    assert wide.flagged == pytest.approx(1 / 6)
    # Wider ones would flag no fewer, so they are not taken: 1000 beyond 0 to 1008, twice.
    assert wide.values[:, 0].tolist() == [-2000.0, 3008.0]


def test_a_group_with_a_class_of_its_own_does_not_count_as_good():
    x = np.tile(np.linspace(0, 8, 12), (6, 1, 1)).copy()
    x[5] += 1000
    label = np.array([0, 0, 1, 1, 0, 2])
    assert Limits.of(WindowStats.of(x), np.arange(6), label).flagged == 0.0
    assert np.isnan(Limits.of(WindowStats.of(x), np.arange(6), np.arange(6)).flagged)


def test_a_value_outside_is_told_with_the_range_and_since_when():
    x = days(1, seed=3)
    x[3:6, 0, 4] = 230.0
    start = np.datetime64("2020-02-01T00:00:00", "us") + np.arange(8) * np.timedelta64(12, "m")
    found = found_in(x, start=start)
    low, high = TRAIN[:, 0].min(), TRAIN[:, 0].max()
    told = f"oat: 230.0, training {low:.1f} to {high:.1f}, since 2020-02-01T00:36:00"
    assert found.texts[3:6] == (told,) * 3
    assert {*found.texts[:3], *found.texts[6:]} == {""}
    assert found.codes[3:6, 0].tolist() == [VALUE] * 3


def test_since_when_begins_anew_in_each_file():
    x = days(1, seed=3)
    x[:, 0] += 500
    start = np.arange(8)
    found = found_in(x, start=start, source=["a.csv"] * 3 + ["b.csv"] * 5)
    assert [text.split("since ")[1] for text in found.texts] == ["0"] * 3 + ["3"] * 5


def test_readings_in_celsius_show_in_every_window_and_are_named():
    for units in ((None, None), ("degF", "%")):
        facts = facts_of(TRAIN, GROUPS, units)
        x = days(2, seed=5)
        x[:, 0] = (x[:, 0] - 32) / 1.8
        found = found_in(x, facts=facts)
        assert found.windows.tolist() == [16, 0]
        assert all(", as °C where °F was learned" in text for text in found.texts)
        assert all(text.startswith("oat: ") for text in found.texts)


def test_a_unit_of_another_kind_is_not_named():
    facts = facts_of(TRAIN, GROUPS, ("Pa", None))
    x = days(2, seed=5)
    x[:, 0] = (x[:, 0] - 32) / 1.8
    assert not any("°C" in text for text in found_in(x, facts=facts).texts)


def test_a_cold_day_is_not_taken_for_another_unit_of_the_whole_file():
    x = days(2, seed=5)
    x[:3, 0] -= 60
    found = found_in(x)
    assert (found.codes[:, 0] != LIKE).tolist() == [True] * 3 + [False] * 13


def test_files_that_tell_another_unit_are_unlike_as_a_whole():
    facts = facts_of(TRAIN, GROUPS, ("degF", "%"))
    found = found_in(days(1), facts=facts, units={"oat": "°C", "valve": "percent"})
    assert (found.codes == [UNIT, LIKE]).all()
    assert all("as °C where °F was learned" in text for text in found.texts)


def test_a_flat_line_is_told_where_the_training_moves():
    x = days(1, seed=3)
    x[2, 1] = 61.25
    found = found_in(x)
    assert found.codes[2].tolist() == [LIKE, STILL]
    least = (TRAIN[:, 1].max(axis=1) - TRAIN[:, 1].min(axis=1)).min()
    assert found.texts[2] == f"valve: flat at 61.2, training moves by {least:.3g} or more"
    still = TRAIN.copy()
    still[::20, 1] = 50.0  # one window in twenty is flat
    assert found_in(x, facts=facts_of(still, GROUPS)).codes[2].tolist() == [LIKE, LIKE]


def test_a_level_between_drop_outs_is_seen_by_the_median():
    train = TRAIN.copy()
    train[::9, 0, 3] = 0.0  # a sensor that reads 0 now and then
    x = days(2, seed=5)
    x[:, 0] = (x[:, 0] - 32) / 1.8
    found = found_in(x, facts=facts_of(train, GROUPS))
    assert found.windows[0] == 16
    assert MIDDLE in found.codes[:, 0]
    assert any("in the middle, training" in text for text in found.texts)


def test_the_worst_channel_is_first():
    x = days(1, seed=3)
    x[0] += np.array([[200.0], [9000.0]])
    assert [part.split(":")[0] for part in found_in(x).texts[0].split("; ")] == ["valve", "oat"]


def test_a_constant_of_the_training_may_not_change_but_for_rounding():
    train = TRAIN.copy()
    train[:, 1] = 1.4
    facts = facts_of(train, GROUPS)
    x = days(1, seed=3)
    x[:, 1] = np.float32(1.4)
    assert found_in(x, facts=facts).windows.tolist() == [0, 0]
    x[:, 1] = 1.5
    assert found_in(x, facts=facts).windows.tolist() == [0, 8]


def test_every_reading_and_its_inverse_are_the_same_number():
    x = np.array([3.0, 250.0])
    for one in READINGS:
        (other,) = (r for r in READINGS if (r.unit, r.learned) == (one.learned, one.unit))
        np.testing.assert_allclose(other.convert(one.convert(x)), x, rtol=1e-9)
        assert plain_unit(one.unit) == one.unit
    by_name = {(r.unit, r.learned): r for r in READINGS}
    # fixed points of the scales: water freezes and boils, an atmosphere, a litre of 0.264172 gal
    np.testing.assert_allclose(by_name["°C", "°F"].convert(np.array([0.0, 100])), [32, 212])
    np.testing.assert_allclose(by_name["K", "°F"].convert(np.array([273.15])), [32], atol=1e-9)
    np.testing.assert_allclose(
        by_name["psi", "kPa"].convert(np.array([14.695949])), [101.325], rtol=1e-6
    )
    np.testing.assert_allclose(by_name["l/s", "gpm"].convert(np.array([1.0])), [60 * 0.26417205])
    assert readings_into("furlong").all()  # nothing is known of its kind


def test_values_of_any_size_have_limits():
    x = np.random.default_rng(0).uniform(-1, 1, size=(20, 1, 12)) * 1.7e308
    limits = Limits.of(WindowStats.of(x), np.arange(20))
    assert (limits.compare(WindowStats.of(x)) == LIKE).all()
    small = Limits.of(WindowStats.of(x * 1e-300), np.arange(20))
    assert (small.compare(WindowStats.of(x)) == VALUE).all()


def test_nothing_is_compared_without_what_the_training_was():
    windows = Windows.stacked(days(1))
    assert compare(windows, np.arange(8), NAMES, None, source=["a"] * 8) is None


def test_datetimes_of_numpy_are_shown_to_the_microsecond():
    x = days(1, seed=3)
    x[:, 0] += 500
    begin = datetime.datetime(2020, 2, 1, 0, 0, 0, 250_000)
    start = np.array([begin] * 8, dtype="datetime64[us]")
    assert "since 2020-02-01T00:00:00.250000" in found_in(x, start=start).texts[0]


def explained_one_by_one(stats, channels, facts, limits):
    """Each reading of each channel alone."""
    found = {}
    for channel in channels.tolist():
        if not facts.high[channel] > facts.low[channel]:
            continue
        centre = facts.quantiles[len(facts.quantiles) // 2, channel]
        far = abs(np.median(stats.middle[:, channel]) - centre)
        fits = []
        for reading, may in zip(READINGS, readings_into(facts.units[channel]), strict=True):
            low, high, middle = (reading.convert(values[:, channel]) for values in stats)
            inside = (low >= limits.values[0, channel]) & (high <= limits.values[1, channel])
            inside &= (middle >= limits.middle[0, channel]) & (middle <= limits.middle[1, channel])
            own = abs(np.median(middle) - centre)
            if may and own < far and inside.mean() >= unlike.NEARLY_ALL:
                fits.append((own, reading))
        if fits:
            found[channel] = min(fits, key=lambda pair: pair[0])[1]
    return found


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_all_readings_at_once_are_those_of_each_alone(n, monkeypatch):
    monkeypatch.setattr(unlike, "PLACES", 5 * n)  # in many parts
    rng = np.random.default_rng(n)
    told = 0
    for _ in range(40):
        size = 10.0 ** rng.uniform(-2, 5, size=(1, 6, 1))
        train = size * (rng.uniform(0, 3) + rng.normal(size=(24, 6, 12)))
        train[:, 5] = 1.5  # a constant
        units = tuple(rng.choice([None, "Pa", "degF", "%", "furlong"], size=6).tolist())
        facts = facts_of(train, [f"day {k // 4}" for k in range(24)], units)
        back = [READINGS[k] for k in rng.integers(len(READINGS), size=6)]
        x = np.stack(
            [(np.resize(train, (n, 6, 12))[:, k] - r.offset) / r.scale for k, r in enumerate(back)],
            axis=1,
        )
        stats, channels = WindowStats.of(x), np.sort(rng.permutation(6)[:5])
        got = unlike._explained(stats, channels, facts, facts.limits)
        assert got == explained_one_by_one(stats, channels, facts, facts.limits)
        told += len(got)
    assert told > 20
