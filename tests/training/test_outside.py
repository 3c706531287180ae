import csv
import json
import logging

import numpy as np

from dualgaf import DualGAFDataModule
from dualgaf.training.outside import outside_training
from dualgaf.training.report import Outcome, write_outcome
from dualgaf.training.unlike import unlike_training


def data(**settings):
    """Two channels; in two of three test windows the second one leaves the training range."""
    x = np.random.default_rng(0).uniform(-1, 1, size=(9, 2, 12))
    x[0, :, :2] = -1.0, 1.0
    later = 0.8 * x[1:4]
    later[:2, 1, 3:5] = 7.0
    y = np.arange(9) % 3
    return DualGAFDataModule.from_arrays(
        (x, y), val=(0.9 * x, y), test=(later, y[:3]), image_size=12, **settings
    )


def test_a_run_names_the_channels_that_leave_the_training_range(tmp_path, caplog):
    dm = data(scaling="train")
    with caplog.at_level(logging.INFO):
        write_outcome(tmp_path, dm, Outcome({"test/acc": 0.5}, outside=outside_training(dm)))
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "test/acc": 0.5,
        "val/outside_windows": 0,
        "val/outside_channels": "none",
        "test/outside_windows": 2,
        "test/outside_channels": "channel_1 2",
    }
    with (tmp_path / "outside.csv").open() as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert sorted(rows) == [
        ("test", "channel_0", "3", "0", "0", "0"),
        ("test", "channel_1", "3", "2", "4", "4"),
        ("val", "channel_0", "9", "0", "0", "0"),
        ("val", "channel_1", "9", "0", "0", "0"),
    ]
    assert "test channel_1: 2 of 3 windows, 4 values (4 clipped)" in caplog.text
    assert "channel_0:" not in caplog.text


def test_a_window_that_is_scaled_by_itself_has_nothing_outside(tmp_path):
    dm = data(scaling="window")
    write_outcome(tmp_path, dm, Outcome({"test/acc": 0.5}, outside=outside_training(dm)))
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"test/acc": 0.5}
    assert not (tmp_path / "outside.csv").exists()


def test_a_run_counts_windows_that_are_unlike_the_training_by_channel(tmp_path, caplog):
    for scaling in ("train", "window"):
        dm = data(scaling=scaling)
        outcome = Outcome({}, np.eye(3)[[0, 1, 2]], unlike=unlike_training(dm))
        with caplog.at_level(logging.INFO):
            write_outcome(tmp_path, dm, outcome)
        assert json.loads((tmp_path / "metrics.json").read_text()) == {
            "val/unlike_windows": 0,
            "val/unlike_channels": "none",
            "test/unlike_windows": 2,
            "test/unlike_channels": "channel_1 2",
        }
        lines = (tmp_path / "unlike.csv").read_text().splitlines()
        low, high = (end(dm.windows.windows.take(dm.windows.indices["train"])) for end in ENDS)
        assert f"test,channel_1,3,2,{low:.9g},{high:.9g}" in lines
        assert len(lines) == 1 + 4
        assert "test channel_1: 2 of 3 windows" in caplog.text
        rows = list(csv.DictReader((tmp_path / "test_predictions.csv").read_text().splitlines()))
        told = [row["unlike"] for row in rows]
        assert told == [f"channel_1: 7.00, training {low:.2f} to {high:.2f}"] * 2 + [""]


ENDS = (lambda x: x[:, 1].min(), lambda x: x[:, 1].max())
