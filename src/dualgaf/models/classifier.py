"""`DualGAFClassifier`: how a `DualGAFNet` is trained and measured.

Cross-entropy, AdamW, a short warm-up and a cosine down to a hundredth of the rate, step by step.
A batch is anything that unpacks as ``gasf, gadf, series, label``.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from dualgaf.errors import ConfigError
from dualgaf.models.net import DualGAFNet

WARM_UP_FRACTION = 0.1
"""Share of all steps in which the learning rate rises."""
LAST_FRACTION = 0.01
"""Share of the learning rate that is left at the end."""

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


class DualGAFClassifier(L.LightningModule):
    """A network with its loss, metrics and optimiser.

    Logs ``train/loss``, ``train/acc``, and ``loss``, ``acc`` (share of windows that are right) and
    ``f1_macro`` (mean of the classes' F1) under ``val/`` and ``test/``.

    Args:
        net: the network, or its `DualGAFNet.settings`, as a checkpoint holds them.
        learning_rate: the highest rate of the schedule.
        weight_decay: of AdamW, on weights of matrices and kernels only.
        label_smoothing: share of the target spread over all classes, 0 <= share < 1.
        mixup: alpha of mixup, 0 or more; 0 turns it off. Two windows of a batch are added with
            shares l and 1 - l, l from Beta(alpha, alpha), and so are their losses (Zhang et al.,
            "mixup: Beyond empirical risk minimization", 2018). It helps small training splits.
        loss: logits (B, K), classes (B,) -> scalar, such as those of `dualgaf.models.losses`; None
            = cross-entropy with ``label_smoothing``. It is not kept in the checkpoint.
        class_names: names of the K classes; kept in the checkpoint.

    Raises:
        ConfigError: a number is out of range.

    Example:
        >>> model = DualGAFClassifier(DualGAFNet(n_channels=3, num_classes=2))
        >>> image, series = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8)
        >>> model(image, image, series).shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        net: DualGAFNet | Mapping[str, Any],
        *,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
        mixup: float = 0.4,
        loss: nn.Module | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if learning_rate <= 0 or min(weight_decay, mixup) < 0 or not 0 <= label_smoothing < 1:
            raise ConfigError(
                f"learning_rate={learning_rate}, weight_decay={weight_decay}, mixup={mixup}, "
                f"label_smoothing={label_smoothing} is not allowed; allowed: above 0, 0 or more, "
                "0 or more, and 0 to below 1"
            )
        if loss is not None and label_smoothing:
            raise ConfigError(
                f"label_smoothing={label_smoothing} belongs to loss=null; give it to the loss, "
                "type classifier.label_smoothing=0"
            )
        self.net = DualGAFNet(**net) if isinstance(net, Mapping) else net
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.mixup = mixup
        self.class_names = None if class_names is None else list(class_names)
        self.loss = loss or nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        # Plain values only: the checkpoint then loads with weights_only=True and needs no network.
        self.save_hyperparameters(
            {
                "net": self.net.settings,
                "learning_rate": learning_rate,
                "weight_decay": weight_decay,
                "label_smoothing": label_smoothing,
                "mixup": mixup,
                "class_names": self.class_names,
            },
            logger=False,
        )
        n_classes = self.net.settings["num_classes"]
        self.train_acc = MulticlassAccuracy(n_classes, average="micro")
        metrics = MetricCollection(
            {
                "acc": MulticlassAccuracy(n_classes, average="micro"),
                "f1_macro": MulticlassF1Score(n_classes, average="macro"),
            }
        )
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")

    def forward(self, gasf: Tensor, gadf: Tensor, series: Tensor | None = None) -> Tensor:
        """(B, C, S, S) twice and (B, C, T) -> logits (B, K)."""
        logits: Tensor = self.net(gasf, gadf, series)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch."""
        gasf, gadf, series, label = batch
        if self.mixup > 0:
            share = float(torch.distributions.Beta(self.mixup, self.mixup).sample())
            share = max(share, 1.0 - share)
            other = torch.randperm(len(label), device=label.device)
            gasf, gadf, series = (torch.lerp(x[other], x, share) for x in (gasf, gadf, series))
            logits = self(gasf, gadf, series)
            loss: Tensor = share * self.loss(logits, label)
            loss = loss + (1.0 - share) * self.loss(logits, label[other])
        else:
            logits = self(gasf, gadf, series)
            loss = self.loss(logits, label)
        self.train_acc(logits, label)
        self.log(
            "train/loss", loss, on_step=True, on_epoch=True, batch_size=len(label), sync_dist=True
        )
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a batch of the validation split."""
        self._evaluate(batch, "val", self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a batch of the test split."""
        self._evaluate(batch, "test", self.test_metrics)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probabilities (B, K)."""
        gasf, gadf, series, _ = batch
        return torch.softmax(self(gasf, gadf, series), dim=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with warm-up and cosine; a constant rate where the number of steps is unknown."""
        matrices = [p for p in self.net.parameters() if p.ndim > 1]
        vectors = [p for p in self.net.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=self.learning_rate,
        )
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            return optimizer
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_fraction(step, int(steps))
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _evaluate(self, batch: Batch, split: str, metrics: MetricCollection) -> None:
        gasf, gadf, series, label = batch
        logits = self(gasf, gadf, series)
        metrics.update(logits, label)
        loss = self.loss(logits, label)
        self.log(f"{split}/loss", loss, batch_size=len(label), prog_bar=True, sync_dist=True)
        self.log_dict(metrics, prog_bar=True)


def rate_fraction(step: int, n_steps: int) -> float:
    """Share of the highest learning rate at a step: a straight rise, then a cosine down.

    Example:
        >>> [round(rate_fraction(step, 100), 3) for step in (0, 9, 10, 55, 100)]
        [0.1, 1.0, 1.0, 0.505, 0.01]
    """
    rise = max(1, round(WARM_UP_FRACTION * n_steps))
    if step < rise:
        return (step + 1) / rise
    position = min(1.0, (step - rise) / max(1, n_steps - rise))
    return LAST_FRACTION + (1 - LAST_FRACTION) * (1 + math.cos(math.pi * position)) / 2
