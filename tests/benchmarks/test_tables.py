"""The comparison of folders of tables: what is written, and how the figures are read."""

import csv
import json
import subprocess
import sys

import polars as pl
import pytest
from benchmarks.tables import __main__ as program
from benchmarks.tables.generator import Folders, write_folders

from dualgaf.bench.results import Result

SMALL = Folders(files=2, rows=3000, n_channels=3)


def one_side(*arguments):
    command = [sys.executable, str(program.ONE_SIDE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_both_folders_have_the_same_rows_and_a_seed_gives_them_again(tmp_path):
    sizes = write_folders(tmp_path / "a", SMALL)
    assert write_folders(tmp_path / "b", SMALL) == sizes
    n_rows = 0
    for path in sorted((tmp_path / "a" / "csv").iterdir()):
        table = pl.read_parquet(tmp_path / "a" / "parquet" / path.with_suffix(".parquet").name)
        with path.open() as file:
            head, *rows = csv.reader(file)
        assert head == table.columns
        assert [str(time) for time in table["datetime"]] == [row[0] for row in rows]
        assert [float(row[3]) for row in rows] == table["sensor 2"].to_list()
        assert [row[-1] for row in rows] == table["fault"].to_list()
        n_rows += len(rows)
        again = tmp_path / "b" / "csv" / path.name
        assert again.read_bytes() == path.read_bytes()
    assert n_rows == sizes["rows"]
    assert 6000 - 2 * 5 * 90 < n_rows < 6000  # each gap takes rows


def test_a_side_tells_what_it_read_in_a_process_of_its_own(tmp_path):
    sizes = write_folders(tmp_path, SMALL)
    bare = one_side("polars", tmp_path / "parquet", "{}")
    ours = one_side("windows", tmp_path / "parquet", '{"window_size": 60, "stride": 1}')
    assert bare["rows"] == sizes["rows"]
    assert bare["dtype"] == ours["dtype"] == "float32"
    # Pieces between midnights and gaps lose 59 rows each
    assert 0 < sizes["rows"] - ours["windows"] <= 59 * (2 * 5 + 2 * 3)
    assert min(bare["wall_s"], ours["wall_s"], ours["peak_bytes"]) > 0


def told(kind, name, side):
    """What each repeat tells; the first is slow."""
    second = {"dualgaf": 2.0, "bare polars": 1.0}.get(name, 3.0)
    peak = {"dualgaf": 400, "bare polars": 200}.get(name, 100)
    return [
        {"wall_s": wall, "cpu_s": 1.0, "peak_bytes": peak, "dtype": kind, "rows": 9, "windows": 5}
        for wall in (100 * second, second, 2 * second, second)
    ]


def test_ratios_are_those_of_medians_without_the_first_repeat(monkeypatch, tmp_path, capsys):
    sides = [*program.SIDES, (program.BARE, "polars")]
    found = {
        program.key(kind, *side): told(kind, *side) for kind in program.KINDS for side in sides
    }
    monkeypatch.setattr(program, "measure", lambda root, job, repeats: found)
    program.main(["--files", "1", "--rows", "50", "--output", str(tmp_path / "tables.json")])
    result = Result.load(tmp_path / "tables.json")
    ratios = result.reading.ratios
    assert ratios["csv, series: seconds of 837ca8d"] == 1.5
    assert ratios["parquet, windows: seconds of polars"] == 0.5
    assert ratios["parquet, windows: peak of polars"] == 0.5
    assert ratios["parquet, windows: peak of 837ca8d"] == 0.25
    assert len(result.reading.rows) == 10
    assert result.reading.rows[1]["x polars' seconds"] == 2.0
    assert "5 windows of 60 steps" in capsys.readouterr().out


@pytest.mark.slow
def test_every_side_runs_the_earlier_build_too(tmp_path):
    job = Folders(files=2, rows=3000)
    sizes = write_folders(tmp_path, job)
    found = program.measure(tmp_path, job, repeats=1)
    ours = found[program.key("csv", program.OURS, "windows")]
    theirs = found[program.key("csv", program.THEIRS, "windows")]
    assert {one["windows"] for one in ours} == {one["windows"] for one in theirs}
    assert program.read(found, sizes, job).ratios.keys() >= {"csv, series: seconds of 837ca8d"}
