"""The checks that splits share neither rows nor groups nor windows."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SplitError
from dualgaf.series.checks import check_disjoint, equal_windows
from dualgaf.series.series import Origin, SeriesSet


def _set(*rows, groups=None):
    """One series for each (source, first row, steps)."""
    return SeriesSet(
        values=tuple(np.zeros((1, steps)) for _, _, steps in rows),
        labels=("a",) * len(rows),
        channel_names=("x",),
        groups=tuple(groups or [f"{source}/{first}" for source, first, _ in rows]),
        origins=tuple(Origin(source, first) for source, first, _ in rows),
        official=(None,) * len(rows),
        name="plant",
    )


def test_neighbours_and_other_files_do_not_overlap():
    check_disjoint(
        {
            "train": _set(("a", 0, 10), ("b", 0, 5)),
            "val": _set(("a", 10, 5)),
            "test": _set(("b", 5, 1)),
        }
    )


def test_rows_in_two_splits_are_named():
    with pytest.raises(SplitError) as caught:
        check_disjoint({"train": _set(("a", 0, 10)), "test": _set(("a", 7, 10))})
    assert str(caught.value) == (
        "rows 7 to 9 of a are in train and in test; a row may be in one split only"
    )


def test_an_overlap_behind_a_short_series_of_the_same_split_is_found():
    splits = {"train": _set(("a", 0, 100), ("a", 1, 2)), "val": _set(("a", 50, 1))}
    with pytest.raises(SplitError, match="rows 50 to 50 of a are in train and in val"):
        check_disjoint(splits)


def test_groups_are_only_checked_where_they_are_promised():
    splits = {"train": _set(("a", 0, 5), groups=["day"]), "val": _set(("a", 5, 5), groups=["day"])}
    check_disjoint(splits)
    with pytest.raises(SplitError, match="group 'day' is in train and in val"):
        check_disjoint(splits, whole_groups=True)


@given(
    st.lists(st.tuples(st.sampled_from("tvp"), st.integers(0, 30), st.integers(1, 6)), min_size=1)
)
def test_agrees_with_counting_row_by_row(drawn):
    owners: dict[int, set[str]] = {}
    for name, first, steps in drawn:
        for row in range(first, first + steps):
            owners.setdefault(row, set()).add(name)
    splits = {
        name: _set(*[("a", first, steps) for split, first, steps in drawn if split == name])
        for name in {split for split, _, _ in drawn}
    }
    if any(len(names) > 1 for names in owners.values()):
        with pytest.raises(SplitError):
            check_disjoint(splits)
    else:
        check_disjoint(splits)


VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan")])


@st.composite
def marked(draw):
    """Few values and few shapes, so that windows begin, end and are alike; some are long."""
    n_channels, longest = draw(st.integers(1, 2)), draw(st.sampled_from([3, 6, 900]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    splits = draw(st.lists(st.sampled_from(["train", "val", "test", "predict"]), max_size=12))
    values = []
    for _ in [*splits, "train"]:
        length = draw(st.integers(max(1, longest - 2), longest))
        series = np.full((n_channels, length), draw(VALUES), dtype)
        series[draw(st.integers(0, n_channels - 1)), draw(st.integers(0, length - 1))] = draw(
            VALUES
        )
        values.append(series)
    whole = _set(*[("a", 1000 * i, v.shape[1]) for i, v in enumerate(values)])
    cut = draw(st.sampled_from([(None, None), (2, None), (2, 1), (longest - 1, 1), (longest, 3)]))
    names = ("x", "y")[:n_channels]
    marks = (*splits, "train")
    return replace(whole, values=tuple(values), official=marks, channel_names=names), *cut


def counted(whole, window_size, stride):
    """The bytes of every window in a plain dict: (equal, all, later split, earlier split)."""
    found = {}
    for series, split in zip(whole.values, whole.official, strict=True):
        size = window_size or series.shape[1]
        for first in range(0, series.shape[1] - size + 1, stride or size):
            window = series[:, first : first + size]
            found.setdefault(split, []).append((window.shape, window.tobytes()))
        found.setdefault(split, [])
    found.pop("predict", None)
    equal = [
        (sum(window in found[one] for window in found[other]), len(found[other]), other, one)
        for one, other in combinations(found, 2)
    ]
    return [count for count in equal if count[0]]


@given(marked())
def test_equal_windows_are_those_of_a_dict_of_bytes(case):
    told = equal_windows(*case) or ""
    each = re.findall(r"(\d+) of the (\d+) windows of (\w+) are equal to windows of (\w+)", told)
    assert [(int(n), int(of), *splits) for n, of, *splits in each] == counted(*case)


def test_equal_series_are_found_beside_longer_ones():
    short, long = np.zeros((1, 4)), np.zeros((1, 4000))  # hashed at once, and not
    for first, second in ((short, long), (long, short)):
        whole = _set(*[("a", 9000 * index, 1) for index in range(3)])
        whole = replace(whole, values=(first, second, second), official=("train", "train", "val"))
        told = "1 of the 1 windows of val are equal to windows of train"
        assert equal_windows(whole, None, None) == told
        other = second + np.eye(*second.shape)  # control: the first value differs
        assert equal_windows(replace(whole, values=(first, second, other)), None, None) is None


def test_equal_windows_that_end_in_nan_are_found():
    series = np.array([[1.0, np.nan, 2.0, np.nan]])
    whole = _set(("a", 0, 4), ("b", 0, 4))
    whole = replace(whole, values=(series, series.copy()), official=("train", "val"))
    told = "2 of the 2 windows of val are equal to windows of train"
    assert equal_windows(whole, 2, None) == told
    other = replace(whole, values=(series, series + 9.0))  # control: they end in NaN as well
    assert equal_windows(other, 2, None) is None
