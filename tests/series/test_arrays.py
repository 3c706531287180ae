"""Arrays, tensors and lists as channels-first series."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from dualgaf.errors import SeriesError
from dualgaf.series.arrays import channels_first, named_channels


def test_a_float_array_is_not_copied():
    x = np.zeros((3, 2, 5))
    assert all(np.shares_memory(series, x) for series in channels_first(x, "x")[0])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("float16", "float64"),
        ("int8", "float64"),
        ("uint16", "float64"),
        ("bool", "float64"),
    ],
)
def test_only_float32_keeps_its_type(given, kept):
    ((series,), _) = channels_first(np.ones((1, 2, 3), dtype=given), "x")
    assert series.dtype == kept
    assert series.flags.c_contiguous


def test_a_list_that_mixes_types_becomes_float64():
    ragged = [np.ones((1, 2), dtype=np.float32), np.ones((1, 3), dtype=np.int64)]
    assert {series.dtype for series in channels_first(ragged, "x")[0]} == {np.dtype(np.float64)}


def test_a_transposed_array_is_made_contiguous_with_the_same_values():
    x = np.arange(12.0).reshape(1, 4, 3).transpose(0, 2, 1)
    ((series,), _) = channels_first(x, "x")
    assert series.flags.c_contiguous
    np.testing.assert_array_equal(series, x[0])


@pytest.mark.parametrize("grad", [False, True])
def test_torch_tensors_are_read_with_and_without_gradient(grad):
    x = torch.arange(6.0).reshape(1, 2, 3).requires_grad_(grad)
    ((series,), _) = channels_first(x, "x")
    assert series.dtype == np.float32
    np.testing.assert_array_equal(series, [[0, 1, 2], [3, 4, 5]])


def test_a_list_of_tensors_is_read():
    assert [s.shape for s in channels_first([torch.zeros(2, 3), torch.zeros(2, 4)], "x")[0]] == [
        (2, 3),
        (2, 4),
    ]


def test_a_tensor_type_that_numpy_lacks_is_an_error():
    with pytest.raises(SeriesError, match=r"train: x cannot be read as an array: .*BFloat16"):
        channels_first(torch.zeros(1, 2, 3, dtype=torch.bfloat16), "train")


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (
            np.zeros((4, 5)),
            "train: x has shape (4, 5); needed: (N, C, T), windows, channels, steps; for "
            "univariate series type x[:, None, :]",
        ),
        (
            np.zeros((4, 5, 6, 7)),
            "train: x has 4 dimensions, shape (4, 5, 6, 7); needed: 3, (N, C, T), windows, "
            "channels, steps",
        ),
        (np.float64(3.0), "train: x has 0 dimensions, shape (); needed: 3"),
        (np.zeros((0, 2, 5)), "train: x has shape (0, 2, 5), zero windows; needed: (N, C, T)"),
        (np.zeros((3, 0, 5)), "train: x has shape (3, 0, 5), zero channels; needed: (N, C, T)"),
        (np.zeros((3, 2, 0)), "train: x has shape (3, 2, 0), zero steps; needed: (N, C, T)"),
        ([], "train: x is an empty list, zero windows; needed: at least one series"),
        (
            [np.zeros(5)],
            "train: series 0 of the list has shape (5,); needed: (C, L), channels, steps; for a "
            "univariate series type np.asarray(series)[None, :]",
        ),
        ([np.zeros((2, 0))], "train: series 0 of the list has shape (2, 0); needed: (C, L) with"),
        (
            [np.zeros((2, 5)), np.zeros((3, 5))],
            "train: series 1 has 3 channels, series 0 has 2; all series need the same channels",
        ),
        ([[[1.0], [1.0, 2.0]]], "train: series 0 cannot be read as an array"),
        (
            np.zeros((1, 1, 2), dtype=complex),
            "train: x holds complex numbers (complex128); allowed: real ones; type np.rea",
        ),
        (
            np.array([[["a", "b"]]]),
            "train: x holds the text 'a', which is no number; allowed: numbers; leave such ch",
        ),
        (
            np.array([[["a", None]]], dtype=object),
            "train: x holds the text 'a', which is no number; allowed: numbers; leave such ch",
        ),
        (np.zeros((1, 1, 2), dtype="datetime64[s]"), "train: x holds times (datetime64[s]); a"),
    ],
)
def test_arrays_that_do_not_fit(x, text):
    with pytest.raises(SeriesError) as caught:
        channels_first(x, "train")
    assert str(caught.value).startswith(text)


def test_an_object_array_of_numbers_is_read():
    ((series,), _) = channels_first(np.array([[[1, 2.5]]], dtype=object), "x")
    assert series.tolist() == [[1.0, 2.5]]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "x: 1 channel names for 2 channels; give one a channel"),
        ("ab", "x: 2 channel names for 2 channels; give one a channel"),
        (["a", "a"], "x: channel name 'a' comes twice; give each its own name"),
    ],
)
def test_channel_names_that_do_not_fit(names, text):
    with pytest.raises(SeriesError) as caught:
        named_channels(names, 2, "x")
    assert str(caught.value) == text


def frame(kind=pd.DataFrame, **columns):
    return kind({"temp": [0.0, 1.0, 2.0], "flow": [5, 6, 7], **columns})


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_rows_of_a_frame_are_times_and_columns_are_named_channels(kind):
    series, names = channels_first([frame(kind), frame(kind)], "train")
    assert names == ("temp", "flow")
    assert [one.tolist() for one in series] == [[[0, 1, 2], [5, 6, 7]]] * 2
    # control: an array of the same shape has no names, and is taken as it is
    (bare, _), none = channels_first([frame(kind).to_numpy()] * 2, "train")
    assert (bare.shape, none) == ((3, 2), None)


def test_columns_are_found_by_name_in_every_frame():
    other = frame()[["flow", "temp"]]
    series, names = channels_first([frame(), other], "train")
    assert names == ("temp", "flow")
    np.testing.assert_array_equal(series[0], series[1])


@pytest.mark.parametrize(
    "flow",
    [
        pd.array([5, None, 7], dtype="Int64"),
        pd.array([5.0, None, 7.0], dtype="Float64"),
        [5.0, np.nan, 7.0],
        np.array([5, None, 7], dtype=object),
    ],
    ids=["Int64", "Float64", "float", "object"],
)
def test_what_is_missing_in_a_frame_is_nan(flow):
    ((series,), _) = channels_first([frame(flow=flow)], "train")
    np.testing.assert_array_equal(series, [[0, 1, 2], [5, np.nan, 7]])


def test_what_is_null_in_a_frame_of_polars_is_nan():
    ((series,), _) = channels_first([frame(pl.DataFrame, flow=[5, None, 7])], "train")
    np.testing.assert_array_equal(series, [[0, 1, 2], [5, np.nan, 7]])


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (frame(), "train: x is one frame of 3 rows and 2 columns; needed: (N, C, T), or a list of"),
        (
            [frame(), frame(humidity=[1, 2, 3])],
            "train: series 1 has columns temp, flow, humidity, train: series 0 has temp, flow; all",
        ),
        (
            [frame(), frame().rename(columns={"flow": "level"})],
            "train: series 1 has columns temp, level, the first has temp, flow; all frames need",
        ),
        ([frame(), np.zeros((2, 3))], "train: series 1 is a ndarray, others are frames; give fra"),
        (
            [frame(day=["a", "b", "c"])],
            "train: series 0, column 'day', holds the text 'a', which is no number; "
            "allowed: numbers; to leave it out type frame.drop(columns=['day'])",
        ),
        (
            [pd.DataFrame(np.zeros((3, 48)))],
            "train: series 0 is a frame of 3 rows and 48 columns without names; in a frame rows",
        ),
    ],
)
def test_frames_that_do_not_fit(x, text):
    with pytest.raises(SeriesError) as caught:
        channels_first(x, "train")
    assert str(caught.value).startswith(text)


def test_a_frame_without_names_is_read_where_it_has_more_rows_than_columns():
    ((series,), names) = channels_first([pd.DataFrame(np.zeros((48, 3)))], "train")
    assert (series.shape, names) == ((3, 48), None)


def masked(values):
    return np.ma.masked_equal(np.array(values), 99)


@pytest.mark.parametrize(
    "x",
    [
        masked([[[1.0, 99.0, 3.0]]]),
        masked([[[1, 99, 3]]]),
        masked(np.array([[[1, 99, 3]]], dtype=np.float32)),
        [masked([[1, 99, 3]])],
        [[masked([1.0, 99.0, 3.0])]],
        [[[1.0, None, 3.0]]],
        [[[1.0, np.ma.masked, 3.0]]],
        np.array([[[1, pd.NA, 3]]], dtype=object),
    ],
    ids=["float", "int", "float32", "list", "nested", "None", "constant", "NA"],
)
def test_a_value_that_is_missing_is_nan_whatever_says_so(x):
    ((series,), _) = channels_first(x, "train")
    np.testing.assert_array_equal(series, [[1, np.nan, 3]])


def test_a_mask_that_hides_nothing_costs_no_copy():
    x = np.ma.masked_array(np.zeros((3, 2, 5)))
    assert all(np.shares_memory(series, x.data) for series in channels_first(x, "x")[0])
