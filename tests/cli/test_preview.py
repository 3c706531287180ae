"""`preview --checkpoint` and `export` on a run directory, made as train.py makes it."""

import re
from pathlib import Path
from typing import Any

import lightning as L
import matplotlib.image
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from dualgaf import DualGAFClassifier, DualGAFNet
from dualgaf.cli import main
from dualgaf.errors import ConfigError
from dualgaf.plots.explanation import Row, draw_explanation
from dualgaf.training.config import load_config, load_run_config, make_data

TYPED = ["data=simulated", "data.n_windows=60", "data.window_size=24", "datamodule.image_size=12"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    cfg = load_config([*TYPED, "hardware=8gb"])
    (run / ".hydra").mkdir()
    OmegaConf.save(cfg, run / ".hydra" / "config.yaml")
    choices = {"hydra": {"runtime": {"choices": {"data": "simulated", "model": "dualgafnet"}}}}
    OmegaConf.save(choices, run / ".hydra" / "hydra.yaml")
    data = make_data(cfg)
    data.setup("fit")
    net = DualGAFNet(data.n_channels, data.num_classes, width=8)
    model = DualGAFClassifier(net, class_names=list(data.class_names))
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False}
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", enable_checkpointing=False, **quiet)
    trainer.fit(model, datamodule=data)
    path = run / "checkpoints" / "best.ckpt"
    trainer.save_checkpoint(path)
    return path


def test_the_picture_of_a_run_needs_no_options_of_its_data(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "why.png"
    assert main(["preview", "--checkpoint", str(checkpoint), "--output", str(path)]) == 0
    told = capsys.readouterr().out
    title = rf"{path}: unit_\d/day_\d+, class \w+: predicted \w+ \(0\.\d{{3}}, of which (.*)\)\n"
    found = re.match(title, told)
    assert found is not None
    members = dict(part.removesuffix(" %").split() for part in found[1].split(", "))
    assert list(members) == ["images", "kernels", "forest"]
    assert sum(int(part) for part in members.values()) == 100
    assert re.search(r"most relevant: \w+, [\d.]+ to [\d.]+ h \(steps \d+ to \d+\)\n", told)
    head, *rows, others, statistics = told.splitlines()[2:]
    assert head.split() == ["signal", "from", "to", "part"]
    assert len(rows) == 4
    shares = [float(row.split()[3].rstrip("%")) for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert others.startswith("other signals")
    assert statistics.startswith("statistics of whole windows")
    rest = [float(row.split()[-1].rstrip("%")) for row in (others, statistics)]
    assert sum([*shares, *rest]) == pytest.approx(100, abs=0.3)  # each is rounded
    assert all(0 <= int(row.split()[1]) <= int(row.split()[2]) < 24 for row in rows)
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 600
    assert picture.shape[1] > 700
    reds = (picture[..., 0] - picture[..., 2] > 0.2).mean()
    assert 0.01 < reds < 0.9


def test_named_signals_and_another_split(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--channels", "mat,oat", "--split", "val", "--window", "1", "--method", "grad_cam"]
    given = ["preview", "--checkpoint", str(checkpoint), *options]
    assert main([*given, "--output", str(tmp_path / "why.png")]) == 0
    names = {line.split()[0] for line in capsys.readouterr().out.splitlines()[3:-2]}
    assert names <= {"mat", "oat"}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--window", "999"], r"--window 999 is not there; allowed: 0 to \d+ \(--split test\)"),
        (["--split", "tset"], "--split='tset' is not known; allowed: train, val, test; type --spl"),
        (["--channels", "mta"], "--channels mta is not there; allowed: sat, "),
        (["--method", "cam"], "allowed: integrated, grad_cam; type --method grad_cam"),
        (["data.window_size=30"], "trained with window_size 24, the data have 30; type the data"),
        (["data=ucr", "data.name=GunPoint"], "trained with n_channels=12, the data have 1; type"),
        (["data.nme=x"], r"there is no data\.nme; allowed after 'data\.': n_windows, "),
        (["experiment=gunpoint"], "cannot change the configuration of a run"),
        (["--chekpoint", "x"], "--chekpoint is not known; allowed: .*; type --checkpoint"),
    ],
)
def test_what_does_not_fit_is_said(
    options: list[str], text: str, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "--checkpoint", str(checkpoint), *options]) == 2
    assert re.search(text, capsys.readouterr().err)


def test_export_writes_a_program_and_says_how_to_call_it(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "model.pt2"
    assert main(["export", str(checkpoint), "--output", str(path)]) == 0
    told = capsys.readouterr().out
    assert "takes (B, 12, 24) float64, raw windows; gives (B, 5) float32, probabilities" in told
    lines = [line.strip() for line in told.splitlines()[2:]]
    names = {"windows": torch.zeros(3, 12, 24, dtype=torch.float64)}
    exec("\n".join(lines), names)
    probabilities = names["probabilities"]
    assert probabilities.shape == (3, 5)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(3))


def test_export_without_a_model_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["export"], ["export", "data=simulated"]):
        assert main(given) == 2
        assert "type: export RUN/checkpoints/best.ckpt" in capsys.readouterr().err


def test_a_run_keeps_its_configuration(checkpoint: Path) -> None:
    kept = load_run_config(checkpoint, [])
    assert (kept.data.n_windows, kept.datamodule.image_size) == (60, 12)
    changed = load_run_config(checkpoint, ["data.n_windows=70", "images=on_device"])
    assert (changed.data.n_windows, changed.data.window_size) == (70, 24)
    assert (changed.datamodule.images, changed.hardware.name) == ("on_device", "8gb")
    other = load_run_config(checkpoint, ["data=ahu", "data.root=plant"])
    assert other.data.root == "plant"
    assert "n_windows" not in other.data


def test_without_a_run_directory_options_are_typed(tmp_path: Path) -> None:
    cfg = load_run_config(tmp_path / "checkpoints" / "best.ckpt", ["data.name=GunPoint"])
    assert cfg.data.name == "GunPoint"
    with pytest.raises(ConfigError, match=r"there is no data\.root_"):
        load_run_config(tmp_path / "checkpoints" / "best.ckpt", ["data.root_=x"])


def test_shades_are_on_one_scale() -> None:
    steps, image = np.linspace(0, 1, 8), np.zeros((2, 8, 8))
    rows = [
        Row("a", steps, image, steps, image, 0.8),
        Row("b", steps, image, steps / 4, image, 0.2),
    ]
    figure = draw_explanation(rows, "why")
    heat = [axes.images[0] for axes in figure.axes[:6:3]]
    assert [image.get_clim() for image in heat] == [(0, 1), (0, 1)]
    assert [float(image.get_array().max()) for image in heat] == [1.0, 0.25]
    assert figure.axes[0].get_ylabel() == "a\n80 %"
