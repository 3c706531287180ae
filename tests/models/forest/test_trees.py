"""`Trees`: by hand, and beside scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier

from dualgaf.models.forest.trees import Trees


def by_hand() -> Trees:
    """Two trees of numbers 0 and 1 and three classes.

    The first: number 0 above 1? no: class 0; yes: number 1 above -2? no: class 1, yes: class 2.
    The second is a single leaf: half class 0, half class 1.
    """
    inf = float("inf")
    return Trees(
        {
            "feature": torch.tensor([0, 0, 0, 1, 0, 0], dtype=torch.int32),
            "threshold": torch.tensor([1.0, inf, inf, -2.0, inf, inf]),
            "left": torch.tensor([2, 1, 2, 4, 4, 5], dtype=torch.int32),
            "leaf": torch.tensor([0, 3, 0, 0, 1, 2], dtype=torch.int32),
            "probabilities": torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0]]),
            "depth": 2,
            "n_trees": 2,
        }
    )


def test_a_forest_worked_out_on_paper() -> None:
    numbers = torch.tensor([[0.0, 9.0], [1.0, 9.0], [1.5, -2.0], [1.5, -1.9]])
    wanted = [[0.75, 0.25, 0.0], [0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.25, 0.25, 0.5]]
    assert by_hand()(numbers).tolist() == wanted


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 9)),
    classes=st.integers(1, 5),
    leaf=st.integers(1, 4),
)
def test_it_says_what_scikit_learn_says(
    seed: int, shape: tuple[int, int], classes: int, leaf: int
) -> None:
    rng = np.random.default_rng(seed)
    # Few different numbers, so that some are on a threshold or the same in all windows.
    x = rng.integers(-3, 4, shape).astype(np.float32) * np.float32(0.1)
    y = rng.integers(0, classes, len(x))
    forest = ExtraTreesClassifier(7, min_samples_leaf=leaf, random_state=seed % 1000).fit(x, y)
    new = np.concatenate((x, rng.normal(size=shape).astype(np.float32)))
    wanted = np.zeros((len(new), 6))
    wanted[:, forest.classes_] = forest.predict_proba(new)
    got = Trees.learned(forest, 6)(torch.from_numpy(new))
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_numbers_beside_a_threshold_go_the_same_way(steps: int) -> None:
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    forest = ExtraTreesClassifier(20, random_state=0).fit(x, np.arange(40) % 2)
    for tree in forest.estimators_:
        near = tree.tree_.threshold[tree.tree_.feature >= 0].astype(np.float32)
        towards = np.float32(np.inf * steps) if steps else near
        numbers = np.repeat(np.nextafter(near, towards)[:, None], 3, axis=1)
        got = Trees.learned(forest, 2)(torch.from_numpy(numbers))
        np.testing.assert_allclose(got.numpy(), forest.predict_proba(numbers), atol=1e-6)


def test_leaves_of_one_class_share_a_row() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    forest = ExtraTreesClassifier(30, random_state=0).fit(x, np.arange(200) % 3)
    trees = Trees.learned(forest, 3)
    assert len(trees.left) == sum(tree.tree_.node_count for tree in forest.estimators_) > 5000
    assert trees.probabilities.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert trees.depth == max(tree.tree_.max_depth for tree in forest.estimators_)
