"""A checkpoint and data that meet under a Trainer of one's own."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch

from dualgaf import (
    ArraySource,
    DualGAFClassifier,
    DualGAFDataModule,
    DualGAFNet,
    SplitSettings,
    TableSource,
)
from dualgaf.data.compatibility import check_images, check_windows
from dualgaf.data.window_digest import float32_digest
from dualgaf.errors import ConfigError
from golden.make_checkpoints import arrays

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
Y = np.arange(30) % 3
X = np.random.default_rng(0).normal(size=(30, 2, 12))


def data(train=slice(0, 20), test=slice(20, 30), x=X, y=Y, names=("a", "b"), **settings):
    source = ArraySource(
        train=(x[train], y[train]),
        test=(x[test], y[test]),
        channel_names=names,
        split=SplitSettings("official", val_fraction=0.0),
    )
    return DualGAFDataModule(source, **{"batch_size": 10, "scaling": "train", **settings})


def trainer():
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    short = {"max_epochs": 1, "limit_val_batches": 0, "enable_checkpointing": False}
    return L.Trainer(accelerator="cpu", **short, **quiet)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A classifier and its checkpoint."""
    model = DualGAFClassifier(DualGAFNet(2, 3, width=8, use_minirocket=False, use_forest=False))
    runner, path = trainer(), tmp_path_factory.mktemp("project") / "some.ckpt"
    runner.fit(model, datamodule=data())
    runner.save_checkpoint(path)
    return model, path


def test_the_data_of_the_training_are_taken(trained):
    model, path = trained
    again = {"ckpt_path": path, "verbose": False, "weights_only": True}
    (scores,) = trainer().test(model, datamodule=data(), **again)
    in_other_order = data(train=np.arange(20)[::-1], batch_size=3, num_workers=0, seed=4)
    assert trainer().test(model, datamodule=in_other_order, **again) == [pytest.approx(scores)]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"scaling": "window"}, r"scaling train, the data have window; .* scaling='train'\)$"),
        ({"feature_range": (-1, 1)}, "feature_range .0.0, 1.0., the data have .-1.0, 1.0."),
        ({"image_size": 10}, r"image_size 12, the data have 10; .* DualGAFDataModule\(..., image"),
        ({"x": X[:, ::-1], "names": ("b", "a")}, "channels a, b, the data have b, a; .*that order"),
        ({"x": X[:, ::-1]}, "learned another training split"),
        ({"y": np.array(["c", "b", "a"])[Y]}, "classes 0, 1, 2, the data have a, b, c; .* labels"),
        ({"y": 2 - Y}, "the windows of the training split with other classes .*; give the labels"),
        ({"x": X[..., :11]}, "window_size 12, the data have 11"),
        ({"train": slice(10, 30), "test": slice(0, 10)}, "windows that it knows may be tested"),
        ({"x": X * 1.001}, "learned another training split"),
    ],
    ids=[
        "scaling",
        "range",
        "image_size",
        "channels by name",
        "channels",
        "classes",
        "labels",
        "length",
        "learned windows",
        "values",
    ],
)
def test_other_data_are_refused_with_what_differs(changed, text, trained):
    model, path = trained
    with pytest.raises(ConfigError, match=text):
        trainer().test(model, datamodule=data(**changed), ckpt_path=path, weights_only=True)


def test_a_training_that_goes_on_is_refused_too(trained):
    model, path = trained
    with pytest.raises(ConfigError, match="trained with scaling train"):
        trainer().fit(model, datamodule=data(scaling="window"), ckpt_path=path, weights_only=True)


def table(folder: Path, minutes: int) -> DualGAFDataModule:
    """Two classes on two days each, at one reading in so many minutes."""
    folder.mkdir(exist_ok=True)
    draws = np.random.default_rng(0)
    rows = [
        f"2024-01-0{day} {at // 60:02}:{at % 60:02},{draws.normal():.3f},{day % 2}"
        for day in range(1, 9)
        for at in range(0, 24 * minutes, minutes)
    ]
    (folder / "plant.csv").write_text("time,flow [m3/h],fault\n" + "\n".join(rows) + "\n")
    source = TableSource(folder, window_size=12, split=SplitSettings("group", val_fraction=0.0))
    return DualGAFDataModule(source)


def test_another_sampling_step_is_refused(tmp_path):
    five, ten = table(tmp_path / "5", 5), table(tmp_path / "10", 10)
    state = five.imaging_state()
    assert (state.facts.step, state.facts.clock, state.facts.units) == (300.0, "seconds", ("m3/h",))
    check_windows(state, five)
    with pytest.raises(ConfigError, match=r"step of 300 s, the data have 600 s; .* resample"):
        check_windows(state, ten)
    unknown = replace(state, facts=replace(state.facts, step=None, clock=None))
    check_windows(unknown, ten)


@pytest.mark.parametrize(("name", "n_channels"), [("api", 3), ("plain", 1)])
def test_a_checkpoint_of_an_earlier_version_is_judged_by_its_own_digest(name, n_channels, caplog):
    path = GOLDEN / f"{name}.ckpt"
    model = DualGAFClassifier.load_from_checkpoint(path)
    as_then = {"batch_size": 8, "image_size": 10, "scaling": "window", "feature_range": (-1, 1)}
    given = arrays(n_channels)
    figures = json.loads((GOLDEN / "figures.json").read_text())[name]
    quiet = {"ckpt_path": path, "verbose": False, "weights_only": True}
    with caplog.at_level(logging.WARNING):
        dm = DualGAFDataModule.from_arrays(**given, **as_then)
        (scores,) = trainer().test(model, datamodule=dm, **quiet)
    assert scores == pytest.approx(figures, abs=2e-6)
    assert "it does not hold the classes of the windows" in caplog.text
    (x, y), test = given["train"], given["test"]
    other = DualGAFDataModule.from_arrays((x[:-2], y[:-2]), test=test, **as_then)
    with pytest.raises(ConfigError, match="learned another training split"):
        trainer().test(model, datamodule=other, **quiet)


def test_one_that_cannot_tell_these_windows_apart_says_so():
    low, high = data(x=X.round(3)), data(x=1e9 + X.round(3))
    for dm in (low, high):
        windowed = dm.windows
        rows = {"train": windowed.indices["train"], "val": np.zeros(0, dtype=np.int64)}
        digest = float32_digest(windowed.windows, rows)
        old = replace(dm.imaging_state(), digest=digest, facts=None)
        if dm is low:
            check_images(old, dm)
            continue
        with pytest.raises(ConfigError, match=r"rounded so windows of these data are equal"):
            check_images(old, dm)
        none = replace(old, digest="")
        with pytest.raises(ConfigError, match="does not say which windows it has learned"):
            check_images(none, dm)


def test_a_checkpoint_is_no_data_and_says_what_to_give(trained):
    _, path = trained
    with pytest.raises(
        ConfigError,
        match=r"and no data; type DualGAFDataModule.load_from_ch",
    ):
        DualGAFDataModule.load_from_checkpoint(path)
    again = DualGAFDataModule.load_from_checkpoint(path, source=data().source)
    assert (again.batch_size, again.hparams["scaling"]) == (10, "train")

    class Mine(DualGAFDataModule):
        def __init__(self, path, **settings):
            super().__init__(data().source, **settings)

    assert Mine.load_from_checkpoint(path, path="x").hparams["scaling"] == "train"


def test_no_code_of_a_checkpoint_is_run(tmp_path):
    torch.save({"state_dict": {}, "hyper_parameters": {"net": Path("x")}}, tmp_path / "a.ckpt")
    for kind, given in ((DualGAFClassifier, {}), (DualGAFDataModule, {"source": data().source})):
        with pytest.raises(Exception, match="Weights only load failed"):
            kind.load_from_checkpoint(tmp_path / "a.ckpt", **given)
