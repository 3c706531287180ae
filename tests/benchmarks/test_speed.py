import json
from dataclasses import asdict

import numpy as np
import pytest
from benchmarks.speed import __main__ as program
from benchmarks.speed.__main__ import main
from benchmarks.speed.scaling import AXES, scaling_points
from benchmarks.speed.size import SpeedSize
from benchmarks.speed.suites import run_speed
from benchmarks.speed.sweep import CHUNK_SIZES, _read

from dualgaf.bench.results import Result
from dualgaf.bench.runner import Measured, Reading, Side
from dualgaf.bench.sides import Job, our_side
from dualgaf.errors import BudgetError, ConfigError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from dualgaf.pool.settings import PoolSettings
from dualgaf.system.machine import cpu_count

SMALL = ["--n-windows", "20", "--n-channels", "2", "--window-size", "16", "--repeats", "1"]

pytestmark = pytest.mark.usefixtures("leaves_nothing")


@pytest.mark.slow
def test_the_rows_of_a_build_agree_with_its_times():
    result = run_speed("build", SpeedSize(20, 2, 16, repeats=2))
    rows = {row["side"]: row for row in result.reading.rows}
    assert len(rows) == 6 + 2 + 3  # ours, theirs, limits
    row_bytes = 2 * 2 * 16 * 16
    for name, row in rows.items():
        first, *counted = result.seconds[name]
        assert first > 0
        assert min(counted) <= row["seconds"] <= max(counted)
        windows = 2 if name.startswith("pyts") else 20
        n_bytes = windows * row_bytes / (2 if name.startswith("packed") else 1)
        assert row["windows"] == windows
        assert row["windows/s"] == pytest.approx(windows / row["seconds"])
        assert row["GB/s"] == pytest.approx(n_bytes / row["seconds"] / 1e9)
        earlier = rows["earlier system"]["windows/s"]
        assert row["x earlier"] == pytest.approx(row["windows/s"] / earlier)
        if name.startswith(("limit", "pyts", "earlier")):
            assert row["of memset"] is None
        else:
            kind = "private memory" if "private" in name else "one shared memfd"
            limit = rows[f"limit: memset, {kind}"]["GB/s"]
            assert row["of memset"] == pytest.approx(row["GB/s"] / limit)
            ratio = result.reading.ratios[f"{name}, of memset"]
            assert ratio == row["of memset"]
    assert result.reading.notes == [
        f"earlier system: n_jobs={cpu_count()}, 2 repeats; pixels differ by 1 of 256 levels at most"
    ]


def test_without_pyts_the_rest_is_measured(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyts.image", None)
    result = run_speed("build", SpeedSize(20, 2, 16, repeats=1))
    names = [row["side"] for row in result.reading.rows]
    assert not [name for name in names if "pyts" in name or "earlier" in name]
    assert result.reading.notes == [
        "without the earlier system: pyts is not installed; type pip install pyts"
    ]
    assert {key.rpartition(", ")[2] for key in result.reading.ratios} == {"of memset"}


@pytest.mark.slow
def test_new_processes_are_compared_with_the_warm_earlier_system():
    result = run_speed("cold", SpeedSize(20, 2, 16, repeats=1))
    rows = {row["side"]: row for row in result.reading.rows}
    imports = rows["new process: imports only"]
    built = rows["new process: processes, shared memory"]
    assert imports["x earlier (warm)"] is None
    assert built["seconds"] > imports["seconds"]
    times = rows["earlier system"]["seconds"] / built["seconds"]
    assert built["x earlier (warm)"] == pytest.approx(times)
    assert len(result.reading.ratios) == 3


@pytest.mark.slow
def test_peaks_are_those_of_the_whole_tree():
    result = run_speed("memory", SpeedSize(1000, 4, 48, repeats=1))
    rows = {row["side"]: row for row in result.reading.rows}
    images = 1000 * 2 * 4 * 48 * 48 / 1e9
    dual, packed = (rows[f"{name}: processes, shared memory"] for name in ("dual", "packed"))
    assert dual["images GB"] == pytest.approx(images)
    assert packed["images GB"] == pytest.approx(images / 2)
    for row in (dual, packed):
        assert row["peak GB"] >= row["images GB"]  # shared memory is counted
    # float32 fields, twice: in private memory and in a segment
    assert rows["earlier system"]["peak GB"] > 2 * 4 * images


@pytest.mark.parametrize("memory", [10**6, 10**9, 10**10, 10**12])
def test_scaling_varies_one_size_and_stays_inside_the_memory(memory):
    points = list(scaling_points(SpeedSize(4000, 20, 96), memory))
    for point in points:
        assert point["N"] * 2 * point["C"] * point["T"] ** 2 <= memory
    for varied, values in AXES.items():
        own = [point for point in points if point["varied"] == varied]
        fixed = {tuple(n for name, n in point.items() if name != varied) for point in own}
        assert len(fixed) <= 1
        assert [point[varied] for point in own] == list(values)[: len(own)]
        if memory >= 10**10:
            assert len(own) == len(values)
        if memory == 10**12:
            assert {**own[0], varied: 0} == {"varied": varied, "N": 4000, "C": 20, "T": 96} | {
                varied: 0
            }


def test_scaling_has_a_row_a_point_and_kind_of_memory():
    result = run_speed("scaling", SpeedSize(50, 2, 16, repeats=1, memory="1MiB"))
    points = list(scaling_points(SpeedSize(50, 2, 16), 1 << 20))
    assert [row["memory"] for row in result.reading.rows] == ["private", "shared"] * len(points)
    for row, point in zip(result.reading.rows[::2], points, strict=True):
        assert {name: row[name] for name in point} == point
        assert row["GB"] == point["N"] * 2 * point["C"] * point["T"] ** 2 / 1e9
        assert row["GB/s"] == pytest.approx(row["GB"] / row["seconds"])


def test_auto_is_compared_with_the_best_fixed_setting():
    settings, sides, found = [], [], {}
    for memory, slower in (("private", 1), ("shared", 10)):
        for chunk, n_jobs, seconds in ((10, 1, 4.0), (50, 2, 2.0), ("auto", -1, 2.5)):
            name = f"{memory} {chunk}"
            settings.append({"memory": memory, "chunk_size": chunk, "n_jobs": n_jobs})
            sides.append(Side(name, None, 1, 10**9))
            found[name] = Measured([99.0, slower * seconds])
    reading = _read(sides, settings, found)
    assert reading.notes[0] == (
        "private: auto is 25% slower than the best fixed setting (chunk_size=50, n_jobs=2)"
    )
    assert reading.ratios == {
        "private: best fixed time / auto time": 0.8,
        "shared: best fixed time / auto time": 0.8,
    }
    assert reading.rows[3] == {
        "memory": "shared",
        "chunk_size": 10,
        "n_jobs": 1,
        "seconds": 40.0,
        "GB/s": 0.025,
    }


@pytest.mark.slow
def test_the_sweep_runs_every_setting(capsys):
    assert main(["sweep", *SMALL]) == 0
    told = capsys.readouterr()
    for memory in ("private", "shared"):
        for chunk in CHUNK_SIZES:
            assert f"{memory} " in told.out
            assert f" {chunk} " in told.out
    assert "repeat 1 of 1" in told.err


def test_a_job_that_is_too_large_for_memory_is_refused():
    windows = Windows(np.zeros((1, 96)), np.broadcast_to(np.int64(0), 10**12), 96)
    with pytest.raises(BudgetError, match="type a smaller --n-windows"):
        our_side("x", Job(windows, ImagingRecipe(96)), PoolSettings(chunk_size=10))


def test_wrong_arguments_are_refused_before_anything_runs(tmp_path, capsys):
    for arguments, text in (
        (["speed"], "suite='speed' is not known; allowed: build, cold, memory, scaling, sweep"),
        (["--output", "x.txt"], "--output x.txt is not JSON; type --output build.json"),
        (["--check", str(tmp_path / "no.json")], "has no ratios of build"),
        (["--memory", "much"], "'much' is not a size"),
    ):
        assert main([*arguments]) == 2
        told = capsys.readouterr()
        assert text in told.err
        assert "repeat" not in told.err


def test_a_lost_ratio_ends_with_status_1(tmp_path, monkeypatch, capsys):
    def run(suite, size, progress):
        return Result(suite, asdict(size), Reading([{"side": "a"}], {"speed": 2.0}, []), {})

    monkeypatch.setattr(program, "run_speed", run)
    table, output = tmp_path / "ratios.json", tmp_path / "build.json"
    assert main([*SMALL, "--update", str(table), "--output", str(output)]) == 0
    assert json.loads(output.read_text())["suite"] == "build"
    kept = json.loads(table.read_text())
    assert kept["build"]["ratios"] == {"speed": 2.0}
    assert main([*SMALL, "--check", str(table)]) == 0
    kept["build"]["ratios"]["speed"] = 3.1
    table.write_text(json.dumps(kept))
    capsys.readouterr()
    assert main([*SMALL, "--check", str(table)]) == 1
    assert capsys.readouterr().err == "dropped: speed: 3.1 before, 2 now\n"


def test_an_unknown_suite_is_named():
    with pytest.raises(ConfigError, match="type build"):
        run_speed("speed", SpeedSize())
