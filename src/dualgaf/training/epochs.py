"""How many epochs a training takes that was told nothing of it."""

STEPS = 1500
"""Steps of the optimiser that ``trainer.max_epochs=auto`` aims at. In cross-validation on training
splits 1000 were enough for most sets, and NATOPS was better with 2000."""
EPOCHS = (20, 150)
"""The fewest and the most epochs that it takes."""


def epochs_for(n_windows: int, a_step: int) -> int:
    """Epochs that take about `STEPS` steps of so many windows in one rank, within `EPOCHS`.

    Example:
        >>> [epochs_for(n, 16) for n in (100, 180, 600, 20_000)]
        [150, 125, 39, 20]
    """
    fewest, most = EPOCHS
    return min(most, max(fewest, round(STEPS / -(-n_windows // a_step))))
