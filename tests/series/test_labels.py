"""Labels as text, and the order of classes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SeriesError, SeriesWarning
from dualgaf.series.labels import is_missing, sorted_classes, text_labels


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([0, 1], ("0", "1")),
        (np.array([3, -1], dtype=np.int8), ("3", "-1")),
        (np.array([1.0, -1.0]), ("1", "-1")),
        (torch.tensor([2, 10]), ("2", "10")),
        (np.array(["on", "off"]), ("on", "off")),
        (("a", None), ("a", None)),
        (["a", 1], ("a", "1")),
        (np.array([b"x"]), ("x",)),
        ([np.int64(4), np.str_("b")], ("4", "b")),
        ([True, False], ("True", "False")),
    ],
)
def test_labels_become_text(y, labels):
    assert text_labels(y, "train") == labels


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (
            np.eye(3),
            "train: y has shape (3, 3); needed: (N,), one label a series (for one-hot rows type "
            "y.argmax(axis=1))",
        ),
        (
            [0.5],
            "train: label 0 is 0.5; allowed: whole numbers and strings (None where a series has "
            "no label)",
        ),
        ([1.0, float("inf")], "train: label 1 is inf; allowed"),
        ([[1], [1, 2]], "train: y cannot be read as an array"),
    ],
)
def test_labels_that_do_not_fit(y, text):
    with pytest.raises(SeriesError) as caught:
        text_labels(y, "train")
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "y",
    [
        [0, None, 2],
        np.array([0, None, 2], dtype=object),
        np.ma.masked_array([0, 9, 2], mask=[0, 1, 0]),
        [0, np.ma.masked, 2],
        pl.Series([0, None, 2]),
    ],
    ids=["None", "object", "masked", "constant", "polars"],
)
def test_a_label_that_is_not_there_is_none(y):
    assert text_labels(y, "train") == ("0", None, "2")


@pytest.mark.parametrize(
    "y",
    [
        [0, np.nan, 2],
        np.array([0, np.nan, 2]),
        torch.tensor([0, float("nan"), 2]),
        ["0", "NaN", "2"],
        np.array(["0", np.nan, "2"]),
        ["0", "?", "2"],
        ["0", " ", "2"],
        [b"0", b"nan", b"2"],
        pd.Series([0, None, 2], dtype="Int64"),
        pd.Series(["0", None, "2"], dtype="category"),
        pd.Series([0, None, 2]),
    ],
    ids=str,
)
def test_a_label_that_stands_for_a_missing_one_is_none_and_told(y):
    with pytest.warns(SeriesWarning, match=r"train: 1 of 3 labels are missing \(label 1 is"):
        assert text_labels(y, "train") == ("0", None, "2")


def test_a_whole_number_keeps_its_digits_beside_a_missing_one():
    large = 2**53 + 1
    for y in (
        np.ma.masked_array([large, 0], mask=[0, 1]),
        pl.Series([large, None]),
    ):
        assert text_labels(y, "train") == (str(large), None)


@pytest.mark.parametrize("label", ["None", "n", "NA", "normal", 0, False, b"x"], ids=repr)
def test_what_is_a_class(label):
    assert not is_missing(label)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "2", None, "2"], ("2", "10")),
        (["1.0", "-1.0"], ("-1.0", "1.0")),
        (["b", "a", "10"], ("10", "a", "b")),
        (["inf", "1"], ("1", "inf")),
        ([None], ()),
    ],
)
def test_order_of_classes(labels, classes):
    assert sorted_classes(labels) == classes


@given(st.lists(st.integers(-(10**6), 10**6)))
def test_integer_classes_are_in_order_of_size(numbers):
    assert sorted_classes([str(n) for n in numbers]) == tuple(str(n) for n in sorted(set(numbers)))
