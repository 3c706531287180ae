"""Sets of classes that cannot be excluded, as texts; see `dualgaf.data.calibration`."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy.typing as npt

from dualgaf.data.calibration import Calibration, groups_needed
from dualgaf.errors import ConfigError, not_allowed

Array = npt.NDArray[Any]

COVERAGE = 0.9
"""Of sets, where none is typed."""
BETWEEN = "; "
"""Between two names of a set."""


def set_texts(
    probabilities: Array,
    class_names: Sequence[str],
    calibration: Calibration | None,
    coverage: float | None = None,
) -> tuple[str, ...] | None:
    """The set of each window, the most probable class first.

    Args:
        probabilities: (N, K), as a network with that calibration gives them.
        class_names: K names.
        calibration: of the checkpoint; None = nothing was measured.
        coverage: what part of windows of new groups has its class in the set; None = `COVERAGE`
            where so many groups give it.

    Returns:
        N texts; None where no coverage was typed, and none can be given.

    Raises:
        ConfigError: the coverage is no fraction, or cannot be given.

    Example:
        >>> import numpy as np
        >>> p = np.array([[0.9, 0.1], [0.4, 0.6]])
        >>> of_days = Calibration.of(p[[0] * 9], np.zeros(9, dtype=int), list("abcdefghi"))
        >>> set_texts(p, ("cold", "hot"), of_days, 0.9)
        ('cold', 'hot')
        >>> set_texts(p, ("cold", "hot"), None)
    """
    if coverage is None:
        if calibration is None or not calibration.gives(COVERAGE):
            return None
        coverage = COVERAGE
    is_in = checked(calibration, coverage).sets(probabilities, coverage)
    order = (-probabilities).argsort(axis=1, kind="stable").tolist()
    return tuple(
        BETWEEN.join(class_names[k] for k in row if own[k])
        for row, own in zip(order, is_in.tolist(), strict=True)
    )


def checked(calibration: Calibration | None, coverage: float) -> Calibration:
    """A calibration that gives a coverage.

    Raises:
        ConfigError: there is none, it does not, or it is no fraction.
    """
    is_number = isinstance(coverage, Real) and not isinstance(coverage, bool)
    if not is_number or not 0 < float(coverage) < 1:
        allowed = "a fraction between 0 and 1"
        raise ConfigError(not_allowed("coverage", coverage, allowed, f"coverage={COVERAGE}"))
    if calibration is None or not calibration.n_groups:
        raise ConfigError(
            f"coverage={coverage} cannot be given: the checkpoint holds nothing of windows that "
            "the network has not learned; leave it out, or train anew with a val split and "
            "calibration.enabled=true"
        )
    if not calibration.gives(coverage):
        most = math.floor(calibration.most_coverage * 100) / 100
        raise ConfigError(
            f"coverage={coverage} cannot be given: {calibration.n_groups} groups were held out, "
            f"and it takes {groups_needed(float(coverage))}; allowed: up to {most:g}; type "
            f"coverage={most:g}, or train anew with more groups"
        )
    return calibration
