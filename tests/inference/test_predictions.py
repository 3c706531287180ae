import csv

import numpy as np
import polars as pl
import pytest

from dualgaf import ArraySource, DualGAFDataModule, Prediction, TableSource
from dualgaf.data.calibration import Calibration
from dualgaf.inference.predictions import write_predictions
from trained import plant_table


def table(path, split, probabilities):
    x = np.random.default_rng(0).normal(size=(4, 1, 8))
    y = ["hot", "cold"] * 2
    dm = DualGAFDataModule(
        ArraySource(train=(x, y), test=(x[:3], y[:3]), predict=x[:2], overlap="allow")
    )
    write_predictions(path, Prediction.of_split(dm, np.array(probabilities), split=split))
    with path.open() as file:
        return list(csv.reader(file))


HEAD = ["window", "source", "group", "start", "end"]
NOT_TOLD = ["", "", ""]
SCORES = ["predicted", "probability", "p_cold", "p_hot", "set", "novelty", "unlike"]


def test_a_line_a_window_with_class_and_probabilities(tmp_path):
    found = table(tmp_path / "new" / "predictions.csv", "predict", [[0.9, 0.1], [0.25, 0.75]])
    assert found == [
        [*HEAD, *SCORES],
        [
            "0",
            "predict",
            "predict/0",
            "",
            "",
            "cold",
            "0.900000",
            "0.900000",
            "0.100000",
            "",
            "",
            "",
        ],
        [
            "1",
            "predict",
            "predict/1",
            "",
            "",
            "hot",
            "0.750000",
            "0.250000",
            "0.750000",
            "",
            "",
            "",
        ],
    ]


def test_known_labels_stand_beside_and_a_test_that_was_cut_short_has_fewer_lines(tmp_path):
    found = table(tmp_path / "test.csv", "test", [[0.9, 0.1], [0.6, 0.4]])
    assert found == [
        [*HEAD, "label", *SCORES],
        [
            "0",
            "test",
            "test/0",
            "",
            "",
            "hot",
            "cold",
            "0.900000",
            "0.900000",
            "0.100000",
            "",
            "",
            "",
        ],
        [
            "1",
            "test",
            "test/1",
            "",
            "",
            "cold",
            "cold",
            "0.600000",
            "0.600000",
            "0.400000",
            "",
            "",
            "",
        ],
    ]


def test_the_set_of_a_window_begins_with_its_class(tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 1, 8))
    y = ["hot", "cold"] * 2
    dm = DualGAFDataModule(ArraySource(train=(x, y), test=(x, y), overlap="allow"))
    held_out = np.tile([0.7, 0.3], (9, 1))
    calibration = Calibration.of(held_out, np.array([0] * 8 + [1]), list("abcdefghi"))
    limit = calibration.scores.max()
    p = np.array([[0.9, 0.1], [1 - limit, limit], [0.5, 0.5], [0.1, 0.9]])
    found = Prediction.of_split(dm, p, split="test", calibration=calibration)
    write_predictions(tmp_path / "test.csv", found)
    told = [row["set"] for row in csv.DictReader((tmp_path / "test.csv").read_text().splitlines())]
    assert told == list(found.set) == ["cold", "hot; cold", "cold; hot", "hot"]


def test_more_probabilities_than_windows_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="4 probabilities of 3 test windows"):
        table(tmp_path / "test.csv", "test", np.full((4, 2), 0.5))


@pytest.mark.parametrize("method", ["group", "time", "within", "stratified"])
@pytest.mark.parametrize("stride", [5, 12])
def test_start_and_end_are_those_of_the_window_by_every_split(tmp_path, method, stride):
    # Half a second into each minute, so that microseconds are seen.
    text = plant_table(12, columns=("time", "temp", "fault")).replace(":00,", ":00:00.500000,")
    (tmp_path / "a.csv").write_text(text)
    split = {"method": method, "val_fraction": 0.25, "test_fraction": 0.25}
    dm = DualGAFDataModule(TableSource(tmp_path, window_size=6, stride=stride, split=split))
    rows = dm.windows.indices["test"]
    found = Prediction.of_split(dm, np.full((len(rows), 2), 0.5), split="test")
    write_predictions(tmp_path / "test.csv", found)
    measured = {
        row["time"].replace(" ", "T"): (float(row["temp"]), row["fault"])
        for row in csv.DictReader(text.splitlines())
    }
    stamps = list(measured)
    windows = dm.windows.windows.take(rows)[:, 0]
    written = list(csv.DictReader((tmp_path / "test.csv").read_text().splitlines()))
    assert len(written) == len(rows) > 3
    for row, values in zip(written, windows, strict=True):
        first = stamps.index(row["start"])
        own = stamps[first : first + 6]
        assert own[-1] == row["end"]
        assert [measured[stamp][0] for stamp in own] == values.tolist()
        assert {measured[stamp][1] for stamp in own} == {row["label"]}
        assert row["source"] == "a.csv"


def test_a_frame_has_the_columns_of_the_table_with_times_as_dates():
    start = np.array(["2020-01-01T00:00", "2020-01-01T01:00"], dtype="datetime64[us]")
    found = Prediction.of_arrays(
        ("a", "b"), np.array([[0.9, 0.1], [0.2, 0.8]]), start=start, end=start, label=("a", None)
    ).frame()
    assert found["start"].dtype == pl.Datetime("us")
    assert found["label"].to_list() == ["a", None]
    assert found["predicted"].to_list() == ["a", "b"]
    assert found["probability"].to_list() == [0.9, 0.8]
