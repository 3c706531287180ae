"""What messages of `predict` say to type is typed, and works."""

import datetime
import re
import shlex

import numpy as np
import pytest
import torch

import dualgaf
from dualgaf.cli import main
from dualgaf.errors import DualGAFError
from trained import DAY, STEPS, plant_table, trained_on_plant

FEBRUARY = DAY + datetime.timedelta(days=31)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint, one of an earlier version, and new tables."""
    own = tmp_path_factory.mktemp("advice")
    trained_on_plant(own)
    old = torch.load(own / "best.ckpt", weights_only=True)
    del old["DualGAFDataModule"]["imaging"]["facts"]
    torch.save(old, own / "old.ckpt")
    plain = plant_table(2, first=FEBRUARY, columns=("time", "temp", "flow"))
    hole = plain.split("\n")
    hole[6] = hole[6].rpartition(",")[0] + ","
    fine = plant_table(2, first=FEBRUARY, columns=("time", "temp", "flow"), minutes=15)
    for name, text in {"week": plain, "hole": "\n".join(hole), "fine": fine}.items():
        (own / f"{name}.csv").write_text(text)
    (own / "file").touch()
    (own / "full").mkdir()
    (own / "full" / "metrics.json").write_text("{}")
    return own


def with_advice(words, typed):
    """The command with what is to be typed, in the place of what was typed."""
    option, *value = typed
    if option.startswith("--"):
        words = list(words)
        if option in words:
            place = words.index(option)
            del words[place : place + 2]
        return [*words, option, *value]
    key = option.partition("=")[0]
    return [*(word for word in words if word.partition("=")[0] != key), *typed]


@pytest.mark.parametrize(
    ("wrong", "pick", "given"),
    [
        (["--min-windows", "0"], r"type (--min-windows 1)$", {}),
        (["--stride", "13"], r"type (--stride 12)$", {}),
        (["--stride", "0"], r"type (--stride 1)$", {}),
        (["data.stride=3"], r"type (--stride N)$", {"N": "3"}),
        (
            ["--data", "nowhere.csv"],
            r"type (--data FILE_OR_FOLDER)$",
            {"FILE_OR_FOLDER": "week.csv"},
        ),
        (["--output", "file"], r"type (--output \S+)$", {}),
        (["--output", "full"], r"type (--output \S+)$", {}),
        (["--data", "fine.csv"], r"type (data\.step=1h) to resample", {}),
        (["--data", "fine.csv", "data.step=30min"], r"type (data\.step=1h)$", {}),
        (["--data", "hole.csv"], r"type (data\.nan=interpolate) to fill gaps", {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_message_says_to_type_works(
    folder, tmp_path, monkeypatch, capsys, wrong, pick, given
):
    monkeypatch.chdir(folder)
    base = ["predict", "best.ckpt"]
    for option, value in (("--data", "week.csv"), ("--output", str(tmp_path / "out"))):
        base += [] if option in wrong else [option, value]
    assert main([*base, *wrong]) == 2
    message = capsys.readouterr().err.strip()
    (advice,) = re.findall(pick, message)
    typed = [given.get(word, word) for word in shlex.split(advice)]
    words = [word for word in wrong if not (word.startswith("data.") and typed[0] == "--stride")]
    assert main(with_advice([*base, *words], typed)) == 0, message


def test_an_earlier_checkpoint_is_used_with_what_it_says_to_type(folder, tmp_path, caplog, capsys):
    words = ["predict", str(folder / "old.ckpt"), "--data", str(folder / "hole.csv")]
    out = ["--output", str(tmp_path / "out")]
    main([*words, *out])
    assert "type the data.* options of its run, and --stride N" in caplog.text
    assert main([*words, *out, "data.nan=interpolate", "--stride", "6"]) == 0
    assert "6 windows" in capsys.readouterr().out


def test_arrays_are_turned_or_cut_as_the_message_says(folder):
    model = dualgaf.load(folder / "best.ckpt")
    x = np.random.default_rng(0).normal(size=(3, 2, STEPS))
    names = {"model": model, "T": STEPS}
    for wrong in (x.swapaxes(1, 2), np.concatenate([x, x], axis=2)):
        with pytest.raises(DualGAFError) as caught:
            model.predict(wrong)
        (typed,) = re.findall(r"type (x\S*\(1, 2\)|x\[.*?\])", str(caught.value))
        assert len(eval(f"model.predict({typed})", {**names, "x": wrong})) == 3


def test_a_channel_that_is_missing_can_be_left_out_of_a_training(folder, tmp_path):
    model = dualgaf.load(folder / "best.ckpt")
    (tmp_path / "new.csv").write_text(plant_table(2, first=FEBRUARY, columns=("time", "temp")))
    with pytest.raises(DualGAFError) as caught:
        model.predict_files(tmp_path)
    (names,) = re.findall(r"train anew with data\.exclude=\[(\w+)\]$", str(caught.value))
    source = dualgaf.TableSource(folder / "plant", window_size=STEPS, exclude=(names,))
    assert source.load().channel_names == ("temp",)
