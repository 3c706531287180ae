"""``extractor=auto``: the richest extractor that a stated cost per window allows.

1. Candidates are tried from the richest to the cheapest, `CANDIDATES`.
2. Each is built without memory (on torch's meta device) and torch counts the operations of one
   forward pass over all signals and fields of one window, at the given image size.
3. The first within the budget is taken; the last, if none is.
4. Images of less than `LEAST_SIDE` pixels a side leave the residual networks nothing to halve:
   they go to the last candidate at once.

The number of signals and the image size therefore enter as cost. Training takes about three times
the operations of a forward pass, and two CPU cores do some 50 to 100 GFLOP a second.
"""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from dualgaf.errors import ConfigError
from dualgaf.models.cells import FULL_RESOLUTION
from dualgaf.models.extractors import build_extractor

CANDIDATES = (
    "resnet_gaf_preserve",
    "resnet18_gaf",
    "resnet18_gaf_light",
    "multiscale",
    "large_kernel",
)
"""From the richest to the cheapest."""
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
    """Whether all signals pass through the extractor together."""
    early: bool = False
    """Whether the fields do."""

    def gflop(self, extractor: str) -> float:
        """1e9 operations of one forward pass of a window; a multiplication and a sum are two.

        Example:
            >>> round(Workload(6, 2, 26, 32, stacked=False).gflop("large_kernel"), 3)
            0.029
        """
        passes, in_channels = (1, self.n_channels) if self.stacked else (self.n_channels, 1)
        if self.early:
            in_channels *= self.n_fields
        else:
            passes *= self.n_fields
        side = self.image_size or FULL_RESOLUTION
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            build_extractor(extractor, self.width, in_channels)(
                torch.empty(1, in_channels, side, side)
            )
        one_pass: int = counter.get_total_flops()
        return 1e-9 * one_pass * passes


@dataclass(frozen=True)
class Choice:
    """An extractor and why."""

    extractor: str
    """A name in `EXTRACTORS`."""
    reason: str
    """One sentence: cost, budget, and what the next richer one would have cost."""


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
    if not budget_gflop > 0:
        raise ConfigError(
            f"model.budget_gflop={budget_gflop!r} is not allowed; allowed: numbers above 0; type "
            "model.budget_gflop=1.0"
        )
    size = workload.image_size or FULL_RESOLUTION
    task = f"{workload.n_channels} signals, {size} x {size} pixels, {workload.n_fields} fields"
    cheapest = CANDIDATES[-1]
    if size < LEAST_SIDE:
        return Choice(
            cheapest,
            f"extractor=auto takes {cheapest}: images of less than {LEAST_SIDE} pixels a side "
            f"leave a residual network nothing to halve ({task})",
        )
    passed_over = ""
    for name in CANDIDATES:
        cost = workload.gflop(name)
        if cost <= budget_gflop or name == cheapest:
            over = "" if cost <= budget_gflop else ", the cheapest and over it"
            return Choice(
                name,
                f"extractor=auto takes {name}: {cost:.3g} GFLOP a window of budget_gflop="
                f"{budget_gflop:g}{over} ({task}{passed_over})",
            )
        passed_over = f"; {name} costs {cost:.3g}"
    raise AssertionError
