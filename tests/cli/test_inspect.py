"""`python -m dualgaf inspect`."""

import json

import matplotlib.image
import pytest

from dualgaf.cli import main


def plant(folder, label="fault"):
    for day in range(1, 6):
        rows = "".join(
            f"2024-03-{day:02d} 00:{row:02d},{20 + (row * 7 + day) % 5},{'ab'[row // 20]}\n"
            for row in range(40)
        )
        (folder / f"day{day}.csv").write_text(f"datetime,sat,{label}\n{rows}")
    return ["inspect", "data=ahu", f"data.root={folder}", "data.window_size=10"]


def test_it_prints_a_page_and_draws_a_picture(tmp_path, capsys):
    picture = tmp_path / "out.png"
    status = main([*plant(tmp_path), "--output", str(picture)])
    told = capsys.readouterr().out
    assert status == 0
    assert "windows  20 of 10 steps" in told
    assert "day5.csv" in told
    assert f"picture: {picture}" in told
    height, width = matplotlib.image.imread(picture).shape[:2]
    assert width == 1320
    assert 250 < height < 400


def test_json_is_all_that_is_printed(tmp_path, capsys):
    status = main([*plant(tmp_path), "--json", "--output", str(tmp_path / "out.png")])
    told = json.loads(capsys.readouterr().out)
    assert status == 0
    assert told["windows"] == 20
    assert (tmp_path / "out.png").exists()


def test_the_status_is_1_where_something_must_be_decided(tmp_path, capsys):
    typed = [*plant(tmp_path), "--output", str(tmp_path / "out.png")]
    text = (tmp_path / "day1.csv").read_text().replace(",b", ",")
    (tmp_path / "day1.csv").write_text(text)
    assert main(typed) == 1
    assert "data.unlabelled=drop" in capsys.readouterr().out
    assert main([*typed, "data.unlabelled=drop"]) == 0


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_a_folder_that_is_not_there(tmp_path, capsys, json_too):
    typed = ["inspect", "data=ahu", f"data.root={tmp_path}/none", *json_too]
    assert main([*typed, "--output", str(tmp_path / "out.png")]) == 1
    told = capsys.readouterr().out
    assert "there is no folder or file" in told
    assert not json_too or json.loads(told)["problems"][0]["type_this"] == "data.root=FOLDER"
    assert not (tmp_path / "out.png").exists()


def test_a_mistyped_option_is_status_2(tmp_path, capsys):
    assert main([*plant(tmp_path), "data.windowsize=3"]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert "there is no data.windowsize" in found.err


def test_another_source_is_told_too(tmp_path, capsys):
    typed = ["inspect", "data=simulated", "data.n_windows=40"]
    assert main([*typed, "--output", str(tmp_path / "out.png")]) == 0
    assert "windows  40 of" in capsys.readouterr().out
