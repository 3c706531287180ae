"""What is read of a Parquet file, and what a column of CSV is taken for at once."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from dualgaf.series.tables import files
from dualgaf.series.tables.cells import CellRules, understood
from dualgaf.series.tables.clocks import read_clock
from dualgaf.series.tables.notes import Notes
from dualgaf.series.tables.room import rows_of_tables
from dualgaf.series.tables.source import TableFile, TableSource


@pytest.fixture
def read(monkeypatch):
    """Columns that were read of Parquet, by file."""
    asked, real = {}, pl.read_parquet

    def read_parquet(path, **options):
        found = real(path, **options)
        asked[path.name] = found.columns
        return found

    monkeypatch.setattr(files.pl, "read_parquet", read_parquet)
    return asked


def plant(tmp_path, **more):
    times = [dt.datetime(2024, 1, 15) + dt.timedelta(minutes=k) for k in range(40)]
    columns = {
        "datetime": times,
        "a": np.sin(np.arange(40)),
        "b": np.cos(np.arange(40)),
        "c": np.cos(np.arange(40)) ** 2,
        "fault": ["leak"] * 20 + ["normal"] * 20,
        **more,
    }
    pl.DataFrame(columns).write_parquet(tmp_path / "x.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ({}, ["datetime", "a", "b", "c", "fault"]),
        ({"exclude": ["b"]}, ["datetime", "a", "c", "fault"]),
        ({"channels": ["c", "a"]}, ["datetime", "a", "c", "fault"]),
        ({"channels": ["c", "a"], "exclude": ["a"]}, ["datetime", "c", "fault"]),
        ({"channels": ["c"], "working_column": "a", "working_value": 0}, ["datetime", "a", "c", "fault"]),  # noqa: E501
    ],
)  # fmt: skip
def test_only_columns_that_mean_something_are_read(tmp_path, read, options, columns):
    found = TableSource(plant(tmp_path), window_size=5, **options)
    if "working_column" in options:
        found.load()
    else:
        assert len(found.load()) == 2
    assert read["x.parquet"] == columns


def test_a_column_of_numbers_that_may_be_the_clock_is_read(tmp_path, read):
    root = plant(tmp_path, ts=1.7e9 + 60.0 * np.arange(40))
    path = root / "x.parquet"
    pl.read_parquet(path).drop("datetime").write_parquet(path)
    found = TableSource(root, window_size=5, channels=["a"]).load()
    assert found.start_times[0] == "2023-11-14T22:13:20"
    assert "ts" in read["x.parquet"]


def test_a_column_that_is_not_read_is_still_named(tmp_path):
    root = plant(tmp_path)
    found = TableSource(root, window_size=5, exclude=["b"]).load()
    assert found.facts.left_out == {"b": "data.exclude"}
    assert found.channel_names == ("a", "c")


def test_rows_are_counted_before_a_file_is_read(tmp_path):
    plant(tmp_path)
    (tmp_path / "a.csv").write_text('t,x\n1,"two\nlines"\n3,4')
    (tmp_path / "b.csv").write_bytes(b"t,x\r1,2\r3,4\r")
    source = TableSource(tmp_path)
    tables = dict(source.tables(Notes()))
    at_most = rows_of_tables(tables)
    assert at_most["x.parquet"] == 40
    assert at_most["a.csv"] >= 2
    assert at_most["b.csv"] >= 2
    for name in ("c.csv.gz", "gone.csv"):
        other = TableFile(tmp_path / name, name, source)
        assert rows_of_tables({**tables, name: other}) is None


@pytest.mark.parametrize(
    ("cells", "nulls", "kind", "values"),
    [
        (["1.5", "2", None], (), "numbers", [1.5, 2, np.nan]),
        (["inf", "2"], ("inf",), "numbers", [np.nan, 2]),
        (["inf", "2"], (), "numbers", [np.inf, 2]),
        (["NaN", None], ("NaN",), "empty", None),
        (["NaN", "3"], ("NaN",), "numbers", [np.nan, 3]),
        (["-999", "-999.0", "3"], ("-999",), "numbers", [np.nan, np.nan, 3]),
        ([" 1.5", "2 "], (), "numbers", [1.5, 2]),
        (["", "2"], (), "numbers", [np.nan, 2]),
    ],
)
def test_plain_numbers_mean_what_a_closer_look_finds(cells, nulls, kind, values):
    found = understood(pl.Series("x", cells), "a.csv", CellRules(null_values=nulls))
    assert found.kind == kind
    if values is not None:
        np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize(
    ("cells", "last"),
    [
        (["2024-01-15 00:00:00", "2024-01-15 00:00:01"], (1, 0)),
        (["2024-01-15 00:00:00", "2024-01-15 00:00:01.25"], (1, 250000)),
        (["2024-01-15 00:00:00.5", "2024-01-15 00:00:01"], (1, 0)),
    ],
)
def test_parts_of_a_second_are_read_where_a_cell_has_them(cells, last):
    (time,) = read_clock(pl.Series("t", cells), "a.csv", None).readings.values()
    assert (time[1].second, time[1].microsecond) == last
