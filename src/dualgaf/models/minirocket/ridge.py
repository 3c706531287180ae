"""A ridge regression with its cross-validation, from one inverse for each ridge parameter.

With K = X X' + a I for the rows X of all windows and their copies, the predictions are X X' K^-1 Y.
The out-of-fold predictions for the rows h of a fold need no second solution:

    Y_h - (K^-1)_hh^-1 (K^-1 Y)_h

so a fold costs a system of its own size. Rows are centred once, by all of them.

Source: An, Liu & Venkatesh, "Fast cross-validation algorithms for least squares support vector
machine and kernel ridge regression", Pattern Recognition 40, 2007.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RidgeSolution:
    """The regression with the ridge parameter of the least squared error on held-out windows."""

    weight: Tensor
    """(F, K)."""
    offset: Tensor
    """(K,) what a row of zeros is answered."""
    out_of_fold: Tensor
    """(N, K) what each window was answered while its fold was not learned."""
    error: float
    """Mean square of what is missing in them."""


def solve_ridge(
    rows: Tensor, targets: Tensor, folds: Tensor, alphas: Sequence[float]
) -> RidgeSolution:
    """Solve, and choose the ridge parameter.

    Args:
        rows: (n, N, F) windows, and copies of them, centred: their mean is 0.
        targets: (N, K) the same for all copies of a window.
        folds: (N,) the fold of each window. A window's copies are held out with it.
        alphas: what may be added to the diagonal, above 0.

    Example:
        >>> x = torch.tensor([[[-1.0], [0.0], [1.0]]])
        >>> found = solve_ridge(x, 2 * x[0] + 5, torch.arange(3), (1e-6,))
        >>> [round(float(value), 3) for value in (found.weight, found.offset, found.error)]
        [2.0, 5.0, 0.0]
    """
    flat, n_windows = rows.flatten(0, 1), rows.shape[1]
    level = targets.mean(dim=0)
    centred = (targets - level).repeat(len(rows), 1).double()
    of_row = folds.repeat(len(rows))
    square = (flat @ flat.T).double()
    best: tuple[float, Tensor, Tensor] | None = None
    for alpha in alphas:
        raised = square.clone()
        raised.diagonal().add_(alpha)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(raised, out=raised))
        dual = inverse @ centred
        predictions = _out_of_fold(inverse, dual, centred, of_row)[:n_windows]
        error = float((predictions - centred[:n_windows]).square().mean())
        if best is None or error < best[0]:
            best = error, dual, predictions
    assert best is not None, "no ridge parameter"
    error, dual, predictions = best
    weight = flat.T @ dual.to(flat.dtype)
    return RidgeSolution(weight, level, predictions.to(flat.dtype) + level, error)


def _out_of_fold(inverse: Tensor, dual: Tensor, targets: Tensor, of_row: Tensor) -> Tensor:
    """What each row was answered without its fold; 0 where that leaves nothing to learn from."""
    predictions = torch.zeros_like(targets)
    for fold in range(int(of_row.max()) + 1):
        held = torch.nonzero(of_row == fold)[:, 0]
        if 0 < len(held) < len(of_row):
            missing = torch.linalg.solve(inverse[held][:, held], dual[held])
            predictions[held] = targets[held] - missing
    return predictions
