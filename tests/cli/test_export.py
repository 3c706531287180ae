"""`python -m dualgaf export`: what is typed, and what its messages say to type."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from dualgaf.cli import main

onnx = pytest.importorskip("onnx", reason='no onnx: pip install "dualgaf[onnx]"')
pytest.importorskip("onnxscript", reason='no onnxscript: pip install "dualgaf[onnx]"')
pytest.importorskip("onnxruntime", reason='no onnxruntime: pip install "dualgaf[onnx]"')

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "run/checkpoints/best.ckpt"
EMPTY = onnx.ModelProto()


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(GOLDEN, "best.ckpt")


def test_an_onnx_is_written_and_used_as_it_says(capsys):
    assert main(["export", "best.ckpt", "--output", "new/model.onnx", "--opset", "18"]) == 0
    told = capsys.readouterr().out
    assert "takes (B, 12, 24) float64, raw windows; gives (B, 5) float32, probabilities" in told
    assert "; opset 18, ONNX IR version 10\n" in told
    lines = [line.strip() for line in told.splitlines()[2:]]
    names = {"windows": np.random.default_rng(0).normal(size=(3, 12, 24))}
    exec("\n".join(lines), names)
    np.testing.assert_allclose(names["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert [path.name for path in Path("new").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (["--output", "model.pth"], ["--output model.pt2", "--output model.onnx"]),
        (["--output", "model.onnx", "--opset", "17"], ["--opset 18"]),
        (["--output", "model.onnx", "--opset", "99"], ["--opset 23"]),
        (["--output", "model.pt2", "--opset", "20"], ["--output model.onnx"]),
    ],
)
def test_what_it_says_to_type_is_allowed(wrong, advice, capsys, monkeypatch):
    written = []
    program = "dualgaf.inference.export.export_program"
    monkeypatch.setattr(program, lambda net, state, path: written.append(path.name))
    monkeypatch.setattr(
        "dualgaf.inference.onnx_file._translated", lambda *_: written.append("onnx") or EMPTY
    )
    monkeypatch.setattr("dualgaf.inference.onnx_file._compare", lambda *_: None)
    assert main(["export", "best.ckpt", *wrong]) == 2
    message = capsys.readouterr().err
    assert not written
    for typed in advice:
        assert typed in re.findall(r"--\w+ [\w.]+", message.partition("; type ")[2])
        option, value = shlex.split(typed)
        words = list(wrong)
        if option in words:
            words[words.index(option) + 1] = value
        assert main(["export", "best.ckpt", *words]) == 0
        assert written.pop() in ("onnx", "model.pt2")


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_a_folder_that_takes_no_file_is_named(ending, capsys, monkeypatch):
    Path("taken").touch()
    monkeypatch.setattr("dualgaf.inference.onnx_file._translated", lambda *_: EMPTY)
    monkeypatch.setattr("dualgaf.inference.onnx_file._compare", lambda *_: None)
    monkeypatch.setattr("dualgaf.inference.export.traced", lambda *_: None)
    assert main(["export", "best.ckpt", "--output", f"taken/model.{ending}"]) == 2
    message = capsys.readouterr().err
    assert f"--output taken/model.{ending} cannot be written: " in message
    assert f"type --output FOLDER/model.{ending}" in message
