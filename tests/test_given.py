"""Arrays as they are given, and what is missing in them."""

import numpy as np
import pandas as pd
import pytest
import torch

from dualgaf.errors import SeriesError, SeriesWarning
from dualgaf.given import as_numbers, as_numpy, is_absent, tell_order


def test_as_numpy_shares_memory_with_a_tensor():
    tensor = torch.zeros(3)
    as_numpy(tensor, "x")[0] = 7.0
    assert tensor[0] == 7.0


@pytest.mark.parametrize(
    "value",
    [None, np.nan, np.float32("nan"), np.datetime64("NaT"), pd.NaT, pd.NA, np.ma.masked],
    ids=repr,
)
def test_what_is_absent(value):
    assert is_absent(value)


@pytest.mark.parametrize("value", [0, "", "nan", False, [None], np.zeros(2), np.inf], ids=repr)
def test_what_is_there(value):
    assert not is_absent(value)


def test_a_masked_text_is_none_and_a_masked_number_nan():
    texts = np.ma.masked_array(["a", "b"], mask=[0, 1])
    assert as_numpy(texts, "y").tolist() == ["a", None]
    numbers = np.ma.masked_array([1, 2], mask=[0, 1])
    np.testing.assert_array_equal(as_numpy(numbers, "x"), [1, np.nan])


def test_numbers_as_text_are_refused():
    with pytest.raises(SeriesError, match=r"x has type object and holds '2.5'; allowed: numbers"):
        as_numbers(np.array([1, "2.5"], dtype=object), "x")


def test_three_times_as_many_channels_as_steps_are_told():
    tell_order(17, 6, "x", "x.T")
    with pytest.warns(SeriesWarning, match="windows of 18 channels and 6 steps; .* type x.T"):
        tell_order(18, 6, "x", "x.T")
