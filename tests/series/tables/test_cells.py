"""What cells mean: numbers in every notation, switches, units, classes, missing values."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SourceError
from dualgaf.series.tables.cells import CellRules, label_texts, same_unit, understood

RULES = CellRules(null_values=("", "NA", "#VALUE!", "-999"))


def _read(cells, rules=RULES):
    return understood(pl.Series("sat", cells), "plant.csv", rules)


@pytest.mark.parametrize(
    ("cells", "values", "found"),
    [
        (["1", " 2.5", "-3e2", ".5"], [1, 2.5, -300, 0.5], None),
        (["21,5", "-22,25", "7"], [21.5, -22.25, 7], "decimal comma"),
        (["1,230.5", "12,000", "3"], [1230.5, 12000, 3], "commas between thousands"),
        (["1.230,5", "12.000", "3,25"], [1230.5, 12000, 3.25], "decimal comma, points or blanks"),
        (["1 230,5", "3,25"], [1230.5, 3.25], "decimal comma, points or blanks"),
        (["45%", "46 %"], [45, 46], "in %"),
        (["72.5 °F", "-3 °F"], [72.5, -3], "in °F"),
        (["72,5 kWh", "1234,25 kWh"], [72.5, 1234.25], "in kWh, decimal comma"),
        (["On", "off", None], [1, 0, np.nan], "off = 0, on = 1"),
        (["true", "False"], [1, 0], "false = 0, true = 1"),
        (["01:30:00", "0:00:30", None], [90, 0.5, np.nan], "durations, in min"),
        (["0 days 01:30:00", "1 day, 00:00:06"], [90, 1440.1], "durations, in min"),
        (["1'000.5", "7"], [1000.5, 7], "marks between thousands"),
        (["1\u202f000,5", "7"], [1000.5, 7], "decimal comma, points or blanks"),
        (["open", "closed"], [1, 0], "closed = 0, open = 1"),
        (["Running", "stopped "], [1, 0], "stopped = 0, running = 1"),
        (["WAHR", "FALSCH"], [1, 0], "falsch = 0, wahr = 1"),
        (["Aus", "An", None], [0, 1, np.nan], "aus = 0, an = 1"),
        (["'21.5'", " '7'", None], [21.5, 7, np.nan], "numbers in quotes"),
        (["'1,5 kW'", "'7 kW'"], [1.5, 7], "numbers in quotes, in kW, decimal comma"),
        (["1", "#VALUE! ", None, ""], [1, np.nan, np.nan, np.nan], None),
        (["1", "-999", "-999.0", " -9.99e2"], [1, np.nan, np.nan, np.nan], None),
    ],
)
def test_cells_as_numbers(cells, values, found):
    column = _read(cells)
    assert column.kind == "numbers"
    np.testing.assert_array_equal(column.values, values)
    assert (column.found or "").startswith(found or "")
    assert (column.found is None) == (found is None)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["a", "b"], "text"),
        (["On", "auto"], "text"),
        (["stopped", "on"], "text"),
        (["'a'", "'b'"], "text"),
        (["1:30", "2:30"], "text"),
        (["2020-01-01", "2020-01-02"], "text"),
        ([None, "NA", " "], "empty"),
        ([None, None], "empty"),
    ],
)
def test_columns_that_are_no_numbers(cells, kind):
    assert _read(cells).kind == kind


@pytest.mark.parametrize("decimal", ["point", "comma"])
def test_a_comma_that_may_mean_two_things_is_asked_for(decimal):
    cells = ["1,234", "2,500"]
    with pytest.raises(SourceError) as caught:
        _read(cells)
    assert str(caught.value) == (
        "plant.csv, column 'sat': '1,234' may be 1234 and 1.234, and no cell tells which; type "
        "data.decimal=point or data.decimal=comma"
    )
    assert f"data.decimal={decimal}" in str(caught.value)
    wanted = {"point": [1234, 2500], "comma": [1.234, 2.5]}[decimal]
    assert _read(cells, CellRules(decimal=decimal)).values.tolist() == wanted


@pytest.mark.parametrize("dtype", [pl.Int32, pl.Float32, pl.Float64])
def test_numbers_of_parquet_know_the_missing_ones(dtype):
    column = _read(pl.Series([20, -999, None, 26]).cast(dtype))
    np.testing.assert_array_equal(column.values, [20, np.nan, np.nan, 26])
    assert column.values.dtype == (np.float32 if dtype == pl.Float32 else np.float64)


def test_other_types_of_parquet():
    assert _read(pl.Series([True, False])).values.tolist() == [1, 0]
    assert _read(pl.Series(["1", "2"], dtype=pl.Categorical)).values.tolist() == [1, 2]
    assert _read(pl.Series(["2020-01-01"]).str.to_date()).kind == "text"
    assert _read(pl.Series([90_000_000]).cast(pl.Duration("us"))).values.tolist() == [1.5]
    assert _read(pl.Series([[1, 2]])).kind == "text"
    assert _read(pl.Series([None, None], dtype=pl.Int64)).kind == "empty"


def test_text_among_numbers_is_named():
    with pytest.raises(SourceError) as caught:
        _read(["1", "2", "#BAD", "x"])
    assert str(caught.value) == (
        "plant.csv, column 'sat', data row 3: '#BAD' is not a number (2 such cells); if that means "
        'missing, type \'data.null_values=["NA","#VALUE!","-999","#BAD","x"]\'; to leave the '
        "column out, type data.exclude=[sat]"
    )


def test_one_column_in_two_units():
    first, own = _read(["20 °C", "21 °C"]), _read(["68 °F", "69 °F"])
    same_unit(first, first, "a.csv", "b.csv")
    same_unit(first, _read([None, None]), "a.csv", "b.csv")
    with pytest.raises(SourceError, match=r"'sat' is in °C in a\.csv and in °F in b\.csv; convert"):
        same_unit(first, own, "a.csv", "b.csv")


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pl.Series([1.0, 2.5, None, float("nan")]), ["1", "2.5", None, None]),
        (pl.Series([3]), ["3"]),
        (pl.Series([" a ", "", "?", "NaN", "<NA>", "none"]), ["a", None, None, None, None, "none"]),
        (pl.Series([True, False]), ["1", "0"]),
        (pl.Series(["True", "FALSE", "1.0", "01", "-0", "007", "2.50", "1e3"]),
         ["1", "0", "1", "1", "0", "7", "2.5", "1e3"]),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        (pl.Series([None, None]), [None, None]),
    ],
)  # fmt: skip
def test_labels_of_cells(column, texts):
    assert label_texts(column).to_list() == texts


@given(
    st.floats(-1e12, 1e12).map(lambda value: round(value, 3)), st.sampled_from(["point", "comma"])
)
def test_a_number_is_the_same_in_every_notation(value, decimal):
    with_marks = f"{value:,.3f}"
    if decimal == "comma":
        with_marks = with_marks.translate(str.maketrans(",.", ".,"))
    plain = f"{value:.3f}" if decimal == "point" else f"{value:.3f}".replace(".", ",")
    rules = CellRules(decimal=decimal)
    expected = [float(f"{value:.3f}")] * 2
    assert _read([plain, plain], rules).values.tolist() == expected
    assert _read([with_marks, with_marks], rules).values.tolist() == expected
    assert _read([plain + " kW"] * 2, rules).values.tolist() == expected
