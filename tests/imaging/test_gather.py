import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.imaging import compiled, gather_kernel
from dualgaf.imaging import gather as module
from dualgaf.imaging.gaf import Renderer, dual_gaf
from dualgaf.imaging.gather import draw, gather, gather_series
from dualgaf.imaging.packing import LEVELS, decode, unpack
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from oracles import gather_kernel as gather_reference
from strategies import windows as drawn_windows

STORAGES = ["float32", "float16", "uint8", "uint16"]
kernels = pytest.mark.parametrize("kernel", [gather_kernel, gather_reference])


@pytest.fixture(autouse=True)
def _one_kernel(request, monkeypatch):
    if "kernel" in request.fixturenames:
        kernel = request.getfixturevalue("kernel")
        monkeypatch.setattr(module, "gather_kernel", lambda: kernel)


def images(n_rows, stored):
    """Two arrays to be filled, of values that no image has."""
    shape = (n_rows, *stored.shape[-3:])
    return np.full(shape, 7, np.float32), np.full(shape, 7, np.float32)


def noisy(shape=(6, 3, 20), seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@kernels
def test_hand_computed_pixels(kernel):
    stored = np.array([[[[[128, 255], [255, 1]]], [[[128, 1], [255, 128]]]]], dtype=np.uint8)
    gasf, gadf = images(1, stored)
    gather(stored, np.array([0]), gasf, gadf)
    assert gasf.tolist() == [[[[0, 1], [1, -1]]]]
    assert gadf.tolist() == [[[[0, -1], [1, 0]]]]


@kernels
def test_hand_computed_packed_pixels(kernel):
    # GASF [[0, 1], [1, 0.5]], GADF [[0, -0.25], [0.25, 0]]
    stored = np.array([[[[0.0, 1.0], [0.25, 0.5]]]], dtype=np.float32)
    gasf, gadf = images(1, stored)
    gather(stored, np.array([0]), gasf, gadf)
    assert gasf.tolist() == [[[[0, 1], [1, 0.5]]]]
    assert gadf.tolist() == [[[[0, -0.25], [0.25, 0]]]]
    assert not np.signbit(gadf[0, 0].diagonal()).any()


@kernels
@pytest.mark.parametrize("size", [2, 7, 8, 20])
@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", STORAGES)
def test_rows_are_those_of_packing_in_the_order_asked_for(storage, layout, size, kernel):
    stored = dual_gaf(noisy(), image_size=size, dtype=storage, layout=layout)
    rows = np.array([4, 0, 4, 5])
    gasf, gadf = images(4, stored)
    gather(stored, rows, gasf, gadf)
    want = decode(unpack(stored) if layout == "packed" else stored)[rows]
    assert np.array_equal(gasf, want[:, 0])
    assert np.array_equal(gadf, want[:, 1])


@pytest.mark.parametrize("storage", ["uint8", "uint16", "float16"])
def test_every_code_is_read_as_packing_reads_it(storage):
    codes = np.arange(1 << (8 * np.dtype(storage).itemsize), dtype=np.uint32)
    codes = codes.astype(np.uint8 if storage == "uint8" else np.uint16)
    if storage == "float16":
        codes = codes.view(np.float16)
        codes = codes[np.isfinite(codes)]
    stored = np.stack([codes, codes[::-1]]).reshape(1, 2, 1, 1, -1)
    gasf, gadf = (np.empty((1, 1, 1, codes.size), np.float32) for _ in range(2))
    gather(stored, np.array([0]), gasf, gadf)
    assert np.array_equal(gasf.ravel(), decode(codes))
    assert np.array_equal(gadf.ravel(), decode(codes)[::-1])
    if storage in LEVELS:
        assert (gasf.ravel()[1], gasf.ravel()[-1]) == (-1.0, 1.0)


@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", STORAGES)
@given(x=drawn_windows(), data=st.data())
def test_numba_and_numpy_kernels_give_the_same_bits(storage, layout, x, data):
    size = data.draw(st.integers(2, x.shape[2]))
    stored = dual_gaf(x, image_size=size, dtype=storage, layout=layout)
    rows = np.array(data.draw(st.lists(st.integers(0, len(x) - 1), min_size=1, max_size=4)))
    found = []
    for kernel in (gather_kernel, gather_reference):
        module.gather_kernel = lambda kernel=kernel: kernel
        fields = images(len(rows), stored)
        gather(stored, rows, *fields)
        found.append([field.view(np.uint32) for field in fields])
    module.gather_kernel = compiled.gather_kernel
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


@kernels
@pytest.mark.parametrize("threads", [1, 2, 3, 9])
@pytest.mark.parametrize("n_rows", [0, 1, 5])
def test_threads_share_a_batch_and_change_nothing(n_rows, threads, kernel, monkeypatch):
    monkeypatch.setattr(module, "WORTH_A_THREAD", 1)
    stored = dual_gaf(noisy())
    angles = np.stack([stored[:5, 0, :, 0], stored[:5, 1, :, 0]], axis=1)  # any numbers do
    rows = np.array([4, 0, 4, 5, 1])[:n_rows]
    found = []
    for shares in (1, threads):
        read, drawn = images(n_rows, stored), images(n_rows, stored)
        gather(stored, rows, *read, threads=shares)
        draw(np.ascontiguousarray(angles[:n_rows]), *drawn, threads=shares)
        found.append([*read, *drawn])
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))
    assert np.array_equal(found[1][0], stored[rows, 0])


@kernels
@pytest.mark.parametrize("scaling", ["window", "none"])
def test_drawn_angles_are_the_bits_of_a_float32_store(scaling, kernel):
    x = np.tanh(noisy())
    recipe = ImagingRecipe(11, scaling=scaling, storage="float32")
    flat = np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(3, -1)
    windows = Windows(flat, np.arange(6) * 20, 20)
    rows = np.array([5, 1])
    renderer = Renderer(recipe, 20)
    stored = np.empty((6, 2, 3, 11, 11), np.float32)
    renderer.render(windows, 0, 6, stored)
    gasf, gadf = images(2, stored)
    draw(renderer.polar(windows, rows), gasf, gadf)
    assert np.array_equal(gasf.view(np.uint32), stored[rows, 0].view(np.uint32))
    assert np.array_equal(gadf.view(np.uint32), stored[rows, 1].view(np.uint32))


@kernels
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_series_are_those_of_the_scaler(dtype, kernel):
    flat = (1e5 + 3 * noisy((3, 50))).astype(dtype)
    windows = Windows(flat, np.array([0, 13, 30]), 20)
    scaler = SeriesScaler.fit([flat])
    rows = np.array([2, 0])
    found = gather_series(windows, rows, scaler.mean, scaler.std)
    assert found.dtype == np.float32
    assert np.array_equal(found, scaler.transform(windows.take(rows)))


@kernels
@pytest.mark.parametrize(("rows", "n"), [([0, 3], 3), ([-1, 2], 3), ([0], 0)])
def test_a_row_that_is_not_there_is_refused_before_it_is_read(rows, n, kernel):
    stored = np.zeros((n, 2, 1, 4, 4), np.uint8)
    gasf, gadf = images(len(rows), stored)
    text = f"rows {min(rows)} to {max(rows)} are not all there: the store has {n}"
    with pytest.raises(IndexError, match=text):
        gather(stored, np.array(rows), gasf, gadf)
    assert (gasf == 7).all()
