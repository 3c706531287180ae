"""Reading one table: files, cells, times."""

import gzip

import numpy as np
import polars as pl
import pytest

from dualgaf.errors import SourceError
from dualgaf.series.table_files import (
    clock_texts,
    label_texts,
    list_files,
    numbers,
    parse_times,
    read_table,
    stem,
    text_columns,
)

NULLS = ("", "NA", "#VALUE!")


def _written(tmp_path, text, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


def test_files_of_a_folder_are_sorted_and_others_left_out(tmp_path):
    for name in ("b.csv", "a.csv.gz", "c.parquet", "README.md", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.csv").touch()
    assert [path.name for path in list_files(tmp_path, None)] == ["a.csv.gz", "b.csv", "c.parquet"]
    assert [path.name for path in list_files(tmp_path, "**/*.csv")] == ["b.csv", "d.csv"]
    assert list_files(tmp_path / "b.csv", None) == [tmp_path / "b.csv"]


def test_a_missing_folder(tmp_path):
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path / "no", None)
    assert str(caught.value) == f"there is no folder or file {tmp_path}/no; type data.root=FOLDER"


def test_an_empty_folder(tmp_path):
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path, None)
    assert str(caught.value) == (
        f"folder {tmp_path} is empty; needed: .csv, .csv.gz, .parquet files in it"
    )


@pytest.mark.parametrize(
    ("pattern", "wanted"), [(None, "table"), ("*.csv", "file that fits data.pattern=*.csv")]
)
def test_no_file_that_fits_lists_what_is_there(tmp_path, pattern, wanted):
    (tmp_path / "plant.xlsx").touch()
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path, pattern)
    assert str(caught.value) == (
        f"folder {tmp_path} has no {wanted}; it has: plant.xlsx; allowed: .csv, .csv.gz, "
        '.parquet; type data.pattern="*.csv" or data.root=FOLDER'
    )


@pytest.mark.parametrize("pattern", ["*", None])
def test_an_unknown_kind_of_file(tmp_path, pattern):
    path = tmp_path / "plant.xlsx"
    path.touch()
    with pytest.raises(SourceError) as caught:
        list_files(tmp_path if pattern else path, pattern)
    assert str(caught.value) == (
        "plant.xlsx is of an unknown kind; allowed: .csv, .csv.gz, .parquet; "
        'type data.pattern="*.csv"'
    )


def test_stem():
    assert [stem(name) for name in ("a.csv", "b.c.csv.gz", "x/d.parquet")] == ["a", "b.c", "d"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv is empty; needed: a header and data rows"),
        ("x,y\n", "a.csv has a header and no data row"),
        ("x,x \n1,2\n", "a.csv has two columns 'x'; give each its own name"),
        ("x,y\n1,2\n1,2,3\n", "a.csv cannot be read: found more fields than defined in 'Schema'"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, text, message):
    with pytest.raises(SourceError) as caught:
        read_table(_written(tmp_path, text), "a.csv", NULLS)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["broken.parquet", "broken.csv.gz"])
def test_broken_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8b not what it says")
    with pytest.raises(SourceError, match=f"{name} cannot be read: "):
        read_table(tmp_path / name, name, NULLS)


def test_the_header_loses_its_blanks_and_types_come_from_all_rows(tmp_path):
    rows = "\n".join(["1,a"] * 200 + ["2.5,b"])
    table = read_table(_written(tmp_path, "x  , y\n" + rows, "a.csv.gz"), "a.csv.gz", NULLS)
    assert table.columns == ["x", "y"]
    assert table["x"].dtype == pl.Float64


def test_columns_without_a_number_are_no_channels():
    table = pl.DataFrame(
        {"n": [1], "t": ["on"], "mixed": [" 2"], "none": [None], "empty": ["NA"], "flag": [True]}
    )
    assert text_columns(table, NULLS) == ["t", "none", "empty"]


def test_cells_as_numbers():
    table = pl.DataFrame({"a": [1, None], "b": [" 2.5", "#VALUE! "], "c": [True, False]})
    np.testing.assert_array_equal(
        numbers(table, ["c", "a", "b"], "f.csv", NULLS), [[1, 1, 2.5], [0, np.nan, np.nan]]
    )


def test_float32_columns_stay_float32():
    table = pl.DataFrame({"a": [1.5]}, schema={"a": pl.Float32})
    assert numbers(table, ["a"], "f", NULLS).dtype == np.float32


def test_text_in_a_numeric_column_is_named():
    table = pl.DataFrame({"mat": ["1", "2", "#BAD", "x"]})
    with pytest.raises(SourceError) as caught:
        numbers(table, ["mat"], "plant.csv", NULLS)
    assert str(caught.value) == (
        "plant.csv, column 'mat', data row 3: '#BAD' is not a number (2 such cells); if it means "
        "missing, add it to data.null_values; to leave the column out type data.exclude=[mat]"
    )


def test_a_column_of_dates_is_no_channel():
    table = pl.DataFrame({"d": pl.Series(["2020-01-01"]).str.to_date()})
    with pytest.raises(
        SourceError, match=r"f, column 'd' holds Date, not numbers; type data\.excl"
    ):
        numbers(table, ["d"], "f", NULLS)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pl.Series([1.0, 2.5, None]), ["1", "2.5", None]),
        (pl.Series([3]), ["3"]),
        (pl.Series([" a "]), ["a"]),
        (pl.Series([True, False]), ["1", "0"]),
        (pl.Series(["1.0"]), ["1.0"]),
    ],
)
def test_labels_of_cells(column, texts):
    assert label_texts(column).to_list() == texts


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("8/28/2007 0:05", "2007-08-28T00:05:00"),
        ("08/28/2007 13:05:59", "2007-08-28T13:05:59"),
        ("2007-08-28 00:05", "2007-08-28T00:05:00"),
        (" 2007-08-28 00:05:07.250", "2007-08-28T00:05:07"),
        ("2007-08-28T00:05", "2007-08-28T00:05:00"),
        ("2007-08-28T00:05:00+02:00", "2007-08-27T22:05:00"),
        ("2007-08-28T00:05:00Z", "2007-08-28T00:05:00"),
        ("2007-08-28", "2007-08-28T00:00:00"),
        ("28.8.2007 0:05", "2007-08-28T00:05:00"),
        ("2007/08/28 00:05", "2007-08-28T00:05:00"),
    ],
)
def test_times_as_text(text, iso):
    assert clock_texts(parse_times(pl.Series([text]), "a.csv", None)).to_list() == [iso]


def test_a_time_format_of_ones_own():
    texts = pl.Series(["3/4/2007 0:05", "28/4/2007 0:10"])
    times = parse_times(texts, "a.csv", "%d/%m/%Y %H:%M")
    assert clock_texts(times).to_list() == ["2007-04-03T00:05:00", "2007-04-28T00:10:00"]


def test_dates_and_numbers_as_they_are():
    zoned = pl.Series(["2007-08-28T02:00:00+02:00"]).str.to_datetime(time_zone="Europe/Berlin")
    assert clock_texts(parse_times(zoned, "f", None)).to_list() == ["2007-08-28T00:00:00"]
    assert parse_times(pl.Series([1.5]), "f", None).to_list() == [1.5]
    assert clock_texts(pl.Series([1.0, 2.5])).to_list() == ["1", "2.5"]


@pytest.mark.parametrize(
    ("cells", "row", "got"),
    [
        (["8/28/2007 0:05", "28/8/2007 0:05"], 2, "'28/8/2007 0:05'"),
        (["noon"], 1, "'noon'"),
        (["2007-08-28 00:05", None], 2, "None"),
        ([1.0, float("nan")], 2, "nan"),
    ],
)
def test_cells_that_are_no_time(cells, row, got):
    with pytest.raises(SourceError) as caught:
        parse_times(pl.Series("Datetime", cells), "a.csv", None)
    assert str(caught.value) == (
        f"a.csv, time column 'Datetime', data row {row}: {got} is no time; known are ISO, "
        'month/day/year and day.month.year; type data.time_format="%d/%m/%Y %H:%M", '
        "data.time_column=NAME, or data.time_column=null for rows that are in order"
    )


def test_a_time_column_of_another_kind():
    with pytest.raises(SourceError, match="time column 't' holds Boolean; allowed: dates, texts"):
        parse_times(pl.Series("t", [True]), "a.csv", None)
