"""`TrainingBar`: one line for a whole training, with the time that is left.

Lightning's own bar begins anew with each epoch, and a small set has seventy-five of them.
"""

import math
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

SHORT_S = 0.5
"""What takes no longer has no bar."""


class TrainingBar(ProgressBar):
    """Steps of a training, or batches of a test, that are done.

    The time left is that to ``max_epochs``; early stopping may end a training before.

    Args:
        title: what is done, at the beginning of the line.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._bar: Any = None
        self._is_off = False

    def disable(self) -> None:
        """As Lightning has it: in ranks that are not the first."""
        self._is_off = True

    def enable(self) -> None:
        """The opposite."""
        self._is_off = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin, where the training goes on after the steps that it has."""
        batches = trainer.num_training_batches
        epochs = trainer.max_epochs if trainer.max_epochs is not None else -1
        total = int(batches) * epochs if epochs > 0 and math.isfinite(batches) else None
        self._begin(self._title, total, trainer.fit_loop.total_batch_idx + 1)

    def on_train_batch_end(self, *_: Any) -> None:
        """One more."""
        self._update()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show how the network does."""
        accuracy = trainer.callback_metrics.get("val/acc")
        if self._bar is not None and accuracy is not None and trainer.state.fn == "fit":
            self._bar.set_postfix_str(f"val/acc {float(accuracy):.3f}", refresh=False)

    def on_train_end(self, *_: Any) -> None:
        """Leave the line as it is."""
        self._end()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin, where nothing is trained."""
        if trainer.state.fn == "validate":
            self._begin("validation", _total(trainer.num_val_batches))

    def on_validation_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """One more."""
        if trainer.state.fn == "validate":
            self._update()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin."""
        self._begin("test", _total(trainer.num_test_batches))

    def on_test_batch_end(self, *_: Any) -> None:
        """One more."""
        self._update()

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin."""
        self._begin("predicting", _total(trainer.num_predict_batches))

    def on_predict_batch_end(self, *_: Any) -> None:
        """One more."""
        self._update()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave no line open, whatever has ended it."""
        self._end()

    def on_exception(self, *_: Any) -> None:
        """Likewise."""
        self._end()

    def _begin(self, title: str, total: int | None, done: int = 0) -> None:
        self._end()
        if not self._is_off:
            unit = " steps" if title == self._title else " batches"
            self._bar = tqdm(total=total, desc=title, initial=done, unit=unit, delay=SHORT_S)

    def _update(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _total(batches: Any) -> int:
    return int(sum(batches)) if isinstance(batches, list) else int(batches)
