import csv

import numpy as np
import pytest

from dualgaf import ArraySource, DualGAFDataModule
from dualgaf.inference.predictions import write_predictions


def table(path, split, probabilities):
    x = np.random.default_rng(0).normal(size=(4, 1, 8))
    y = ["hot", "cold"] * 2
    dm = DualGAFDataModule(
        ArraySource(train=(x, y), test=(x[:3], y[:3]), predict=x[:2], overlap="allow")
    )
    write_predictions(path, dm, np.array(probabilities), split=split)
    with path.open() as file:
        return list(csv.reader(file))


HEAD = ["window", "group", "start_time", "label", "class", "p(cold)", "p(hot)"]


def test_a_line_a_window_with_class_and_probabilities(tmp_path):
    found = table(tmp_path / "new" / "predictions.csv", "predict", [[0.9, 0.1], [0.25, 0.75]])
    assert found == [
        HEAD,
        ["0", "predict/0", "", "", "cold", "0.900000", "0.100000"],
        ["1", "predict/1", "", "", "hot", "0.250000", "0.750000"],
    ]


def test_known_labels_stand_beside_and_a_test_that_was_cut_short_has_fewer_lines(tmp_path):
    found = table(tmp_path / "test.csv", "test", [[0.9, 0.1], [0.6, 0.4]])
    assert found == [
        HEAD,
        ["0", "test/0", "", "hot", "cold", "0.900000", "0.100000"],
        ["1", "test/1", "", "cold", "cold", "0.600000", "0.400000"],
    ]


def test_more_probabilities_than_windows_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        table(tmp_path / "test.csv", "test", np.full((4, 2), 0.5))
