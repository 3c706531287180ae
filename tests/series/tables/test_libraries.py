"""What polars, folders called ``key=value`` and YAML do in silence, and what is done here.

Sheets are in `test_sheets.py`. What a library does is asserted where it is one of ours, so that a
release that mends it is seen.
"""

import polars as pl
import pytest

from dualgaf.errors import ConfigError, SourceError, SplitError
from dualgaf.series.splits import SplitSettings, split_series
from dualgaf.series.tables.source import TableSource
from table_folders import folder_of, rows_of

MANY = 1500


def omegaconf():
    """What reads YAML; it is not there in `make pythons`."""
    return pytest.importorskip("omegaconf").OmegaConf


def test_a_fraction_far_below_the_first_rows_stays_one(tmp_path):
    """polars takes types from the first 100 rows, and cuts later fractions to whole numbers."""
    values = [7] * MANY + [21.5]
    assert pl.DataFrame([(7,)] * 200 + [(21.5,)], orient="row").to_series()[-1] != 21.5
    rows = [f"{k},{value},a" for k, value in enumerate(values)]
    long = [f"{k},temp,{value},a" for k, value in enumerate(values)]
    flux = [f",,0,{k},{value},temp" for k, value in enumerate(values)]
    files = {
        "wide": (rows_of(*rows, head="step,temp,fault"), {}),
        "long": (rows_of(*long, head="step,tag,value,fault"), {"long": ("step", "tag", "value")}),
        "flux": (rows_of(*flux, head=",result,table,_time,_value,_field"),
                 {"time_column": "_time"}),
    }  # fmt: skip
    for name, (text, options) in files.items():
        folder = folder_of(tmp_path / name, a__csv=text)
        found = TableSource(folder, label="auto", **options).load()
        assert found.values[0][0, -2:].tolist() == [7, 21.5]


def test_the_types_of_the_first_parquet_file_are_not_those_of_the_others(tmp_path):
    """duckdb reads 21.5 as 22 where the first file has whole numbers."""
    for name, values in (("a", [1, 2]), ("b", [21.5, 0.25])):
        frame = pl.DataFrame({"step": [0, 1], "temp": values, "fault": [name, name]})
        frame.write_parquet(tmp_path / f"{name}.parquet")
    found = TableSource(tmp_path).load()
    assert [values.tolist() for values in found.values] == [[[1, 2]], [[21.5, 0.25]]]


def _partitioned(folder, include_key, keys=("1", "1.5"), name="plant"):
    n = len(keys)
    frame = pl.DataFrame({"step": [0, 1] * n, "temp": [k * k + 0.5 for k in range(2 * n)]})
    values = [float(key) if key else None for key in keys for _ in range(2)]
    frame = frame.with_columns(pl.Series(name, values), fault=pl.lit("a"))
    frame.write_parquet(pl.PartitionBy(folder, key=name, include_key=include_key), mkdir=True)
    return folder


@pytest.mark.parametrize("include_key", [True, False])
@pytest.mark.parametrize("pattern", [None, "**/*.parquet"])
def test_a_key_is_the_same_whether_its_column_is_in_the_files_or_not(
    tmp_path, include_key, pattern
):
    """polars keeps the column, which pandas and pyarrow refuse; 1 beside 1.5 is 1.0 in polars."""
    folder = _partitioned(tmp_path / "x", include_key)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["plant=1.0", "plant=1.5"]
    found = TableSource(folder, pattern=pattern, plant_column="plant").load()
    assert found.plants == ("1", "1.5")
    assert found.channel_names == ("temp",)
    assert len(TableSource(folder, pattern=pattern, group_columns=("plant",)).load()) == 2


@pytest.mark.parametrize("pattern", [None, "**/*.csv"])
def test_a_key_of_dates_stays_text(tmp_path, pattern):
    """Libraries make Int64, dates or text of the values of keys."""
    rows = rows_of("0,1,a", "1,2,a", head="step,temp,fault")
    folder = folder_of(tmp_path, day_is_2024__01__02_in_a__csv=rows).joinpath("day=2024.01.02")
    folder.rename(tmp_path / "day=2024-01-02")
    (found,) = TableSource(tmp_path, pattern=pattern).load().groups
    assert found == "day=2024-01-02/a.csv/2024-01-02"


@pytest.mark.parametrize("role", ["label_column", "plant_column"])
def test_a_key_without_a_value_is_no_name(tmp_path, role):
    """A null partition is null in polars and unreadable in pandas."""
    rows = rows_of("0,1", "1,2", head="step,temp")
    for key in ("leak", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / f"x={key}").mkdir()
        (tmp_path / f"x={key}" / "a.csv").write_text(rows.replace("1,2", f"1,{len(key)}"))
    if role == "plant_column":
        with pytest.raises(SourceError, match=r"column 'x', data row 1: the cell is empty"):
            TableSource(tmp_path, plant_column="x", label="name").load()
        return
    with pytest.raises(SourceError, match="2 of 4 rows have no label, the cell is missing"):
        TableSource(tmp_path, label_column="x").load()
    found = TableSource(tmp_path, label_column="x", unlabelled="predict").load()
    assert sorted(found.labels, key=str) == [None, "leak"]


@pytest.mark.parametrize("name", ["_temporary/0/a.csv", ".a.csv.crc.csv", "_committed.csv"])
@pytest.mark.parametrize("pattern", [None, "**/*.csv"])
def test_files_of_an_unfinished_write_are_left_out_and_said(tmp_path, name, pattern):
    """polars and duckdb read them, so that rows come twice."""
    folder = folder_of(tmp_path, a__csv=rows_of("0,1,a", "1,2,a", head="step,temp,fault"))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(rows_of("0,5,a", "1,6,a", head="step,temp,fault"))
    facts = TableSource(folder, pattern=pattern).load().facts
    assert [file.name for file in facts.files] == ["a.csv"]
    # without a pattern only the folder itself is looked at
    said = [note for note in facts.notes if "begin with . or _ are left out" in note]
    assert bool(said) == (pattern is not None or "/" not in name)
    again = TableSource(folder, pattern=name).load()
    assert [values.tolist() for values in again.values] == [[[5, 6]]]


def test_yaml_makes_a_number_of_a_time_of_day():
    found = omegaconf().create("late: 22:00\nearly: 06:00\nday: 2024-01-02")
    assert (found.late, found.early, found.day) == (1320, "06:00", "2024-01-02")


def of_yaml(text):
    return omegaconf().to_container(omegaconf().create(text))


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("label_column: 22:00", "'data.label_column=\"22:00\"'"),
        ("plant_column: 9:30", "'data.plant_column=\"9:30\"'"),
        ("channels: [22:00, 06:00]", '\'data.channels=["22:00","06:00"]\''),
        ("exclude: [23:59]", "'data.exclude=[\"23:59\"]'"),
    ],
)
def test_a_number_where_a_text_is_meant_is_refused_with_the_quotes_shown(option, told):
    with pytest.raises(ConfigError) as caught:
        TableSource("x", **of_yaml(option))
    assert str(caught.value).endswith(
        f"texts; YAML makes such a number of a time of day that has no quotes; type {told}"
    )
    # the number itself is none of these, and is refused without
    with pytest.raises(ConfigError) as caught:
        TableSource("x", **of_yaml(option.partition(":")[0] + ": 7"))
    assert "YAML" not in str(caught.value)


_SHIFTS = ["22:00", "06:00"] * 8
SHIFTS = rows_of(
    *(f"{k},{k * k % 7},{shift},{'ab'[k // 2 % 2]}" for k, shift in enumerate(_SHIFTS)),
    head="step,temp,shift,fault",
)


def test_a_value_of_the_working_column_that_yaml_has_changed(tmp_path):
    folder = folder_of(tmp_path, a__csv=SHIFTS)
    options = {"working_column": "shift", "window_size": 2, "max_gap": 3}
    with pytest.raises(SourceError) as caught:
        TableSource(folder, **of_yaml("working_value: 22:00"), **options).load()
    assert (
        "has shift=1320, which YAML makes of 22:00 without quotes (there: 06:00, 22:00); type "
        "'data.working_value=\"22:00\"' or data.working_column=null"
    ) in str(caught.value)
    assert sum(TableSource(folder, working_value="22:00", **options).load().lengths) == 8
    with pytest.raises(SourceError) as caught:
        TableSource(folder, working_value=1319, **options).load()
    assert "YAML" not in str(caught.value)


def test_a_group_whose_name_yaml_has_changed(tmp_path):
    folder = folder_of(tmp_path, a__csv=SHIFTS)
    series = TableSource(folder, group_columns=("shift",), window_size=2).load()
    for given, told in (("22:00", ", which YAML makes of 22:00 without quotes"), ("7", "")):
        names = of_yaml(f"test_groups: [{given}]")["test_groups"]
        with pytest.raises(SplitError) as caught:
            split_series(series, SplitSettings("group", test_groups=names), 0)
        message = str(caught.value)
        assert f"(data.split.test_groups){told}; there are: " in message
        assert message.endswith("type 'data.split.test_groups=[\"22:00\"]'")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_groups_without_a_name_are_one_group_and_labels_without_one_no_class(tmp_path, kind):
    """NaN among float groups is a group for itself in polars; sktime takes NaN as a class."""
    frame = pl.DataFrame(
        {
            "step": [0, 1, 2, 3, 4, 5],
            "temp": [1, 2, 4, 8, 16, 32],
            "run": [1.0, 1.0, None, None, float("nan"), float("nan")],
            "fault": [1.0, 1.0, 1.0, 1.0, float("nan"), None],
        }
    )
    write = {"csv": frame.write_csv, "parquet": frame.write_parquet}[kind]
    write(tmp_path / f"a.{kind}")
    found = TableSource(tmp_path, unlabelled="predict").load()
    assert found.groups == (f"a.{kind}/1", f"a.{kind}/?", f"a.{kind}/?")
    assert found.labels == ("1", "1", None)
