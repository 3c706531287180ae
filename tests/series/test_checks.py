"""The check that splits share neither rows nor groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SplitError
from dualgaf.series.checks import check_disjoint
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
