import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, SeriesError, SeriesWarning
from dualgaf.imaging import gaf
from dualgaf.imaging.compiled import kernel
from dualgaf.imaging.gaf import Renderer, dual_gaf
from dualgaf.imaging.packing import decode, pack, unpack
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from oracles import gaf_by_angles, gaf_by_pyts
from oracles import kernel as reference
from strategies import windows as drawn_windows

RANGES = [(-1.0, 1.0), (0.0, 1.0)]
STORAGES = ["float32", "float16", "uint8", "uint16"]
BOUND = {"float32": 2e-7, "float16": 2.5e-4, "uint8": 1 / 254 + 1e-6, "uint16": 1 / 65534 + 2e-7}


def noisy(shape=(3, 2, 24), seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_hand_computed_three_steps():
    # x = [-1, 0, 1], s = [0, 1, 0]
    fields = dual_gaf(np.array([[[2.0, 3.0, 4.0]]]))
    assert fields[0, 0, 0].tolist() == [[1, 0, -1], [0, -1, 0], [-1, 0, 1]]
    assert fields[0, 1, 0].tolist() == [[0, 1, 0], [-1, 0, 1], [0, -1, 0]]


def test_hand_computed_zero_to_one_range():
    # x = [0, 0.6, 1], s = [1, 0.8, 0]
    fields = dual_gaf(np.array([[[0.0, 6.0, 10.0]]]), feature_range=(0, 1))
    gasf = [[-1, -0.8, 0], [-0.8, 0.36 - 0.64, 0.6], [0, 0.6, 1]]
    gadf = [[0, 0.6, 1], [-0.6, 0, 0.8], [-1, -0.8, 0]]
    np.testing.assert_allclose(fields[0, 0, 0], gasf, atol=1e-7)
    np.testing.assert_allclose(fields[0, 1, 0], gadf, atol=1e-7)


def test_paa_comes_before_scaling():
    # PAA of [0, 10, 1, 3] is [5, 2]; scaling first would map 10, not 5, to 1
    fields = dual_gaf(np.array([[[0.0, 10.0, 1.0, 3.0]]]), image_size=2)
    assert fields[0, 0, 0].tolist() == [[1, -1], [-1, 1]]


@pytest.mark.parametrize("feature_range", RANGES)
@pytest.mark.parametrize(
    "make",
    [
        lambda x: x,
        lambda x: 0 * x + 3.7,
        np.sign,
        lambda x: 1e5 + x,
        lambda x: 1e5 + 1e-3 * x,
        lambda x: (1e5 + x).astype(np.float32),
    ],
    ids=["random", "constant", "extreme", "offset", "offset-small", "offset-float32"],
)
def test_agrees_with_pyts(make, feature_range):
    x = make(noisy((3, 2, 23)))
    for image_size in (2, 5, 12, 23):  # the least, two that do not divide 23 steps, no PAA
        ours = dual_gaf(x, image_size=image_size, feature_range=feature_range)
        theirs = gaf_by_pyts(x.astype(np.float64), image_size, feature_range)
        np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


def test_agrees_with_pyts_without_scaling():
    x = np.random.default_rng(1).uniform(-1, 1, (2, 3, 17))
    for image_size in (2, 5, 17):
        theirs = gaf_by_pyts(x, image_size, None)
        ours = dual_gaf(x, image_size=image_size, scaling="none")
        np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("feature_range", RANGES)
def test_agrees_with_the_definition_by_angles(feature_range):
    x = noisy((2, 2, 19))
    ours = dual_gaf(x, image_size=8, feature_range=feature_range)
    for n, c in np.ndindex(2, 2):
        want = gaf_by_angles(x[n, c], 8, feature_range)
        np.testing.assert_allclose(ours[n, :, c], want, atol=3e-7, rtol=0)


@given(x=drawn_windows(), data=st.data())
def test_properties_of_the_fields(x, data):
    image_size = data.draw(st.integers(2, x.shape[-1]))
    fields = dual_gaf(x, image_size=image_size)
    gasf, gadf = fields[:, 0], fields[:, 1]
    assert np.array_equal(gasf, gasf.swapaxes(-1, -2))
    assert np.array_equal(gadf, -gadf.swapaxes(-1, -2))
    assert not gadf[..., np.arange(image_size), np.arange(image_size)].any()
    assert np.abs(fields).max() <= 1 + 2e-7


@given(x=drawn_windows(), data=st.data())
def test_diagonal_of_gasf_is_double_angle(x, data):
    image_size = data.draw(st.integers(2, x.shape[-1]))
    recipe = ImagingRecipe(image_size=image_size, storage="float32")
    n, c, t = x.shape
    flat = np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(c, n * t)
    cosine = Renderer(recipe, t).polar(Windows(flat, np.arange(n) * t, t), np.arange(n))[:, 0]
    gasf = dual_gaf(x, image_size=image_size)[:, 0]
    diagonal = gasf[..., np.arange(image_size), np.arange(image_size)]
    np.testing.assert_allclose(diagonal, 2 * cosine.astype(np.float64) ** 2 - 1, atol=3e-7)


@pytest.mark.parametrize("storage", STORAGES)
@given(x=drawn_windows())
def test_error_of_each_storage_type_is_bounded(storage, x):
    stored = dual_gaf(x, dtype=storage)
    assert stored.dtype == storage
    exact = dual_gaf(x)
    assert np.abs(decode(stored).astype(np.float64) - exact).max() <= BOUND[storage]


@pytest.mark.parametrize("storage", STORAGES)
@given(x=drawn_windows())
def test_packing_loses_nothing(storage, x):
    dual = dual_gaf(x, dtype=storage)
    packed = dual_gaf(x, dtype=storage, layout="packed")
    assert np.array_equal(packed, pack(dual))
    assert np.array_equal(unpack(packed), dual)
    assert packed.nbytes * 2 == dual.nbytes


@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", STORAGES)
@given(x=drawn_windows(), data=st.data())
def test_numba_and_numpy_kernels_give_the_same_bytes(storage, layout, x, data):
    image_size = data.draw(st.integers(2, x.shape[-1]))
    options = {"image_size": image_size, "dtype": storage, "layout": layout}
    ours = dual_gaf(x, **options)
    try:
        gaf.kernel = lambda: reference
        numpy_only = dual_gaf(x, **options)
    finally:
        gaf.kernel = kernel
    assert np.array_equal(ours, numpy_only)


@pytest.mark.parametrize("storage", STORAGES)
def test_train_bounds_scale_each_channel_and_clip(storage):
    flat = np.array([[0.0, 5.0, 10.0, 20.0], [1.0, 1.0, 3.0, -9.0]])
    recipe = ImagingRecipe(image_size=4, scaling="train", storage=storage)
    renderer = Renderer(recipe, 4, bounds=np.array([[0.0, 1.0], [10.0, 3.0]]))
    out = np.empty((1, 2, 2, 4, 4), dtype=storage)
    renderer.render(Windows(flat, np.array([0]), 4), 0, 1, out)
    x = np.array([[-1, 0, 1, 1], [-1, -1, 1, -1]], dtype=np.float64)
    s = np.sqrt(1 - x**2)
    gasf = x[:, :, None] * x[:, None, :] - s[:, :, None] * s[:, None, :]
    np.testing.assert_allclose(decode(out)[0, 0], gasf, atol=BOUND[storage])


def test_polar_gives_the_images_of_render():
    x = 1e5 + noisy((4, 3, 20))
    flat = np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(3, 80)
    windows = Windows(flat, np.arange(4) * 20, 20)
    angles = Renderer(ImagingRecipe(image_size=9), 20).polar(windows, np.array([2, 0]))
    c, s = angles[:, 0], angles[:, 1]
    gasf = c[..., :, None] * c[..., None, :] - s[..., :, None] * s[..., None, :]
    gadf = s[..., :, None] * c[..., None, :] - c[..., :, None] * s[..., None, :]
    assert np.array_equal(np.stack([gasf, gadf], axis=1), dual_gaf(x, image_size=9)[[2, 0]])


def test_out_is_filled_and_returned():
    x = noisy()
    out = np.zeros((3, 2, 2, 24, 24), dtype=np.uint8)
    assert dual_gaf(x, out=out, dtype="uint8") is out
    assert np.array_equal(out, dual_gaf(x, dtype="uint8"))


def test_takes_a_cpu_tensor_and_integers():
    torch = pytest.importorskip("torch")
    x = np.arange(12).reshape(1, 2, 6)
    want = dual_gaf(x.astype(np.float64))
    assert np.array_equal(dual_gaf(x), want)
    assert np.array_equal(dual_gaf(torch.from_numpy(x)), want)


@pytest.mark.parametrize(
    ("x", "options", "error", "text"),
    [
        (noisy((2, 5)), {}, SeriesError, "for univariate series type x[:, None, :]"),
        (noisy((2, 5, 3, 1)), {}, SeriesError, "x has 4 dimensions, shape (2, 5, 3, 1)"),
        (noisy((0, 5, 3)), {}, SeriesError, "shape (0, 5, 3); every one of N, C, T"),
        (noisy() * 1j, {}, SeriesError, "x holds complex numbers (complex128)"),
        (noisy(), {"image_size": 25}, ConfigError, "image_size=25 does not fit a window of 24"),
        (noisy(), {"image_size": 1}, ConfigError, "image_size=1 is too small"),
        (noisy(), {"image_size": 0.5}, ConfigError, "image_size=0.5 is not a whole number"),
        (noisy(), {"scaling": "train"}, ConfigError, "fitted by DualGAFDataModule"),
        (noisy(), {"dtype": "float64"}, ConfigError, "allowed: uint8, uint16, float16, float32"),
        (noisy(), {"feature_range": (0, 2)}, ConfigError, "two numbers low < high inside [-1, 1]"),
        (noisy() + 5, {"scaling": "none"}, SeriesError, "which scaling=none does not allow"),
        (noisy(), {"out": np.empty((1, 1))}, SeriesError, "out has shape (1, 1)"),
    ],
)
def test_bad_input_says_what_to_type(x, options, error, text):
    with pytest.raises(error, match=re.escape(text)):
        dual_gaf(x, **options)


@pytest.mark.parametrize(
    ("scaling", "bounds", "says"),
    [
        ("train", None, "scaling=train needs fitted bounds; they belong to scaling=train and come"),
        ("window", np.array([[0.0], [1.0]]), "scaling=window takes no fitted bounds"),
    ],
)
def test_bounds_go_with_the_scaling_that_they_are_of(scaling, bounds, says):
    recipe = ImagingRecipe(image_size=2, scaling=scaling)
    with pytest.raises(ConfigError, match=says):
        Renderer(recipe, window_size=4, bounds=bounds)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(bad):
    x = noisy()
    x[2, 1, 7] = bad
    with pytest.raises(SeriesError, match=r"window 2, channel 1 holds a NaN or an infinity"):
        dual_gaf(x)


@pytest.mark.parametrize("give", [lambda x: x, list, lambda x: [list(s) for s in x]], ids="alm")
def test_a_masked_value_is_missing_and_no_measurement(give):
    x = np.ma.masked_array(noisy())
    np.testing.assert_array_equal(dual_gaf(give(x)), dual_gaf(x.data))  # control: none is masked
    x[0, 0, 1] = np.ma.masked
    with pytest.raises(SeriesError, match="window 0, channel 0 holds a NaN"):
        dual_gaf(give(x))


def test_frames_are_turned_and_one_frame_is_refused():
    frames = [pd.DataFrame(series.T).add_prefix("channel_") for series in noisy()]
    np.testing.assert_array_equal(dual_gaf(frames), dual_gaf(noisy()))
    with pytest.raises(SeriesError, match=r"x is one frame of 24 rows .*; type \[frame\] for one"):
        dual_gaf(frames[0])


def test_channels_far_above_steps_are_told():
    with pytest.warns(SeriesWarning, match=r"48 channels and 6 steps; .* np.swapaxes\(x, 1, 2\)"):
        dual_gaf(np.swapaxes(noisy((2, 6, 48)), 1, 2))
