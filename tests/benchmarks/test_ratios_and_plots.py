"""The table of ratios that is kept, and the plots of the suites that have one."""

import matplotlib.image
import pytest
from benchmarks.speed.plots import draw
from benchmarks.speed.ratios import dropped_ratios, kept_ratios, update_ratios
from benchmarks.speed.size import SpeedSize

from dualgaf.bench.results import Result
from dualgaf.bench.runner import Reading
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


@pytest.mark.parametrize("suite", ["scaling", "sweep"])
def test_a_suite_with_a_plot_draws_its_lines(suite, tmp_path):
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
    draw(result).savefig(tmp_path / "result.png")
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
    size = SpeedSize(100, 2, 16, repeats=1)
    assert kept_ratios(path, "build", size) == {"a": 2.0}
    assert kept_ratios(path, "memory", size) == {"m": 0.91}


def test_a_check_of_another_job_is_refused(tmp_path):
    path = tmp_path / "ratios.json"
    with pytest.raises(ConfigError, match="has no ratios of build; type --update"):
        kept_ratios(path, "build", SpeedSize())
    update_ratios(path, result_of(a=2.0))
    typed = "--n-windows 100 --n-channels 2 --window-size 16 --memory 4GiB"
    with pytest.raises(ConfigError, match=f"another job; type {typed}"):
        kept_ratios(path, "build", SpeedSize(200, 2, 16))
