"""Arrays as they are given, and what is missing in them."""

import datetime
import re
from decimal import Decimal
from fractions import Fraction

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


def test_numbers_of_every_kind_are_read():
    values = [Decimal("1.5"), Fraction(1, 4), np.bool_(True), np.int8(-3), 2.5, None]
    got = as_numbers(np.array(values, dtype=object), "x")
    np.testing.assert_array_equal(got, [1.5, 0.25, 1, -3, 2.5, np.nan])


def test_numbers_as_text_are_refused():
    with pytest.raises(
        SeriesError, match=r"x holds numbers as text, '2.5' for one; allowed: numbers"
    ):
        as_numbers(np.array([1, "2.5"], dtype=object), "x")


TIMES = [
    datetime.datetime(2024, 5, 1, 6),
    datetime.date(2024, 5, 1),
    datetime.timedelta(1),
    np.datetime64("2024-05-01"),
    np.timedelta64(5, "s"),
    pd.Timestamp("2024-05-01"),
    pd.Timedelta(1, "s"),
]


@pytest.mark.parametrize("time", TIMES, ids=repr)
def test_times_are_no_numbers_whatever_holds_them(time):
    mixed = np.empty((2, 1, 2), dtype=object)
    mixed[:] = 1.5
    mixed[1, 0, 1] = time
    with pytest.raises(SeriesError, match=re.escape(f"x holds times, {time} for one")):
        as_numbers(mixed, "x")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            ["1.5", "on"],
            "x holds the text 'on', which is no number; allowed: numbers; leave it out",
        ),
        ([["1.5", "2"], ["", "3"]], "x holds the text ''"),
        ([["1.5", "2"], ["", "3"]], "to leave such channels out type np.delete(x, [1], axis=0)"),
        (["1,5", "-0,25"], "type np.char.replace(x, ',', '.').astype(float)"),
        ([b"1.5", b"2"], "x holds numbers as text, b'1.5' for one"),
        ([1j, 2.0], "x holds complex numbers (complex128); allowed: real ones; type np.real(x)"),
        (np.array([1j, None], dtype=object), "x holds 1j, which is no number"),
        (np.array(["1.5", None], dtype=object), "x.astype(float)"),
        (["1.5", "2"], "type np.asarray(x, float)"),
    ],
    ids=repr,
)
def test_what_is_no_number_is_named(values, says):
    with pytest.raises(SeriesError, match=re.escape(says)):
        as_numbers(values, "x")


def test_three_times_as_many_channels_as_steps_are_told():
    tell_order(17, 6, "x", "x.T")
    with pytest.warns(SeriesWarning, match="windows of 18 channels and 6 steps; .* type x.T"):
        tell_order(18, 6, "x", "x.T")
