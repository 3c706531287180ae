import json

import matplotlib.image
import pytest

from dualgaf.bench.plots import draw
from dualgaf.bench.ratios import dropped_ratios, kept_ratios, update_ratios
from dualgaf.bench.results import Result, cell, text_table
from dualgaf.bench.runner import BenchSize, Reading
from dualgaf.errors import ConfigError

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
    assert [path.name for path in path.parent.iterdir()] == ["build.json"]  # it has no plot


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


@pytest.mark.parametrize("suite", ["scaling", "sweep"])
def test_a_plot_lies_beside_the_result(suite, tmp_path):
    rows = {
        "scaling": [
            {"varied": "N", "memory": memory, "GB": gb, "seconds": gb / 10}
            for memory in ("private", "shared")
            for gb in (0.1, 1.0)
        ],
        "sweep": [
            {"memory": memory, "chunk_size": chunk, "n_jobs": n_jobs, "seconds": 0.5}
            for memory in ("private", "shared")
            for chunk, n_jobs in ((10, 1), (50, 1), (10, 2), (50, 2), ("auto", -1))
        ],
    }[suite]
    result = result_of(rows, suite)
    result.save(tmp_path / "result.json")
    assert matplotlib.image.imread(tmp_path / "result.png").shape[0] > 200
    lines = [line for axes in draw(result).axes for line in axes.get_lines()]
    assert len(lines) == {"scaling": 4, "sweep": 6}[suite]


def test_only_a_fall_by_a_third_is_told():
    kept = {"a": 90.0, "b": 90.0, "c": 90.0, "d": 90.0}
    result = result_of(a=60.1, b=60.0, c=200.0)
    assert dropped_ratios(kept, result) == [
        "b: 90 before, 60 now",
        "d: 90 before, not measured now",
    ]


def test_ratios_of_several_suites_are_kept_in_one_table(tmp_path):
    path = tmp_path / "ratios.json"
    update_ratios(path, result_of(a=123.456))
    update_ratios(path, result_of(suite="memory", m=0.91))
    update_ratios(path, result_of(a=2.0))
    size = BenchSize(100, 2, 16, repeats=1)
    assert kept_ratios(path, "build", size) == {"a": 2.0}
    assert kept_ratios(path, "memory", size) == {"m": 0.91}


def test_a_check_of_another_job_is_refused(tmp_path):
    path = tmp_path / "ratios.json"
    with pytest.raises(ConfigError, match="has no ratios of build; type --update"):
        kept_ratios(path, "build", BenchSize())
    update_ratios(path, result_of(a=2.0))
    typed = "--n-windows 100 --n-channels 2 --window-size 16 --memory 4GiB"
    with pytest.raises(ConfigError, match=f"another job; type {typed}"):
        kept_ratios(path, "build", BenchSize(200, 2, 16))
