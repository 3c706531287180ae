"""Random folders, read by us and row by row with the csv module: windows, classes, times."""

import random
from datetime import datetime, timedelta

import numpy as np
import pytest

from dualgaf.data.windowed import read_windows
from dualgaf.series.series import clock_text
from dualgaf.series.splits import SplitSettings
from dualgaf.series.tables.source import TableSource
from oracles import tables

FOLDERS = 60


def _write(folder, seed):
    """Files with gaps, classes that change, rows out of order, days that are too short."""
    rng = random.Random(seed)
    sensors = [f"s{k}" for k in range(rng.randint(1, 4))]
    step = timedelta(seconds=rng.choice([1, 30, 60, 300]))
    time = datetime(2020, 1, 1, rng.randint(0, 23))
    for number in range(rng.randint(2, 4)):
        rows = []
        label = rng.choice("abc")
        for _ in range(rng.randint(30, 200)):
            time += step * (rng.randint(3, 4000) if rng.random() < 0.04 else 1)
            label = rng.choice("abc") if rng.random() < 0.03 else label
            cells = [f"{rng.uniform(-5, 5):.3f}" for _ in sensors]
            rows.append([time.strftime(tables.FORMAT), *cells, label])
        if rng.random() < 0.5:
            rng.shuffle(rows)
        header = ["datetime", *sensors, "fault"]
        text = "\n".join(",".join(row) for row in [header, *rows])
        (folder / f"{number}.csv").write_text(text + "\n" * rng.randint(0, 2))
    return rng.randint(2, 9), rng.randint(1, 4)


@pytest.mark.parametrize("seed", range(FOLDERS))
def test_windows_are_those_of_an_independent_reader(tmp_path, seed):
    steps, stride = _write(tmp_path, seed)
    expected = tables.windows(tmp_path, steps, stride)
    split = SplitSettings("stratified", val_fraction=0, test_fraction=0)
    source = TableSource(tmp_path, window_size=steps, stride=stride, split=split)
    found = read_windows(source, seed=0)
    assert found.start_times is not None
    assert found.end_times is not None
    blocks = found.windows.block(0, len(found.windows))
    ours = sorted(
        (
            found.groups[k].split("/")[0],
            found.class_names[found.labels[k]],
            clock_text(found.start_times[k]).replace("T", " "),
            clock_text(found.end_times[k]).replace("T", " "),
            blocks[k].tolist(),
        )
        for k in range(len(blocks))
    )
    assert len(ours) > 0
    assert ours == expected
    np.testing.assert_array_equal([window[4] for window in ours], [w[4] for w in expected])
