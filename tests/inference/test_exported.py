"""`dualgaf.load` of what was exported gives what it gives of the checkpoint."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import dualgaf
from dualgaf.cli import main
from dualgaf.errors import ConfigError, OtherDataError, SeriesError
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.export import export_program
from dualgaf.inference.metadata import ABOUT, about_text, state_of
from dualgaf.inference.onnx_file import export_onnx
from trained import STEPS, plant_table, trained_on_plant

onnx = pytest.importorskip("onnx", reason='no onnx: pip install "dualgaf[onnx]"')
pytest.importorskip("onnxruntime", reason='no onnxruntime: pip install "dualgaf[onnx]"')
pytest.importorskip("onnxscript", reason='no onnxscript: pip install "dualgaf[onnx]"')

ENDINGS = ["onnx", "pt2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """``best.ckpt``, ``model.onnx`` and ``model.pt2`` of one network, and a table."""
    own = tmp_path_factory.mktemp("exported")
    # float32: an exported network rounds no pixel, so this is the training to compare with
    trained_on_plant(own, storage="float32")
    checkpoint = Checkpoint(own / "best.ckpt")
    net, imaging = checkpoint.classifier().net, checkpoint.needed_imaging
    export_onnx(net, imaging, own / "model.onnx")
    export_program(net, imaging, own / "model.pt2")
    (own / "week.csv").write_text(plant_table(3, columns=("time", "temp", "flow"), shift=9))
    return own


@pytest.fixture(scope="module")
def known(folder):
    return dualgaf.load(folder / "best.ckpt")


@pytest.fixture(scope="module", params=ENDINGS)
def model(request, folder):
    return dualgaf.load(folder / f"model.{request.param}")


def same(found, wanted):
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert found.unlike == wanted.unlike
    assert found.unlike_windows == wanted.unlike_windows
    assert found.class_names == wanted.class_names
    assert found.group == wanted.group
    np.testing.assert_array_equal(found.start, wanted.start)


def test_tables_frames_and_arrays_are_judged_alike(folder, known, model):
    assert (model.class_names, model.channel_names) == (known.class_names, known.channel_names)
    assert (model.window_size, model.flagged) == (STEPS, known.flagged)
    week = known.predict_files(folder / "week.csv")
    assert any(week.unlike)  # 9 more than in training
    same(model.predict_files(folder / "week.csv"), week)
    for read in (pl.read_csv, pd.read_csv):
        frame = read(folder / "week.csv")
        same(model.predict(frame, stride=5), known.predict(frame, stride=5))
    x = np.random.default_rng(0).uniform(60, 70, size=(70, 2, STEPS))
    same(model.predict(x), known.predict(x))
    same(model.predict(x[0]), known.predict(x[0]))
    whole = x.round().astype(np.int64)
    same(model.predict(whole), known.predict(whole))
    same(model.predict(torch.from_numpy(x).float()), known.predict(x.astype(np.float32)))


def test_what_cannot_be_judged_is_refused_alike(known, model):
    x = np.random.default_rng(0).uniform(60, 70, size=(5, 2, STEPS))
    for wrong in (x[:, :1], x[:0], x.swapaxes(1, 2), x[..., 1:]):
        texts = []
        for judge in (known, model):
            with pytest.raises(OtherDataError) as caught:
                judge.predict(wrong)
            texts.append(str(caught.value))
        assert texts[0] == texts[1]
    for value, says in ((np.nan, "index 4: nan"), (np.inf, "index 4: inf")):
        bad = x.copy()
        bad[3, 1, 4] = value
        with pytest.raises(SeriesError, match=says):
            model.predict(bad)
    x[3, 1] = 1e300
    with pytest.raises(SeriesError, match=r"window 3 cannot be drawn: .*too far from"):
        model.predict(x)


def test_the_command_predicts_with_it(folder, model, tmp_path, capsys):
    ending = "onnx" if "Onnx" in type(model._classify).__name__ else "pt2"
    typed = ["predict", str(folder / f"model.{ending}"), "--data", str(folder / "week.csv")]
    assert main([*typed, "--output", str(tmp_path / "own")]) == 0
    assert "unlike the training" in capsys.readouterr().out
    assert (tmp_path / "own" / "predictions.csv").read_text().count("\n") > 3


WITHOUT_TORCH = """
import sys
import numpy as np
import dualgaf
model = dualgaf.load(sys.argv[1])
found = model.predict(np.load(sys.argv[2]))
heavy = {"torch", "lightning", "polars", "numba", "pandas", "scipy", "matplotlib"}
print(sorted(heavy & set(sys.modules)), found.classes.tolist(), len(found.unlike[0]) > 0)
"""


def test_an_onnx_is_used_without_torch(folder, known, tmp_path):
    x = np.random.default_rng(0).uniform(60, 70, size=(3, 2, STEPS))
    x[0] += 100
    np.save(tmp_path / "x.npy", x)
    command = [sys.executable, "-c", WITHOUT_TORCH, folder / "model.onnx", tmp_path / "x.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[] {known.predict(x).classes.tolist()} True"


def test_the_text_is_strict_json_and_comes_back_whole(folder):
    state = Checkpoint(folder / "best.ckpt").needed_imaging
    text = about_text(state)

    def refuse(number):
        raise AssertionError(number)

    told = json.loads(text, parse_constant=refuse)
    assert (told["step"], told["clock"], told["window_size"]) == (3600.0, "seconds", STEPS)
    again = state_of(text, folder)
    assert again.recipe == state.recipe
    assert again.facts.units == state.facts.units
    np.testing.assert_array_equal(again.scaler.std, state.scaler.std)
    for name, value in vars(state.facts.limits).items():
        np.testing.assert_array_equal(getattr(again.facts.limits, name), value, name)
    assert about_text(again) == text


def with_text(path, new, text):
    """A copy with another text of itself; None = without."""
    if path.suffix == ".onnx":
        file = onnx.load(path)
        del file.metadata_props[:]
        if text is not None:
            entry = file.metadata_props.add()
            entry.key, entry.value = ABOUT, text
        new.write_bytes(file.SerializeToString())
        return new
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w") as made:
        for name in old.namelist():
            if not name.endswith(ABOUT):
                made.writestr(name, old.read(name))
            elif text is not None:
                made.writestr(name, text)
    return new


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_text_that_is_missing_or_of_another_version(folder, tmp_path, ending):
    path = folder / f"model.{ending}"
    told = json.loads(about_text(Checkpoint(folder / "best.ckpt").needed_imaging))
    again = rf"type .*export RUN/checkpoints/best.ckpt --output \S+\.{ending}$"
    older = {**told, "version": "0.0.9"}
    del older["mean"]
    for text, says in (
        (None, f"does not say what it takes: it has no 'dualgaf.json'.*{again}"),
        ("{", f"cannot be read: .*{again}"),
        ("[]", f"cannot be read: .*{again}"),
        (json.dumps(older), rf"by dualgaf 0\.0\.9, and .*'mean'; type pip .*==0\.0\.9, or {again}"),
    ):
        with pytest.raises(ConfigError, match=says):
            dualgaf.load(with_text(path, tmp_path / f"m.{ending}", text))
    newer = json.dumps({**told, "version": "9.0", "further": 1})
    assert dualgaf.load(with_text(path, tmp_path / f"m.{ending}", newer)).window_size == STEPS


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_damaged_or_not_there(folder, tmp_path, ending):
    content = (folder / f"model.{ending}").read_bytes()
    path = tmp_path / f"m.{ending}"
    with pytest.raises(ConfigError, match=rf"there is no file .*m\.{ending}; type python"):
        dualgaf.load(path)
    for damaged in (content[: len(content) // 2], content[:20], b"", b"no model at all"):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match=rf"cannot be read as .*--output .*m\.{ending}$"):
            dualgaf.load(path)
    with pytest.raises(ConfigError, match="holds its network; leave net= out"):
        dualgaf.load(folder / f"model.{ending}", net=torch.nn.Identity())


def test_without_onnxruntime_it_says_what_to_type(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r'needs onnxruntime, .*pip install "dualgaf\[onnx\]"'):
        dualgaf.load(folder / "model.onnx")
