"""Mean ranks of methods on a line, drawn by aeon: `write_critical_difference`."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy.typing as npt
from matplotlib import pyplot as plt

from dualgaf.errors import DependencyError
from dualgaf.system.whole_file import whole_file

LEAST_METHODS = 3
"""aeon draws no picture of two."""
LEAST_SETS = 2
"""A rank in one set is no mean."""
ALPHA = 0.05


def write_critical_difference(
    path: Path, scores: npt.NDArray[Any], methods: Sequence[str], alpha: float = ALPHA
) -> bool:
    """Write the picture: a line joins methods that are not told apart.

    They are told apart by Wilcoxon tests, one-sided in the direction that is seen, with Holm's
    correction, where Friedman's test finds a difference at all (Demsar 2006, Benavoli 2016); see
    findings/aeon_critical_difference_tests_one_side.sh.

    Args:
        path: an SVG file; the same scores give the same file.
        scores: (sets, methods); the higher, the better.
        methods: their names.
        alpha: of the tests.

    Returns:
        Whether there is a picture: it needs three methods, two sets, and a difference in one.

    Raises:
        DependencyError: aeon is not installed.
    """
    if len(methods) < LEAST_METHODS or len(scores) < LEAST_SETS:
        return False
    if (scores == scores[:, :1]).all():  # Friedman's test divides by zero
        return False
    try:
        from aeon.visualisation import plot_critical_difference
    except ImportError as error:
        raise DependencyError(
            'the picture of ranks is drawn by aeon; type pip install "dualgaf[accuracy]"'
        ) from error
    with (
        mpl.rc_context({"svg.hashsalt": "dualgaf", "svg.fonttype": "none"}),
        warnings.catch_warnings(),
    ):
        # of two methods that are alike everywhere, which one line joins as it should
        warnings.filterwarnings("ignore", message="Estimators .* have the same performance")
        figure, _ = plot_critical_difference(scores, list(methods), alpha=alpha, highlight=None)
        try:
            with whole_file(path) as draft:
                figure.savefig(draft, format="svg", metadata={"Date": None}, bbox_inches="tight")
        finally:
            plt.close(figure)
    return True
