"""A program of raw windows against the pipeline that the network was trained with."""

import json
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import Tensor

from dualgaf import DualGAFClassifier, DualGAFDataModule, DualGAFNet
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.window_imaging import WindowImaging
from dualgaf.errors import ConfigError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.export import (
    ABOUT,
    RawWindowClassifier,
    export_program,
)
from few_kernels import few_kernels

STEPS = 26
IMAGINGS: list[dict[str, Any]] = [
    {"scaling": "window"},
    {"scaling": "window", "image_size": 7, "feature_range": (0.0, 1.0)},
    {"scaling": "train", "image_size": 11},
    {"scaling": "train", "image_size": 13, "images": "on_device"},
    {"scaling": "none", "image_size": 5},
]
NETWORKS: list[dict[str, Any]] = [
    {},
    {"extractor": "inception", "arrangement": "stacked", "statistics": "comprehensive"},
    {"extractor": "resnet18_gaf_light", "fields": "gasf", "use_statistics": False},
    {"groups": {"a": {"channels": [2, 0]}}, "statistics_fusion": "attention", "attention": "self"},
]


def data(offset: float = 0.0, **settings: Any) -> DualGAFDataModule:
    """Three signals; the last is constant in half of the windows."""
    x = np.random.default_rng(0).uniform(-0.9, 0.9, size=(24, 3, STEPS))
    x[::2, 2] = 0.25
    y = np.arange(24) % 2
    return DualGAFDataModule.from_arrays(
        (x[:12] + offset, y[:12]),
        val=(x[12:16] + offset, y[12:16]),
        test=(x[16:] * 1.05 + offset, y[16:]),  # beyond the bounds of training
        storage="float32",
        **settings,
    )


def state_of(dm: DualGAFDataModule) -> ImagingState:
    dm.setup("test")
    return ImagingState.from_plain(dm.state_dict()["imaging"])


def raw_windows(dm: DualGAFDataModule) -> Tensor:
    return torch.from_numpy(dm.windows.windows.take(dm.windows.indices["test"]))


def batch(dm: DualGAFDataModule, n: int) -> list[Tensor]:
    windows = [dm.dataset("test")[k] for k in range(n)]
    return [torch.stack([window[i] for window in windows]) for i in range(3)]


@pytest.mark.parametrize(
    ("settings", "offset"),
    [(settings, 0.0) for settings in IMAGINGS] + [(settings, 1e5) for settings in IMAGINGS[:-1]],
)
def test_fields_and_series_are_those_of_training(settings: dict[str, Any], offset: float) -> None:
    dm = data(offset, **settings)
    state = state_of(dm)
    raw = raw_windows(dm)
    gasf, gadf, series = WindowImaging(state)(raw)
    wanted = batch(dm, len(raw))
    torch.testing.assert_close(gasf, wanted[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(gadf, wanted[1], rtol=0, atol=1e-6)
    assert torch.equal(series, wanted[2])


# All kernels are in the program of the example in `export_program`.
@pytest.mark.parametrize(
    "options",
    [NETWORKS[0], *(pytest.param(options, marks=pytest.mark.slow) for options in NETWORKS[1:])],
    ids=",".join,
)
def test_a_program_gives_the_probabilities_of_the_network(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few_kernels(monkeypatch, dilations=2)
    dm = data(scaling="train", image_size=13)
    state = state_of(dm)
    net = DualGAFNet(3, 2, width=8, **options).train()
    net.minirocket.fit(torch.randn(8, 3, STEPS), torch.arange(8) % 2)  # type: ignore[union-attr]
    path = tmp_path / "model.pt2"
    export_program(net, state, path)
    assert net.training
    assert all(module.training for module in net.modules())
    about = {ABOUT: ""}
    classify = torch.export.load(path, extra_files=about).module()
    told = json.loads(about[ABOUT])
    assert (told["class_names"], told["window_size"]) == (["0", "1"], STEPS)
    assert told["channel_names"] == ["channel_0", "channel_1", "channel_2"]
    raw = raw_windows(dm)
    net.eval()
    with torch.no_grad():
        for n in (1, 7):
            wanted = torch.softmax(net(*batch(dm, n)), dim=1)
            torch.testing.assert_close(classify(raw[:n]), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scaling", ["window", "train", "none"])
def test_what_training_refuses_becomes_nan_alone(scaling: str) -> None:
    dm = data(scaling=scaling)
    net = DualGAFNet(3, 2, width=8, use_statistics=False)
    classify = RawWindowClassifier(net, state_of(dm)).eval()
    windows = raw_windows(dm)[:6].clone()
    with torch.no_grad():
        wanted = classify(windows)
        windows[1, 2, 3], windows[2, 0, 0], windows[3, 1, 5] = torch.nan, torch.inf, -torch.inf
        windows[4, 0, 1] = 1.5  # outside what scaling=none takes
        got = classify(windows)
    bad = {1, 2, 3} | ({4} if scaling == "none" else set())
    assert {k for k in range(6) if got[k].isnan().all()} == bad
    assert torch.equal(got[[0, 5]], wanted[[0, 5]])


@pytest.mark.parametrize("scaling", ["window", "train"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_program_draws_a_constant_as_training_did(dtype: Any, scaling: str) -> None:
    x = np.random.default_rng(0).uniform(-0.9, 0.9, size=(24, 3, STEPS)).astype(dtype)
    x[:, 1] = dtype(1e9 / 7)  # a set point, and a sensor that is dead but for its last digit
    x[:, 2] = np.where(x[:, 2] > 0, dtype(1.4), np.nextafter(dtype(1.4), dtype(2)))
    y = np.arange(24) % 2
    dm = DualGAFDataModule.from_arrays(
        (x[:12], y[:12]), test=(x[12:], y[12:]), image_size=7, scaling=scaling, storage="float32"
    )
    state = state_of(dm)
    assert state.dtype == np.dtype(dtype).name
    raw = raw_windows(dm).double()
    gasf, gadf, series = WindowImaging(state)(raw)
    wanted = batch(dm, len(raw))
    for got, own in zip((gasf, gadf, series), wanted, strict=True):
        torch.testing.assert_close(got, own, rtol=0, atol=1e-6)
    edge = 1.0 if state.recipe.feature_range[0] == -1 else -1.0
    assert (gasf[:, 1:] == edge).all()
    assert not gadf[:, 1:].any()
    assert not series[:, 1].any()
    assert series[:, 2].abs().max() < 1e-6
    assert all(images[:, 0].std() > 0.1 for images in (gasf, gadf))


def test_what_training_cannot_draw_or_standardise_becomes_nan_in_a_program() -> None:
    dm = data(scaling="window")
    classify = RawWindowClassifier(DualGAFNet(3, 2, width=8), state_of(dm)).eval()
    windows = raw_windows(dm)[:4].clone()
    windows[1, 0] *= 1e-310
    windows[2, 1, 3] = 1e300
    with torch.no_grad():
        assert classify(windows).isnan().all(dim=1).tolist() == [False, True, True, False]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DualGAFDataModule]:
    folder = tmp_path_factory.mktemp("run")
    dm = data(scaling="train", image_size=13)
    model = DualGAFClassifier(DualGAFNet(3, 2, width=8))
    trainer(1, default_root_dir=folder).fit(model, datamodule=dm)
    return next(folder.rglob("*.ckpt")), dm


def trainer(epochs: int, **settings: Any) -> L.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return L.Trainer(max_epochs=epochs, accelerator="cpu", **quiet, **settings)


def test_a_checkpoint_knows_its_imaging(fitted: tuple[Path, DualGAFDataModule]) -> None:
    path, dm = fitted
    checkpoint = Checkpoint(path)
    state, model = checkpoint.needed_imaging, checkpoint.classifier()
    assert state.to_plain()["version"]
    assert (state.recipe.image_size, state.recipe.scaling, state.window_size) == (
        13,
        "train",
        STEPS,
    )
    dm.setup("test")
    raw = raw_windows(dm)
    model.eval()
    classify = RawWindowClassifier(model.net, state).eval()
    with torch.no_grad():
        wanted = torch.softmax(model(*batch(dm, len(raw))), dim=1)
        torch.testing.assert_close(classify(raw), wanted, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists:UserWarning")
def test_a_training_goes_on_from_such_a_checkpoint(
    fitted: tuple[Path, DualGAFDataModule],
) -> None:
    path, _ = fitted
    model = DualGAFClassifier(DualGAFNet(3, 2, width=8))
    going_on = trainer(2, default_root_dir=path.parents[1])
    going_on.fit(model, datamodule=data(scaling="train", image_size=13), ckpt_path=path)
    assert going_on.current_epoch == 2


def test_nothing_is_read_for_a_state() -> None:
    assert data().state_dict() == {}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "No such file .*; type RUN/checkpoints/best.ckpt"),
        (b"no zip", "is not a checkpoint of DualGAFClassifier: it holds something else than"),
        ({"state_dict": {}}, "does not say how its windows became images"),
        ([1], "it holds a list"),
    ],
)
def test_files_that_do_not_fit(content: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ConfigError, match=text):
        _ = Checkpoint(path).needed_imaging


def test_a_program_has_its_ending(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"type --output .*/model\.pt2"):
        export_program(DualGAFNet(3, 2), state_of(data()), tmp_path / "model.onnx")


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Tensor, Tensor]:
    """A program, readings of a meter about 1e10, and its answers to them as float64."""
    scaler = SeriesScaler(np.array([1e10]), np.array([10.0]))
    recipe = ImagingRecipe(8, scaling="window")
    state = ImagingState(recipe, 16, None, scaler, ("kWh",), ("a", "b"), "")
    torch.manual_seed(0)
    net = DualGAFNet(1, 2, width=8, use_minirocket=False, use_forest=False).eval()
    path = tmp_path_factory.mktemp("meter") / "model.pt2"
    export_program(net, state, path)
    noise = torch.randint(-20, 21, (5, 1, 16), generator=torch.Generator().manual_seed(0))
    readings = 10**10 + noise
    with torch.no_grad():
        wanted = RawWindowClassifier(net, state).eval()(readings.double())
    return torch.export.load(path).module(), readings, wanted


def test_whole_numbers_become_float64_before_anything_else(meter: Any) -> None:
    classify, readings, wanted = meter
    for given in (readings, readings.double()):
        assert torch.equal(classify(given), wanted)
    small = (readings - 10**10).to(torch.int8)
    for kind in (torch.int8, torch.uint8, torch.int16, torch.int32, torch.bool):
        given = small.to(kind)
        assert torch.equal(classify(given), classify(given.double())), kind


def test_a_type_that_rounds_is_refused_in_words(meter: Any) -> None:
    classify, readings, wanted = meter
    for kind in (torch.float32, torch.bfloat16):
        with pytest.raises(RuntimeError, match=r"windows are no float64.*dtype=torch.float64"):
            classify(readings.to(kind))
    # as the message says
    assert torch.equal(classify(torch.as_tensor(readings.tolist(), dtype=torch.float64)), wanted)


def test_autocast_changes_nothing(meter: Any) -> None:
    classify, readings, wanted = meter
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(classify(readings.double()), wanted)


def test_a_network_of_float32_takes_float32() -> None:
    recipe = ImagingRecipe(8, scaling="window")
    scaler = SeriesScaler(np.zeros(1), np.ones(1))
    state = ImagingState(recipe, 16, None, scaler, ("v",), ("a", "b"), "", "float32")
    classify = RawWindowClassifier(
        DualGAFNet(1, 2, width=8, use_minirocket=False, use_forest=False), state
    ).eval()
    windows = torch.rand(3, 1, 16)
    with torch.no_grad():
        assert torch.equal(classify(windows), classify(windows.double()))


def test_another_shape_names_the_axis(meter: Any) -> None:
    classify, readings, _ = meter
    assert classify(readings[:0]).shape == (0, 2)
    for given in (readings[..., :15], readings.swapaxes(1, 2)):
        with pytest.raises(AssertionError, match=r"windows\.size\(\)\[\d\] == \d+"):
            classify(given)


class Wilful(torch.nn.Module):
    """An extractor that goes another way where values are large."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(in_channels))

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean(dim=(2, 3)) * self.weight
        return -means if means.sum() > 100 else means


def test_what_torch_cannot_export_is_an_error_in_words(tmp_path: Path) -> None:
    options: dict[str, Any] = {"use_minirocket": False, "use_forest": False, "fusion": "add"}
    net = DualGAFNet(3, 2, width=8, extractor=Wilful, **options)
    with pytest.raises(ConfigError, match=r"^torch\.export cannot make a program of the network: "):
        export_program(net, state_of(data()), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
