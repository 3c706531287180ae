"""Averages of the weights of a training, which often generalise better than the last ones.

After each step of the optimiser the callback takes the weights into the average. Validation and
checkpoints see the average, so the best checkpoint is one of averaged weights; the optimiser goes
on with its own.
"""

import math

import lightning as L
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from dualgaf.errors import ConfigError, check_number


class ExponentialAveraging(WeightAveraging):
    """An average that forgets: ``decay`` of the old average and the rest of the new weights.

    After n steps the decay is no larger than ``(1 + n) / (10 + n)``, so that a short training
    does not end in an average of its first weights.

    Args:
        decay: 0 to below 1; 0.99 remembers some hundred steps.

    Raises:
        ConfigError: the decay is out of range.

    Example:
        >>> trainer = L.Trainer(callbacks=[ExponentialAveraging(0.99)], logger=False)
    """

    def __init__(self, decay: float = 0.99) -> None:
        check_number("callbacks.averaging.decay", decay, lambda d: 0 <= d < 1, "0 to below 1", 0.99)
        super().__init__(avg_fn=self._average)
        self._decay = decay

    def _average(self, old: Tensor, new: Tensor, n_averaged: Tensor) -> Tensor:
        n = float(n_averaged)
        decay = min(self._decay, (1 + n) / (10 + n))
        # Not lerp: counters of batch normalisation are whole numbers.
        return decay * old + (1 - decay) * new


class EqualAveraging(WeightAveraging):
    """The mean of the weights after each of the last steps (Izmailov et al., 2018, "SWA").

    Until then it is the weights as they are. The paper keeps the learning rate up while averaging:
    ``classifier.schedule=none``.

    Args:
        start: fraction of the steps after which it begins, 0 to below 1.

    Raises:
        ConfigError: the fraction is out of range, or the number of steps is not known.

    Example:
        >>> trainer = L.Trainer(callbacks=[EqualAveraging(start=0.5)], logger=False)
    """

    def __init__(self, start: float = 0.75) -> None:
        check_number("callbacks.averaging.start", start, lambda s: 0 <= s < 1, "0 to below 1", 0.75)
        super().__init__(avg_fn=self._average)
        self._start = start
        self._first_update = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Learn how many steps there will be."""
        steps = trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise ConfigError(
                "callbacks=swa needs to know the number of steps; type trainer.max_epochs=100"
            )
        assert self._average_model is not None
        # A training that goes on may come from a checkpoint without an average.
        missed = trainer.global_step - int(self._average_model.n_averaged)
        self._first_update = int(self._start * steps) - missed

    def _average(self, old: Tensor, new: Tensor, n_averaged: Tensor) -> Tensor:
        n = max(0, int(n_averaged) - self._first_update)
        return (n * old + new) / (n + 1)
