"""How the weights of a network follow its gradients: the optimiser and its learning rate.

============= ===================================================================================
``cosine``    a straight rise in the first tenth of the steps, then a cosine down to a hundredth
``one_cycle`` `torch.optim.lr_scheduler.OneCycleLR`: up for 30 % of the steps, then down to nothing
``plateau``   half the rate where ``val/loss`` has not fallen for `PLATEAU_PATIENCE` epochs;
              ``train/loss`` where there is no validation
``none``      one rate throughout; also what the first two are where the steps are not known
============= ===================================================================================

A step is one of the optimiser: with ``accumulate_grad_batches=4`` there is one in four batches.
"""

import math
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import LRSchedulerConfig, OptimizerLRScheduler
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from dualgaf.errors import ConfigError, check_number, unknown_choice

OPTIMIZERS = ("adamw", "radam")
"""What ``optimizer=`` may name."""
SCHEDULES = ("cosine", "one_cycle", "plateau", "none")
"""What ``schedule=`` may name."""
WARM_UP_FRACTION = 0.1
"""Fraction of all steps in which the learning rate of ``cosine`` rises."""
LAST_FRACTION = 0.01
"""Fraction of the learning rate that ``cosine`` leaves at the end."""
PLATEAU_FACTOR = 0.5
"""What ``plateau`` multiplies the rate by."""
PLATEAU_PATIENCE = 10
"""Epochs without a lower loss that ``plateau`` waits for."""


@dataclass(frozen=True)
class Optimization:
    """How a network is optimised.

    Raises:
        ConfigError: a name is unknown or a number is out of range.

    Example:
        >>> Optimization(1e-3, 0.01, "adamw", "cosine").schedule
        'cosine'
    """

    learning_rate: float
    """The highest rate of the schedule, above 0."""
    weight_decay: float
    """On weights of matrices and kernels only, 0 or more."""
    optimizer: str
    """A name in `OPTIMIZERS`. Both decouple the decay from the gradient; RAdam needs no warm-up."""
    schedule: str
    """A name in `SCHEDULES`."""

    def __post_init__(self) -> None:
        for option, allowed in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, option) not in allowed:
                got = getattr(self, option)
                raise ConfigError(unknown_choice(f"classifier.{option}", got, allowed))
        rate, decay = self.learning_rate, self.weight_decay
        check_number("classifier.learning_rate", rate, lambda r: r > 0, "above 0", 0.004)
        check_number("classifier.weight_decay", decay, lambda d: d >= 0, "0 or more", 0.01)


def configure(net: nn.Module, how: Optimization, trainer: L.Trainer) -> OptimizerLRScheduler:
    """The optimiser of a network and its schedule, for ``configure_optimizers``.

    Args:
        net: the network.
        how: what was chosen.
        trainer: knows the number of steps and whether there is a validation.
    """
    optimizer = make_optimizer(net, how)
    if how.schedule == "plateau":
        schedule = ReduceLROnPlateau(optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE)
        monitor = "val/loss" if _is_validated(trainer) else "train/loss"
        frequency = trainer.check_val_every_n_epoch or 1
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "monitor": monitor, "frequency": frequency},
        }
    steps = trainer.estimated_stepping_batches
    if how.schedule == "none" or math.isinf(steps):
        return optimizer
    by_step: LambdaLR | OneCycleLR
    if how.schedule == "cosine":
        by_step = LambdaLR(optimizer, lambda step: rate_fraction(step, int(steps)))
    else:
        by_step = _OneCycle(optimizer, max_lr=how.learning_rate, total_steps=int(steps))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": by_step, "interval": "step"}}


def follows_epochs(schedule: object, trainer: L.Trainer) -> bool:
    """Whether `step_plateau` takes the steps of a schedule, and Lightning has none to take."""
    return any(schedule is config.scheduler for config in _plateaus(trainer))


def step_plateau(trainer: L.Trainer) -> None:
    """The step of ``plateau`` at the end of an epoch.

    Lightning's comes after the checkpoint of the epoch is written, and a training that goes on from
    there would lack it.

    Raises:
        ConfigError: the loss that it follows was not logged in this epoch.
    """
    for config in _plateaus(trainer):
        if (trainer.current_epoch + 1) % config.frequency:
            continue
        watched = trainer.callback_metrics.get(str(config.monitor))
        if watched is not None:
            schedule: Any = config.scheduler
            schedule.step(watched)
        # The metrics of a checkpoint that a validation wrote are gone.
        elif config.strict and not trainer.fit_loop.restarting:
            raise ConfigError(
                f"classifier.schedule=plateau follows {config.monitor}, which this epoch has not "
                "logged; type classifier.schedule=cosine"
            )


def _plateaus(trainer: L.Trainer) -> list[LRSchedulerConfig]:
    return [
        config
        for config in trainer.lr_scheduler_configs
        if config.reduce_on_plateau and config.interval == "epoch"
    ]


def _is_validated(trainer: L.Trainer) -> bool:
    # A DataModule has the hook of a validation also where its data have no such split.
    data = getattr(trainer, "datamodule", None)
    return trainer.enable_validation and (data is None or bool(data.val_dataloader()))


def make_optimizer(net: nn.Module, how: Optimization) -> Optimizer:
    """AdamW or RAdam; biases and normalisation do not decay.

    Example:
        >>> how = Optimization(1e-3, 0.1, "radam", "none")
        >>> [group["weight_decay"] for group in make_optimizer(nn.Linear(2, 2), how).param_groups]
        [0.1, 0.0]
    """
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in net.parameters() if p.ndim > 1],
            "weight_decay": how.weight_decay,
        },
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if how.optimizer == "adamw":
        # One pass over the weights, not ten. On a GPU Lightning scales gradients of float16, which
        # does not go with it; torch has its own choice there.
        fused = all(p.device.type == "cpu" for p in net.parameters()) or None
        return torch.optim.AdamW(groups, lr=how.learning_rate, fused=fused)
    return torch.optim.RAdam(groups, lr=how.learning_rate, decoupled_weight_decay=True)


def rate_fraction(step: int, n_steps: int) -> float:
    """Fraction of the highest learning rate at a step: a straight rise, then a cosine down.

    Example:
        >>> [round(rate_fraction(step, 100), 3) for step in (0, 9, 10, 55, 100)]
        [0.1, 1.0, 1.0, 0.505, 0.01]
    """
    rise = max(1, round(WARM_UP_FRACTION * n_steps))
    if step < rise:
        return (step + 1) / rise
    position = min(1.0, (step - rise) / max(1, n_steps - rise))
    return LAST_FRACTION + (1 - LAST_FRACTION) * (1 + math.cos(math.pi * position)) / 2


class _OneCycle(OneCycleLR):
    """Takes the place of a checkpoint, not its length: the training that goes on may be longer."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(
            {key: state_dict[key] for key in ("last_epoch", "_step_count", "_last_lr")}
        )
