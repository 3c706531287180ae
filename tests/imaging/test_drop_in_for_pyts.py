"""`dualgaf.pyts.GramianAngularField` beside the one of pyts, in every combination."""

import inspect
import subprocess
import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from dualgaf.errors import DualGAFError
from dualgaf.imaging.one_field import segments
from dualgaf.imaging.parameters import Parameters
from dualgaf.pyts import GramianAngularField
from oracles import load_pyts

X = np.random.default_rng(0).normal(size=(3, 10))
DAYS = np.datetime64("2024-05-01", "us") + np.arange(12).reshape(3, 4)
SIZES = (1, 2, 4, 7, 10, np.int32(3), 0.05, 0.34, np.float32(0.5), 1.0)
RANGES = ((-1, 1), (0, 1), (-0.5, 0.25), None)


@pytest.fixture(scope="module")
def theirs():
    load_pyts()
    from pyts.image import GramianAngularField

    return GramianAngularField


def values(x, sample_range):
    return x / abs(x).max() if sample_range is None else x


def test_segments_by_hand():
    # ten steps into four: pyts has 2, 3, 2, 3 steps; overlapping, four times three
    assert [part.tolist() for part in segments(10, 4, False)] == [[0, 2, 5, 7], [2, 5, 7, 10]]
    assert [part.tolist() for part in segments(10, 4, True)] == [[0, 3, 5, 7], [3, 6, 8, 10]]
    assert [part.tolist() for part in segments(4, 4, True)] == [[0, 1, 2, 3], [1, 2, 3, 4]]


def test_an_overlapping_image_by_hand():
    # means of (0, 3, 3) and (3, 3, 6): 2 and 4, scaled to 0 and 1, so x = [0, 1], s = [1, 0]
    drop_in = GramianAngularField(2, (0, 1), "summation", overlapping=True)
    assert drop_in.transform([[0.0, 3.0, 3.0, 6.0]][:1]).shape == (1, 2, 2)
    got = drop_in.transform([[0.0, 3.0, 3.0, 3.0, 6.0]])
    np.testing.assert_allclose(got, [[[-1, 0], [0, 1]]], atol=1e-7)


def test_the_signature_is_that_of_pyts(theirs):
    ours, want = inspect.signature(GramianAngularField), inspect.signature(theirs)
    assert [*ours.parameters] == [*want.parameters]
    assert {n: p.default for n, p in ours.parameters.items()} == {
        n: p.default for n, p in want.parameters.items()
    }


@pytest.mark.parametrize("method", ["summation", "s", "difference", "d"])
@pytest.mark.parametrize("steps", [10, 23])
def test_every_combination_gives_the_pixels_of_pyts(theirs, steps, method):
    x = np.random.default_rng(steps).normal(size=(3, steps))
    kinds = (x, x.astype(np.float32), np.rint(3 * x).astype(int), 1e5 + x)
    count = 0
    for size, sample_range, overlapping, flatten, kind in product(
        SIZES, RANGES, (False, True), (False, True), kinds
    ):
        options = (size, sample_range, method, overlapping, flatten)
        given_x = values(kind, sample_range)
        got = GramianAngularField(*options).fit_transform(given_x)
        want = theirs(*options).fit_transform(given_x)
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6, err_msg=str(options))
        count += 1
    assert count == len(SIZES) * len(RANGES) * 2 * 2 * len(kinds)


@settings(max_examples=60)
@given(
    x=hnp.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 30)),
                 elements=st.integers(-1000, 1000).map(float)),
    overlapping=st.booleans(),
    method=st.sampled_from("sd"),
    data=st.data(),
)  # fmt: skip
def test_any_series_of_whole_numbers_is_drawn_alike(theirs, x, overlapping, method, data):
    size = data.draw(st.integers(1, x.shape[1]))
    options = (size, (-1, 1), method, overlapping)
    got, want = (field(*options).transform(x) for field in (GramianAngularField, theirs))
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("value", [3.7, 0.0, -1e9])
def test_a_constant_is_gasf_one_and_gadf_zero_as_in_pyts(theirs, value):
    x = np.full((2, 9), value)
    for method, pixel in (("s", 1.0), ("d", 0.0)):
        got = GramianAngularField(4, method=method).transform(x)
        assert np.array_equal(got, np.full((2, 4, 4), pixel))
        np.testing.assert_allclose(theirs(4, method=method).transform(x), got, atol=1e-6)


def test_the_one_exception_a_constant_up_to_rounding_and_every_scale(theirs):
    x = np.full((1, 30), 100.1)
    x[0, 3] = np.nextafter(100.1, 101)  # pyts draws this step as a pattern
    assert np.array_equal(GramianAngularField().transform(x), np.ones((1, 30, 30)))
    assert theirs().transform(x).min() < 0
    small = GramianAngularField().transform(X * 1e-17)  # a constant for pyts
    np.testing.assert_allclose(small, GramianAngularField().transform(X), atol=1e-6)
    assert theirs().transform(X * 1e-17).min() > 0.99


@pytest.mark.parametrize(
    "kind",
    [list, pd.DataFrame, lambda x: pytest.importorskip("torch").from_numpy(x), np.asfortranarray,
     lambda x: x.astype(str), lambda x: x.astype(object), lambda x: x > 0],
    ids=["list", "frame", "tensor", "fortran", "text", "object", "bool"],
)  # fmt: skip
def test_what_pyts_reads_is_read(theirs, kind):
    x = X.copy()
    np.testing.assert_allclose(
        GramianAngularField().transform(kind(x)), theirs().transform(kind(x)), atol=1e-6, rtol=0
    )


REFUSED = {
    "one dimension": (X[0], {}),
    "three dimensions": (X[None], {}),
    "no series": (X[:0], {}),
    "no step": (X[:, :0], {}),
    "nothing": (None, {}),
    "NaN": (np.where(X > 1, np.nan, X), {}),
    "infinity": (np.where(X > 1, np.inf, X), {}),
    "missing": ([[1.0, None, 3.0]], {}),
    "complex": (X * 1j, {}),
    "text": ([["a", "b"]], {}),
    "unequal": ([[1, 2], [1, 2, 3]], {}),
    "cell": ([[{}, 1.0, 2.0], [3.0, 4.0, 5.0]], {}),
    "times as objects": (DAYS.astype(object), {}),
    "times among numbers": (pd.DataFrame(X[:, :2]).assign(day=DAYS[:, 0]), {}),
    "spans as objects": ((DAYS - DAYS[0, 0]).astype(object).tolist(), {}),
    "NA": (pd.DataFrame([[1, pd.NA, 3], [4, 5, 6]]), {}),
    "overflow": (np.full((2, 6), 1.7e308) * [1, 0.9, 1, 1, 1, 1], {"image_size": 2}),
    "sparse": (csr_matrix(X), {}),
    "out of range": (X * 10, {"sample_range": None}),
    "size 0": (X, {"image_size": 0}),
    "size 11": (X, {"image_size": 11}),
    "size 0.0": (X, {"image_size": 0.0}),
    "size 1.5": (X, {"image_size": 1.5}),
    "size NaN": (X, {"image_size": float("nan")}),
    "size text": (X, {"image_size": "4"}),
    "size none": (X, {"image_size": None}),
    "range list": (X, {"sample_range": [-1, 1]}),
    "range of three": (X, {"sample_range": (-1, 0, 1)}),
    "range turned": (X, {"sample_range": (1, -1)}),
    "range wide": (X, {"sample_range": (-2, 1)}),
    "range NaN": (X, {"sample_range": (-1, float("nan"))}),
    "range text": (X, {"sample_range": ("a", "b")}),
    "method": (X, {"method": "x"}),
    "method list": (X, {"method": ["s"]}),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore")
def test_what_pyts_refuses_is_the_same_kind_of_error(theirs, name):
    x, options = REFUSED[name]
    with pytest.raises((TypeError, ValueError)) as want:
        theirs(**options).transform(x)
    kind = TypeError if isinstance(want.value, TypeError) else ValueError
    with pytest.raises(kind) as got:
        GramianAngularField(**options).transform(x)
    assert isinstance(got.value, DualGAFError)
    assert "type " in str(got.value) or "must be" in str(got.value) or "cannot be read" in str(got)


def test_true_is_no_size():
    """Whether pyts takes it for 1 depends on what it has compiled before, for whole numbers."""
    with pytest.raises(TypeError, match="image_size=True is not allowed") as got:
        GramianAngularField(image_size=True).transform(X)
    assert isinstance(got.value, DualGAFError)


@pytest.mark.parametrize(
    "x", [DAYS, DAYS - DAYS[0, 0], pd.DataFrame(DAYS)], ids=["M", "m", "frame"]
)
def test_times_are_refused_by_name_where_pyts_draws_their_counts(theirs, x):
    assert theirs().transform(x).shape == (3, 4, 4)
    with pytest.raises(TypeError, match=r"X holds times \(.*; for seconds type .*X") as caught:
        GramianAngularField().transform(x)
    assert isinstance(caught.value, DualGAFError)


def test_a_masked_value_is_refused_where_pyts_takes_what_is_below_the_mask(theirs):
    masked = np.ma.masked_array(X, mask=X > 1)
    assert theirs().transform(masked).shape == (3, 10, 10)
    with pytest.raises(ValueError, match=r"series \d holds a NaN, an infinity or a masked value"):
        GramianAngularField().transform(masked)


def test_it_goes_through_pipelines_and_clones():
    drop_in = GramianAngularField(4, overlapping=True, flatten=True)
    assert clone(drop_in).get_params() == drop_in.get_params()
    model = make_pipeline(drop_in, DecisionTreeClassifier(random_state=0))
    assert model.fit(X, [0, 1, 0]).predict(X).tolist() == [0, 1, 0]


WITHOUT = """
import sys
for name in ("pyts", "sklearn"):
    sys.modules[name] = None
from dualgaf.pyts import GramianAngularField
field = GramianAngularField().set_params(image_size=2)
print(field.fit_transform([[0.0, 10.0, 1.0, 3.0]]).tolist(), field, "torch" in sys.modules)
try:
    field.set_params(size=3)
except ValueError as error:
    print(error)
"""


def test_neither_pyts_nor_scikit_learn_is_needed():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("[[[1.0, -1.0], [-1.0, 1.0]]] GramianAngularField(image_size=2, ")
    assert first.endswith("False")
    assert "parameter='size' is not known; allowed: image_size, sample_range" in second
    assert not issubclass(GramianAngularField, Parameters)  # here scikit-learn is installed


def test_it_stands_beside_pyts():
    load_pyts()
    import pyts

    import dualgaf.pyts

    assert pyts is not dualgaf.pyts
    assert pyts.__file__ != dualgaf.pyts.__file__
