"""Scaling of each plant by itself: the numbers, the checkpoint, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dualgaf.data.compatibility import check_windows
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.plants import plant_scalers, scaled_by_plant
from dualgaf.data.windowed import read_windows
from dualgaf.data.windows_cache import cached_windows
from dualgaf.errors import OtherDataError, SplitError
from dualgaf.inference.metadata import about
from dualgaf.series.series import SeriesSet
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.source import TableSource

OFFSET = {"north": 0.0, "south": 1000.0}


def source_of(folder, scale_by="plant", offset=OFFSET):
    """Two plants, eight days each; south is north ten times as large and 1000 above it."""
    rng = np.random.default_rng(0)
    lines = ["time,plant,temp,flow,fault"]
    for day in range(8):
        values = rng.normal(size=(6, 2)).round(3) + day % 2
        for plant, by in offset.items():
            for hour, (temp, flow) in enumerate(values * (10 if by else 1) + by):
                cells = f"2024-03-{day + 1:02d} {hour:02d}:00,{plant},{temp},{flow}"
                lines.append(f"{cells},{'ab'[day % 2]}")
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    return TableSource(folder, window_size=3, plant_column="plant", scale_by=scale_by)


def test_each_plant_is_standardised_by_its_own_training_rows():
    train = replace(
        SeriesSet.from_arrays(np.array([[[1.0, 3.0]], [[10.0, 30.0]], [[5.0, 7.0]]])),
        plants=("north", "south", "north"),
    )
    scalers = plant_scalers(train)
    # by hand: north has 1, 3, 5, 7 and south 10, 30
    assert scalers["north"].mean.tolist() == [4.0]
    assert scalers["north"].std.tolist() == [np.sqrt(5.0)]
    assert (scalers["south"].mean.tolist(), scalers["south"].std.tolist()) == ([20.0], [10.0])
    test = replace(SeriesSet.from_arrays(np.array([[[20.0, 40.0]]])), plants=("south",))
    assert scaled_by_plant(test, scalers, "test").values[0].tolist() == [[0.0, 2.0]]


def test_plants_that_differ_in_offset_and_gain_alone_become_equal(tmp_path):
    windowed = read_windows(source_of(tmp_path), seed=0)
    plant = np.array([group.split("/")[1] for group in windowed.groups])
    days = {
        name: {g.split("/")[2]: g for g in np.array(windowed.groups)[plant == name]}
        for name in OFFSET
    }
    train = np.array(windowed.groups)[windowed.indices["train"]]
    for name, own in windowed.plants.items():
        rows = [k for k in windowed.indices["train"] if plant[k] == name]
        values = windowed.windows.take(np.array(rows))
        np.testing.assert_allclose(values.mean(axis=(0, 2)), 0, atol=1e-9)
        np.testing.assert_allclose(values.std(axis=(0, 2)), 1, atol=1e-9)
        assert (own.mean > 500).all() == (name == "south")
    assert {group.split("/")[1] for group in train} == set(days)
    plain = read_windows(source_of(tmp_path, scale_by="all"), seed=0)
    assert plain.plants is None
    assert plain.windows.flat.max() > 1000
    # nothing but the values is another
    assert plain.groups == windowed.groups
    np.testing.assert_array_equal(plain.labels, windowed.labels)


def test_what_is_tested_changes_nothing_of_the_scaling(tmp_path):
    source = source_of(tmp_path)
    before = read_windows(source, seed=0)
    text = (tmp_path / "a.csv").read_text().splitlines()
    of_test = {before.groups[k].split("/", 1)[1] for k in before.indices["test"]}
    changed = [
        f"{time},{plant},99,{','.join(rest)}" if f"{plant}/{time[:10]}" in of_test else line
        for line in text
        for time, plant, _, *rest in [line.split(",")]
    ]
    assert changed != text
    (tmp_path / "a.csv").write_text("\n".join(changed) + "\n")
    after = read_windows(source, seed=0)
    for name in OFFSET:
        np.testing.assert_array_equal(before.plants[name].mean, after.plants[name].mean)
        np.testing.assert_array_equal(before.plants[name].std, after.plants[name].std)
    assert before.digest == after.digest


def test_a_plant_without_training_rows_is_refused_by_name(tmp_path):
    split = SplitSettings("plant", val_fraction=0, test_groups=["south"])
    source = replace(source_of(tmp_path), split=split)
    with pytest.raises(SplitError) as caught:
        read_windows(source, seed=0)
    assert str(caught.value) == (
        "plant 'south' has 48 rows in test and none in train, so there is nothing that "
        "data.scale_by=plant could scale it by; type data.scale_by=all, or "
        "data.split.method=within for rows of each plant in train"
    )
    assert read_windows(replace(source, scale_by="all"), seed=0).plants is None
    within = replace(source, group_columns=None, split=SplitSettings("within"))
    assert set(read_windows(within, 0).plants) == set(OFFSET)


def test_the_scaling_is_in_the_checkpoint_and_in_the_cache(tmp_path):
    folder = tmp_path / "plant"
    folder.mkdir()
    data = DualGAFDataModule(source_of(folder), seed=0)
    data.imaging_state()
    file = tmp_path / "state.pt"
    torch.save(data.state_dict()["imaging"], file)
    stored = ImagingState.from_plain(torch.load(file, weights_only=True))
    kept = cached_windows(data.source, 0, tmp_path / "cache")
    again = cached_windows(data.source, 0, tmp_path / "cache")
    assert kept.file == again.file
    for found in (stored.plants, again.plants):
        assert list(found) == list(data.windows.plants) == ["north", "south"]
        for name, own in data.windows.plants.items():
            np.testing.assert_array_equal(found[name].mean, own.mean)
            np.testing.assert_array_equal(found[name].std, own.std)
    assert stored.facts.source["scale_by"] == "plant"
    assert stored.facts.source["plant_column"] == "plant"
    # values are deviations now, in no unit
    assert stored.facts.units == (None, None)


def test_a_checkpoint_is_compared_with_data_that_are_scaled_in_another_way(tmp_path):
    by_plant = DualGAFDataModule(source_of(tmp_path), seed=0)
    by_all = DualGAFDataModule(source_of(tmp_path, scale_by="all"), seed=0)
    check_windows(by_plant.imaging_state(), by_plant)
    for trained, data, told in (
        (by_plant, by_all, "was trained with scale_by=plant, the data have scale_by=all; type"),
        (by_all, by_plant, "was trained with scale_by=all, the data have scale_by=plant; type"),
    ):
        with pytest.raises(OtherDataError, match=told):
            check_windows(trained.imaging_state(), data)


def test_an_export_says_what_its_windows_are_scaled_by(tmp_path):
    found = about(DualGAFDataModule(source_of(tmp_path), seed=0).imaging_state())
    assert "(value - mean) / std of its channel and its plant" in found["takes"]
    assert list(found["plants"]) == ["north", "south"]
    assert len(found["plants"]["south"]["mean"]) == 2
    plain = about(DualGAFDataModule(source_of(tmp_path, scale_by="all"), seed=0).imaging_state())
    assert plain["takes"].endswith("raw windows")
    assert plain["plants"] is None
