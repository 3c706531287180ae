"""`dualgaf.load` and `python -m dualgaf predict`: new data, the checkpoint alone.

What is expected is counted by the csv module and datetime, or is what Lightning predicts.
"""

import csv
import datetime
import logging
import shutil
import signal
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import dualgaf
from dualgaf.cli import main
from dualgaf.errors import ConfigError, DualGAFError, OtherDataError, SeriesError, SourceError
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.predict import Predictor
from dualgaf.system.termination import Stopped
from dualgaf.training.predicted import FILES, write_prediction
from trained import DAY, STEPS, checkpoint_of, plant_table, trained_on_plant

FEBRUARY = DAY + datetime.timedelta(days=31)
PLAIN = ("time", "temp", "flow")


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    return folder, *trained_on_plant(folder)


@pytest.fixture(scope="module")
def model(plant):
    return dualgaf.load(plant[0] / "best.ckpt")


@pytest.fixture
def week(tmp_path):
    """Writes tables to a folder of new data and returns the folder."""

    def written(**tables):
        for name, text in tables.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return tmp_path

    return written


def of_run(dm, trainer, classifier):
    """Probabilities of the test split, as Lightning predicts it."""
    dm.setup("test")
    return torch.cat(trainer.predict(classifier, dataloaders=dm.test_dataloader())).numpy()


def new_table(days=2, **settings):
    return plant_table(days, first=FEBRUARY, **{"columns": PLAIN, **settings})


def test_windows_of_the_test_split_get_what_the_run_has_given_them(plant, model):
    folder, dm, trainer, classifier = plant
    expected = of_run(dm, trainer, classifier)
    found = model.predict_files(folder / "plant")
    rows = dm.windows.indices["test"]
    starts = dm.windows.start_times[rows]
    places = [found.start.tolist().index(time) for time in starts.tolist()]
    np.testing.assert_allclose(found.probabilities[places], expected, atol=1e-6)
    assert found.probabilities.dtype == np.float64
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, atol=1e-15)


@pytest.mark.parametrize(
    "settings", [{"images": "on_device"}, {"layout": "packed", "storage": "float16"}]
)
def test_images_are_drawn_as_they_were_in_training(tmp_path, settings):
    dm, trainer, classifier = trained_on_plant(tmp_path, **settings)
    expected = of_run(dm, trainer, classifier)
    x = dm.windows.windows.take(dm.windows.indices["test"])
    found = dualgaf.load(tmp_path / "best.ckpt").predict(x)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    exact = Checkpoint(tmp_path / "best.ckpt")
    assert exact.draws_each_batch == ("images" in settings)


def test_windows_stop_at_gaps_and_days_and_begin_at_the_first_row(model, week):
    holes = {0, 1, 2, 24 + 5, 24 + 6, 24 + 7, 24 + 8}
    found = model.predict_files(week(new=new_table(3, left_out=holes)), stride=12)
    hours = [k for k in range(72) if k not in holes]
    whole = []
    for day in range(3):
        own = [k for k in hours if k // 24 == day]
        pieces = [[own[0]]]
        for before, k in pairwise(own):
            if k - before > 2:
                pieces.append([])
            pieces[-1].append(k)
        whole += [p[i] for p in pieces for i in range(0, len(p) - STEPS + 1, 12)]
    expected = [FEBRUARY + datetime.timedelta(hours=k) for k in whole]
    assert found.start.tolist() == expected
    assert found.end.tolist() == [t + datetime.timedelta(hours=STEPS - 1) for t in expected]
    assert found.label is None
    assert "label" not in found.frame().columns


def test_the_stride_of_the_training_holds_where_none_is_typed(model, week):
    assert len(model.predict_files(week(new=new_table(1)))) == 3  # rows 0, 6 and 12 of 24


def test_columns_are_found_by_name_and_others_are_named_and_left_out(model, week, caplog):
    plain = model.predict_files(week(new=new_table()))
    other = week(new=new_table(columns=("flow", "extra", "time", "temp")))
    with caplog.at_level(logging.WARNING):
        found = model.predict_files(other)
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)
    assert "columns that the network has not learned are left out: extra" in caplog.text


def test_a_missing_column_is_named_with_the_one_that_may_be_it(model, week):
    text = new_table().replace("flow", "Flow of air")
    with pytest.raises(SourceError, match=r"new\.csv has no column 'flow', a channel t"):
        model.predict_files(week(new=text))
    with pytest.raises(SourceError, match="if 'Flow of air' is it, call it 'flow'"):
        model.predict_files(week(new=text))


def test_labels_are_kept_and_change_no_window(model, week):
    # The class changes at noon of the second day.
    lines = new_table(3, columns=(*PLAIN, "fault")).splitlines()
    text = [lines[0], *(f"{line[:-1]}{'ba'[k < 36]}" for k, line in enumerate(lines[1:]))]
    labelled = model.predict_files(week(new="\n".join(text)))
    plain = model.predict_files(week(new=new_table(3)))
    np.testing.assert_array_equal(labelled.probabilities, plain.probabilities)
    assert labelled.start.tolist() == plain.start.tolist()
    hours = [k for day in range(3) for k in (24 * day, 24 * day + 6, 24 * day + 12)]
    expected = [{"aa": "a", "ab": None, "bb": "b"}["ba"[k < 36] + "ba"[k + 11 < 36]] for k in hours]
    assert list(labelled.label) == expected
    assert None in expected


def test_a_label_column_in_one_file_of_two_is_kept(model, week):
    later = FEBRUARY + datetime.timedelta(days=5)
    folder = week(one=new_table(1), two=plant_table(1, first=later))
    found = model.predict_files(folder)
    assert set(zip(found.source, found.label, strict=True)) == {
        ("one.csv", None),
        ("two.csv", "ab"[(later - DAY).days % 2]),
    }


def test_another_step_is_an_error_with_both_and_is_resampled_on_request(model, week):
    fine = week(new=new_table(minutes=15))
    with pytest.raises(
        OtherDataError, match="rows 15min apart, and the network has learned rows 1"
    ):
        model.predict_files(fine)
    found = model.predict_files(fine, options={"step": "1h", "step_rule": "last"})
    # temp is the same within an hour, and so is flow
    plain = model.predict_files(week(new=new_table()))
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)
    with pytest.raises(OtherDataError, match="no values are made up between rows: give rows 1h ap"):
        model.predict_files(week(new=new_table(6, minutes=120)))
    fine = week(new=new_table(minutes=15))
    with pytest.raises(OtherDataError, match=r"type data\.step=1h$"):
        model.predict_files(fine, options={"step": "30min"})


def test_frames_give_what_their_file_gives(model, week):
    text = new_table()
    expected = model.predict_files(week(new=text))
    frame = pd.read_csv(week() / "new.csv", parse_dates=["time"])
    for given in (
        pl.read_csv(text.encode(), try_parse_dates=True),
        pl.read_csv(text.encode()),
        frame,
        frame.set_index("time"),
        frame.set_index("time").rename_axis(None),
        frame.set_index("time").tz_localize("Europe/Berlin"),
    ):
        found = model.predict(given)
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
        assert found.start.tolist() == expected.start.tolist()
        assert found.end.dtype == np.dtype("datetime64[us]")
    assert len(model.predict(frame, stride=12)) == 4


def test_a_frame_without_times_is_rows_in_order(model, caplog):
    frame = pl.read_csv(new_table().encode()).select("flow", "temp")
    with caplog.at_level(logging.WARNING):
        found = model.predict(frame)
    assert not found.has_times
    assert (
        "the network has learned rows 1h apart, and these have no dates to compare" in caplog.text
    )
    assert len(found) == (48 - STEPS) // 6 + 1


def test_arrays_are_windows_in_the_order_of_the_channels(plant, model):
    dm = plant[1]
    x = dm.windows.windows.take(np.arange(5))
    found = model.predict(x)
    assert found.probabilities.shape == (5, 2)
    assert found.classes.tolist() == [model.class_names[k] for k in found.probabilities.argmax(1)]
    assert np.isnat(found.start).all()
    one = model.predict(torch.from_numpy(x[3]))
    np.testing.assert_allclose(one.probabilities, found.probabilities[3:4], atol=1e-6)
    for wrong in (x[:, :1], x[:, :, :5], x.swapaxes(1, 2), x[:0], x[0, 0]):
        with pytest.raises(DualGAFError):
            model.predict(wrong)
    with pytest.raises(OtherDataError, match=r"type x.swapaxes\(1, 2\)"):
        model.predict(x.swapaxes(1, 2))


def test_a_missing_value_is_refused_by_name_or_filled_within_its_limit(plant, model, week):
    lines = new_table(1).splitlines()
    for k in (5, 6):
        time, _, flow = lines[k].split(",")
        lines[k] = f"{time},,{flow}"
    folder = week(new="\n".join(lines))
    with pytest.raises(SeriesError, match=r"channel 'temp', index 4: nan \(2 such values"):
        model.predict_files(folder)
    assert len(model.predict_files(folder, options={"nan": "interpolate"})) == 3
    short = {"nan": "interpolate", "fill_limit": 1}
    assert model.predict_files(folder, options=short).start.tolist() == [
        FEBRUARY + datetime.timedelta(hours=hour) for hour in (6, 12)
    ]
    x = plant[1].windows.windows.take(np.arange(2)).copy()
    x[1, 0, 3] = np.nan
    with pytest.raises(SeriesError, match='type nan="interpolate"'):
        model.predict(x)
    assert np.isfinite(model.predict(x, nan="interpolate").probabilities).all()
    with pytest.raises(ConfigError, match="step is for tables and frames"):
        model.predict(x, step="1h")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("channels", ["temp"], "data.channels cannot be chosen for new data"),
        ("window_size", 24, "data.window_size cannot be chosen for new data: the network has le"),
        ("stride", 3, "data.stride is --stride here; type --stride N"),
        ("colour", "red", "data.colour is not known; allowed: data.decimal, "),
        ("nan", "zero", "data.nan='zero' is not known"),
    ],
)
def test_options_that_cannot_be_chosen_are_refused(model, week, option, value, told):
    with pytest.raises(ConfigError, match=told):
        model.predict_files(week(new=new_table()), options={option: value})


def test_options_of_the_training_hold_unless_they_say_which_files(tmp_path):
    for name in ("plant", "new"):
        (tmp_path / name).mkdir()
    text = plant_table().replace("time", "Wann").replace(".", ",").replace(",", ";")
    text = plant_table().replace("time,temp,flow", "Wann;temp;flow").replace(",", ";")
    (tmp_path / "plant" / "old-a.csv").write_text(text.replace("fault", "state"))
    source = dualgaf.TableSource(
        tmp_path / "plant",
        pattern="old-*.csv",
        time_column="Wann",
        separator="semicolon",
        label_column="state",
        window_size=STEPS,
        exclude=("note",) if False else (),
    )
    checkpoint_of(source, tmp_path / "best.ckpt")
    model = dualgaf.load(tmp_path / "best.ckpt")
    (tmp_path / "new" / "b.csv").write_text(new_table().replace("time", "Wann").replace(",", ";"))
    assert len(model.predict_files(tmp_path / "new")) == 4
    frame = pd.read_csv(tmp_path / "new" / "b.csv", sep=";", parse_dates=["Wann"])
    assert len(model.predict(frame.set_index("Wann"))) == 4


def test_the_command_runs_with_the_checkpoint_alone(plant, week, tmp_path, capsys):
    alone = tmp_path / "elsewhere" / "own.ckpt"
    alone.parent.mkdir()
    shutil.copyfile(plant[0] / "best.ckpt", alone)
    folder = week(new=new_table())
    out = tmp_path / "out"
    words = ["predict", str(alone), "--data", str(folder / "new.csv"), "--output", str(out)]
    assert main([*words, "--stride", "12", "data.nan=interpolate"]) == 0
    rows = list(csv.DictReader((out / "predictions.csv").read_text().splitlines()))
    assert [row["start"] for row in rows] == [
        f"2020-02-0{day}T{hour}:00:00" for day in (1, 2) for hour in ("00", "12")
    ]
    assert {row["predicted"] for row in rows} <= {"a", "b"}
    assert "predictions.csv" in capsys.readouterr().out
    # The same command, when the data have grown, replaces the tables; another one is refused.
    (folder / "new.csv").write_text(new_table(3))
    assert main([*words, "--stride", "12", "data.nan=interpolate"]) == 0
    before = (out / "predictions.csv").read_text()
    assert len(before.splitlines()) == 7
    capsys.readouterr()
    assert main([*words, "--stride", "6"]) == 2
    told = capsys.readouterr().err
    assert "holds another prediction (stride=12 there, 6 here; options=['data.nan=inter" in told
    typed = told.strip().rpartition("type --output ")[2]
    assert (out / "predictions.csv").read_text() == before
    assert main([*words[:-1], typed, "--stride", "6"]) == 0
    assert sorted(path.name for path in out.glob("*")) == sorted([*FILES, ".prediction.json"])


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv", "checkpoints/best.ckpt"])
def test_a_folder_with_files_of_something_else_is_left_alone(plant, week, tmp_path, capsys, name):
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("{}")
    new = week(new=new_table()) / "new.csv"
    words = ["predict", str(plant[0] / "best.ckpt"), "--data", str(new), "--output", str(out)]
    assert main(words) == 2
    assert (
        f"holds files that are not of a prediction of this command ({name})"
        in capsys.readouterr().err
    )
    assert [path for path in out.rglob("*") if path.is_file()] == [out / name]
    out.joinpath("file").touch()
    assert main([*words[:-1], str(out / "file")]) == 2
    assert "is a file; type --output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which model? type: predict RUN/checkpoints/best.ckpt --data FILE_OR_FOLDER"),
        (["data.nan=error", "--data", "x"], "which model? type: predict RUN/"),
        (["CKPT"], "which data? type: predict RUN/checkpoints/best.ckpt --data FILE_OR_FOLDER"),
        (["CKPT", "--data", "DATA", "--min-windows", "0"], "--min-windows 0 is not allowed"),
        (["CKPT", "--data", "DATA", "seed=1"], "seed=1 is no option of the files that are read"),
        (["CKPT", "--data", "DATA", "data.nan=zero"], "data.nan='zero' is not known"),
        (
            ["CKPT", "--data", "DATA", "--stride", "13"],
            "--stride 13 is not allowed; allowed: 1 to 1",
        ),
        (["CKPT", "--data", "DATA", "--stride", "0"], "type --stride 1"),
        (
            ["CKPT", "--data", "nowhere"],
            "there is no folder or file nowhere; type --data ",
        ),
        (["CKPT", "--data", "EMPTY"], "is empty; needed: .csv"),
        (["CKPT", "--data", "PICTURES"], "has no table; it has: a.png; allowed: .csv"),
        (
            ["nowhere.ckpt", "--data", "DATA"],
            "nowhere.ckpt is not a checkpoint of DualGAFClassifier",
        ),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_type(plant, week, tmp_path, capsys, words, told):
    places = {"CKPT": plant[0] / "best.ckpt", "DATA": week(new=new_table()) / "new.csv"}
    for name in ("EMPTY", "PICTURES"):
        places[name] = tmp_path / name
        places[name].mkdir()
    (places["PICTURES"] / "a.png").touch()
    out = tmp_path / "out"
    typed = [str(places.get(word, word)) for word in words]
    assert main(["predict", *typed, "--output", str(out)]) == 2
    message = capsys.readouterr().err
    assert told in message
    assert "data.root" not in message
    assert not out.exists()


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            {"new": new_table(1, left_out=range(11, 24))},
            "a window has 12 rows, and the longest of 1",
        ),
        ({"new": "time,temp,flow\n"}, "new.csv has a header and no data row"),
        ({"new": "id,colour\n1,red\n"}, "no column 'temp', 'flow', channels that the network has"),
        ({"new": new_table().replace("61.", "x1.")}, "is not a number"),
    ],
)
def test_tables_that_cannot_be_judged_are_refused_and_nothing_is_written(
    plant, week, tmp_path, capsys, tables, told
):
    out = tmp_path / "out"
    folder = week(**tables)
    words = [str(plant[0] / "best.ckpt"), "--data", str(folder), "--output", str(out)]
    assert main(["predict", *words]) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_a_damaged_checkpoint_is_refused_whatever_is_damaged(plant, tmp_path):
    whole = (plant[0] / "best.ckpt").read_bytes()
    damaged = tmp_path / "damaged.ckpt"
    rng = np.random.default_rng(0)
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - 30):
        damaged.write_bytes(whole[:cut])
        with pytest.raises(ConfigError, match="is not a checkpoint of DualGAFClassifier"):
            dualgaf.load(damaged)
    refused = 0
    for place in rng.integers(0, len(whole), size=20):
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            dualgaf.load(damaged)
        except DualGAFError:
            refused += 1
    assert refused > 10  # the others are between two parts


def changed(plant, tmp_path, change):
    """A checkpoint with something else in its imaging state."""
    content = torch.load(plant[0] / "best.ckpt", weights_only=True)
    change(content["DualGAFDataModule"]["imaging"])
    torch.save(content, tmp_path / "other.ckpt")
    return tmp_path / "other.ckpt"


def test_a_checkpoint_of_another_version_is_used_or_says_what_to_install(plant, week, tmp_path):
    newer = changed(plant, tmp_path, lambda imaging: imaging.update(version="9.1"))
    assert len(dualgaf.load(newer).predict_files(week(new=new_table()))) == 6

    def unreadable(imaging):
        imaging.update(version="9.1", recipe={**imaging["recipe"], "scaling": "by_wavelet"})

    with pytest.raises(ConfigError, match=r"was written by dualgaf 9\.1, and this is .*==9\.1"):
        dualgaf.load(changed(plant, tmp_path, unreadable))


def test_an_older_checkpoint_says_what_it_lacks(plant, week, tmp_path, caplog):
    older = changed(plant, tmp_path, lambda imaging: imaging.pop("facts"))
    model = dualgaf.load(older)
    with caplog.at_level(logging.WARNING):
        found = model.predict_files(week(new=new_table(minutes=30)))
    assert "it holds neither the sampling step nor the values of its training" in caplog.text
    assert "type the data.* options of its run, and --stride N" in caplog.text
    assert len(found) == 8
    assert found.unlike_windows is None
    assert np.isnan(model.flagged)
    assert "not compared with the training" in "".join(write_prediction(tmp_path / "out", found))
    without = changed(plant, tmp_path, lambda imaging: imaging["facts"].pop("limits"))
    assert dualgaf.load(without).predict_files(week(new=new_table())).unlike_windows is None


def test_what_is_unlike_stands_in_the_table(model, week):
    plain = model.predict_files(week(new=new_table(6)))
    assert set(plain.unlike) == {""}
    assert plain.unlike_windows == {}
    lines = new_table(6).splitlines()
    celsius = [lines[0]]
    for line in lines[1:]:
        time, temp, flow = line.split(",")
        celsius.append(f"{time},{(float(temp) - 32) / 1.8:.3f},{flow}")
    found = model.predict_files(week(new="\n".join(celsius)))
    assert found.unlike_windows == {"temp": len(found)}
    assert all("as °C where °F was learned, since 2020-02-01T00:00:00" in u for u in found.unlike)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_its_status_and_nothing_half(
    plant, week, tmp_path, monkeypatch, number
):
    folder, out = week(new=new_table()), tmp_path / "out"
    words = [str(plant[0] / "best.ckpt"), "--data", str(folder), "--output", str(out)]

    def stop(*_):
        raise Stopped(number)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "judge", stop)
        assert main(["predict", *words]) == 128 + number
    assert not out.exists()
    # In the middle of writing: what is there is whole, and the same command goes on.
    with monkeypatch.context() as patch:
        patch.setattr("dualgaf.training.predicted.write_events", stop)
        assert main(["predict", *words]) == 128 + number
    assert sorted(path.name for path in out.iterdir()) == [".prediction.json", "predictions.csv"]
    assert main(["predict", *words]) == 0
    assert {*FILES} <= {path.name for path in out.iterdir()}


def test_each_plant_is_scaled_by_its_own_training_rows(tmp_path, week):
    def tables(first, *plants):
        lines = plant_table(6, first=first).splitlines()
        rows = [f"{lines[0]},plant"]
        for name in plants:
            by = {"north": 1, "south": 10, "west": 3}[name]
            for line in lines[1:]:
                time, temp, flow, fault = line.split(",")
                rows.append(f"{time},{by * float(temp)},{by * float(flow)},{fault},{name}")
        return "\n".join(rows)

    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "a.csv").write_text(tables(DAY, "north", "south"))
    settings = {"window_size": STEPS, "plant_column": "plant", "scale_by": "plant"}
    source = dualgaf.TableSource(tmp_path / "plant", **settings)
    dm, trainer, classifier = checkpoint_of(source, tmp_path / "own.ckpt")
    expected = of_run(dm, trainer, classifier)
    model = dualgaf.load(tmp_path / "own.ckpt")
    found = model.predict_files(tmp_path / "plant")
    rows = dm.windows.indices["test"]
    keys = list(zip(found.group, found.start.tolist(), strict=True))
    places = [
        keys.index((dm.windows.groups[row], dm.windows.start_times[row].item())) for row in rows
    ]
    np.testing.assert_allclose(found.probabilities[places], expected, atol=1e-6)
    assert set(found.unlike) == {""}
    with pytest.raises(OtherDataError, match="has plant 'west', which the network has not seen"):
        model.predict_files(week(new=tables(FEBRUARY, "north", "west")))
    with pytest.raises(OtherDataError, match="an array does not say which plant"):
        model.predict(np.zeros((1, 2, STEPS)))
    with pytest.raises(ConfigError, match=r"data\.scale_by cannot be chosen for new data"):
        model.predict_files(week(new=tables(FEBRUARY, "north")), options={"scale_by": "all"})
