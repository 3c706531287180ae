"""Roles of columns, and the size of a gap."""

import pytest

from dualgaf.errors import ConfigError, SourceError
from dualgaf.series.tables.columns import (
    LABEL_NAMES,
    TIME_NAMES,
    ColumnRoles,
    find_column,
    need_columns,
    parse_gap,
    same_channels,
)


@pytest.mark.parametrize(
    ("header", "names", "found"),
    [
        (["Date", "Datetime"], TIME_NAMES, "Datetime"),
        (["sat", "STEP"], TIME_NAMES, "STEP"),
        (["sat"], TIME_NAMES, None),
        (["class", "Fault"], LABEL_NAMES, "Fault"),
        (["fault_code"], LABEL_NAMES, None),
    ],
)
def test_columns_are_found_by_common_names(header, names, found):
    assert find_column(header, names) == found


def test_roles_name_their_columns():
    roles = ColumnRoles("t", None, ("day", "run"), None, "on")
    assert roles.names == {"t", "day", "run", "on"}


def test_a_missing_column_lists_the_closest_first():
    with pytest.raises(SourceError) as caught:
        need_columns(["oat", "sat_temp", "mat"], ["sat_tmp"], "data.channels", "a.csv")
    assert str(caught.value) == (
        "a.csv has no column 'sat_tmp' (data.channels); it has: sat_temp, oat, mat; "
        "type data.channels=[sat_temp]"
    )


def test_other_channels_are_named():
    with pytest.raises(SourceError) as caught:
        same_channels(["sat", "oat"], ["sat", "mat"], "a.csv", "b.csv")
    assert str(caught.value) == (
        "b.csv does not have the same channels as a.csv: it lacks oat and has in addition mat; all "
        "files of a set need the same; type data.channels=[sat] for those of both files, or "
        "move b.csv to another folder"
    )


@pytest.mark.parametrize(
    ("max_gap", "parsed"),
    [
        ("auto", None),
        ("2h", (7200.0, True)),
        ("5min", (300.0, True)),
        ("90 s", (90.0, True)),
        ("1.5d", (129600.0, True)),
        (3, (3.0, False)),
        (0.5, (0.5, False)),
    ],
)
def test_gaps(max_gap, parsed):
    assert parse_gap(max_gap) == parsed


@pytest.mark.parametrize("max_gap", ["2 hours", "", "0h", "-1h", 0, -2, None, True, "h"])
def test_gaps_that_are_not_allowed(max_gap):
    with pytest.raises(ConfigError) as caught:
        parse_gap(max_gap)
    assert str(caught.value) == (
        f"data.max_gap={max_gap!r} is not allowed; allowed: auto, a duration above zero (s, min, "
        "h, d), or for a numeric time column a number; type data.max_gap=2h"
    )
