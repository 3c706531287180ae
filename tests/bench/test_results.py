import json

import pytest

from dualgaf.bench.results import Result, cell, text_table
from dualgaf.bench.runner import Reading

SIZE = {
    "n_windows": 100,
    "n_channels": 2,
    "window_size": 16,
    "repeats": 3,
    "earlier_repeats": None,
    "memory": "4GiB",
}


def result_of(rows=({"side": "a", "seconds": 1.0},), suite="build", **ratios):
    return Result(suite, SIZE, Reading(list(rows), ratios, ["a note"]), {"a": [2.0, 1.0]})


def test_a_saved_result_tells_the_same(tmp_path):
    result = result_of(speed=2.5)
    path = tmp_path / "new" / "build.json"
    result.save(path)
    assert str(Result.load(path)) == str(result)
    assert Result.load(path) == result
    told = json.loads(path.read_text())
    assert told["seconds"] == {"a": [2.0, 1.0]}
    for name in ("thp", "shmem_thp", "cpus", "headroom", "kernel"):
        assert told["machine"][name]
    assert told["machine"]["versions"]["numpy"]
    assert [path.name for path in path.parent.iterdir()] == ["build.json"]


def test_the_text_has_machine_size_rows_and_notes():
    text = str(result_of())
    assert "huge pages  private " in text
    assert "100 windows of 16 steps, 2 channels; medians, repeats=3" in text
    assert "side  seconds\na           1\n" in text
    assert text.endswith("a note")


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [{"name": "short", "n": 1.0}, {"name": "a longer one", "n": 12345.6}]
    assert text_table(rows).splitlines() == [
        "name              n",
        "short             1",
        "a longer one  12346",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000123456, "0.0001235"), (12.3456, "12.35"), (1234.5, "1234"), (None, "-"), (7, "7")],
)
def test_cells(value, text):
    assert cell(value) == text
