"""The regression is scikit-learn's, also for windows that were held out."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from dualgaf.models.minirocket.ridge import solve_ridge


def centred(n_features: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows of 12 windows and a copy of each, of mean 0; what is wanted; three folds."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 12, n_features)), generator.normal(size=(12, 3))
    x -= x.mean(axis=(0, 1))
    return torch.from_numpy(x), torch.from_numpy(y), torch.arange(12) % 3


@pytest.mark.parametrize("n_features", [5, 50])
def test_the_regression_is_that_of_scikit_learn(n_features: int) -> None:
    x, y, folds = centred(n_features)
    found = solve_ridge(x, y, folds, (0.7,))
    oracle = Ridge(alpha=0.7).fit(x.flatten(0, 1), torch.cat((y, y)))
    np.testing.assert_allclose(found.weight.T, oracle.coef_, atol=1e-9)
    np.testing.assert_allclose(found.offset, oracle.intercept_, atol=1e-9)


@pytest.mark.parametrize("n_features", [5, 50])
def test_out_of_fold_windows_were_learned_by_no_copy(n_features: int) -> None:
    x, y, folds = centred(n_features)
    found = solve_ridge(x, y, folds, (0.7,))
    level = y.mean(dim=0)
    for fold in range(3):
        kept = folds != fold
        oracle = Ridge(alpha=0.7, fit_intercept=False)
        oracle.fit(x[:, kept].flatten(0, 1), torch.cat((y[kept], y[kept])) - level)
        wanted = oracle.predict(x[0, ~kept]) + level.numpy()
        np.testing.assert_allclose(found.out_of_fold[~kept], wanted, atol=1e-9)
    assert found.error == pytest.approx(float((found.out_of_fold - y).square().mean()))


def test_the_ridge_of_the_least_error_is_chosen() -> None:
    x, y, folds = centred(50)
    alone = {ridge: solve_ridge(x, y, folds, (ridge,)) for ridge in (0.01, 3.0, 300.0)}
    found = solve_ridge(x, y, folds, tuple(alone))
    best = min(alone.values(), key=lambda solution: solution.error)
    assert found.error == best.error < max(solution.error for solution in alone.values())
    assert torch.equal(found.weight, best.weight)


def test_one_fold_of_all_windows_is_answered_by_their_mean() -> None:
    x, y, _ = centred(5)
    found = solve_ridge(x, y, torch.zeros(12, dtype=torch.int64), (0.7,))
    torch.testing.assert_close(found.out_of_fold, y.mean(dim=0).expand(12, 3))
