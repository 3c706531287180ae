"""Folds: each group is tested once, whole, and classes are in every fold where they can be."""

import logging
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut

from dualgaf import SplitSettings
from dualgaf.errors import ConfigError, SplitError
from dualgaf.series.series import SeriesSet
from dualgaf.series.splits import split_series


def days(labels, groups=None, steps=4):
    x = np.random.default_rng(0).normal(size=(len(labels), 1, steps))
    return SeriesSet.from_arrays(x, labels, groups=groups)


def groups_tested(series_set, n_folds, seed):
    """Groups of the test split, fold by fold; val and train are checked to have no other."""
    found = []
    for fold in range(n_folds):
        settings = SplitSettings("fold", fold=fold, n_folds=n_folds, val_fraction=0)
        splits = split_series(series_set, settings, seed)
        own = {*splits["test"].groups}
        assert own.isdisjoint(splits["train"].groups)
        assert own | {*splits["train"].groups} == {*series_set.groups}
        found.append(own)
    return found


@given(
    st.lists(st.sampled_from("ab"), min_size=12, max_size=40),
    st.integers(2, 5),
    st.integers(0, 9),
)
def test_each_group_is_tested_once_and_classes_are_spread(labels, n_folds, seed):
    labels = [*labels, *"aaaaabbbbb"]
    groups = [f"day {n}" for n in range(len(labels))]
    folds = groups_tested(days(labels, groups), n_folds, seed)
    assert Counter(name for own in folds for name in own) == dict.fromkeys(groups, 1)
    of = dict(zip(groups, labels, strict=True))
    for label in "ab":  # series of one length: parts of a class differ by one
        sizes = [sum(of[name] == label for name in own) for own in folds]
        assert max(sizes) - min(sizes) <= 1
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


def test_groups_of_several_series_and_classes_stay_whole():
    labels = ["a", "b", "a", "a", "b", "b", "a", "b"] * 3
    groups = [f"day {n // 3}" for n in range(24)]
    folds = groups_tested(days(labels, groups), 4, 0)
    assert sorted(map(len, folds)) == [2, 2, 2, 2]
    assert len({name for own in folds for name in own}) == 8


def test_the_same_seed_makes_the_same_folds_and_another_one_others():
    data = days(["a", "b"] * 10, [f"{n}" for n in range(20)])
    assert groups_tested(data, 4, 1) == groups_tested(data, 4, 1)
    assert groups_tested(data, 4, 1) != groups_tested(data, 4, 2)


def test_of_what_is_learned_whole_groups_are_the_val_split():
    data = days(["a", "b"] * 10, [f"{n // 2}" for n in range(20)])
    splits = split_series(data, SplitSettings("fold", fold=2, val_fraction=0.25), 0)
    names = [{*split.groups} for split in splits.values()]
    assert [len(own) for own in names] == [6, 2, 2]
    assert len(set.union(*names)) == 10


def test_leaving_one_out_is_that_of_scikit_learn():
    groups = ["b", "a", "c", "a", "b", "c"]
    data = days(["x", "y", "x", "x", "y", "y"], groups)
    oracle = LeaveOneGroupOut().split(data.values, groups=groups)
    for fold, (_, left_out) in enumerate(oracle):
        settings = SplitSettings("leave_one_out", fold=fold, val_fraction=0)
        test = split_series(data, settings, seed=fold)["test"]
        assert [*test.groups] == [groups[n] for n in left_out]
        assert all(any(v is w or np.array_equal(v, w) for w in test.values)
                   for v in (data.values[n] for n in left_out))  # fmt: skip


def test_plants_are_left_out_whole():
    data = days(["x", "y"] * 4, [f"day {n}" for n in range(8)])
    data = SeriesSet(**{**vars(data), "plants": tuple("ppqqrrss")})
    settings = SplitSettings("leave_one_out", fold=1, unit="plant", val_fraction=0)
    assert {*split_series(data, settings, 0)["test"].plants} == {"q"}


def test_a_class_with_fewer_groups_than_folds_is_said(caplog):
    data = days([*"aaaaaabb"], [f"{n}" for n in range(8)])
    with caplog.at_level(logging.WARNING):
        split_series(data, SplitSettings("fold", n_folds=4, val_fraction=0), 0)
    assert "of 4 folds some have no group of a class, because it has fewer: 'b' (2)" in caplog.text


def test_a_class_whose_only_group_is_tested_cannot_be_learned():
    data = days([*"aabbc"], ["1", "2", "3", "4", "5"])
    with pytest.raises(SplitError, match="'c'"):
        split_series(data, SplitSettings("leave_one_out", fold=4, val_fraction=0), 0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fold": 5}, "data.split.fold=5 is not allowed; allowed: 0 to 4, for data.split.n_folds"),
        ({"fold": -1}, "data.split.fold=-1 is not allowed"),
        ({"n_folds": 1}, "data.split.n_folds=1 is not allowed; allowed: whole numbers from 2 on"),
        ({"unit": "day"}, "data.split.unit"),
        ({"test_groups": ["1"]}, "where data.split.fold says what is test"),
    ],
)
def test_folds_that_cannot_be_are_refused(options, text):
    with pytest.raises(ConfigError, match=text):
        SplitSettings("fold", **options)


def test_more_folds_than_groups_are_refused():
    data = days([*"abab"], [*"1122"])
    with pytest.raises(SplitError, match=r"has 2 group\(s\) for data.split.n_folds=5.*n_folds=2"):
        split_series(data, SplitSettings("fold", val_fraction=0), 0)
    with pytest.raises(SplitError, match=r"has 2 groups .1, 2.; allowed: 0 to 1; type"):
        split_series(data, SplitSettings("leave_one_out", fold=2, val_fraction=0), 0)
