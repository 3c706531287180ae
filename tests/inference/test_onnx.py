"""An ONNX file against the network that it was made of, by onnxruntime."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dualgaf import DualGAFNet
from dualgaf.data.calibration import Calibration, tempered
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import ConfigError
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.inference import onnx_file
from dualgaf.inference.export import RawWindowClassifier
from dualgaf.inference.metadata import ABOUT
from dualgaf.inference.onnx_file import COMPARED, export_onnx
from few_kernels import few_kernels

onnx = pytest.importorskip("onnx", reason='no onnx: pip install "dualgaf[onnx]"')
onnxruntime = pytest.importorskip("onnxruntime", reason='no onnxruntime: "dualgaf[onnx]"')
pytest.importorskip("onnxscript", reason='no onnxscript: pip install "dualgaf[onnx]"')

from benchmarks.export.networks import networks  # noqa: E402

C, T, K = 3, 26, 4
BATCHES = (1, 16, 40)
SCALINGS = [
    (scaling, feature_range)
    for scaling in ("window", "train", "none")
    for feature_range in ((-1.0, 1.0), (0.0, 1.0))
    if scaling != "none" or feature_range == (-1.0, 1.0)
]


def state_of(
    scaling: str = "train", feature_range: tuple[float, float] = (-1.0, 1.0), size: int = 13
) -> ImagingState:
    recipe = ImagingRecipe(size, scaling=scaling, feature_range=feature_range)
    mean = np.zeros(C) if scaling == "none" else np.array([1e10, 0.0, -3.0])
    bounds = np.stack([mean - 20, mean + 20]) if scaling == "train" else None
    std = np.ones(C) if scaling == "none" else np.array([12.0, 0.5, 1e3])
    names = tuple(f"c{k}" for k in range(C))
    return ImagingState(
        recipe, T, bounds, SeriesScaler(mean, std), names, tuple("abcd"), "", "float64"
    )


def network(**options: Any) -> DualGAFNet:
    torch.manual_seed(0)
    net = DualGAFNet(C, K, **{"width": 8, "use_minirocket": False, **options}).eval()
    if net.minirocket is not None:
        net.minirocket.fit(torch.randn(16, C, T), torch.arange(16) % K)
    return net


def windows_like(state: ImagingState, n: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(-0.99, 0.99, size=(n, C, T))
    if state.recipe.scaling == "none":
        return noise
    return np.asarray(state.scaler.mean[:, None] + 1.2 * state.scaler.std[:, None] * noise)


def judged(content: Any, windows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"windows": windows})[0])


def wanted(net: nn.Module, state: ImagingState, windows: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return RawWindowClassifier(net, state).eval()(torch.from_numpy(windows)).numpy()


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        few_kernels(patch, dilations=2)
        net = network(use_minirocket=True)
        state = replace(state_of(), calibration=Calibration(temperature=2.5))
        net.forest.fit(torch.randn(16, C, T), torch.arange(16) % K, others=2)  # type: ignore[union-attr]
        path = tmp_path_factory.mktemp("onnx") / "new" / "model.onnx"
        export_onnx(net, state, path)
        yield path, net, state


def test_probabilities_are_those_of_the_network(exported: Any) -> None:
    path, net, state = exported
    for n in BATCHES:
        windows = windows_like(state, n, n)
        got = judged(path, windows)
        assert (got.dtype, got.shape) == (np.float32, (n, K))
        np.testing.assert_allclose(got, wanted(net, state, windows), rtol=0, atol=1e-5)
        plain = wanted(net, replace(state, calibration=None), windows)
        np.testing.assert_allclose(got, tempered(plain, 2.5), rtol=0, atol=1e-5)
        assert abs(got - plain).max() > 0.01
    assert judged(path, np.zeros((0, C, T))).shape == (0, K)


def test_what_cannot_be_judged_is_nan_and_touches_nothing_else(exported: Any) -> None:
    path, net, state = exported
    windows = windows_like(state, 12)
    plain = judged(path, windows)
    for k, (place, value) in enumerate(
        [
            ((0, 0), np.nan),
            ((2, T - 1), np.nan),
            ((1, 5), np.inf),
            ((1, 6), -np.inf),
            ((1, 7), 1e300),  # finite, and not in float32 once it is standardised
        ]
    ):
        windows[(k + 1, *place)] = value
    windows[8], windows[9] = np.nan, np.inf
    got = judged(path, windows)
    bad = [1, 2, 3, 4, 5, 8, 9]
    assert np.flatnonzero(np.isnan(got).all(axis=1)).tolist() == bad
    good = [k for k in range(12) if k not in bad]
    np.testing.assert_allclose(got[good], plain[good], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted(net, state, windows)))


def test_large_and_small_numbers_are_those_of_float64(tmp_path: Path) -> None:
    # What is a number in the code becomes float32 in torch's exporter: no infinity, no zero.
    recipe = ImagingRecipe(13, scaling="window")
    scaler = SeriesScaler(np.zeros(C), np.array([1e150, 1e-150, 1.0]))
    state = ImagingState(recipe, T, None, scaler, tuple("xyz"), tuple("abcd"), "")
    net = network(use_statistics=False)
    export_onnx(net, state, tmp_path / "m.onnx")
    windows = np.random.default_rng(0).normal(size=(4, C, T))
    windows[:, 0] *= 1e150
    windows[:, 1] *= 1e-150
    windows[1, 1] *= 1e-165
    got = judged(tmp_path / "m.onnx", windows)
    assert np.isnan(got).all(axis=1).tolist() == [False, True, False, False]
    np.testing.assert_allclose(got, wanted(net, state, windows), rtol=0, atol=1e-5)


def test_it_says_what_it_takes_and_nothing_of_the_machine(exported: Any) -> None:
    path, _, state = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (
        10,
        [("", 20)],
    )
    session = onnxruntime.InferenceSession(path)
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("windows", "tensor(double)", ["batch", C, T])
    assert (made.name, made.type, made.shape) == ("probabilities", "tensor(float)", ["batch", K])
    told = json.loads(session.get_modelmeta().custom_metadata_map[ABOUT])
    assert told["class_names"] == list(state.class_names)
    assert told["channel_names"] == list(state.channel_names)
    assert (told["window_size"], told["step"], told["clock"]) == (T, None, None)
    content = path.read_bytes()
    for trace in ("site-packages", ".py", str(Path.home()), str(Path.cwd()), "torch.nn"):
        assert trace.encode() not in content, trace


WITHOUT = """
import sys
class No:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "dualgaf", "lightning", "onnx", "onnxscript"}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, No())
sys.path.append(sys.argv[1])
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[2])
given = numpy.load(sys.argv[3])
found = {name: session.run(None, {"windows": given[name]})[0] for name in given.files}
assert "torch" not in sys.modules and "dualgaf" not in sys.modules
numpy.savez(sys.argv[4], **found)
"""


def judged_elsewhere(path: Path, batches: dict[str, np.ndarray], folder: Path) -> Any:
    """By a Python that has neither dualgaf nor torch."""
    np.savez(folder / "given.npz", **batches)
    place = str(Path(onnxruntime.__file__).parents[1])
    files = [str(file) for file in (path, folder / "given.npz", folder / "found.npz")]
    subprocess.run([sys.executable, "-I", "-c", WITHOUT, place, *files], check=True)
    return np.load(folder / "found.npz")


def test_neither_torch_nor_dualgaf_is_needed(exported: Any, tmp_path: Path) -> None:
    path, net, state = exported
    batches = {f"n{n}": windows_like(state, n, n) for n in BATCHES}
    found = judged_elsewhere(path, batches, tmp_path)
    for name, windows in batches.items():
        np.testing.assert_allclose(
            found[name], wanted(net, state, windows), rtol=0, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize(
    ("windows", "says"),
    [
        (np.zeros((2, C, T), np.float32), r"Actual: \(tensor\(float\)\) , expected: .*double"),
        (np.zeros((2, C, T), np.int64), r"expected: \(tensor\(double\)\)"),
        (np.zeros((2, T, C)), "Got: 26 Expected: 3"),
        (np.zeros((2, C, T - 1)), "Got: 25 Expected: 26"),
        (np.zeros((C, T)), "Invalid rank for input: windows"),
    ],
)
def test_onnxruntime_refuses_another_type_and_shape(
    exported: Any, windows: np.ndarray, says: str
) -> None:
    with pytest.raises(Exception, match=says):
        judged(exported[0], windows)


@pytest.mark.parametrize(("opset", "typed"), [(17, 18), (9, 18), (24, 23)])
def test_an_opset_that_would_be_another_is_refused(opset: int, typed: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"--opset {opset} .*18 to 23; type --opset {typed}$"):
        export_onnx(network(), state_of(), tmp_path / "m.onnx", opset)


class Distances(nn.Module):
    """An extractor with an operation that ONNX has no translation for."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(in_channels, 8)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.project(torch.cdist(images, images).mean(dim=(2, 3)))
        return found


def test_what_has_no_translation_is_refused_by_name(tmp_path: Path) -> None:
    net = network(extractor=Distances, fusion="add")
    with pytest.raises(ConfigError, match=r"no translation for the operation \w*cdist"):
        export_onnx(net, state_of(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_would_give_something_else_is_not_written(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, net, state = exported
    content = path.read_bytes()
    monkeypatch.setattr(onnx_file, "_translated", lambda *_: onnx.load(path))
    assert export_onnx(net, state, tmp_path / "same.onnx") == 10
    assert (tmp_path / "same.onnx").read_bytes() == content
    weight = next(net.parameters())
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.mul_(3)
    try:
        with pytest.raises(ConfigError, match=r"would not give what the network gives.*off by 0"):
            export_onnx(net, state, tmp_path / "other.onnx")
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    assert not (tmp_path / "other.onnx").exists()


def test_a_package_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(ConfigError, match=rf'needs {name}, .*"dualgaf\[onnx\]"'):
                export_onnx(network(), state_of(), tmp_path / "m.onnx")


def test_no_half_of_a_file_is_left(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, net, state = exported
    monkeypatch.setattr(onnx_file, "_translated", lambda *_: onnx.load(path))
    (tmp_path / "m.onnx").write_bytes(b"the one before")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export_onnx(net, state, tmp_path / "m.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == b"the one before"


@pytest.mark.slow
@pytest.mark.parametrize(("scaling", "feature_range"), SCALINGS)
def test_each_scaling_in_both_ranges(
    scaling: str, feature_range: tuple[float, float], tmp_path: Path
) -> None:
    check_elsewhere(network(), state_of(scaling, feature_range), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("opset", onnx_file.OPSETS)
def test_each_opset(opset: int, tmp_path: Path) -> None:
    check_elsewhere(network(), state_of(), tmp_path, opset)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", networks(), ids=lambda options: "-".join(map(str, options.values()))
)
def test_each_part_of_a_network(options: dict[str, Any], tmp_path: Path) -> None:
    check_elsewhere(network(**options), state_of(), tmp_path)


def check_elsewhere(net: DualGAFNet, state: ImagingState, folder: Path, opset: int = 20) -> None:
    export_onnx(net, state, folder / "m.onnx", opset)
    assert onnx.load(folder / "m.onnx").opset_import[0].version == opset
    batches = {f"n{n}": windows_like(state, n, n) for n in BATCHES}
    batches["n16"][3, 1, 4] = np.nan
    found = judged_elsewhere(folder / "m.onnx", batches, folder)
    for name, windows in batches.items():
        np.testing.assert_allclose(found[name], wanted(net, state, windows), rtol=0, atol=1e-5)


def test_the_comparison_has_windows_that_cannot_be_judged() -> None:
    for scaling in ("window", "none"):
        windows = onnx_file._like_training(state_of(scaling), max(COMPARED))
        found = wanted(network(), state_of(scaling), windows)
        assert np.isnan(found).all(axis=1).tolist() == [False] * 13 + [True] * 3
