"""Times of one file, and one order of day and month for a folder."""

import polars as pl
import pytest

from dualgaf.errors import SourceError
from dualgaf.series.series import clock_text
from dualgaf.series.tables.agreement import one_reading
from dualgaf.series.tables.clocks import clock_array, is_clock, read_clock


def _times(cells, time_format=None):
    clock = read_clock(pl.Series("Datetime", cells), "a.csv", time_format)
    return [clock_text(time) for time in clock_array(one_reading({"a.csv": clock})["a.csv"])]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("8/28/2007 0:05", "2007-08-28T00:05:00"),
        ("28/8/2007 0:05", "2007-08-28T00:05:00"),
        ("28-08-2007 0:05", "2007-08-28T00:05:00"),
        ("8/28/07 0:05", "2007-08-28T00:05:00"),
        ("28.8.07", "2007-08-28T00:00:00"),
        ("8/28/99", "1999-08-28T00:00:00"),
        ("08/28/2007 13:05:59", "2007-08-28T13:05:59"),
        ("2007-08-28 00:05", "2007-08-28T00:05:00"),
        (" 2007-08-28 00:05:07.250", "2007-08-28T00:05:07.250000"),
        ("2007-08-28T00:05", "2007-08-28T00:05:00"),
        ("2007-08-28T00:05:00+02:00", "2007-08-28T00:05:00"),
        ("2007-08-28T00:05:00Z", "2007-08-28T00:05:00"),
        ("2007-08-28", "2007-08-28T00:00:00"),
        ("28.8.2007 0:05", "2007-08-28T00:05:00"),
        ("2007/08/28 00:05", "2007-08-28T00:05:00"),
        ("200708280005", "2007-08-28T00:05:00"),
        ("20070828000507", "2007-08-28T00:05:07"),
        ("20070828", "2007-08-28T00:00:00"),
        ("1/1/2007 0:05", "2007-01-01T00:05:00"),
        ("15", "15"),
        ("1577836800", "2020-01-01T00:00:00"),
        ("0.25", "0.25"),
        ("99999999", "99999999"),
    ],
)
def test_times_as_text(text, iso):
    assert _times([text]) == [iso]


@pytest.mark.parametrize("cells", [["01022020 0005"], [202001010005], [202001010005.0]])
def test_a_time_format_of_ones_own_holds_for_every_type(cells):
    form = "%d%m%Y %H%M" if isinstance(cells[0], str) else "%Y%m%d%H%M"
    assert _times(cells, form)[0].endswith("T00:05:00")


def test_dates_and_numbers_as_they_are():
    zoned = pl.Series(["2007-08-28T02:00:00+02:00"]).str.to_datetime(time_zone="Europe/Berlin")
    assert _times(zoned) == ["2007-08-28T02:00:00"]
    assert _times([1.5, 2.0]) == ["1.5", "2"]


@pytest.mark.parametrize(
    ("cells", "row", "got"),
    [
        (["8/28/2007 0:05", "28/8/2007 0:05"], 2, "'28/8/2007 0:05'"),
        (["noon"], 1, "'noon'"),
    ],
)
def test_cells_that_are_no_time(cells, row, got):
    with pytest.raises(SourceError) as caught:
        _times(cells)
    assert str(caught.value) == (
        f"a.csv, time column 'Datetime', data row {row}: {got} is no time; known are ISO, "
        'month/day/year and day.month.year; type data.time_format="%d/%m/%Y %H:%M", '
        "data.time_column=NAME, or data.time_column=null for rows that are in order"
    )


@pytest.mark.parametrize(
    "cells", [["2007-08-28 00:05", None], ["1", None], [1.0, float("nan")], ["2007-08-28", " "]]
)
def test_an_empty_cell_is_no_time_of_an_unknown_format(cells):
    with pytest.raises(SourceError) as caught:
        _times(cells)
    assert str(caught.value) == (
        "a.csv, time column 'Datetime', data row 2: the cell is empty, and a row without a time "
        "has no place; remove that row, or type data.time_column=NAME if another column has the "
        "times"
    )


def test_a_time_column_of_another_kind():
    with pytest.raises(SourceError, match="time column 't' holds Boolean; allowed: dates, texts"):
        read_clock(pl.Series("t", [True]), "a.csv", None)


def _clocks(**cells):
    return {f: read_clock(pl.Series("t", own), f, None) for f, own in cells.items()}


def test_one_file_tells_the_order_for_all():
    times = one_reading(_clocks(a=["1/2/2020 0:00", "1/3/2020 0:00"], b=["25/3/2020 0:00"]))
    assert [str(time) for time in times["a"]] == ["2020-02-01 00:00:00", "2020-03-01 00:00:00"]


@pytest.mark.parametrize("form", ["%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"])
def test_an_order_that_nothing_tells_is_asked_for(form):
    with pytest.raises(SourceError) as caught:
        one_reading(_clocks(a=["1/1/2020 0:00"], b=["1/2/2020 0:00"]))
    assert str(caught.value) == (
        "b, time column 't', data row 1 is 2 January 2020 or 1 February 2020: month or day may "
        "come first, and no date of the folder tells which; type "
        'data.time_format="%m/%d/%Y %H:%M" or data.time_format="%d/%m/%Y %H:%M"'
    )
    assert f'"{form}"' in str(caught.value)


def test_dates_that_are_the_same_in_both_orders():
    assert str(one_reading(_clocks(a=["2/2/2020 0:00", "2/2/2020 0:05"]))["a"][1])[11:16] == "00:05"


def test_files_of_two_orders():
    with pytest.raises(
        SourceError, match="dates of a are month/day/year and those of b day/month/"
    ):
        one_reading(_clocks(a=["1/25/2020"], b=["25/1/2020"]))


def test_dates_in_one_file_and_numbers_in_another():
    with pytest.raises(SourceError, match="column 't' has dates in a and numbers in b; choose"):
        one_reading(_clocks(a=["2020-01-01"], b=["7"]))


def test_columns_of_times_under_any_name():
    assert is_clock(pl.Series(["2020-01-01 00:00", None]))
    assert is_clock(pl.Series(["1/13/2020", "1/14/2020"]))
    assert not is_clock(pl.Series(["2020-01-01", "later"]))
    assert not is_clock(pl.Series(["20200101"]))
    assert not is_clock(pl.Series([None, None], dtype=pl.String))
