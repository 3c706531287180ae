"""`DualGAFClassifier`: how a `DualGAFNet` is trained and measured.

The loss is one of `dualgaf.models.losses` or your own; optimiser and learning rate are in
`dualgaf.models.optimization`. A batch is anything that unpacks as ``gasf, gadf, series, label``.
"""

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self, cast

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from dualgaf.errors import ConfigError, check_number, unknown_choice
from dualgaf.models.forest.branch import ForestBranch
from dualgaf.models.idle_threads import release, sleep_when_idle
from dualgaf.models.losses.classification import CrossEntropyLoss
from dualgaf.models.losses.epoch_loss import EpochLoss, divisor
from dualgaf.models.losses.settings import (
    build_loss,
    check_one_each,
    loss_settings,
    weighted_loss,
)
from dualgaf.models.minirocket.branch import MOST_WINDOWS
from dualgaf.models.net import DualGAFNet
from dualgaf.models.optimization import Optimization, configure, follows_epochs, step_plateau
from dualgaf.models.random_steps import drawn_from, new_seed
from dualgaf.models.time_warp import TimeWarp
from dualgaf.plain import plain_settings
from dualgaf.renamed import current_loss, current_net, current_state

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
"""Images and series are float32: weights of another kind do not go with them."""

SPLITS = ("train", "val", "test")
STEP_SEED = "step_seed"
"""Key of a checkpoint: what the random numbers of its training's steps are drawn from."""
FOREST_STATE = "net.forest._extra_state"
"""Key of the forest among the weights of a checkpoint."""

log = logging.getLogger(__name__)


class DualGAFClassifier(L.LightningModule):
    """A network with its loss, metrics and optimiser.

    Logs ``train/loss``, ``train/acc``, and ``loss``, ``acc`` (fraction of windows that are right)
    and ``f1_macro`` (mean of the classes' F1) under ``val/`` and ``test/``. Each is that of all
    windows of the epoch at once, whatever the size of a batch and the number of ranks.

    Args:
        net: the network, or its `DualGAFNet.settings`, as a checkpoint holds them.
        learning_rate: the highest rate of the schedule.
        weight_decay: on weights of matrices and kernels only.
        optimizer: a name in `OPTIMIZERS`.
        schedule: how the learning rate goes, a name in `SCHEDULES`.
        mixup: alpha of mixup, 0 or more; 0 turns it off. Two windows of a batch are added with
            weights l and 1 - l, l from Beta(alpha, alpha), and so are their losses (Zhang et al.,
            "mixup: Beyond empirical risk minimization", 2018). It helps small training splits.
        time_warp: how far the speed of training windows varies, see `TimeWarp`; 0 turns it off.
        crop: largest fraction of a training window that is cut off, below 1; 0 turns it off.
        loss: logits (B, K), classes (B,) -> scalar: one of `dualgaf.models.losses`, or what
            `loss_settings` told of it; None = cross-entropy. One of your own has nothing to learn,
            and is not kept in the checkpoint: what is loaded reports cross-entropy as its loss.
        class_weights: K numbers above 0 for the loss, see `balanced_class_weights`; None = all 1.
        class_names: names of the K classes; kept in the checkpoint.

    Raises:
        ConfigError: a name is unknown, a number is out of range, or the loss takes no weights.

    Example:
        >>> model = DualGAFClassifier(DualGAFNet(n_channels=3, num_classes=2))
        >>> image, series = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8)
        >>> model(image, image, series).shape
        torch.Size([1, 2])
    """

    @plain_settings
    def __init__(
        self,
        net: DualGAFNet | Mapping[str, Any],
        *,
        learning_rate: float = 4e-3,
        weight_decay: float = 1e-2,
        optimizer: str = "adamw",
        schedule: str = "cosine",
        mixup: float = 0.4,
        time_warp: float = 0.4,
        crop: float = 0.2,
        loss: nn.Module | Mapping[str, Any] | None = None,
        class_weights: Sequence[float] | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        check_number("classifier.mixup", mixup, lambda alpha: alpha >= 0, "0 or more", 0.4)
        self.optimization = Optimization(learning_rate, weight_decay, optimizer, schedule)
        self.net = DualGAFNet(**current_net(net)) if isinstance(net, Mapping) else net
        self.learning_rate = learning_rate  # Lightning's search for a rate changes it
        self.temperature = 1.0
        """What logits are divided by for the probabilities of a test or a prediction; see
        `dualgaf.data.calibration`."""
        self.mixup = mixup
        self.time_warp = TimeWarp(time_warp, crop)
        self.class_names = None if class_names is None else list(class_names)
        n_classes = self.net.settings["num_classes"]
        self.loss = _made(loss, n_classes)
        if class_weights is not None:
            self.loss = weighted_loss(self.loss, class_weights, n_classes)
        # Plain values only: the checkpoint then loads with weights_only=True and needs no network.
        self.save_hyperparameters(
            {
                "net": self.net.settings,
                **vars(self.optimization),
                "mixup": mixup,
                "time_warp": time_warp,
                "crop": crop,
                "loss": loss_settings(self.loss),
                "class_names": self.class_names,
            },
            logger=False,
        )
        self.train_acc = MulticlassAccuracy(n_classes, average="micro")
        metrics = MetricCollection(
            {
                "acc": MulticlassAccuracy(n_classes, average="micro"),
                "f1_macro": MulticlassF1Score(n_classes, average="macro"),
            }
        )
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")
        members = ("images", *self.net.apart) if self.net.apart else ()
        self.alone_acc = nn.ModuleDict(
            {name: MulticlassAccuracy(n_classes, average="micro") for name in members}
        )
        self.epoch_losses = nn.ModuleDict({f"{split}/loss": EpochLoss() for split in SPLITS})
        self._seed: int | None = None  # of the random numbers of training steps

    def forward(self, gasf: Tensor, gadf: Tensor, series: Tensor | None = None) -> Tensor:
        """(B, C, S, S) twice and (B, C, T) -> logits (B, K)."""
        logits: Tensor = self.net(gasf, gadf, series)
        return logits

    def setup(self, stage: str) -> None:
        """Refuse weights that do not go with the images; see `dualgaf.models.idle_threads`.

        Raises:
            ConfigError: the precision of the Trainer is not one of `PRECISIONS`.
        """
        got = self.trainer.precision
        if got not in PRECISIONS:
            typed = f'Trainer(precision="{PRECISIONS[0]}")'
            raise ConfigError(unknown_choice("precision", got, PRECISIONS, instead=typed))
        if self.trainer.strategy.root_device.type == "cpu":
            sleep_when_idle(self)

    def teardown(self, stage: str) -> None:
        """Let go of what `setup` has taken."""
        release(self)

    def on_fit_start(self) -> None:
        """Draw the seed of the steps; learn the branches that are learned apart."""
        self.temperature = 1.0  # of weights that are to change
        if self._seed is None:
            # Of the first rank, which writes the checkpoint.
            self._seed = self.trainer.strategy.broadcast(new_seed())
        if self.trainer.ckpt_path is not None and self.trainer.max_steps != -1:
            log.warning(
                "a training with trainer.max_steps goes on in the middle of an epoch (Lightning "
                "2.6), so it is not the one that was not interrupted; type trainer.max_epochs=N"
            )
        data: Any = getattr(self.trainer, "datamodule", None)
        if not self.net.apart or self.trainer.ckpt_path is not None:
            return
        if not hasattr(data, "training_windows"):
            log.warning(
                "the MiniRocket branch and the forest do not count: only a DualGAFDataModule gives "
                "them windows; type trainer.fit(model, datamodule=data)"
            )
            return
        found = data.training_windows(MOST_WINDOWS)
        series, label, group = (torch.from_numpy(array) for array in found)
        if self.net.minirocket is not None:
            branch = copy.deepcopy(self.net.minirocket).cpu()  # not every device knows float64
            branch.fit(series, label, group, self.time_warp)
            self.net.minirocket.load_state_dict(branch.state_dict())
        if self.net.forest is not None:
            self._learn_forest(self.net.forest, series, label)

    def _learn_forest(self, forest: ForestBranch, series: Tensor, label: Tensor) -> None:
        """On the first rank: a last bit that differs would give a tree of another size."""
        assert self._seed is not None
        if self.global_rank == 0:
            with drawn_from((self._seed,), torch.device("cpu")):
                forest.fit(series, label, self.time_warp, others=len(self.net.apart))
        forest.set_extra_state(self.trainer.strategy.broadcast(forest.get_extra_state()))
        forest.to(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch."""
        if self._seed is None:  # outside of a Trainer
            return self._step(batch)
        epochs: Any = self.trainer.fit_loop.epoch_progress.current
        step = (self._seed, epochs.processed, batch_idx, self.global_rank)
        with drawn_from(step, self.device):
            return self._step(batch)

    def _step(self, batch: Batch) -> Tensor:
        gasf, gadf, series, label = batch
        forward: Callable[[Tensor, Tensor, Tensor], Tensor] = self
        pixels = self._read_pixels(gasf, gadf, series)
        if pixels is None:
            gasf, gadf, series = self.time_warp(gasf, gadf, series)
        else:  # what is not read is not warped or mixed
            gasf, gadf, series = self.time_warp.of_pixels(gasf, gadf, series, *pixels)
            forward = partial(self.net, bands=True)
        if self.mixup > 0:
            weight = float(torch.distributions.Beta(self.mixup, self.mixup).sample())
            weight = max(weight, 1.0 - weight)
            other = torch.randperm(len(label), device=label.device)
            gasf, gadf, series = (torch.lerp(x[other], x, weight) for x in (gasf, gadf, series))
            logits = forward(gasf, gadf, series)
            loss: Tensor = weight * self.loss(logits, label)
            loss = loss + (1.0 - weight) * self.loss(logits, label[other])
        else:
            logits = forward(gasf, gadf, series)
            loss = self.loss(logits, label)
        self.train_acc(logits, label)
        self._log_loss("train", loss, label)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True)
        return loss

    def _read_pixels(
        self, gasf: Tensor, gadf: Tensor, series: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        # A network or a forward of somebody's own is given images.
        net: Any = getattr(self.net, "_orig_mod", self.net)  # of torch.compile
        if type(net) is not DualGAFNet or type(self).forward is not DualGAFClassifier.forward:
            return None
        return net.read_pixels(gasf, gadf, series)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a batch of the validation split."""
        *windows, label = batch
        self._count(self(*windows), label, "val", self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Count a batch of the test split; probabilities (B, K) for callbacks.

        Where branches are learned apart, also of each side alone: ``test/images_acc``,
        ``test/kernels_acc`` and ``test/forest_acc``.
        """
        gasf, gadf, series, label = batch
        if self.net.apart:
            images = self.net.by_images(gasf, gadf, series)
            logits = self.net.ensemble(images, series)
            others = {name: branch(series) for name, branch in self.net.apart.items()}
            for name, said in {"images": images, **others}.items():
                alone = cast(MulticlassAccuracy, self.alone_acc[name])
                alone.update(said, label)
                self.log(f"test/{name}_acc", alone)
        else:
            logits = self(gasf, gadf, series)
        self._count(logits, label, "test", self.test_metrics)
        return self._probabilities(logits)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probabilities (B, K)."""
        gasf, gadf, series, _ = batch
        return self._probabilities(self(gasf, gadf, series))

    def on_train_epoch_end(self) -> None:
        """The step of ``plateau``: Lightning's own comes after the checkpoint of the epoch."""
        step_plateau(self.trainer)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """A step of a schedule, other than that of `on_train_epoch_end`."""
        if not follows_epochs(scheduler, self.trainer):
            super().lr_scheduler_step(scheduler, metric)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the random numbers of further steps are drawn from, and the forest as it is.

        A callback that averages weights has put its own network there, which never learned one.
        """
        checkpoint[STEP_SEED] = self._seed
        if self.net.forest is not None:
            checkpoint["state_dict"][FOREST_STATE] = self.net.forest.get_extra_state()

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = True,
        **settings: Any,
    ) -> Self:
        """The classifier of a checkpoint, as Lightning loads it, without running code of the file.

        Args:
            checkpoint_path: a file, or an address of the web.
            map_location: as of Lightning.
            hparams_file: as of Lightning.
            strict: as of Lightning.
            weights_only: False runs code that the file may hold: only for files of your own.
            **settings: those that take the place of stored ones.
        """
        found: Self = super().load_from_checkpoint(
            checkpoint_path, map_location, hparams_file, strict, weights_only, **settings
        )
        return found

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Read old names; leave out what a loss of one's own kept, where this model has another."""
        self._seed = checkpoint.get(STEP_SEED)
        self.temperature = _temperature(checkpoint)
        for part in ("state_dict", "current_model_state"):  # the second of averaged weights
            if part in checkpoint:
                checkpoint[part] = current_state(checkpoint[part])
        kept, own = checkpoint["state_dict"], self.state_dict()
        for name in [n for n in kept if n.startswith("loss.") and n not in own]:
            del kept[name]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """What ``optimizer`` and ``schedule`` name."""
        how = replace(self.optimization, learning_rate=self.learning_rate)
        return configure(self.net, how, self.trainer)

    def _probabilities(self, logits: Tensor) -> Tensor:
        # Half precision has no place in a table: neighbours of 1 are 0.004 apart in bfloat16.
        return torch.softmax(logits.float() / self.temperature, dim=1)

    def _count(self, logits: Tensor, label: Tensor, split: str, metrics: MetricCollection) -> None:
        metrics.update(logits, label)
        self._log_loss(split, self.loss(logits, label), label)
        self.log_dict(metrics, prog_bar=True)

    def _log_loss(self, split: str, loss: Tensor, label: Tensor) -> None:
        name, is_train = f"{split}/loss", split == "train"
        mean = cast(EpochLoss, self.epoch_losses[name])
        mean(loss.detach(), divisor(self.loss, label))
        self.log(name, mean, on_step=is_train, on_epoch=True, prog_bar=not is_train)


def _made(loss: nn.Module | Mapping[str, Any] | None, n_classes: int) -> nn.Module:
    if loss is None:
        return CrossEntropyLoss()
    made = build_loss(current_loss(loss)) if isinstance(loss, Mapping) else loss
    settings = loss_settings(made)
    if settings is not None and settings["class_weights"] is not None:
        check_one_each(settings["class_weights"], n_classes)
    return made


def _temperature(checkpoint: Mapping[str, Any]) -> float:
    """That of a checkpoint: 1 in one of an earlier version, or of the middle of a training."""
    for part in checkpoint.values():
        imaging = part.get("imaging") if isinstance(part, Mapping) else None
        if isinstance(imaging, Mapping) and imaging.get("calibration"):
            return float(imaging["calibration"]["temperature"])
    return 1.0
