"""Sources and settings of all kinds of nonsense: the package's own errors come out, or it works."""

import csv
import io
import warnings
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dualgaf import DualGAFDataModule, HardwarePreset, PoolSettings
from dualgaf.data.windowed import read_windows
from dualgaf.errors import DualGAFError
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.series import ArchiveSource, ArraySource, SimulatedSource, TableSource
from dualgaf.series.splits import SplitSettings

N = settings.default.max_examples
"""Of the profile: ``--hypothesis-profile=search`` tries ten times as many."""
HERE = Path(__file__).resolve().parent
FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def tried(call, *arguments, **options):
    """What a call gives; None where it raises an error of ours, which has to have a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call(*arguments, **options)
        except DualGAFError as error:
            told = str(error)
    assert told.strip()
    return None


def drawn(source, recipe=None):
    """Everything up to the images."""
    tried(source.contents)
    windowed = tried(read_windows, source, 0)
    if windowed is None:
        return
    assert sorted(np.concatenate(list(windowed.indices.values()))) == list(
        range(len(windowed.labels))
    )
    size = min(4, windowed.windows.window_size)
    out = np.empty((1, 2, windowed.windows.n_channels, size, size), np.float32)
    renderer = Renderer(ImagingRecipe(size, storage="float32"), windowed.windows.window_size)
    if tried(renderer.render, windowed.windows, 0, 1, out) is None and np.isfinite(out).all():
        assert np.abs(out).max() <= 1


# -- arrays ------------------------------------------------------------------------------------

odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
)
dtypes = st.one_of(
    hnp.scalar_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.array_dtypes(max_size=2),
)
shapes = st.one_of(
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    st.tuples(st.integers(2, 5), st.integers(1, 2), st.integers(2, 6)),
)
plain = st.tuples(st.integers(2, 5), st.integers(1, 2), st.integers(2, 6)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(width=64))
)
objects = hnp.arrays(object, shapes, elements=odd_values)
ragged = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6)).flatmap(
        lambda shape: hnp.arrays(st.sampled_from([np.float32, np.int8, np.float64]), shape)
    ),
    max_size=5,
)
xs = st.one_of(
    plain,
    dtypes.flatmap(lambda t: hnp.arrays(t, shapes)),
    objects,
    ragged,
    odd_values,
    st.lists(odd_values, max_size=4),
)
ys = st.one_of(
    st.lists(st.sampled_from([0, 1, "a", "b", 1.0, None]), max_size=6),
    dtypes.flatmap(lambda t: hnp.arrays(t, shapes)),
    objects,
    odd_values,
    st.lists(odd_values, max_size=5),
)  # fmt: skip


@settings(max_examples=6 * N)
@given(
    train=st.tuples(xs, ys),
    test=st.none() | st.tuples(xs, ys),
    predict=st.none() | xs,
    channel_names=st.none() | st.lists(odd_values, max_size=3),
    nan=st.sampled_from(["error", "interpolate"]),
    ragged=st.sampled_from(["resample", "pad", "truncate", "error"]),
    window_size=st.none() | st.integers(2, 5),
)
def test_any_arrays(**options):
    source = tried(ArraySource, **options, split={"method": "official", "val_fraction": 0})
    if source is not None:
        drawn(source)


@settings(max_examples=3 * N)
@given(x=plain | ragged, nan=st.sampled_from(["error", "interpolate"]), data=st.data())
def test_labelled_arrays(x, nan, data):
    """Most of these get as far as images."""
    labels = st.lists(st.sampled_from(["a", "b"]), min_size=len(x), max_size=len(x))
    fraction = data.draw(st.sampled_from([0.0, 0.3]))
    split = {"method": "official", "val_fraction": fraction}
    source = ArraySource((x, data.draw(labels)), nan=nan, ragged="resample", split=split)
    drawn(source)


# -- tables ------------------------------------------------------------------------------------

names = st.sampled_from(
    ["time", "step", "Datetime", "a", "b", " a ", "fault", "label", "run", "day", "split", "on",
     "", "é", "a,b", 'q"', "time "]
)  # fmt: skip
cells = st.one_of(
    st.sampled_from(["", "NA", "nan", "inf", "-inf", "1e999", "0x1", "true", "1,5", "1.5", "-3"]),
    st.sampled_from(["train", "val", "test", "predict", "x", "y", " x "]),
    st.sampled_from(
        ["2020-01-01", "2020-01-01 00:05", "9999-12-31 23:59", "0001-01-01", "31/12/2020 10:00",
         "2020-02-30", "2020-01-01T00:00:00+14:00", "1/2/2020 0:05", "25:00"]
    ),
    st.sampled_from(
        ["01/01  24:00:00", "12:05 AM", "0:05", "1577836800", "45292.50347", "2024010100", "5 °F",
         "1 000", "01:30:00", "2020-10-25 02:30 CST", "Jan 1, 2020", "#", "sep=;"]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.text(max_size=4),
)  # fmt: skip
columns = st.one_of(
    st.lists(cells, min_size=6, max_size=6),
    st.lists(st.integers(-3, 9).map(str), min_size=6, max_size=6),
    st.just(list("123456")),
    st.sampled_from(["xxxyyy", "xyxyxy", "xxxxxx"]).map(list),
    st.just([f"2020-01-01 00:{5 * k:02d}" for k in range(6)]),
    st.just([f"0:{5 * k:02d}" for k in range(6)]),
    st.just([f"{1577836800 + 300 * k}" for k in range(6)]),
)
tables = st.lists(st.tuples(names, columns), min_size=1, max_size=6)
table_settings = st.fixed_dictionaries(
    {},
    optional={
        "time_column": st.none() | names | st.tuples(names, names),
        "year": st.sampled_from([2024, 1000, 9999]),
        "time_zone": st.sampled_from(["Europe/Berlin", "UTC", "Asia/Kolkata"]),
        "stamps": st.sampled_from(["start", "end"]),
        "step": st.sampled_from(["15min", "1d", 2, 0.5, 1e300]),
        "step_rule": st.sampled_from(["mean", "last", "max"]),
        "long": st.tuples(names, names, names),
        "header_line": st.integers(1, 3),
        "same_time": st.sampled_from(["error", "keep"]),
        "fill_limit": st.integers(0, 2),
        "time_format": st.sampled_from(
            [
                "%Y-%m-%d",
                "%q",
                "%d/%m/%Y %H:%M",
                "",
                "%",
                "%s",
                "%z",
                "unix_s",
                "excel",
                "day_first",
            ]
        ),
        "channels": st.lists(names, max_size=3),
        "exclude": st.lists(names, max_size=3),
        "label": st.sampled_from(["auto", "column", "file"]),
        "label_column": names,
        "group_columns": st.lists(names, max_size=2),
        "split_column": names,
        "working_column": names,
        "working_value": odd_values,
        "max_gap": st.sampled_from(["auto", "2h", 2, 0.5, 1e300, "1d", float("inf"), float("nan")]),
        "null_values": st.lists(cells, max_size=3),
        "nan": st.sampled_from(["error", "interpolate"]),
        "window_size": st.none() | st.integers(2, 4),
        "ragged": st.sampled_from(["resample", "pad", "truncate", "error"]),
        "split": st.fixed_dictionaries(
            {"method": st.sampled_from(["official", "group", "time", "within", "stratified"])},
            optional={"val_fraction": st.sampled_from([0, 0.3])},
        ),
    },
)


def as_csv(table):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([name for name, _ in table])
    writer.writerows(zip(*[column for _, column in table], strict=True))
    return out.getvalue()


@settings(FOLDER, max_examples=8 * N)
@given(
    files=st.lists(tables, min_size=1, max_size=2),
    options=table_settings,
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-8-sig"]),
)
def test_any_tables(tmp_path, files, options, encoding):
    for old in tmp_path.iterdir():
        old.unlink()
    for number, table in enumerate(files):
        text = as_csv(table).encode(encoding, "replace")
        (tmp_path / f"plant{number}.csv").write_bytes(text)
    source = tried(TableSource, tmp_path, **options)
    if source is not None:
        drawn(source)


@FOLDER
@given(data=st.binary(max_size=60), ending=st.sampled_from([".csv", ".csv.gz", ".parquet"]))
def test_any_bytes_as_a_table(tmp_path, data, ending):
    for old in tmp_path.iterdir():
        old.unlink()
    (tmp_path / f"plant{ending}").write_bytes(data)
    drawn(TableSource(tmp_path))


# -- settings ----------------------------------------------------------------------------------

junk = st.one_of(
    odd_values,
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.lists(st.one_of(st.text(max_size=3), st.floats(), st.none()), max_size=3),
    st.sampled_from(
        ["auto", "train", "window", "uint8", "packed", "process", "8gb", "1GiB", "-1", "1e9", 0, -1,
         10**30, True, float("nan"), float("inf"), (-1, 1), (1, -1), [0, 1], Path("x"), object()]
    ),
)  # fmt: skip


def of_fields(kind):
    """Some of the fields of a dataclass, with any values."""
    chosen = st.sampled_from([field.name for field in fields(kind)])
    return st.dictionaries(chosen, junk, max_size=4)


@pytest.mark.parametrize("kind", [TableSource, ArchiveSource, SimulatedSource, ImagingRecipe])
@settings(max_examples=3 * N)
@given(data=st.data())
def test_any_settings(kind, data):
    options = data.draw(of_fields(kind))
    first = {TableSource: "root", ImagingRecipe: "image_size"}.get(kind)
    if first is not None:
        options.setdefault(first, "plant" if first == "root" else 8)
    if kind is ArchiveSource:
        options = {**options, "download": False}
    assume("n_windows" not in options or not isinstance(options["n_windows"], int))
    source = tried(kind, **options)
    if kind is TableSource and source is not None:
        plant = HERE / "corpus" / "plant.csv"
        tried(replace(source, root=plant, pattern=None).load)


@settings(max_examples=3 * N)
@given(options=of_fields(PoolSettings) | st.dictionaries(st.text(max_size=5), junk, max_size=2))
def test_any_pool_settings(options):
    tried(PoolSettings.from_mapping, options)


@given(value=junk | of_fields(SplitSettings) | st.dictionaries(st.text(max_size=5), junk))
def test_any_split_settings(value):
    tried(SplitSettings.of, value)


@given(name=junk)
def test_any_preset(name):
    tried(HardwarePreset.named, name)


MODULE = (
    "batch_size", "num_workers", "image_size", "scaling", "feature_range", "storage", "layout",
    "images", "hardware", "parallel", "cache_dir",
)  # fmt: skip


@settings(max_examples=4 * N)
@given(options=st.dictionaries(st.sampled_from(MODULE), junk, max_size=3))
def test_any_settings_of_a_data_module(options):
    x = np.random.default_rng(0).normal(size=(4, 1, 6))
    tried(DualGAFDataModule.from_arrays, (x, [0, 1, 0, 1]), **options)
