"""A ridge regression with its cross-validation, from one inverse for each ridge parameter.

With K = X X' + a I for the rows X of all windows and their copies, the answers are X X' K^-1 Y.
What the rows h of one fold would be answered without being learned needs no second solution:

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
    held_out: Tensor
    """(N, K) what each window was answered while its fold was not learned."""
    error: float
    """Mean square of what is missing in them."""


def solve_ridge(
    rows: Tensor, wanted: Tensor, folds: Tensor, ridges: Sequence[float]
) -> RidgeSolution:
    """Solve, and choose the ridge parameter.

    Args:
        rows: (n, N, F) windows, and copies of them, centred: their mean is 0.
        wanted: (N, K) what is to be answered, the same for all copies of a window.
        folds: (N,) the fold of each window. A window's copies are held out with it.
        ridges: what may be added to the diagonal, above 0.

    Example:
        >>> x = torch.tensor([[[-1.0], [0.0], [1.0]]])
        >>> found = solve_ridge(x, 2 * x[0] + 5, torch.arange(3), (1e-6,))
        >>> [round(float(value), 3) for value in (found.weight, found.offset, found.error)]
        [2.0, 5.0, 0.0]
    """
    flat, n_windows = rows.flatten(0, 1), rows.shape[1]
    level = wanted.mean(dim=0)
    targets = (wanted - level).repeat(len(rows), 1).double()
    of_row = folds.repeat(len(rows))
    square = (flat @ flat.T).double()
    best: tuple[float, Tensor, Tensor] | None = None
    for ridge in ridges:
        raised = square.clone()
        raised.diagonal().add_(ridge)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(raised, out=raised))
        dual = inverse @ targets
        answers = _held_out(inverse, dual, targets, of_row)[:n_windows]
        error = float((answers - targets[:n_windows]).square().mean())
        if best is None or error < best[0]:
            best = error, dual, answers
    assert best is not None, "no ridge parameter"
    error, dual, answers = best
    weight = flat.T @ dual.to(flat.dtype)
    return RidgeSolution(weight, level, answers.to(flat.dtype) + level, error)


def _held_out(inverse: Tensor, dual: Tensor, targets: Tensor, of_row: Tensor) -> Tensor:
    """What each row was answered without its fold; 0 where that leaves nothing to learn from."""
    answers = torch.zeros_like(targets)
    for fold in range(int(of_row.max()) + 1):
        held = torch.nonzero(of_row == fold)[:, 0]
        if 0 < len(held) < len(of_row):
            missing = torch.linalg.solve(inverse[held][:, held], dual[held])
            answers[held] = targets[held] - missing
    return answers
