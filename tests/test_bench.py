import re

import numpy as np
import pytest

from dualgaf.bench import BenchSize, _draw_with_pyts, _random_windows, run_bench
from dualgaf.errors import ConfigError
from dualgaf.imaging.gaf import dual_gaf


def test_the_table_has_a_row_a_side_and_consistent_figures():
    told = []
    text = run_bench(BenchSize(20, 2, 16, repeats=2), told.append)
    assert told == ["repeat 0 of 2 (not counted)", "repeat 1 of 2", "repeat 2 of 2"]
    rows = re.findall(r"^(\S.*?) +([\d.]+) +(\d+) +([\d.]+) +([\d.]+)$", text, re.MULTILINE)
    names = [row[0] for row in rows]
    assert [name.split(",")[0].split(":")[0] for name in names] == [
        "limit",
        "threads",
        "threads",
        "processes",
        "pyts in blocks",
    ]
    for name, seconds, rate, _, ratio in rows:
        drawn = 2 if name.startswith("pyts") else 20
        assert float(rate) == pytest.approx(drawn / float(seconds), rel=0.2)
        assert float(ratio) == pytest.approx(float(rate) / float(rows[-1][2]), rel=0.2, abs=0.1)
    assert "huge pages" in text


def test_both_sides_of_the_comparison_draw_the_same():
    windows = _random_windows(BenchSize(10, 2, 12))
    gasf, gadf = _draw_with_pyts(windows, 4)
    ours = dual_gaf(windows.block(0, 4), dtype="uint8")
    for theirs, field in ((gasf, 0), (gadf, 1)):
        step = np.abs(theirs.reshape(4, 2, 12, 12).astype(int) - ours[:, field].astype(int))
        assert step.max() <= 1  # float64 against float32 at the border of two levels


def test_a_size_that_is_too_small_is_named():
    with pytest.raises(ConfigError, match="--n-windows 5 is too small; allowed: 10 and more"):
        BenchSize(n_windows=5)
