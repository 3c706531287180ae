"""Labels as text, and the order of classes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SeriesError
from dualgaf.series.labels import sorted_classes, text_labels


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
        ([1.0, float("nan")], "train: label 1 is nan; allowed"),
        ([[1], [1, 2]], "train: y cannot be read as an array"),
    ],
)
def test_labels_that_do_not_fit(y, text):
    with pytest.raises(SeriesError) as caught:
        text_labels(y, "train")
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "2", None, "2"], ("2", "10")),
        (["1.0", "-1.0"], ("-1.0", "1.0")),
        (["b", "a", "10"], ("10", "a", "b")),
        (["nan", "1"], ("1", "nan")),
        ([None], ()),
    ],
)
def test_order_of_classes(labels, classes):
    assert sorted_classes(labels) == classes


@given(st.lists(st.integers(-(10**6), 10**6)))
def test_integer_classes_are_in_order_of_size(numbers):
    assert sorted_classes([str(n) for n in numbers]) == tuple(str(n) for n in sorted(set(numbers)))
