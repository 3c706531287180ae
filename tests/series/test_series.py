"""`SeriesSet`: construction, take, cut, join."""

import dataclasses

import numpy as np
import pytest
import torch

from dualgaf.errors import SeriesError
from dualgaf.series.series import Origin, SeriesSet, join_sets


def test_from_arrays_fills_every_field():
    x = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    series_set = SeriesSet.from_arrays(x, [2, 10, 2], official="train", name="mine")
    assert len(series_set) == 3
    assert series_set.n_channels == 2
    assert series_set.lengths == (4, 4, 4)
    assert series_set.labels == ("2", "10", "2")
    assert series_set.class_names == ("2", "10")
    assert series_set.channel_names == ("channel_0", "channel_1")
    assert series_set.groups == ("mine/0", "mine/1", "mine/2")
    assert series_set.origins == (Origin("mine", 0), Origin("mine", 4), Origin("mine", 8))
    assert series_set.official == ("train",) * 3
    assert series_set.start_times == (None,) * 3
    np.testing.assert_array_equal(np.stack(series_set.values), x)


def test_groups_and_channel_names_are_taken():
    series_set = SeriesSet.from_arrays(
        np.zeros((2, 2, 3)), groups=[7, "b"], channel_names=["sat", "oat"]
    )
    assert series_set.groups == ("7", "b")
    assert series_set.channel_names == ("sat", "oat")
    assert series_set.labels == (None, None)


def test_ragged_lists_have_rows_end_to_end():
    series_set = SeriesSet.from_arrays([np.zeros((1, 3)), np.zeros((1, 5)), np.zeros((1, 2))])
    assert [origin.first_row for origin in series_set.origins] == [0, 3, 8]


def test_a_tensor_and_its_labels():
    series_set = SeriesSet.from_arrays(torch.zeros(2, 1, 3), torch.tensor([1, 0]))
    assert series_set.labels == ("1", "0")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"y": [0]},
            "arrays: x has 2 series and y has 1 labels; give one label a series",
        ),
        (
            {"groups": ["a"]},
            "arrays: x has 2 series and groups has 1 entries; give one group a series",
        ),
        ({"channel_names": ["a"]}, "arrays: 1 channel names for 3 channels; give one a channel"),
        (
            {"official": "valid"},
            "official='valid' is not known; allowed: train, val, test, predict; type official=val",
        ),
    ],
)
def test_from_arrays_errors(arguments, text):
    with pytest.raises(SeriesError) as caught:
        SeriesSet.from_arrays(np.zeros((2, 3, 4)), **arguments)
    assert str(caught.value) == text


def test_take_keeps_order_and_shares_values():
    series_set = SeriesSet.from_arrays(np.arange(8.0).reshape(4, 1, 2), ["a", "b", "c", "d"])
    taken = series_set.take(np.array([3, 1]))
    assert taken.labels == ("d", "b")
    assert taken.origins == (Origin("arrays", 6), Origin("arrays", 2))
    assert taken.values[0] is series_set.values[3]


def test_take_of_nothing_is_an_error():
    with pytest.raises(SeriesError, match="arrays has no series at all"):
        SeriesSet.from_arrays(np.zeros((1, 1, 2))).take([])


def test_cut_moves_origins_times_and_gaps():
    whole = SeriesSet(
        values=(np.arange(10.0)[None],),
        labels=("a",),
        channel_names=("x",),
        groups=("day",),
        origins=(Origin("f.csv", 100),),
        official=("train",),
        name="f",
        times=(np.datetime64("2020-01-01", "us") + np.timedelta64(5, "m") * np.arange(10),),
        gaps=(np.arange(10)[None] == 5,),
    )
    pieces = whole.cut([(0, 0, 4), (0, 4, 10)])
    assert pieces.origins == (Origin("f.csv", 100), Origin("f.csv", 104))
    assert pieces.start_times == ("2020-01-01T00:00:00", "2020-01-01T00:20:00")
    assert [gap.nonzero()[1].tolist() for gap in pieces.gaps] == [[], [1]]
    assert pieces.groups == ("day", "day")
    assert [series.tolist() for series in pieces.values] == [
        [[0.0, 1.0, 2.0, 3.0]],
        [[4.0, 5.0, 6.0, 7.0, 8.0, 9.0]],
    ]


@pytest.mark.parametrize("piece", [(0, 2, 2), (0, -1, 2), (0, 0, 5)])
def test_cut_outside_a_series_is_an_error(piece):
    with pytest.raises(SeriesError, match="are not inside series 0 of 4 steps"):
        SeriesSet.from_arrays(np.zeros((1, 1, 4))).cut([piece])


def test_a_set_checks_its_fields():
    good = SeriesSet.from_arrays(np.zeros((2, 1, 4)))
    fields = {name: getattr(good, name) for name in good.__dataclass_fields__}
    for change, text in (
        ({"labels": ("a",)}, "labels has 1 entries for 2 series; give one a series"),
        ({"values": (np.zeros((1, 4)), np.zeros((2, 4)))}, "series 1 has shape (2, 4)"),
        ({"values": (np.zeros((1, 4)), np.zeros((1, 4), np.float32))}, "series 1 has shape"),
        ({"values": (np.zeros((1, 4), int),) * 2}, "series are int64; allowed: float32, float64"),
        ({"values": (np.zeros((1, 4))[:, ::2],) * 2}, "series 0 is not C-contiguous"),
    ):
        with pytest.raises(SeriesError) as caught:
            SeriesSet(**(fields | change))
        assert str(caught.value).startswith(text)


def test_join_widens_float32_and_keeps_everything_else():
    single = SeriesSet.from_arrays(np.zeros((1, 1, 2), np.float32), ["a"], name="one")
    double = SeriesSet.from_arrays(np.ones((1, 1, 3)), ["b"], name="two")
    joined = join_sets([single, double], "both")
    assert joined.labels == ("a", "b")
    assert joined.groups == ("one/0", "two/0")
    assert {series.dtype for series in joined.values} == {np.dtype(np.float64)}
    assert join_sets([single], "alone").values[0].dtype == np.float32


def test_join_needs_the_same_channels():
    one = SeriesSet.from_arrays(np.zeros((1, 1, 2)), name="one")
    two = SeriesSet.from_arrays(np.zeros((1, 2, 2)), name="two")
    with pytest.raises(SeriesError) as caught:
        join_sets([one, two], "both")
    assert str(caught.value) == (
        "two has 2 channels (channel_0, channel_1), one has 1 (channel_0); all parts of a set "
        "must have the same channels"
    )


def test_classes_of_steps_move_along_when_series_are_cut_taken_and_joined():
    whole = SeriesSet.from_arrays([np.zeros((1, 4)), np.zeros((1, 3))])
    steps = (np.array(["a", "a", "b", None], dtype=object), None)
    whole = dataclasses.replace(whole, step_labels=steps)
    pieces = whole.cut([(1, 0, 2), (0, 1, 4)])
    assert pieces.step_labels[0] is None
    assert pieces.step_labels[1].tolist() == ["a", "b", None]
    joined = join_sets([pieces.take([1]), whole], "both")
    assert [None if s is None else s.tolist() for s in joined.step_labels] == [
        ["a", "b", None],
        ["a", "a", "b", None],
        None,
    ]
