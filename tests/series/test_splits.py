"""Splits: by source, group, time and label; the errors; properties of all of them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, SplitError
from dualgaf.series.series import SeriesSet
from dualgaf.series.splits import SplitSettings, split_series

METHODS = ["group", "within", "stratified"]


def _set(labels, groups=None, steps=10, official=None):
    whole = SeriesSet.from_arrays(np.zeros((len(labels), 1, steps)), labels, groups=groups)
    if official is None:
        return whole
    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    return SeriesSet(**(fields | {"official": tuple(official)}))


def _counts(splits):
    return {name: dict(Counter(split.labels)) for name, split in splits.items()}


def _rows(split):
    return {
        (origin.source, origin.first_row + step)
        for origin, length in zip(split.origins, split.lengths, strict=True)
        for step in range(length)
    }


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"method": "random"},
            "data.split.method='random' is not known; allowed: official, group, plant, time, "
            "within, stratified, fold, leave_one_out; type data.split.method=",
        ),
        (
            {"val_fraction": 1.0},
            "data.split.val_fraction=1.0 is not allowed; allowed: 0 to below 1; type "
            "data.split.val_fraction=0.2",
        ),
        ({"test_fraction": -0.1}, "data.split.test_fraction=-0.1 is not allowed"),
        ({"test_fraction": "0.2"}, "data.split.test_fraction='0.2' is not allowed"),
        ({"val_fraction": True}, "data.split.val_fraction=True is not allowed"),
        ({"val_fraction": float("nan")}, "data.split.val_fraction=nan is not allowed"),
        (
            {"val_fraction": 0.5, "test_fraction": 0.5},
            "data.split.val_fraction=0.5 and data.split.test_fraction=0.5 leave nothing to train; "
            "allowed: a sum below 1; type data.split.val_fraction=0.2 data.split.test_fraction=0.2",
        ),
    ],
)
def test_settings_are_checked(fields, text):
    with pytest.raises(ConfigError) as caught:
        SplitSettings(**fields)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("names", ["day_1", [True], [1.5], {"a": 1}], ids=repr)
def test_names_of_groups_are_a_list_of_names(names):
    text = f"data.split.test_groups={names!r} is not allowed; allowed: a list of names of groups"
    with pytest.raises(ConfigError) as caught:
        SplitSettings("group", test_groups=names)
    assert str(caught.value).startswith(text)


def test_groups_that_leave_nothing_to_train_on():
    settings = SplitSettings("group", test_groups=["a", "b"])
    says = "data.split.test_groups names every group of .*, so nothing is left for train"
    with pytest.raises(SplitError, match=says):
        split_series(_set([*"xyxy"], groups=list("aabb")), settings, 0)


def test_settings_from_a_mapping():
    assert SplitSettings.of({"method": "time"}) == SplitSettings("time")
    given_settings = SplitSettings("group")
    assert SplitSettings.of(given_settings) is given_settings


def test_unknown_key_of_a_mapping():
    with pytest.raises(ConfigError) as caught:
        SplitSettings.of({"methods": "time"})
    assert str(caught.value) == (
        "data.split='methods' is not known; allowed: method, val_fraction, test_fraction, "
        "test_groups, fold, n_folds, unit; type data.split.method=..."
    )


def test_official_splits_are_kept_and_val_is_taken_from_train():
    marks = ["train"] * 10 + ["test"] * 4 + ["predict"]
    series_set = _set([0, 1] * 7 + [None], official=marks)
    splits = split_series(series_set, SplitSettings("official"), seed=0)
    assert _counts(splits) == {
        "train": {"0": 4, "1": 4},
        "val": {"0": 1, "1": 1},
        "test": {"0": 2, "1": 2},
        "predict": {None: 1},
    }
    assert splits["test"].origins == series_set.take(range(10, 14)).origins


def test_an_official_val_is_not_touched():
    marks = ["train", "train", "val", "val"]
    splits = split_series(_set([0, 1, 0, 1], official=marks), SplitSettings("official"), seed=0)
    assert {name: len(split) for name, split in splits.items()} == {"train": 2, "val": 2}


def test_official_val_keeps_groups_whole():
    labels, groups = [0, 0, 1, 1] * 5, [f"day_{index // 2}" for index in range(20)]
    series_set = _set(labels, groups, official=["train"] * 20)
    splits = split_series(series_set, SplitSettings("official"), seed=3)
    assert not set(splits["train"].groups) & set(splits["val"].groups)
    assert _counts(splits)["val"] == {"0": 2, "1": 2}


def test_official_without_marks():
    with pytest.raises(SplitError) as caught:
        split_series(_set([0, 1]), SplitSettings("official"), seed=0)
    assert str(caught.value) == (
        "data.split.method=official, but arrays prescribes no split for series 0 (arrays, row 0); "
        "allowed here: group, time, within, stratified; type data.split.method=group"
    )


def test_official_without_train():
    with pytest.raises(SplitError) as caught:
        split_series(_set([0, 1], official=["test", "val"]), SplitSettings("official"), seed=0)
    assert str(caught.value) == (
        "arrays prescribes no series for train, only test, val; type data.split.method=group"
    )


def test_official_marks_that_cut_a_group():
    series_set = _set([0, 1, 0, 1], ["a", "b", "a", "c"], official=["train"] * 2 + ["test"] * 2)
    with pytest.raises(SplitError) as caught:
        split_series(series_set, SplitSettings("official", val_fraction=0), seed=0)
    assert str(caught.value) == (
        "group 'a' is in train and in test; a group may be in one split only; type "
        "data.split.method=group, or data.split.method=within to cut groups"
    )


def test_stratified_by_hand():
    splits = split_series(_set(["a"] * 10 + ["b"] * 20), SplitSettings("stratified"), seed=0)
    assert _counts(splits) == {
        "train": {"a": 6, "b": 12},
        "val": {"a": 2, "b": 4},
        "test": {"a": 2, "b": 4},
    }


def test_within_by_hand():
    splits = split_series(_set(["a", "b"], steps=10), SplitSettings("within"), seed=0)
    firsts = {
        name: [(o.first_row, n) for o, n in zip(split.origins, split.lengths, strict=True)]
        for name, split in splits.items()
    }
    assert firsts == {
        "train": [(0, 6), (10, 6)],
        "val": [(6, 2), (16, 2)],
        "test": [(8, 2), (18, 2)],
    }


def test_groups_stay_whole_and_every_class_trains():
    labels = ["a"] * 12 + ["b"] * 6 + ["c"] * 2
    groups = [f"day_{index // 2}" for index in range(20)]
    splits = split_series(_set(labels, groups), SplitSettings("group"), seed=5)
    assert set(splits) == {"train", "val", "test"}
    assert splits["train"].class_names == ("a", "b", "c")
    homes = [set(split.groups) for split in splits.values()]
    assert sum(map(len, homes)) == len(set.union(*homes)) == 10


def test_classes_of_two_groups_take_turns():
    labels = [str(index // 2) for index in range(8)]
    splits = split_series(_set(labels), SplitSettings("group"), seed=0)
    assert {name: len(split) for name, split in splits.items()} == {"train": 4, "val": 2, "test": 2}


def test_groups_with_several_labels_are_drawn_until_train_knows_them_all():
    # Only two days hold the rare class, and it has the majority in neither.
    labels = [label for day in range(10) for label in ("a", "a", "rare" if day < 2 else "a", "b")]
    groups = [f"day_{index // 4}" for index in range(40)]
    for seed in range(10):
        splits = split_series(_set(labels, groups), SplitSettings("group"), seed)
        assert splits["train"].class_names == ("a", "b", "rare")


def test_shares_count_steps_and_not_groups():
    x = [np.zeros((1, 100 if index % 4 == 0 else 10)) for index in range(80)]
    series_set = SeriesSet.from_arrays(x, [index % 2 for index in range(80)])
    splits = split_series(series_set, SplitSettings("group"), seed=0)
    total = sum(series_set.lengths)
    shares = {name: sum(split.lengths) / total for name, split in splits.items()}
    assert shares == pytest.approx({"train": 0.6, "val": 0.2, "test": 0.2}, abs=0.05)


def test_too_few_groups():
    with pytest.raises(SplitError) as caught:
        split_series(_set([0, 1, 0, 1], ["a", "a", "b", "b"]), SplitSettings("group"), seed=0)
    assert str(caught.value) == (
        "arrays has 2 group(s) (a, b) for 3 splits (train, val, test); type data.split.method="
        "within, or data.split.val_fraction=0 or data.split.test_fraction=0, or add data"
    )


def test_every_group_is_needed_to_train():
    with pytest.raises(SplitError) as caught:
        split_series(_set(["a", "b", "c"]), SplitSettings("group"), seed=0)
    assert str(caught.value) == (
        "no group is left for val and test: class 'a' has 1, class 'b' has 1, class 'c' has 1 "
        "group(s), and train needs one of each class; type data.split.val_fraction=0 "
        "data.split.test_fraction=0, data.split.method=within, or add data"
    )


def test_official_sets_of_one_series_a_class_have_no_val(caplog):
    marks = ["train"] * 3 + ["test"] * 3
    series_set = _set(["a", "b", "c"] * 2, official=marks)
    splits = split_series(series_set, SplitSettings("official"), seed=0)
    assert {name: len(split) for name, split in splits.items()} == {"train": 3, "test": 3}
    assert "one training series for each class" in caplog.text
    # With a second one of a class there is something to hold out.
    series_set = _set(["a", "b", "c", "a"] * 2, official=["train"] * 4 + ["test"] * 4)
    splits = split_series(series_set, SplitSettings("official"), seed=0)
    assert {name: len(split) for name, split in splits.items()} == {"train": 3, "val": 1, "test": 4}


def test_official_groups_of_several_classes_are_held_out(caplog):
    # Groups p and q end with different classes, and are both of class a for the most part.
    labels, groups = ["a", "a", "b", "b", "a", "a"], ["p"] * 3 + ["q"] * 3
    series_set = _set([*labels, "a"], groups=[*groups, "r"], official=["train"] * 6 + ["test"])
    splits = split_series(series_set, SplitSettings("official"), seed=0)
    assert {name: len(split) for name, split in splits.items()} == {"train": 3, "val": 3, "test": 1}
    assert not caplog.text


@pytest.mark.parametrize("method", METHODS)
def test_one_class_only(method):
    with pytest.raises(SplitError) as caught:
        split_series(_set(["normal"] * 5), SplitSettings(method), seed=0)
    assert str(caught.value) == (
        "train has one class only, 'normal'; needed: two or more; add files or rows of another "
        "class, or check where labels come from"
    )


def test_a_class_that_train_lacks():
    marks = ["train", "train", "test", "test"]
    with pytest.raises(SplitError) as caught:
        split_series(
            _set(["a", "b", "a", "leak"], official=marks),
            SplitSettings("official", val_fraction=0),
            seed=0,
        )
    assert str(caught.value) == (
        "test has class 'leak', which train lacks (train has a, b); add training data of that "
        "class or leave it out"
    )


def test_no_labels_at_all():
    with pytest.raises(SplitError) as caught:
        split_series(_set([None, None]), SplitSettings("group"), seed=0)
    assert str(caught.value) == (
        "no series of arrays has a label and is meant for training, so there is nothing to train "
        "on; give labels: y, data.label=file or data.label_column=NAME"
    )


def test_series_too_short_to_train_by_time():
    with pytest.raises(SplitError) as caught:
        split_series(_set([0, 1], steps=1), SplitSettings("within", test_fraction=0.6), seed=0)
    assert str(caught.value) == (
        "no series is left for train; make data.split.val_fraction and "
        "data.split.test_fraction smaller"
    )


@pytest.mark.parametrize("method", METHODS)
def test_unlabelled_series_go_to_predict(method):
    splits = split_series(_set(["a", "b", None] * 5), SplitSettings(method), seed=0)
    assert len(splits["predict"]) == 5
    assert all(None not in splits[name].labels for name in ("train", "val", "test"))


@pytest.mark.parametrize("method", ["group", "stratified", "official"])
def test_another_seed_gives_another_split(method):
    series_set = _set([0, 1] * 20, official=["train"] * 40)
    first, again, other = (
        split_series(series_set, SplitSettings(method), seed)["train"].origins for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


sets = st.builds(
    lambda seed, n_groups, n_classes, lengths: (
        SeriesSet.from_arrays(
            [np.zeros((1, n)) for n in lengths],
            [int(c) for c in np.arange(len(lengths)) % n_groups % n_classes],
            groups=[int(g) for g in np.arange(len(lengths)) % n_groups],
        ),
        seed,
    ),
    st.integers(0, 2**32),
    st.integers(6, 12),
    st.integers(2, 3),
    st.lists(st.integers(5, 30), min_size=12, max_size=30),
)


@given(sets, st.sampled_from(METHODS), st.sampled_from([0.0, 0.1, 0.3]), st.floats(0.05, 0.3))
@settings(max_examples=80)
def test_splits_are_disjoint_complete_and_reproducible(drawn, method, val, test):
    series_set, seed = drawn
    chosen = SplitSettings(method, val_fraction=val, test_fraction=test)
    splits = split_series(series_set, chosen, seed)
    rows = [_rows(split) for split in splits.values()]
    assert sum(map(len, rows)) == sum(series_set.lengths)
    assert set.union(*rows) == _rows(series_set)
    again = split_series(series_set, chosen, seed)
    assert {name: s.origins for name, s in splits.items()} == {
        name: s.origins for name, s in again.items()
    }
    if method == "group":
        homes = [set(split.groups) for split in splits.values()]
        assert sum(map(len, homes)) == len(set.union(*homes))
    if val == 0.0:
        assert "val" not in splits
