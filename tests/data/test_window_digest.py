import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from dualgaf.data.window_digest import (
    digest_of,
    float32_digest,
    float32_tells_apart,
    labels_digest,
    window_hashes,
)
from dualgaf.imaging.windows import Windows

NOISE = np.random.default_rng(0).normal(size=(12, 2, 16)).round(3)


def hashes(x):
    return window_hashes(Windows.stacked(np.asarray(x, dtype=np.float64)), np.arange(len(x)))


@pytest.mark.parametrize("level", [0.0, 1e3, 1e9, -1e12])
def test_windows_on_any_level_are_told_apart(level):
    found = hashes(level + 3 * NOISE)
    assert len(set(found.tolist())) == 12
    assert found.tolist() == hashes(level + 3 * NOISE).tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda x: 2 * x,
        lambda x: x + 1.0,  # of one window: a level among the others
        lambda x: -x,
        lambda x: x[:, ::-1],
        lambda x: x[::-1],
        lambda x: np.where(np.arange(16) == 5, x + 0.001, x),
    ],
    ids=["scale", "level", "sign", "time", "channels", "one value"],
)
@pytest.mark.parametrize("level", [0.0, 1e9])
def test_whatever_a_network_may_see_of_a_window_counts(level, change):
    x = 3 * NOISE
    other = x.copy()
    other[4] = change(x[4])
    assert digest_of({"train": hashes(level + x)}) != digest_of({"train": hashes(level + other)})


def test_an_outlier_in_a_channel_hides_nothing():
    x = 3 * NOISE
    x[0, :, 3] = -1e12
    flat = np.repeat(np.arange(12.0)[:, None, None], 16, axis=2) * np.ones((1, 2, 1))
    flat[0] = x[0]
    for windows in (x, flat):  # windows that move, and windows that only have a level
        assert len(set(hashes(windows).tolist())) == 12


def test_constant_windows_are_told_apart_by_their_level():
    levels = np.repeat(1e9 + np.arange(6.0)[:, None, None], 8, axis=2)
    assert len(set(hashes(levels).tolist())) == 6
    assert len(set(hashes(np.zeros((6, 1, 8))).tolist())) == 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 7.0, -3.0]))
def test_the_last_digit_of_float64_counts_for_nothing(seed, level):
    x = level + np.random.default_rng(seed).normal(size=(3, 2, 8))
    x = np.round(x * 2**20) / 2**20  # not where a part is rounded up or down; few values are
    other = np.nextafter(x, np.inf)
    assert hashes(x).tolist() == hashes(other).tolist()


def test_the_order_of_windows_counts_for_nothing_and_their_split_does():
    found = hashes(NOISE)
    train, val = found[:8], found[8:]
    assert digest_of({"train": train, "val": val}) == digest_of({"train": train[::-1], "val": val})
    assert digest_of({"train": train, "val": val}) != digest_of({"train": found, "val": val[:0]})
    assert digest_of({"train": train, "val": val}) != digest_of({"train": val, "val": train})


def test_the_class_of_each_window_counts():
    found, labels = hashes(NOISE), np.arange(12) % 2
    as_is = labels_digest(found, labels, ["no", "yes"])
    assert as_is == labels_digest(found[::-1], labels[::-1], ["no", "yes"])
    assert as_is == labels_digest(found, 1 - labels, ["yes", "no"])  # names, not numbers
    assert as_is != labels_digest(found, 1 - labels, ["no", "yes"])


def test_the_digest_of_version_1_is_as_it_was():
    x = np.arange(24.0).reshape(3, 2, 4)
    rows = {"train": np.array([0, 2]), "val": np.array([1])}
    whole = b"train 2 " + x[[0, 2]].astype("f4").tobytes() + b"val 1 " + x[1].astype("f4").tobytes()
    assert float32_digest(Windows.stacked(x), rows) == xxhash.xxh3_128_hexdigest(whole)


def test_where_float32_tells_nothing_it_is_known():
    every = np.arange(12)
    assert float32_tells_apart(Windows.stacked(NOISE), every)
    assert not float32_tells_apart(Windows.stacked(1e9 + NOISE), every)
    twins = np.concatenate([NOISE, NOISE])  # equal they are, and may look so
    assert float32_tells_apart(Windows.stacked(twins), np.arange(24))
