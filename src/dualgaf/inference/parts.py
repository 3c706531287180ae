"""Which windows a network is given together."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.window_digest import window_hashes
from dualgaf.imaging.windows import Windows

Array = npt.NDArray[Any]

AT_A_TIME = 64
"""Windows that are drawn and classified at a time."""


def in_parts(windows: Windows) -> list[Array]:
    """Rows of `AT_A_TIME` windows each.

    A window's place in a batch changes its last digits. In an order of their own, a window's
    probabilities do not follow from the order in which windows are given.
    """
    rows = np.arange(len(windows))
    if len(rows) > 1:
        rows = np.argsort(window_hashes(windows, rows), kind="stable")
    return [rows[first : first + AT_A_TIME] for first in range(0, len(rows), AT_A_TIME)]
