"""Several plants in one folder: groups, splits and copies never mix them."""

import json
from dataclasses import replace

import pytest

from dualgaf.data.inspection import inspect_source
from dualgaf.errors import ConfigError, SourceError, SplitError
from dualgaf.series.splits import SplitSettings, split_series
from dualgaf.series.tables.source import TableSource
from table_folders import folder_of, rows_of

HEAD = "time,plant,temp,fault"
PLANTS = ("north", "south", "west", "east")


def day(plant, day=1, first=0, label="a", n=4):
    """Rows of a plant: an hour apart, so that plants stand at the same times."""
    return [f"2024-03-{day:02d} {k:02d}:00,{plant},{first + k},{label}" for k in range(n)]


def both(*plants, days=2):
    """Each plant has a day of each class; rows of one time stand together."""
    rows = [
        row
        for number, plant in enumerate(plants)
        for k in range(days)
        for row in day(plant, k + 1, 10 * number, "ab"[k % 2])
    ]
    return sorted(rows)


def test_rows_of_two_plants_at_one_time_are_two_groups(tmp_path):
    folder = folder_of(tmp_path, a__csv=rows_of(*both("north", "south"), head=HEAD))
    with pytest.raises(SourceError, match="comes twice in group"):
        TableSource(folder, window_size=4).load()
    found = TableSource(folder, window_size=4, plant_column="plant").load()
    assert found.groups == (
        "a.csv/north/2024-03-01",
        "a.csv/south/2024-03-01",
        "a.csv/north/2024-03-02",
        "a.csv/south/2024-03-02",
    )
    assert found.plants == ("north", "south", "north", "south")
    assert found.values[1].tolist() == [[10, 11, 12, 13]]
    assert found.facts.plants == {"north": 8, "south": 8}


def test_a_series_ends_where_the_plant_changes_whatever_the_groups_are(tmp_path):
    rows = [f"{k},{'north' if k < 4 else 'south'},{k * k % 7},a" for k in range(8)]
    folder = folder_of(tmp_path, a__csv=rows_of(*rows, head="step,plant,temp,fault"))
    options = {"window_size": 4, "exclude": ("plant",), "group_columns": None}
    assert TableSource(folder, **options).load().lengths == (8,)
    found = TableSource(folder, **options | {"exclude": ()}, plant_column="plant").load()
    assert found.lengths == (4, 4)


def test_the_key_of_a_folder_may_be_the_plant(tmp_path):
    rows = [row.replace(",north", "") for row in both("north")]
    files = {f"plant_is_{name}_in_a__csv": rows_of(*rows) for name in ("7", "08")}
    found = TableSource(folder_of(tmp_path, **files), window_size=4, plant_column="plant").load()
    assert set(found.plants) == {"7", "8"}
    assert found.channel_names == ("temp",)


def test_the_plant_of_a_row_a_value(tmp_path):
    rows = [
        f"{time},{plant},{tag},{value},{label}"
        for row in both("north", "south")
        for time, plant, value, label in [row.split(",")]
        for tag in ("temp", "flow")
    ]
    folder = folder_of(tmp_path, a__csv=rows_of(*rows, head="time,plant,tag,value,fault"))
    long = ("time", "tag", "value")
    found = TableSource(folder, window_size=4, plant_column="plant", long=long).load()
    assert (len(found), found.channel_names) == (4, ("temp", "flow"))


@pytest.mark.parametrize("named", [True, False])
def test_plants_that_are_alike_are_no_copies(tmp_path, caplog, named):
    """Two plants that stand still have the same values at the same times."""
    files = {
        f"{name}__csv": rows_of(*(r.replace(name, "PLANT") for r in both(name)), head=HEAD)
        for name in ("north", "south")
    }
    files["south__csv"] = files["north__csv"]
    if named:
        files = {name: text.replace("PLANT", name[:5]) for name, text in files.items()}
    found = TableSource(folder_of(tmp_path, **files), window_size=4, plant_column="plant").load()
    assert len(found) == (4 if named else 2)
    assert ("has the same rows" in caplog.text) is not named


def test_plants_with_other_values_at_one_time_are_no_conflict(tmp_path):
    one = rows_of(*(row for k in (1, 2) for row in day("north", k)), head=HEAD)
    two = rows_of(*(row for k in (2, 3) for row in day("south", k, 50)), head=HEAD)
    options = {"window_size": 4, "plant_column": "plant"}
    assert len(TableSource(folder_of(tmp_path, a__csv=one, b__csv=two), **options).load()) == 4
    again = two.replace("south", "north")
    with pytest.raises(SourceError, match="have other values at the same time"):
        TableSource(folder_of(tmp_path, a__csv=one, b__csv=again), **options).load()


def test_each_plant_has_its_own_autumn_hour(tmp_path):
    """Two plants have one row each at 02:00: that is no hour that comes twice."""
    times = ["00:00", "01:00", "02:00", "02:00", "03:00"]
    rows = [f"2024-10-27 {t},{p},{k + n},a" for k, t in enumerate(times)
            for n, p in enumerate(("north", "south"))]  # fmt: skip
    options = {"window_size": 5, "plant_column": "plant", "time_zone": "Europe/Berlin"}
    found = TableSource(folder_of(tmp_path, a__csv=rows_of(*rows, head=HEAD)), **options).load()
    assert found.lengths == (5, 5)
    assert found.values[1].tolist() == [[1, 2, 3, 4, 5]]
    rows = [row for row in rows if not row.startswith("2024-10-27 02:00,north,3")]
    with pytest.raises(SourceError, match="02:00:00 comes twice in Europe/Berlin"):
        TableSource(folder_of(tmp_path, a__csv=rows_of(*rows, head=HEAD)), **options).load()


def test_steps_are_those_of_each_plant(tmp_path):
    folder = folder_of(tmp_path, a__csv=rows_of(*both("north", "south"), head=HEAD))
    found = TableSource(folder, window_size=2, plant_column="plant", step="2h").load()
    assert found.values[0].tolist() == [[0.5, 2.5]]
    assert found.plants == ("north", "south", "north", "south")


def test_whole_plants_are_left_out(tmp_path):
    folder = folder_of(tmp_path, a__csv=rows_of(*both(*PLANTS), head=HEAD))
    series = TableSource(folder, window_size=4, plant_column="plant").load()
    seen = set()
    for seed in range(6):
        splits = split_series(series, SplitSettings("plant"), seed)
        plants = {name: set(part.plants) for name, part in splits.items()}
        assert {name: len(own) for name, own in plants.items()} == {"train": 2, "val": 1, "test": 1}
        assert set.union(*plants.values()) == set(PLANTS)
        seen |= plants["test"]
    assert len(seen) > 1
    splits = split_series(series, SplitSettings("plant", test_groups=["west"]), 0)
    assert set(splits["test"].plants) == {"west"}
    # whole groups do not leave plants out
    splits = [split_series(series, SplitSettings("group"), seed) for seed in range(6)]
    assert any(set(own["train"].plants) & set(own["test"].plants) for own in splits)


@pytest.mark.parametrize(
    ("plants", "column", "settings", "told"),
    [
        (PLANTS, None, {}, "data.split.method=plant leaves plants out, and "),
        (PLANTS[:2], "plant", {}, "has 2 plant(s) (north, south) for 3 splits (train, val, test); "
         "type data.split.method=within or data.split.method=group, or data.split.val_fraction=0"),
        (PLANTS, "plant", {"test_groups": ["wst"]},
         "no group is called 'wst' (data.split.test_groups); there are: west, "),
    ],
)  # fmt: skip
def test_plants_that_cannot_be_left_out(tmp_path, plants, column, settings, told):
    groups = ("plant",) if column is None else ()
    folder = folder_of(tmp_path, a__csv=rows_of(*both(*plants), head=HEAD))
    source = TableSource(folder, window_size=4, plant_column=column, group_columns=groups)
    with pytest.raises(SplitError) as caught:
        split_series(source.load(), SplitSettings("plant", **settings), 0)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"plant_column": 3}, "data.plant_column=3 is not allowed; allowed: a text, or null; type"),
        ({"scale_by": "site"}, "data.scale_by='site' is not known; allowed: all, plant; type data"),
        (
            {"scale_by": "plant"},
            "data.scale_by=plant, and no column says which plant a row is of; ",
        ),
    ],
)
def test_settings_of_plants_fail_at_construction(fields, told):
    with pytest.raises(ConfigError) as caught:
        TableSource("x", **fields)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (rows_of("2024-03-01 00:00,,1,a", *both("north"), head=HEAD),
         "a.csv, column 'plant', data row 1: the cell is empty, and a row is of one plant; write"),
        (rows_of(*both("north"), head=HEAD.replace("plant", "site")),
         "a.csv has no column 'plant' (data.plant_column); it has: time, site, temp, fault; type"),
    ],
)  # fmt: skip
def test_a_row_without_a_plant(tmp_path, text, told):
    with pytest.raises(SourceError) as caught:
        TableSource(folder_of(tmp_path, a__csv=text), window_size=4, plant_column="plant").load()
    assert str(caught.value).startswith(told)


def test_inspect_shows_the_plants(tmp_path):
    folder = folder_of(tmp_path, a__csv=rows_of(*both(*PLANTS[:2], days=6), head=HEAD))
    source = TableSource(folder, window_size=2, plant_column="plant", scale_by="plant",
                         split=SplitSettings("group"))  # fmt: skip
    found = inspect_source(source, seed=0)
    told = json.loads(json.dumps(found.as_json()))
    assert told["problems"] == []
    assert (told["plant_column"], told["scale_by"]) == ("plant", "plant")
    assert told["plants"] == {"north": 24, "south": 24}
    assert (
        "plants   2 (column 'plant'): north 24 rows, south 24 rows; each is scaled by its own "
        "training rows"
    ) in str(found)
    plain = inspect_source(TableSource(folder, window_size=2, plant_column="plant"), seed=0)
    assert "south 24 rows\n" in str(plain)
    out = replace(source, split=SplitSettings("plant", test_groups=["north"], val_fraction=0))
    (problem,) = inspect_source(out, seed=0).problems
    assert problem.what.startswith("plant 'north' has 24 rows in test and none in train, so")
    assert problem.type_this.startswith("data.scale_by=all")
