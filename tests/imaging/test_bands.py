"""Diagonals alone: pixel by pixel those of whole images that were stored and read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.errors import SeriesError
from dualgaf.imaging.bands import BandRenderer
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.gather import gather
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from strategies import windows as drawn_windows

LAGS = np.array([0, 1, 2, 5])
STORAGES = ["float32", "float16", "uint8", "uint16"]


def whole_images(renderer, windows, rows):
    """GASF and GADF (B, C, S, S) as a loader gives them."""
    recipe = renderer.recipe
    stored = np.empty((len(rows), *recipe.row_shape(windows.n_channels)), recipe.dtype)
    renderer.render_rows(windows, rows, stored)
    size = recipe.image_size
    gasf, gadf = np.empty((2, len(rows), windows.n_channels, size, size), np.float32)
    gather(stored, np.arange(len(rows)), gasf, gadf)
    return gasf, gadf


def along(gasf, gadf, lags):
    """(B, C, S, 2, L): the rule of `BandRenderer.bands` in plain loops."""
    batch, channels, size, _ = gasf.shape
    found = np.zeros((batch, channels, size, 2, len(lags)), np.float32)
    for t in range(size):
        for which, lag in enumerate(lags):
            row, column = t - lag // 2, t - lag // 2 + lag
            if row >= 0 and column < size:
                found[:, :, t, 0, which] = gasf[:, :, row, column]
                found[:, :, t, 1, which] = gadf[:, :, row, column]
    return found


def drawn(renderer, windows, rows, *, stacked=False, centre=0.0, scale=1.0, lags=LAGS, **options):
    channels, size = windows.n_channels, renderer.recipe.image_size
    wide = 2 * len(lags) * (channels if stacked else 1)
    out = np.full((len(rows), 1 if stacked else channels, size, wide), 7, np.float32)
    centre, scale = (np.full(wide, x, np.float32) for x in (centre, scale))
    renderer.bands(windows, rows, lags, centre, scale, out, **options)
    if stacked:
        return out.reshape(len(rows), size, channels, 2, len(lags)).swapaxes(1, 2)
    return out.reshape(len(rows), channels, size, 2, len(lags))


@given(
    drawn_windows(),
    st.sampled_from(STORAGES),
    st.sampled_from(["dual", "packed"]),
    st.sampled_from(["window", "train"]),
    st.booleans(),
    st.data(),
)
def test_pixels_are_those_of_stored_images_to_the_last_bit(
    x, storage, layout, scaling, stacked, data
):
    size = data.draw(st.integers(2, x.shape[2]))
    recipe = ImagingRecipe(size, scaling=scaling, storage=storage, layout=layout)
    windows = Windows.stacked(x)
    every = np.arange(len(x))
    bounds = fit_bounds(windows, every, size) if scaling == "train" else None
    renderer = BandRenderer(recipe, x.shape[2], bounds)
    rows = every[::-1].copy()
    wanted = along(*whole_images(renderer, windows, rows), LAGS)
    np.testing.assert_array_equal(drawn(renderer, windows, rows, stacked=stacked), wanted)


def test_hand_computed_pixels_with_a_centre_and_a_scale():
    # Cosines -1, 0, 1 and sines 0, 1, 0: GASF[0, 1] = 0, GASF[1, 2] = 0; GADF[0, 1] = 1,
    # GADF[1, 2] = 1; on the diagonal GASF 1, -1, 1 and GADF 0.
    windows = Windows(np.array([[0.0, 0.5, 1.0]]), np.array([0]), 3)
    renderer = BandRenderer(ImagingRecipe(3), 3)
    lags = np.array([0, 1])
    found = drawn(renderer, windows, np.array([0]), lags=lags, centre=0.5, scale=2.0)
    gasf, gadf = found[0, 0, :, 0], found[0, 0, :, 1]
    assert gasf.tolist() == [[1, -1], [-3, -1], [1, 0]]  # no pixel: 0, not (0 - 0.5) * 2
    assert gadf.tolist() == [[-1, 1], [-1, 1], [-1, 0]]


@pytest.mark.parametrize("storage", ["uint8", "float16"])
def test_pixels_that_were_never_stored_are_not_rounded(storage):
    windows = Windows.stacked(np.random.default_rng(0).normal(size=(2, 1, 9)))
    rows = np.arange(2)
    exact = drawn(BandRenderer(ImagingRecipe(9, storage="float32"), 9), windows, rows)
    renderer = BandRenderer(ImagingRecipe(9, storage=storage), 9)
    np.testing.assert_array_equal(drawn(renderer, windows, rows, stored=False), exact)
    rounded = drawn(renderer, windows, rows)
    assert 0 < abs(rounded - exact).max() <= 4e-3


def test_threads_share_windows_and_the_first_bad_one_is_named_by_its_number():
    x = np.random.default_rng(0).uniform(-1, 1, size=(9, 2, 9))
    windows = Windows.stacked(x)
    renderer = BandRenderer(ImagingRecipe(9, scaling="none"), 9)
    rows = np.arange(9)[::-1].copy()
    one, three = (drawn(renderer, windows, rows, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(three, one)
    x[[2, 7], 1, 3] = 5.0  # window 7 comes first
    with pytest.raises(SeriesError, match="window 7, channel 1 leaves"):
        drawn(renderer, Windows.stacked(x), rows, threads=3)
    with pytest.raises(SeriesError, match="window 7, channel 1 leaves"):
        whole_images(renderer, Windows.stacked(x), rows)
