"""Fields back to series: values by hand, what has no answer, and the bound of each storage type."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dualgaf.errors import ConfigError, SeriesError, SeriesWarning
from dualgaf.imaging.gaf import dual_gaf
from dualgaf.imaging.inverse import PIXEL_ERROR, dual_gaf_inverse
from dualgaf.imaging.paa import paa_edges
from strategies import windows as drawn_windows

STATED = {"float32": 1.2e-6, "float16": 1e-3, "uint16": 6.4e-5, "uint8": 0.016}
UNSCALED = {"float32": 5.5e-4, "float16": 0.016, "uint16": 4e-3, "uint8": 0.064}
RANGES = [(-1.0, 1.0), (0.0, 1.0), (-0.3, 0.8), (-1.0, -0.2)]


def noisy(shape=(4, 2, 24), seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def scaled(x, image_size, feature_range):
    """PAA, then the arithmetic of scikit-learn's MinMaxScaler."""
    edges = paa_edges(x.shape[-1], image_size)
    means = np.stack([x[..., a:b].mean(-1) for a, b in pairwise(edges)], -1)
    low, high = means.min(-1, keepdims=True), means.max(-1, keepdims=True)
    gain = (feature_range[1] - feature_range[0]) / (high - low)
    return means * gain + (feature_range[0] - low * gain)


def test_three_steps_by_hand():
    # x = [-1, 0, 1], s = [0, 1, 0]
    gasf = [[1, 0, -1], [0, -1, 0], [-1, 0, 1]]
    gadf = np.array([[0, 1, 0], [-1, 0, 1], [0, -1, 0]])
    np.testing.assert_allclose(
        dual_gaf_inverse(np.float64(gasf), np.float64(gadf)), [-1, 0, 1], atol=1e-7
    )
    # control: the same GASF with the GADF turned round is -x
    np.testing.assert_allclose(
        dual_gaf_inverse(np.float64(gasf), np.float64(-gadf)), [1, 0, -1], atol=1e-7
    )


def test_a_gasf_alone_by_hand_where_the_range_is_zero_to_one():
    # x = [0, 0.6, 1], s = [1, 0.8, 0]
    gasf = np.float32([[-1, -0.8, 0], [-0.8, -0.28, 0.6], [0, 0.6, 1]])
    got = dual_gaf_inverse(gasf, feature_range=(0, 1))
    np.testing.assert_allclose(got, [0, 0.6, 1], atol=1e-6)
    assert got.dtype == np.float64


def test_the_gasf_of_x_and_of_minus_x_are_equal_and_the_gadf_tells_them_apart():
    x = noisy()
    fields, turned = dual_gaf(x), dual_gaf(-x)
    np.testing.assert_allclose(fields[:, 0], turned[:, 0], atol=1e-6)
    back = dual_gaf_inverse(fields[:, 0], fields[:, 1])
    np.testing.assert_allclose(back, -dual_gaf_inverse(turned[:, 0], turned[:, 1]), atol=1e-5)
    np.testing.assert_allclose(back, scaled(x, 24, (-1, 1)), atol=1e-5)


@pytest.mark.parametrize("layout", ["dual", "packed"])
@pytest.mark.parametrize("storage", STATED)
@settings(max_examples=20)
@given(x=drawn_windows(), data=st.data())
def test_both_fields_give_the_series_back_within_the_stated_bound(storage, layout, x, data):
    image_size = data.draw(st.integers(3, max(3, x.shape[-1])))
    feature_range = data.draw(st.sampled_from(RANGES))
    assume(image_size <= x.shape[-1])
    assume((np.ptp(x, axis=-1) > 1e-6 * abs(x).max()).all())
    with np.errstate(divide="ignore", invalid="ignore"):
        want = scaled(x, image_size, feature_range)
    assume(np.isfinite(want).all() and (abs(want) < 1 - 4e-4).any(-1).all())
    fields = dual_gaf(x, image_size, feature_range, dtype=storage, layout=layout)
    given_fields = (fields,) if layout == "packed" else (fields[:, 0], fields[:, 1])
    got = dual_gaf_inverse(*given_fields, feature_range=feature_range, layout=layout)
    assert got.shape == want.shape
    # an offset of 1e5 moves the scaled value itself by 1e-10 at most
    assert abs(got - want).max() <= STATED[storage] + 1e-9


@pytest.mark.parametrize("storage", STATED)
@settings(max_examples=15)
@given(x=drawn_windows())
def test_a_gasf_alone_is_enough_on_one_side_of_zero(storage, x):
    assume((np.ptp(x, axis=-1) > 1e-6 * abs(x).max()).all())
    for feature_range in ((0.0, 1.0), (-1.0, 0.0)):
        gasf = dual_gaf(x, feature_range=feature_range, dtype=storage)[:, 0]
        got = dual_gaf_inverse(gasf, feature_range=feature_range)
        assert abs(got - scaled(x, x.shape[-1], feature_range)).max() <= STATED[storage] + 1e-9


@pytest.mark.parametrize("storage", STATED)
@pytest.mark.parametrize("level", [1.0, 0.9, 0.1])
def test_a_series_that_was_not_scaled_comes_back_less_exactly(storage, level):
    x = level * np.random.default_rng(3).uniform(-1, 1, (50, 1, 12))
    fields = dual_gaf(x, scaling="none", dtype=storage)
    got = dual_gaf_inverse(fields[:, 0], fields[:, 1])
    assert abs(got - x).max() <= UNSCALED[storage]


def test_the_stated_bounds_are_those_of_the_pixels():
    assert all(STATED[name] == pytest.approx(4 * PIXEL_ERROR[name]) for name in STATED)
    assert all(
        UNSCALED[name] == pytest.approx(PIXEL_ERROR[name] ** 0.5, rel=0.03) for name in STATED
    )


@pytest.mark.parametrize("options", [{}, {"feature_range": (0, 1)}])
def test_a_constant_is_refused_with_the_reason(options):
    x = noisy((3, 2, 12))
    x[1, 1] = 21.5
    fields = dual_gaf(x, **options)
    with pytest.raises(SeriesError, match=r"image \[1, 1\] is a constant, .* drawn alike"):
        dual_gaf_inverse(fields[:, 0], fields[:, 1], **options)
    others = dual_gaf_inverse(fields[[0, 2], 0], fields[[0, 2], 1], **options)  # control
    assert others.shape == (2, 2, 12)
    if options:
        with pytest.raises(SeriesError, match=r"image \[1, 1\] is a constant"):
            dual_gaf_inverse(fields[:, 0], **options)


@pytest.mark.parametrize("storage", STATED)
def test_on_and_off_alone_has_two_answers_and_the_advice_works(storage):
    x = np.array([[[0.0, 1.0, 1.0, 0.0, 1.0]]])
    fields = dual_gaf(x, dtype=storage)
    assert np.array_equal(fields, dual_gaf(-x, dtype=storage))
    with pytest.raises(SeriesError, match=r"x and -x have the same two fields; .*\(0, 1\)"):
        dual_gaf_inverse(fields[:, 0], fields[:, 1])
    gasf = dual_gaf(x, feature_range=(0, 1), dtype=storage)[:, 0]
    np.testing.assert_allclose(
        dual_gaf_inverse(gasf, feature_range=(0, 1)), x, atol=STATED[storage]
    )


def test_a_gasf_alone_from_minus_one_to_one_is_refused_with_the_reason():
    with pytest.raises(SeriesError, match=r"the GASF of x and of -x are equal; give the GADF"):
        dual_gaf_inverse(dual_gaf(noisy())[:, 0])


def test_a_change_below_the_levels_of_uint8_is_refused():
    x, options = noisy((1, 1, 9)), {"feature_range": (0.7, 0.71)}
    coarse, fine = (dual_gaf(x, dtype=name, **options) for name in ("uint8", "float32"))
    with pytest.raises(SeriesError, match="changes by less than its pixels hold; draw"):
        dual_gaf_inverse(coarse[:, 0], coarse[:, 1], **options)
    got = dual_gaf_inverse(fine[:, 0], fine[:, 1], **options)
    np.testing.assert_allclose(got, scaled(x, 9, (0.7, 0.71)), atol=1e-6)


def test_paa_means_come_back_and_it_is_said():
    x = noisy((2, 1, 10))
    fields = dual_gaf(x, image_size=4)
    edges = paa_edges(10, 4)
    means = np.stack([x[..., a:b].mean(-1) for a, b in pairwise(edges)], -1)
    ends = (means.min(-1), means.max(-1))
    with pytest.warns(SeriesWarning, match=r"10 steps: .* 4 PAA means, not the steps; original_ra"):
        got = dual_gaf_inverse(fields[:, 0], fields[:, 1], original_range=ends, window_size=10)
    np.testing.assert_allclose(got, means, atol=1e-5)
    whole = dual_gaf(x)  # control: nothing is said
    assert dual_gaf_inverse(whole[:, 0], whole[:, 1], window_size=10).shape == (2, 1, 10)


@pytest.mark.parametrize("storage", ["float32", "uint8"])
@pytest.mark.parametrize("feature_range", RANGES)
def test_units_come_back(storage, feature_range):
    x = 20 + 5 * noisy()
    low, high = x.min(-1), x.max(-1)
    fields = dual_gaf(x, feature_range=feature_range, dtype=storage)
    got = dual_gaf_inverse(
        fields[:, 0], fields[:, 1], feature_range=feature_range, original_range=(low, high)
    )
    per_unit = (high - low).max() / (feature_range[1] - feature_range[0])
    np.testing.assert_allclose(got, x, atol=STATED[storage] * per_unit)


def test_it_takes_tensors_single_images_and_any_leading_shape():
    torch = pytest.importorskip("torch")
    fields = dual_gaf(noisy((6, 2, 9)))
    want = dual_gaf_inverse(fields[:, 0], fields[:, 1])
    tensors = [torch.from_numpy(fields[:, field].copy()) for field in (0, 1)]
    assert np.array_equal(dual_gaf_inverse(*tensors), want)
    split = [fields[:, field].reshape(2, 3, 2, 9, 9) for field in (0, 1)]
    assert np.array_equal(dual_gaf_inverse(*split), want.reshape(2, 3, 2, 9))
    np.testing.assert_allclose(dual_gaf_inverse(fields[4, 0, 1], fields[4, 1, 1]), want[4, 1])


def test_many_images_are_taken_in_parts(monkeypatch):
    from dualgaf.imaging import inverse

    fields = dual_gaf(noisy((7, 3, 8)))
    whole = dual_gaf_inverse(fields[:, 0], fields[:, 1])
    monkeypatch.setattr(inverse, "AT_A_TIME", 5 * 64)
    assert np.array_equal(dual_gaf_inverse(fields[:, 0], fields[:, 1]), whole)
    fields[6, 1, 2] = 0.0
    fields[6, 0, 2] = 1.0
    with pytest.raises(SeriesError, match=re.escape("image [6, 2] is a constant")):
        dual_gaf_inverse(fields[:, 0], fields[:, 1])


GASF, GADF = dual_gaf(noisy((1, 1, 6)))[0, :, 0]
RESIZED = np.clip(GASF * 0.8, -1, 1)
BEYOND = GASF.copy()
BEYOND[0, 0] = np.nan


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((GADF, GASF), {}, SeriesError, "is not symmetric; a GASF is symmetric, a GADF"),
        ((GASF, GASF), {}, SeriesError, "gadf: the image is not antisymmetric"),
        ((GASF, GADF[:5, :5]), {}, SeriesError, "gasf has shape (6, 6) and gadf (5, 5)"),
        ((GASF[:, :5], GADF), {}, SeriesError, "needed: (..., S, S), square images"),
        ((GASF[None][:0], GADF[None][:0]), {}, SeriesError, "there is no image in it"),
        ((BEYOND, GADF), {}, SeriesError, "holds a NaN or a value beyond [-1, 1]"),
        ((RESIZED, GADF), {}, SeriesError, "no series inside feature_range=(-1.0, 1.0) has these"),
        ((GASF, GADF), {"feature_range": (0, 1)}, SeriesError, "give the feature_range that they"),
        ((GASF.astype(int), GADF.astype(int)), {}, SeriesError, "gasf has type int64; allowed"),
        ((np.zeros((4, 4), np.uint8),), {"layout": "packed"}, SeriesError, "codes of 1 to 255"),
        ((GASF, GADF), {"layout": "packed"}, ConfigError, "has both fields in the first array"),
        ((GASF, GADF), {"layout": "both"}, ConfigError, "layout='both' is not known"),
        ((GASF, GADF), {"feature_range": (0, 2)}, ConfigError, "two numbers low < high inside"),
        ((GASF, GADF), {"window_size": 5}, ConfigError, "window_size=5 is not allowed"),
        ((GASF, GADF), {"window_size": 6.5}, ConfigError, "whole numbers from 6"),
        ((GASF, GADF), {"original_range": (3, 3)}, ConfigError, "two finite numbers low < high"),
        ((GASF, GADF), {"original_range": 3}, ConfigError, "two finite numbers low < high"),
    ],
)
def test_what_is_no_pair_of_fields_is_refused(arguments, options, error, text):
    with pytest.raises(error, match=re.escape(text)):
        dual_gaf_inverse(*arguments, **options)
