"""Arrays, tensors and lists as channels-first series."""

import numpy as np
import pytest
import torch

from dualgaf.errors import SeriesError
from dualgaf.series.arrays import as_numpy, channels_first, named_channels


def test_a_float_array_is_not_copied():
    x = np.zeros((3, 2, 5))
    assert all(np.shares_memory(series, x) for series in channels_first(x, "x"))


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
    (series,) = channels_first(np.ones((1, 2, 3), dtype=given), "x")
    assert series.dtype == kept
    assert series.flags.c_contiguous


def test_a_list_that_mixes_types_becomes_float64():
    ragged = [np.ones((1, 2), dtype=np.float32), np.ones((1, 3), dtype=np.int64)]
    assert {series.dtype for series in channels_first(ragged, "x")} == {np.dtype(np.float64)}


def test_a_transposed_array_is_made_contiguous_with_the_same_values():
    x = np.arange(12.0).reshape(1, 4, 3).transpose(0, 2, 1)
    (series,) = channels_first(x, "x")
    assert series.flags.c_contiguous
    np.testing.assert_array_equal(series, x[0])


@pytest.mark.parametrize("grad", [False, True])
def test_torch_tensors_are_read_with_and_without_gradient(grad):
    x = torch.arange(6.0).reshape(1, 2, 3).requires_grad_(grad)
    (series,) = channels_first(x, "x")
    assert series.dtype == np.float32
    np.testing.assert_array_equal(series, [[0, 1, 2], [3, 4, 5]])


def test_a_list_of_tensors_is_read():
    assert [s.shape for s in channels_first([torch.zeros(2, 3), torch.zeros(2, 4)], "x")] == [
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
            "univariate series type series[None, :]",
        ),
        ([np.zeros((2, 0))], "train: series 0 of the list has shape (2, 0); needed: (C, L) with"),
        (
            [np.zeros((2, 5)), np.zeros((3, 5))],
            "train: series 1 has 3 channels, series 0 has 2; all series need the same channels",
        ),
        ([[[1.0], [1.0, 2.0]]], "train: series 0 cannot be read as an array"),
        (
            np.zeros((1, 1, 2), dtype=complex),
            "train: x has type complex128; allowed: numbers (float or int) (take the real part or "
            "the absolute value); type x.astype(float)",
        ),
        (
            np.array([[["a", "b"]]]),
            "train: x has type <U1; allowed: numbers (float or int); type x.astype(float)",
        ),
        (np.array([[["a", None]]], dtype=object), "train: x has type object; allowed: numbers"),
        (np.zeros((1, 1, 2), dtype="datetime64[s]"), "train: x has type datetime64[s]; allowed"),
    ],
)
def test_arrays_that_do_not_fit(x, text):
    with pytest.raises(SeriesError) as caught:
        channels_first(x, "train")
    assert str(caught.value).startswith(text)


def test_an_object_array_of_numbers_is_read():
    (series,) = channels_first(np.array([[[1, 2.5]]], dtype=object), "x")
    assert series.tolist() == [[1.0, 2.5]]


def test_as_numpy_shares_memory_with_a_tensor():
    tensor = torch.zeros(3)
    as_numpy(tensor, "x")[0] = 7.0
    assert tensor[0] == 7.0


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
