"""`ArraySource`."""

import numpy as np
import pandas as pd
import pytest
import torch

from dualgaf.errors import ConfigError, SeriesError, SeriesWarning, SplitError
from dualgaf.series.source import ArraySource, check_window
from dualgaf.series.splits import SplitSettings, split_series

X = np.random.default_rng(0).normal(size=(10, 3, 8))
Y = [0, 1] * 5


def test_given_splits_come_out_again():
    source = ArraySource(train=(X, Y), val=(-X[:4], Y[:4]), test=(X[:6] + 1, Y[:6]), predict=X[:2])
    splits = split_series(source.load(), source.split, seed=0)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 10,
        "val": 4,
        "test": 6,
        "predict": 2,
    }
    np.testing.assert_array_equal(np.stack(splits["test"].values), X[:6] + 1)
    assert splits["test"].labels == ("0", "1") * 3
    assert splits["predict"].labels == (None, None)


def test_val_is_taken_from_train_by_label():
    splits = split_series(ArraySource(train=(X, Y)).load(), SplitSettings(), seed=1)
    assert {name: len(split) for name, split in splits.items()} == {"train": 8, "val": 2}
    assert sorted(splits["val"].labels) == ["0", "1"]


def test_no_val_where_its_share_is_zero():
    source = ArraySource(train=(X, Y), split={"val_fraction": 0})
    assert set(split_series(source.load(), source.split, seed=0)) == {"train"}


def test_tensors_and_lists_as_pairs():
    source = ArraySource(train=[torch.tensor(X), torch.tensor(Y)])
    assert len(source.load()) == 10


def test_float32_stays_float32():
    assert ArraySource(train=(X.astype(np.float32), Y)).load().values[0].dtype == np.float32


TWICE = "4 of the 5 windows of val are equal to windows of train, so what is measured on them"


def halves(**fields):
    """Four of the five windows of val are in train."""
    return ArraySource(train=(X[:8], Y[:8]), val=(X[[4, 5, 6, 7, 8]], Y[:5]), **fields)


def test_equal_windows_in_two_splits_are_told():
    with pytest.warns(SeriesWarning, match=f'{TWICE} .* type overlap="allow"'):
        halves().load()


def test_equal_windows_in_two_splits_are_refused_or_allowed_where_that_is_typed():
    with pytest.raises(SplitError, match=f'{TWICE} .*, or type overlap="allow"$'):
        halves(overlap="error").load()
    assert len(halves(overlap="allow").load()) == 13
    with pytest.raises(ConfigError, match="overlap='no' is not known; allowed: warn, error, allow"):
        halves(overlap="no")


@pytest.mark.parametrize("change", [lambda x: x, np.asfortranarray, torch.tensor, list])
def test_equal_is_by_value(change):
    source = ArraySource(train=(X, Y), test=(change(X), Y), overlap="error")
    with pytest.raises(SplitError, match="10 of the 10 windows of test are equal to windows of tr"):
        source.load()


def test_what_is_predicted_and_other_windows_are_no_overlap():
    source = ArraySource(train=(X, Y), val=(X + 1e-9, Y), predict=X, overlap="error")
    assert len(source.load()) == 3 * len(X)


def test_equal_windows_of_unequal_series_are_found():
    longer = np.concatenate([X, X[::-1]], axis=2)  # each has a window of X first
    pairs = {"train": (X, Y), "test": (longer, Y), "overlap": "error"}
    ArraySource(**pairs, ragged="pad").load()  # control: as whole series none is equal
    with pytest.raises(SplitError, match="20 of the 20 windows of test are equal to windows of tr"):
        ArraySource(**pairs, window_size=8).load()
    with pytest.raises(SplitError, match="20 of the 90 windows of test are equal to windows of tr"):
        ArraySource(**pairs, window_size=8, stride=1).load()


def test_channels_far_above_steps_are_told():
    turned = np.swapaxes(np.random.default_rng(0).normal(size=(4, 6, 48)), 1, 2)
    for x, typed in ((turned, r"np.swapaxes\(x, 1, 2\)"), (list(turned), r"\[series.T for series")):
        with pytest.warns(SeriesWarning, match=f"48 channels and 6 steps; .* type {typed}"):
            ArraySource(train=(x, [0, 1, 0, 1])).load()
    named = tuple(f"sensor_{index}" for index in range(48))
    ArraySource(train=(turned, [0, 1, 0, 1]), channel_names=named).load()  # control: they are named


def test_columns_of_frames_name_the_channels():
    frames = [pd.DataFrame(series.T, columns=["a", "b", "c"]) for series in X]
    source = ArraySource(train=(frames, Y))
    assert source.load().channel_names == ("a", "b", "c")
    np.testing.assert_array_equal(np.stack(source.load().values), X)
    other = ArraySource(train=(frames, Y), channel_names=("c", "b", "a"))
    with pytest.raises(
        SeriesError, match="channel_names are c, b, a, the columns of the frames ar"
    ):
        other.load()
    assert ArraySource(train=(frames, Y), predict=frames[:2]).load().n_channels == 3


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"train": None}, "train is None; needed: a pair (x, y); type train=(x, y)"),
        ({"train": X}, "train is a ndarray; needed: a pair (x, y); type train=(x, y)"),
        ({"train": (X, Y), "val": (X,)}, "val is a tuple; needed: a pair (x, y); type val=(x, y)"),
        ({"train": (X, Y), "nan": "drop"}, "nan='drop' is not known; allowed: error, interp"),
        ({"train": (X, Y), "ragged": "cut"}, "ragged='cut' is not known; allowed: resample"),
        (
            {"train": (X, Y), "window_size": 1},
            "window_size=1 is not allowed; allowed: whole numbers from 2 on; type window_size=96",
        ),
        ({"train": (X, Y), "stride": 0}, "stride=0 is not allowed; allowed: whole numbers f"),
        (
            {"train": (X, Y), "split": "group"},
            "data.split='group' is not allowed; allowed: SplitSett",
        ),
        (
            {"train": (X, Y), "split": {"kind": 1}},
            "data.split='kind' is not known; allowed: method, v",
        ),
    ],
)
def test_settings_fail_at_construction(fields, text):
    with pytest.raises(ConfigError) as caught:
        ArraySource(**fields)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"train": (X, None)}, "train: y is None; give one label a series: train=(x, y)"),
        ({"train": (X, Y[:3])}, "train: x has 10 series and y has 3 labels; give one label a ser"),
        ({"train": (X[:, 0], Y)}, "train: x has shape (10, 8); needed: (N, C, T)"),
        ({"train": (X[:0], [])}, "train: x has shape (0, 3, 8), zero windows"),
        (
            {"train": (X, Y), "test": (X[:, :2], Y)},
            "test has 2 channels, train has 3; all splits need the same channels",
        ),
        (
            {"train": (X, Y), "predict": X[:, :, :5]},
            "predict has 5 steps, train has 8; all splits need the same number; type "
            'ragged="resample", "pad" or "truncate", or give window_size',
        ),
        (
            {"train": (X, Y), "val": (np.where(X > 2, np.nan, X) * np.nan, Y)},
            "series 0 (val, row 0), channel 'channel_0', index 0: nan",
        ),
    ],
)
def test_arrays_fail_when_they_are_read(fields, text):
    with pytest.raises(SeriesError) as caught:
        ArraySource(**fields).load()
    assert str(caught.value).startswith(text)


def test_splits_of_other_lengths_are_allowed_with_a_rule():
    source = ArraySource(train=(X, Y), test=(X[:, :, :5], Y), ragged="pad")
    assert set(source.load().lengths) == {8, 5}


@pytest.mark.parametrize(("window_size", "stride"), [("96", 1), (True, 1), (96, 1.5), (96, -1)])
def test_window_and_stride_are_whole_numbers(window_size, stride):
    with pytest.raises(ConfigError, match="is not allowed; allowed: whole numbers from"):
        check_window(window_size, stride)
