"""Splits in order of time, by hand and by what must hold for any plant."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SplitError
from dualgaf.series.series import Origin, SeriesSet
from dualgaf.series.splits import SplitSettings, split_series
from dualgaf.series.time_splits import later_groups


def plant(days, steps=4, labels=None, groups=None):
    """A series a day; ``days`` since 2024 in the order of the file."""
    labels = labels or ["ab"[k % 2] for k in range(len(days))]
    groups = groups or [f"day {day}" for day in days]
    found = SeriesSet.from_arrays(np.zeros((len(days), 1, steps)), labels, groups=groups)
    hour = np.timedelta64(1, "h")
    first = np.datetime64("2024-01-01", "us")
    times = tuple(first + np.timedelta64(day, "D") + np.arange(steps) * hour for day in days)
    return replace(found, times=times)


def days_of(splits):
    return {name: sorted(split.groups, key=lambda g: int(g[4:])) for name, split in splits.items()}


def test_the_past_trains_and_later_days_are_tested_by_hand():
    shuffled = [7, 0, 3, 9, 1, 8, 2, 6, 4, 5]
    labels = ["ab"[day % 2] for day in shuffled]
    splits = split_series(plant(shuffled, labels=labels), SplitSettings("time"), seed=0)
    assert days_of(splits) == {
        "train": [f"day {day}" for day in range(6)],
        "val": ["day 6", "day 7"],
        "test": ["day 8", "day 9"],
    }


def test_the_seed_changes_nothing():
    splits = [split_series(plant(range(10)), SplitSettings("time"), seed=seed) for seed in (0, 7)]
    assert days_of(splits[0]) == days_of(splits[1])


def test_fractions_are_of_steps_not_of_groups():
    # 20 steps on the first day, then ten days of 2: half of the steps are the first day
    long, short = plant([0], steps=20, labels=["a"]), plant(range(1, 11), steps=2)
    whole = SeriesSet(
        values=(*long.values, *short.values),
        labels=("a", *("ba"[k % 2] for k in range(10))),
        channel_names=long.channel_names,
        groups=(*long.groups, *short.groups),
        origins=tuple(Origin("plant", 100 * k) for k in range(11)),
        official=(None,) * 11,
        name="plant",
        times=(*long.times, *short.times),
    )
    settings = SplitSettings("time", val_fraction=0, test_fraction=0.4)
    assert days_of(split_series(whole, settings, seed=0))["train"] == ["day 0", "day 1", "day 2"]


def test_days_of_two_plants_go_together():
    days = [0, 1, 2, 3, 0, 1, 2, 3]
    groups = [f"day {day}{plant}" for plant in "12" for day in range(4)]
    labels = list("abab") + list("baba")
    both = plant(days, labels=labels, groups=groups)
    splits = split_series(both, SplitSettings("time", val_fraction=0, test_fraction=0.25), seed=0)
    assert sorted(splits["test"].groups) == ["day 31", "day 32"]


def test_too_few_groups_name_the_method_that_cuts_them():
    with pytest.raises(SplitError) as caught:
        split_series(plant([0, 1]), SplitSettings("time"), seed=0)
    assert str(caught.value) == (
        "data.split.method=time needs 3 groups that follow each other in time (train, val, test); "
        "arrays has 2 (day 0, day 1); type data.split.method=within to cut each series in time"
    )
    split_series(plant([0, 1], steps=10), SplitSettings("within"), seed=0)


def test_runs_that_overlap_are_said():
    with pytest.raises(SplitError, match=r"arrays has 1 \(day 0, day 0b, day 0c overlap\)"):
        split_series(
            plant([0, 0, 0], groups=["day 0", "day 0b", "day 0c"]), SplitSettings("time"), seed=0
        )


def test_without_times_there_is_no_past():
    with pytest.raises(SplitError, match=r"method=time needs times; arrays has none for"):
        split_series(replace(plant(range(9)), times=()), SplitSettings("time"), seed=0)


def test_days_that_are_held_out_by_name_are_no_part_of_it():
    settings = SplitSettings("time", test_groups=["day 2"])
    splits = days_of(split_series(plant(range(10)), settings, seed=0))
    assert splits["test"] == ["day 2"]
    assert splits["val"] == ["day 8", "day 9"]


DAY = st.tuples(st.integers(0, 60), st.integers(1, 5))
DAYS = st.lists(DAY, min_size=6, max_size=25, unique_by=lambda day: day[0])


@given(DAYS, st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.randoms(use_true_random=False))
def test_no_training_row_is_later_than_a_test_row(days, val, test, random):
    random.shuffle(days)
    parts = [plant([day], steps, labels=["a"]) for day, steps in days]
    whole = SeriesSet(
        values=tuple(part.values[0] for part in parts),
        labels=tuple("ab"[k % 2] for k in range(len(parts))),
        channel_names=parts[0].channel_names,
        groups=tuple(part.groups[0] for part in parts),
        origins=tuple(Origin("plant", 10 * k) for k in range(len(parts))),
        official=(None,) * len(parts),
        name="plant",
        times=tuple(part.times[0] for part in parts),
    )
    fractions = {"train": 1 - val - test, "val": val, "test": test}
    parts = later_groups(whole, range(len(whole)), fractions)
    ends = {
        name: (min(whole.times[k][0] for k in own), max(whole.times[k][-1] for k in own))
        for name, own in parts.items()
    }
    assert ends["train"][1] < ends["val"][0]
    assert ends["val"][1] < ends["test"][0]
    assert sorted(k for own in parts.values() for k in own) == list(range(len(days)))
