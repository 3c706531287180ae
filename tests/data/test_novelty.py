"""`Novelty`: distances and shares by hand and by scikit-learn, and what new groups get."""

import numpy as np
import pytest
from scipy.stats import entropy as entropy_of_scipy
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from dualgaf.data.novelty import BLOCKS, LEAST_STD, Novelty, _folds, entropy, level, nearest


def drawn(seed, n_groups=40, n=5, far=0.0):
    """Windows of groups whose own windows lie near each other: (N, 6), classes, groups."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(n_groups) % 2, n)
    centre = np.repeat(rng.normal(size=(n_groups, 6)), n, axis=0)
    numbers = centre + 0.2 * rng.normal(size=(n_groups * n, 6)) + 4 * label[:, None] + far
    return numbers * [1, 10, 0.1, 1, 1, 5], label, [f"day {k // n}" for k in range(n_groups * n)]


def surely(n, p=0.9):
    return np.tile([p, 1 - p], (n, 1))


def test_distances_are_those_of_scikit_learn_on_whitened_windows():
    numbers, label, groups = drawn(0)
    found = Novelty.of(numbers, label, groups)
    new = drawn(1)[0]
    scale = numbers.std(axis=0) + LEAST_STD
    whiten = PCA(whiten=True).fit(numbers / scale)
    search = NearestNeighbors(n_neighbors=1).fit(whiten.transform(numbers / scale))
    expected = search.kneighbors(whiten.transform(new / scale))[0][:, 0]
    got = nearest((new - found.centre) @ found.directions, found.references)
    np.testing.assert_allclose(got, expected, rtol=0.01)


def test_windows_of_the_own_group_do_not_count():
    line = np.array([[0.0], [1.0], [5.0], [9.0]])
    fold = np.array([0, 0, 1, 2])
    assert nearest(line, line, fold, fold).tolist() == [5.0, 4.0, 4.0, 4.0]
    numbers, label, groups = drawn(0, 200)
    twins = Novelty.of(numbers, label, groups).share(numbers, surely(1000))
    assert twins.max() < 0.01  # what was learned is no measure of what is new


def test_a_level_is_a_share_and_rises():
    known = np.array([1.0, 1.0, 2.0])
    assert level(known, np.array([0.0, 1.0, 1.5, 2.0, 4.0])).tolist() == [
        *(0.0, 0.25, 0.5, 0.75, 0.875),
    ]
    values = np.sort(np.random.default_rng(0).uniform(0, 5, size=200))
    assert (np.diff(level(known, values)) >= 0).all()
    assert level(np.zeros(3), np.array([0.0, 1.0])).tolist() == [0.0, 1.0]


def test_the_entropy_is_that_of_scipy():
    p = np.random.default_rng(0).dirichlet([0.3] * 4, size=20)
    np.testing.assert_allclose(entropy(p), entropy_of_scipy(p, axis=1), atol=1e-12)


def test_windows_of_new_groups_are_spread_evenly_and_far_ones_are_at_the_end():
    found = Novelty.of(*drawn(0, 200))
    new = drawn(1, 200)[0]
    same = found.share(new, surely(len(new)))
    np.testing.assert_allclose(np.quantile(same, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.12)
    far = found.share(drawn(1, far=30.0)[0], surely(200))
    assert same.max() <= 1
    assert far.min() > 0.99
    assert len(set(far)) == len(far)  # they can be sorted all the same


def test_a_network_that_hesitates_makes_a_window_strange():
    numbers, label, groups = drawn(0, 100)
    held_out = np.where(np.arange(500) % 100 < 50, 0, -1)
    p = np.random.default_rng(0).uniform(0.8, 1.0, size=500)
    found = Novelty.of(numbers, label, groups, held_out, np.stack([p, 1 - p], axis=1))
    assert len(found.hesitant) == len(found.both) == 250
    # It may be sure: far away is new all the same.
    assert found.share(drawn(1, far=30.0)[0], surely(200, 0.9999)).min() > 0.99
    new = drawn(1, 100)[0]
    q = np.random.default_rng(1).uniform(0.8, 1.0, size=500)
    plain = found.share(new, np.stack([q, 1 - q], axis=1))
    unsure = found.share(new, surely(500, 0.55))
    assert roc_auc_score(np.repeat([0, 1], 500), np.concatenate([plain, unsure])) > 0.8
    np.testing.assert_allclose(np.quantile(plain, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.15)


def test_kinds_of_numbers_count_the_same():
    rng = np.random.default_rng(0)
    few, label = rng.normal(size=(60, 2)), np.repeat([0, 1], 30)
    many = rng.normal(size=(60, 200))
    groups = [f"{k}" for k in range(60)]
    numbers = np.concatenate([many, few], axis=1)
    alike, apart = (Novelty.of(numbers, label, groups, parts=parts) for parts in ((202,), (200, 2)))
    # What two numbers tell is not drowned by 200 others: it is in the first directions.
    first = [abs(found.directions[200:, :2] * few.std(axis=0)[:, None]) for found in (alike, apart)]
    assert first[1].sum() > 2 * first[0].sum()


def test_a_class_of_one_group_is_cut_in_time():
    label = np.array([0] * 10 + [1] * 6)
    fold = _folds(label, ["run 1"] * 10 + ["run 2"] * 3 + ["run 3"] * 3)
    assert len(set(fold[:10])) == BLOCKS
    assert fold[10:].tolist() == [1, 1, 1, 2, 2, 2]
    assert not set(fold[:10]) & set(fold[10:])


def test_it_comes_back_from_plain_values():
    found = Novelty.of(*drawn(0))
    again = Novelty.from_plain(found.to_plain())
    new = drawn(1)[0]
    np.testing.assert_array_equal(again.share(new, surely(200)), found.share(new, surely(200)))


@pytest.mark.parametrize(
    "numbers", [np.zeros((10, 3)), np.random.default_rng(0).normal(size=(2, 3))]
)
def test_what_cannot_be_compared_is_not(numbers):
    n = len(numbers)
    groups = [f"{k}" for k in range(n)]
    assert Novelty.of(numbers[:1], np.zeros(1, dtype=int), groups[:1]) is not numbers
    found = Novelty.of(numbers, np.zeros(n, dtype=int), groups)
    assert found is None or np.isfinite(found.share(numbers, surely(n))).all()
