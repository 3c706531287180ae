"""What is known of a source before anything is trained."""

import json

import numpy as np
import polars as pl
import pytest

from dualgaf import ArraySource, SplitSettings, SQLSource, inspect_frame
from dualgaf.data.inspection import inspect_source, windows_summary
from dualgaf.data.windowed import read_windows
from dualgaf.data.windows_cache import cached_windows
from dualgaf.series.tables.source import TableSource

KEYS = {
    "files", "rows", "time_column", "step_seconds", "start", "end", "channels", "left_out",
    "label_column", "classes", "windows", "windows_by_split", "lost", "notes", "problems",
}  # fmt: skip


def write(folder, name="a.csv", day=1, extra="", cell=""):
    """40 rows of a minute; the class changes after 20."""
    lines = [f"datetime,sat,flow,fault{',' * bool(extra)}{extra}"]
    for row in range(40):
        fault = "normal" if row < 20 else "leak"
        value = 20 + (row * 7 + day) % 5
        more = f",{cell.format(row=row)}" if extra else ""
        lines.append(f"2024-03-{day:02d} 00:{row:02d},{value},{row % 3 + day},{fault}{more}")
    (folder / name).write_text("\n".join(lines) + "\n")


@pytest.fixture
def plant(tmp_path):
    for day in range(1, 6):
        write(tmp_path, f"day{day}.csv", day)
    return tmp_path


def test_a_clean_folder(plant):
    found = inspect_source(TableSource(plant, window_size=10), seed=0)
    told = found.as_json()
    assert told.keys() >= KEYS
    assert (told["files"], told["rows"], told["windows"]) == (5, 200, 20)
    assert told["classes"] == {"leak": 100, "normal": 100}
    assert told["channels"] == ["sat", "flow"]
    assert (told["start"], told["end"]) == ("2024-03-01T00:00:00", "2024-03-05T00:39:00")
    assert told["windows_by_split"] == {"train": 12, "val": 4, "test": 4}
    assert told["windows_by_class"]["leak"] == {"train": 6, "val": 2, "test": 2}
    assert told["lost"] == {}
    assert told["problems"] == []
    json.dumps(told)


def test_all_that_must_be_decided_is_told_at_once(plant):
    write(plant, "day6.csv", 6, extra="code,row_number", cell="{row},{row}")
    for day in range(1, 6):
        write(plant, f"day{day}.csv", day, extra="code,row_number", cell="{row},{row}")
    text = (plant / "day2.csv").read_text().replace("leak", "")
    (plant / "day2.csv").write_text(text)
    found = inspect_source(TableSource(plant, window_size=10), seed=0)
    what = [problem.what for problem in found.problems]
    assert any("20 of 240 rows have no label" in text for text in what)
    assert sum("is a number of the row" in text for text in what) == 2
    assert found.as_json()["channels"] == ["sat", "flow"]
    (label,) = [p for p in found.problems if "no label" in p.what]
    assert label.where == "day2.csv"
    assert "data.unlabelled=predict" in label.type_this


def test_a_folder_that_cannot_be_read(plant):
    (plant / "day3.csv").write_text("datetime,sat,flow,fault\n2024-03-03 00:00,x;y,1\n")
    found = inspect_source(TableSource(plant, window_size=10), seed=0)
    told = found.as_json()
    assert told.keys() >= KEYS
    assert told["windows"] is None
    assert len(told["problems"]) == 1
    assert "day3.csv, data row 1 has 3 cells" in told["problems"][0]["what"]
    assert "to be decided" in str(found)


def test_a_folder_that_cannot_be_split_is_still_told(tmp_path):
    write(tmp_path)
    found = inspect_source(TableSource(tmp_path, window_size=10), seed=0)
    assert found.as_json()["classes"] == {"leak": 20, "normal": 20}
    assert found.windows is None
    assert len(found.problems) == 1


def test_what_the_cut_logs_is_a_note(plant, caplog):
    text = (plant / "day5.csv").read_text().splitlines()
    (plant / "day5.csv").write_text("\n".join(text[:25]) + "\n")
    found = inspect_source(TableSource(plant, window_size=10), seed=0)
    assert any("shorter than a window of 10 steps" in note for note in found.notes)
    assert not caplog.records


def test_arrays_have_windows_and_classes():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3, 8)), [0, 1] * 10
    found = inspect_source(ArraySource(train=(x, y), split=SplitSettings("stratified")), seed=0)
    told = found.as_json()
    assert (told["files"], told["rows"], told["windows"]) == (None, 160, 20)
    assert told["classes"] == {"0": 80, "1": 80}


def test_the_summary_of_a_run(plant):
    lines = windows_summary(read_windows(TableSource(plant, window_size=10), 0)).splitlines()
    assert lines[0] == "data"
    assert "5 of" in lines[1]
    assert "200 rows" in lines[1]
    assert "every 1min, 2024-03-01T00:00:00 to 2024-03-05T00:39:00" in lines[2]
    assert "20 of 10 steps, 2 channels: train 12, val 4, test 4" in "\n".join(lines)


def test_windows_of_the_cache_tell_the_same(plant, tmp_path_factory, caplog):
    cache = tmp_path_factory.mktemp("cache")
    (plant / "day1.csv").write_text((plant / "day1.csv").read_text().replace(",", ";"))
    first = cached_windows(TableSource(plant, window_size=10), 0, cache)
    told = [record.getMessage() for record in caplog.records]
    caplog.clear()
    again = cached_windows(TableSource(plant, window_size=10), 0, cache)
    assert windows_summary(again) == windows_summary(first)
    assert again.facts == first.facts
    assert [record.getMessage() for record in caplog.records] == told


def test_the_picture_has_the_split_of_a_run_also_beside_short_series(plant):
    lines = (plant / "day5.csv").read_text().splitlines()
    (plant / "day5.csv").write_text("\n".join(lines[:25]) + "\n")  # 4 rows of leak
    source = TableSource(plant, window_size=10)
    found = inspect_source(source, seed=0)
    run = read_windows(source, seed=0)
    assert {name: len(rows) for name, rows in run.indices.items()} == {
        name: sum(n // 10 for n in part.lengths) for name, part in found.splits.items()
    }
    assert min(n for part in found.splits.values() for n in part.lengths) == 20


def test_what_was_read_is_called_by_its_name(tmp_path):
    """Frames have no folder, and a query is one."""
    write(tmp_path)
    first = pl.read_csv(tmp_path / "a.csv")
    second = first.with_columns(pl.col("datetime").str.replace("03-01", "03-02"))
    one = inspect_frame(pl.concat([first, second]), window_size=10)
    assert str(one).splitlines()[0] == "frames   1, 80 rows"
    assert any("a group is a day of a frame (2 of them)" in note for note in one.notes)
    two = inspect_frame({"a": first, "b": second}, window_size=10, label="column")
    assert str(two).splitlines()[0] == "frames   2, 80 rows"
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    path = tmp_path / "plant.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE plant AS FROM '{tmp_path}/a.csv'")
    found = inspect_source(SQLSource(f"duckdb:///{path}", "FROM plant", window_size=10), seed=0)
    assert str(found).splitlines()[0] == "query    of plant.duckdb, 40 rows"
