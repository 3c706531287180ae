"""``extractor=largest``: the costliest extractor that a stated cost per window allows.

1. Candidates are tried from the costliest to the cheapest, `CANDIDATES`.
2. Each is built without memory (on torch's meta device) and torch counts the operations of one
   forward pass over all signals and fields of one window, at the given image size.
3. The first within the budget is taken; the last, if none is.
4. Images of less than `LEAST_SIDE` pixels a side leave the residual networks nothing to halve:
   they go to the last candidate at once.

The number of signals and the image size therefore enter as cost. Training takes about three times
the operations of a forward pass, and two CPU cores do some 50 to 100 GFLOP a second.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from dualgaf.errors import check_number
from dualgaf.models.extractors import build_extractor
from dualgaf.models.extractors.layers import FULL_RESOLUTION
from dualgaf.models.signal_groups import SignalGroup

CANDIDATES = (
    "resnet_gaf_preserve",
    "resnet18_gaf",
    "resnet18_gaf_light",
    "multiscale",
    "large_kernel",
)
"""From the costliest to the cheapest."""
LEAST_SIDE = 16
"""Four halvings leave one pixel of it."""


@dataclass(frozen=True)
class Workload:
    """What one window costs besides the extractor."""

    n_channels: int
    """Signals C."""
    n_fields: int
    """Images of each signal: 2, or 1 where one field is left out."""
    image_size: int | None
    """Side S of the images; None counts with the largest that any extractor looks at."""
    width: int
    """Features of an extractor's result."""
    stacked: bool
    """Whether all signals, or those of a group, pass through the extractor together."""
    early: bool = False
    """Whether the fields do."""
    groups: tuple[SignalGroup, ...] = ()
    """All groups of signals; empty where all signals are one."""

    def gflop(self, extractor: str) -> float:
        """1e9 operations of one forward pass of a window; a multiplication and a sum are two.

        Example:
            >>> round(Workload(6, 2, 26, 32, stacked=False).gflop("large_kernel"), 3)
            0.029
        """
        flops = 0
        for group in self.groups or (SignalGroup(tuple(range(self.n_channels))),):
            n_signals = len(group.channels)
            passes, in_channels = (1, n_signals) if self.stacked else (n_signals, 1)
            if self.early:
                in_channels *= self.n_fields
            else:
                passes *= self.n_fields
            side, name = self.image_size or FULL_RESOLUTION, group.extractor or extractor
            flops += passes * _flops(name, self.width, in_channels, side)
        return 1e-9 * flops


@dataclass(frozen=True)
class Choice:
    """An extractor and why."""

    extractor: str
    """A name in `EXTRACTORS`."""
    reason: str
    """One sentence: cost, budget, and what the next costlier one would have cost."""


@lru_cache
def _flops(extractor: str, width: int, in_channels: int, side: int) -> int:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build_extractor(extractor, width, in_channels)(torch.empty(1, in_channels, side, side))
    return int(counter.get_total_flops())


def choose_extractor(workload: Workload, budget_gflop: float) -> Choice:
    """Apply the rule.

    Args:
        workload: what a window costs besides the extractor.
        budget_gflop: 1e9 operations of a forward pass that a window may cost.

    Raises:
        ConfigError: the budget is not above 0.

    Example:
        >>> choose_extractor(Workload(6, 2, 26, 32, stacked=False), 1.0).extractor
        'resnet18_gaf'
    """
    check_number("model.budget_gflop", budget_gflop, lambda b: b > 0, "numbers above 0", 1.0)
    size = workload.image_size or FULL_RESOLUTION
    task = f"{workload.n_channels} signals, {size} x {size} pixels, {workload.n_fields} fields"
    cheapest = CANDIDATES[-1]
    if size < LEAST_SIDE:
        return Choice(
            cheapest,
            f"extractor=largest takes {cheapest}: images of less than {LEAST_SIDE} pixels a side "
            f"leave a residual network nothing to halve ({task})",
        )
    passed_over = ""
    for name in CANDIDATES:
        cost = workload.gflop(name)
        if cost <= budget_gflop or name == cheapest:
            over = "" if cost <= budget_gflop else ", the cheapest and over it"
            return Choice(
                name,
                f"extractor=largest takes {name}: {cost:.3g} GFLOP a window of budget_gflop="
                f"{budget_gflop:g}{over} ({task}{passed_over})",
            )
        passed_over = f"; {name} costs {cost:.3g}"
    raise AssertionError
