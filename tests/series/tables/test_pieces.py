"""Series lie end to end in one array, whatever files they come from and however they are cut."""

import datetime as dt
import random

import numpy as np
import polars as pl
import pytest

from dualgaf.data.windowed import read_windows
from dualgaf.series.tables.coded import Coded, joined_texts, run_starts
from dualgaf.series.tables.source import TableSource

START = dt.datetime(2024, 3, 13, 22)


def table(rng, n, *, shuffled=False, empty=(), dtype=pl.Float64):
    """Minutes over midnight with a gap, two classes, and rows that are not at work."""
    times = [START + dt.timedelta(minutes=k + 40 * (k > n // 3)) for k in range(n)]
    working = [0 if rng.random() < 0.02 else 1 for _ in range(n)]
    columns = {"datetime": times, "works": working}
    for name in ("b", "a", "c"):
        cells = [round(rng.uniform(-9, 9), 3) for _ in range(n)]
        columns[name] = pl.Series([None] * n if name in empty else cells, dtype=dtype)
    columns["fault"] = ["leak" if k % 90 < 50 else "normal" for k in range(n)]
    found = pl.DataFrame(columns)
    return found.sample(fraction=1, shuffle=True, seed=1) if shuffled else found


def folders(tmp_path, seed, **how):
    """The same tables as CSV and as Parquet."""
    rng = random.Random(seed)
    for number in range(3):
        frame = table(rng, rng.randint(150, 300), shuffled=number == 1 and seed % 2 == 1, **how)
        shift = pl.col("datetime") + dt.timedelta(days=3 * number)
        for kind in ("csv", "parquet"):
            (tmp_path / kind).mkdir(exist_ok=True, parents=True)
        frame = frame.with_columns(shift)
        frame.write_csv(tmp_path / "csv" / f"{number}.csv")
        frame.write_parquet(tmp_path / "parquet" / f"{number}.parquet")
    return tmp_path / "csv", tmp_path / "parquet"


def series_of(root, **options):
    found = TableSource(root, working_column="works", nan="interpolate", **options).load()
    names = [f"{o.source.split('.')[0]} {o.first_row}" for o in found.origins]
    return found, names


@pytest.mark.parametrize("seed", range(6))
def test_parquet_gives_the_series_of_csv(tmp_path, seed):
    csv, parquet = folders(tmp_path, seed)
    one, names = series_of(csv, window_size=20)
    other, others = series_of(parquet, window_size=20)
    assert names == others
    assert one.labels == other.labels
    assert one.channel_names == other.channel_names == ("b", "a", "c")
    assert {length < 20 for length in one.lengths} == {True, False}
    for mine, theirs in zip(one.values, other.values, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(one.times, other.times, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("options", [{"channels": ("c", "a")}, {"exclude": ("a",)}])
def test_some_columns_only_are_where_they_belong(tmp_path, options):
    csv, parquet = folders(tmp_path, seed=1)
    one, other = (series_of(root, window_size=20, **options)[0] for root in (csv, parquet))
    assert one.channel_names == other.channel_names
    for mine, theirs in zip(one.values, other.values, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_files_of_other_types_end_as_the_wider_one(tmp_path):
    _, parquet = folders(tmp_path, seed=2, dtype=pl.Float32)
    assert series_of(parquet, window_size=20)[0].values[0].dtype == np.float32
    last = parquet / "2.parquet"
    pl.read_parquet(last).with_columns(pl.col("a").cast(pl.Float64) + 1e-9).write_parquet(last)
    found, _ = series_of(parquet, window_size=20)
    assert {series.dtype for series in found.values} == {np.dtype(np.float64)}
    a = found.channel_names.index("a")
    shifted = [v for v, o in zip(found.values, found.origins, strict=True) if "2" in o.source]
    assert not np.array_equal(shifted[0][a].astype(np.float32), shifted[0][a])


def test_a_sensor_without_a_value_in_one_file_is_missing_there(tmp_path):
    _, parquet = folders(tmp_path, seed=3)
    path = parquet / "1.parquet"
    pl.read_parquet(path).with_columns(a=pl.lit(None, dtype=pl.Float64)).write_parquet(path)
    found, names = series_of(parquet, window_size=20)
    assert not any(name.startswith("1 ") for name in names)  # it is dead there
    csv, _ = folders(tmp_path / "whole", seed=3)
    whole, every = series_of(csv, window_size=20)
    for values, name in zip(found.values, names, strict=True):
        np.testing.assert_array_equal(values, whole.values[every.index(name)])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_windows_share_the_memory_of_series(tmp_path, kind):
    root = folders(tmp_path, seed=4)[kind == "parquet"]
    source = TableSource(root, working_column="works", window_size=20, stride=1)
    own = []
    whole = source.load()

    class Loaded(TableSource):
        def load(self):
            own.append(whole)
            return whole

    options = {"working_column": "works", "window_size": 20, "stride": 1}
    found = read_windows(Loaded(root, split={"method": "stratified"}, **options), seed=0)
    long = [series for series in whole.values if series.shape[1] >= 20]
    assert found.windows.flat.shape[1] == sum(series.shape[1] for series in long)
    assert all(np.shares_memory(found.windows.flat, series) for series in long)
    np.testing.assert_array_equal(found.windows.flat, np.concatenate(long, axis=1))
    assert found.windows.flat.flags.c_contiguous


def test_windows_of_series_that_lie_elsewhere_are_a_copy(tmp_path):
    csv, _ = folders(tmp_path, seed=4)
    source = TableSource(csv, working_column="works", window_size=6, split={"method": "within"})
    found, series = read_windows(source, seed=0), source.load()
    assert not any(np.shares_memory(found.windows.flat, own) for own in series.values)
    assert len(found.windows) > 5


def test_windows_are_in_the_order_of_names_though_folders_have_another(tmp_path):
    """``fault=a`` is read before ``fault=a b``, and is behind it in the alphabet of whole names."""
    rng = random.Random(5)
    for number, fault in enumerate(("a", "a b")):
        folder = tmp_path / f"fault={fault}"
        folder.mkdir()
        frame = table(rng, 200).drop("fault", "works")
        shift = pl.col("datetime") + dt.timedelta(days=3 * number)
        frame.with_columns(shift).write_parquet(folder / "x.parquet")
    source = TableSource(tmp_path, window_size=20, split={"method": "stratified"})
    found, series = read_windows(source, seed=0), source.load()
    windows = {str(found.start_times[k]): found.windows.block(k, k + 1)[0] for k in range(5)}
    assert len(windows) == 5
    by_start = {str(own[0]): k for k, own in enumerate(series.times)}
    known = [(by_start[start], window) for start, window in windows.items() if start in by_start]
    assert known
    for index, window in known:
        np.testing.assert_array_equal(series.values[index][:, :20], window)


@pytest.mark.parametrize(
    ("column", "starts"),
    [
        (pl.Series([], dtype=pl.String), []),
        (pl.Series([None, None]), [0]),
        (pl.Series([True, True, None, False]), [0, 2, 3]),
        (pl.Series([1.0, float("nan"), float("nan"), 2.0]), [0, 1, 3]),
        (pl.Series(["a", "b", "b"], dtype=pl.Categorical), [0, 1]),
        (pl.Series(["a", "b", "b"], dtype=pl.Enum(["b", "a"])), [0, 1]),
    ],
)
def test_runs_begin_where_a_cell_differs_from_the_one_above(column, starts):
    assert run_starts(column).tolist() == starts


def test_codes_mean_the_texts_that_they_were_made_of():
    rng = random.Random(0)
    texts = [rng.choice(["a", "b", None, "c"]) for _ in range(200)]
    found = Coded.of(pl.Series(texts))
    assert [None if c is None else found.names[c] for c in found.codes] == texts
    assert found.counts() == {name: texts.count(name) for name in found.names}
    moved = found.named(["x", "c", "b", "a"])
    assert [None if c is None else "xcba"[c] for c in moved] == texts
    filled = found.filled("z")
    assert [filled.names[c] for c in filled.codes] == [text or "z" for text in texts]
    days = pl.Series([dt.date(2024, 1, 1 + k // 50) for k in range(200)])
    both = joined_texts("f.csv", [filled, days], 200)
    expected = [f"f.csv/{text or 'z'}/{day}" for text, day in zip(texts, days, strict=True)]
    assert [both.names[c] for c in both.codes] == expected
    assert sorted(both.names) == sorted(set(expected))
