"""How many epochs a training takes that was told nothing of it."""

STEPS = 750
"""Steps of the optimiser that ``trainer.max_epochs=auto`` aims at, see
``docs/design/0019-fewer-steps.md``."""
FIRST_STEPS = 375
"""The same of a first training, where a second one on all windows makes what is kept: the first
only says how good it is."""
EPOCHS_A_STEP = (1 / 75, 1 / 10)
"""The fewest and the most epochs, by steps: 10 to 75 for `STEPS`."""


def epochs_for(n_windows: int, a_step: int, steps: int = STEPS) -> int:
    """Epochs that take about so many steps of so many windows, within bounds.

    Args:
        n_windows: that are learned.
        a_step: windows of one step of the optimiser, in all ranks together.
        steps: `STEPS` or `FIRST_STEPS`.

    Example:
        >>> [epochs_for(n, 16) for n in (100, 180, 600, 20_000)]
        [75, 62, 20, 10]
        >>> epochs_for(180, 16, FIRST_STEPS)
        31
    """
    fewest, most = (max(1, round(share * steps)) for share in EPOCHS_A_STEP)
    return min(most, max(fewest, round(steps / -(-n_windows // a_step))))
