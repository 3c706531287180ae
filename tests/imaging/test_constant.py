"""What is constant up to rounding is drawn as a constant, and what varies is drawn, at every scale.

The numba kernel, its twin in NumPy and the operations of torch that an export has are held to it.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.window_imaging import WindowImaging
from dualgaf.errors import SeriesError
from dualgaf.imaging import gaf
from dualgaf.imaging.bounds import fit_bounds
from dualgaf.imaging.compiled import kernel
from dualgaf.imaging.gaf import Renderer, dual_gaf
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.imaging.windows import Windows
from oracles import kernel as reference

magnitudes = st.builds(
    lambda digits, power, sign: sign * digits * 10.0**power,
    st.floats(1.0, 10.0),
    st.integers(-12, 12),
    st.sampled_from([-1.0, 1.0]),
)
dtypes = st.sampled_from([np.float32, np.float64])
EVERY_SCALE = [1e-307, 1e-300, 1e-160, 1e-30, 1e-15, 1e15, 1e30, 1e155, 1e300, 1e307, 5e307]


def drawn(x, size, bounds=None):
    """(N, C, T) to cosine and sine (N, 2, C, S) by the kernel, its twin, and torch."""
    scaling = "window" if bounds is None else "train"
    recipe, steps = ImagingRecipe(size, scaling=scaling), x.shape[2]
    windows, rows = Windows.stacked(x), np.arange(len(x))
    found = [Renderer(recipe, steps, bounds).polar(windows, rows)]
    try:
        gaf.kernel = lambda: reference
        found.append(Renderer(recipe, steps, bounds).polar(windows, rows))
    finally:
        gaf.kernel = kernel
    n_channels = x.shape[1]
    scaler = SeriesScaler(np.zeros(n_channels), np.ones(n_channels))
    names = tuple(map(str, range(n_channels)))
    state = ImagingState(recipe, steps, bounds, scaler, names, ("a",), "", x.dtype.name)
    cosine = WindowImaging(state).cosine(torch.from_numpy(x).double())
    sine = torch.sqrt(1.0 - cosine * cosine)
    found.append(torch.stack((cosine, sine), dim=1).float().numpy())
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    return found[0]


def rounded(x, jitter):
    """Each value, or its neighbour in its type."""
    return np.where(jitter, np.nextafter(x, x.dtype.type(np.inf)), x)


@given(level=magnitudes, dtype=dtypes, data=st.data())
def test_a_constant_has_no_pattern(level, dtype, data):
    steps = data.draw(st.integers(2, 300))
    size = data.draw(st.integers(2, min(steps, 40)))
    x = np.full((2, 1, steps), level, dtype)
    if data.draw(st.booleans()):
        x = rounded(x, np.random.default_rng(steps).random(x.shape) < 0.5)
    assert (drawn(x, size)[:, 0] == -1).all()
    fields = dual_gaf(x, image_size=size)
    assert (fields[:, 0] == 1).all()
    assert (fields[:, 1] == 0).all()
    # training that is constant: its own windows, and a window that is the same up to rounding
    bounds = fit_bounds(Windows.stacked(x), np.array([0]), size)
    assert bounds[0] == bounds[1]
    assert (drawn(x, size, bounds)[:, 0] == -1).all()


@given(level=magnitudes, data=st.data())
def test_what_varies_by_more_than_rounding_is_drawn_at_full_range(level, data):
    steps = data.draw(st.integers(2, 300))
    size = data.draw(st.integers(2, steps))
    dtype, part = data.draw(st.sampled_from([(np.float64, 1e-10), (np.float32, 1e-5)]))
    x = (level * (1 + part * np.linspace(-1, 1, steps))[None, None]).astype(dtype)
    assert np.ptp(drawn(x, size)[:, 0]) == 2
    bounds = fit_bounds(Windows.stacked(x), np.array([0]), size)
    assert np.ptp(drawn(x, size, bounds)[:, 0]) > 1.999


def test_means_of_whole_periods_are_rounding_and_no_pattern():
    # each segment holds a period; the means are 1e-17, of values of 1
    x = np.sin(2 * np.pi * np.arange(80) / 8).reshape(1, 1, 80)
    assert (drawn(x, 10)[:, 0] == -1).all()
    assert np.ptp(drawn(x, 16)[:, 0]) == 2


@pytest.mark.parametrize("size", [5, 23])
@pytest.mark.parametrize("scale", EVERY_SCALE)
def test_the_picture_is_the_same_at_every_scale(scale, size):
    x = np.random.default_rng(0).uniform(-3, 3, size=(3, 2, 23))
    for level in (0.0, 0.5):
        values = x / 3 + level if scale == 5e307 else x + level
        wanted = dual_gaf(values, image_size=size)
        cosine = drawn(values * scale, size)[:, 0]
        np.testing.assert_allclose(cosine, drawn(values, size)[:, 0], atol=1e-6)
        found = dual_gaf(values * scale, image_size=size)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        bounds = fit_bounds(Windows.stacked(values * scale), np.arange(3), size)
        own = fit_bounds(Windows.stacked(values), np.arange(3), size)
        np.testing.assert_allclose(
            drawn(values * scale, size, bounds)[:, 0], drawn(values, size, own)[:, 0], atol=1e-6
        )


def test_a_sum_that_overflows_is_no_infinity_and_a_constant_is_one_at_every_scale():
    for level in (5e-324, 1e-310, 1e-300, 1e155, 1.2e308, 1.7e308, np.finfo(np.float64).max):
        assert (drawn(np.full((1, 1, 23), level), 5)[:, 0] == -1).all()
    x = np.array([[[1.7e308, 1.7e308, -1.7e308, -1.7e308, 0.0, 0.0]]])
    assert drawn(x, 3)[0, 0, 0].tolist() == [1, -1, 0]


@pytest.mark.parametrize("scale", [1e-309, 1e-320, 5e-324])
def test_what_has_too_few_digits_is_an_error_that_says_so(scale):
    x = np.array([[[0.0, 1.0, 0.0, 2.0]]]) * scale
    with pytest.raises(SeriesError, match=r"window 0, channel 0 changes by less .* by 1e100"):
        dual_gaf(x)
    with pytest.raises(SeriesError, match=r"channel 0 of the training split changes.* by 1e100"):
        fit_bounds(Windows.stacked(x), np.array([0]), 4)
    np.testing.assert_array_equal(dual_gaf(x * 1e100), dual_gaf(x / scale))
    with pytest.raises(SeriesError, match="holds a NaN or an infinity"):
        dual_gaf(np.array([[[0.0, np.inf, 1e308, 1e308]]]), image_size=2)


@pytest.mark.parametrize("value", [1e308, -1e308, 3.0, -3.0])
def test_values_far_from_the_training_bounds_are_clipped(value):
    for scale in (1e-300, 1.0, 1e300):
        bounds = np.array([[-1.0], [1.0]]) * scale
        found = drawn(np.array([[[0.0, value * min(scale, 1.0)]]]), 2, bounds)
        if abs(value * min(scale, 1.0)) > scale:
            np.testing.assert_allclose(found[0, 0, 0], [0, np.sign(value)], atol=1e-15)
    constant = drawn(np.array([[[1.4, value]]]), 2, np.array([[1.4], [1.4]]))
    assert constant[0, 0, 0].tolist() == [-1, np.sign(value)]
