import csv

import numpy as np

from dualgaf import ArraySource, DualGAFDataModule
from dualgaf.predictions import write_predictions


def test_a_line_a_window_with_class_and_probabilities(tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 1, 8))
    dm = DualGAFDataModule(ArraySource(train=(x, ["hot", "cold"] * 2), predict=x[:2]))
    path = tmp_path / "new" / "predictions.csv"
    write_predictions(path, dm, np.array([[0.9, 0.1], [0.25, 0.75]]))
    with path.open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["window", "group", "start_time", "class", "p(cold)", "p(hot)"],
        ["0", "predict/0", "", "cold", "0.900000", "0.100000"],
        ["1", "predict/1", "", "hot", "0.250000", "0.750000"],
    ]
