"""What a report tells by split and channel: its keys in ``metrics.json``."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Counted(Protocol):
    """What was counted in a split."""

    @property
    def windows(self) -> npt.NDArray[np.integer[Any]]:
        """(C,) windows of each channel."""


def channel_metrics(
    what: str, found: Mapping[str, Counted], channel_names: Sequence[str]
) -> dict[str, Any]:
    """The keys of ``metrics.json``: by split the windows of each channel, and their sum.

    Args:
        what: word of the keys, such as ``outside``.
        found: by split.
        channel_names: C names.
    """
    metrics: dict[str, Any] = {}
    for split, counted in found.items():
        named = zip(channel_names, counted.windows.tolist(), strict=True)
        metrics[f"{split}/{what}_windows"] = int(counted.windows.sum())
        metrics[f"{split}/{what}_channels"] = (
            ", ".join(f"{name} {windows}" for name, windows in named if windows) or "none"
        )
    return metrics
