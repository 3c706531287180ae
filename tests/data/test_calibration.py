"""`Calibration`: right temperatures, and sets that hold what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from dualgaf.data.calibration import (
    HOTTEST,
    MOST_SCORES,
    Calibration,
    calibration_error,
    fitted_temperature,
    groups_needed,
    likelihood,
    reliability,
    tempered,
)

LOGITS = np.random.default_rng(0).normal(size=(400, 3)) * 2


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def drawn(p, seed=1):
    """A class of each row, drawn by its probabilities."""
    return (np.random.default_rng(seed).uniform(size=(len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_is_that_of_an_outside_optimiser(temperature):
    p = softmax(LOGITS)
    labels = drawn(softmax(LOGITS / temperature))

    def loss(log_temperature):
        each = tempered(p, np.exp(log_temperature))
        own = len(p) * likelihood(each, labels) - np.log(each).mean(axis=1)
        return own.mean() / (len(p) + 1)

    best = np.exp(
        minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-6}).x
    )
    assert fitted_temperature(p, labels) == pytest.approx(best, rel=1e-3)
    assert fitted_temperature(p, labels) == pytest.approx(temperature, rel=0.25)


@given(
    st.floats(1 / HOTTEST, HOTTEST),
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5),
)
def test_the_class_stays_the_same_at_any_temperature(temperature, rows):
    p = np.array(rows) + 1e-3
    p /= p.sum(axis=1, keepdims=True)
    found = tempered(p, temperature)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    best = found[np.arange(len(p)), p.argmax(axis=1)]
    np.testing.assert_array_equal(best, found.max(axis=1))


def test_a_network_that_is_always_right_is_not_sure_of_everything():
    p = np.tile([0.7, 0.2, 0.1], (50, 1))
    found = tempered(p, fitted_temperature(p, np.zeros(50, dtype=int)))
    assert 0.7 < found[0, 0] < 1 - 1 / 200


def test_a_temperature_that_does_not_help_other_groups_is_not_taken():
    p = softmax(LOGITS[:40])
    labels = drawn(p)
    groups = [f"day {k // 10}" for k in range(40)]
    assert Calibration.of(p, labels, groups).temperature == pytest.approx(1, abs=0.5)
    # One day is right, and another is wrong, whatever is said.
    sure = np.tile([0.8, 0.2], (40, 1))
    wrong = np.repeat([0, 1], 20)
    assert Calibration.of(sure, wrong, [f"{k // 20}" for k in range(40)]).temperature == 1
    assert Calibration.of(sure, wrong, ["one"] * 40).temperature == 1
    assert Calibration.of(sure[:4], wrong[:4], list("abcd")).temperature == 1


def test_expected_calibration_error_by_hand():
    p = np.array([[0.95, 0.05]] * 10 + [[0.55, 0.45]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [0] * 5 + [1] * 5)
    assert calibration_error(p, labels) == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)
    edges, sure, right, count = reliability(p, labels, bins=10)
    assert edges[[5, 9]].tolist() == [0.5, 0.9]
    assert (sure[9], right[9], count[9]) == (pytest.approx(0.95), 0.8, 10)
    assert count.sum() == 20


def test_sets_by_hand():
    # Three groups: each window of the first counts half as much as those of the others.
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]])
    found = Calibration.of(p, np.array([0, 0, 0, 0]), ["a", "a", "b", "c"])
    np.testing.assert_allclose(found.scores, [0.1, 0.2, 0.4, 0.7])
    np.testing.assert_allclose(found.weights, [1 / 8, 3 / 8, 1 / 2, 3 / 4])
    assert (found.n_groups, found.most_coverage) == (3, 0.75)
    judged = np.array([[0.85, 0.15], [0.5, 0.5], [0.31, 0.69]])
    assert found.sets(judged, 0.75).tolist() == [[True, False], [True, True], [True, True]]
    assert found.sets(judged, 0.3).tolist() == [[True, False], [True, False], [False, True]]
    assert found.gives(0.75)
    assert not found.gives(0.76)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_as_many_groups_are_needed_as_the_rule_says(coverage):
    n = groups_needed(coverage)
    for groups in (n - 1, n):
        gives = Calibration(n_groups=groups).gives(coverage)
        assert gives == (groups > 0 and np.ceil((groups + 1) * coverage - 1e-9) <= groups)
    assert Calibration(n_groups=n).gives(coverage)


def test_a_window_of_a_new_group_is_covered_as_often_as_promised():
    """400 trainings' worth of groups of unequal size, whose windows resemble each other."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        logits = []
        groups = []
        for group in range(13):
            n = int(rng.integers(1, 9))
            logits.append(rng.normal(size=(1, 2)) * 2 + 0.3 * rng.normal(size=(n, 2)) + [1.0, 0.0])
            groups += [f"{group}"] * n
        p = softmax(np.concatenate(logits[:12]))
        labels = np.zeros(len(p), dtype=int)
        found = Calibration.of(p, labels, groups[: len(p)])
        new = tempered(softmax(logits[12]), found.temperature)
        covered.append(found.sets(new, 0.9)[:, 0].mean())
    assert 0.9 <= np.mean(covered) <= 0.96


def test_many_windows_are_kept_as_few_and_no_set_becomes_smaller():
    rng = np.random.default_rng(0)
    p = softmax(rng.normal(size=(5 * MOST_SCORES, 3)))
    labels, groups = drawn(p), [f"{k % 50}" for k in range(len(p))]
    found = Calibration.of(p, labels, groups)
    assert len(found.scores) == len(found.weights) <= MOST_SCORES
    own = np.sort(1 - tempered(p, found.temperature)[np.arange(len(p)), labels])
    exact = own[int(np.ceil(0.9 * 51 / 50 * len(p))) - 1]
    limit = found.scores[np.searchsorted(found.weights, 0.9 - 1e-12)]
    assert exact - 1e-9 <= limit <= exact + 0.01


def test_windows_without_a_class_do_not_count():
    p = softmax(LOGITS)
    labels = drawn(p)
    labels[100:] = -1
    groups = [f"{k // 10}" for k in range(len(p))]
    found, expected = (
        Calibration.of(p, labels, groups),
        Calibration.of(p[:100], labels[:100], groups[:100]),
    )
    assert found.n_groups == expected.n_groups == 10
    assert found.temperature == expected.temperature
    assert Calibration.of(p, np.full(len(p), -1), groups).n_groups == 0


def test_it_comes_back_from_plain_values():
    p = softmax(LOGITS)
    found = Calibration.of(p, drawn(p), [f"{k // 10}" for k in range(len(p))])
    again = Calibration.from_plain(found.to_plain())
    assert again.temperature == found.temperature
    np.testing.assert_array_equal(again.sets(p, 0.9), found.sets(p, 0.9))
