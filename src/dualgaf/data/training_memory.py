"""What a network takes in a training on the CPU, measured on a few windows before it begins."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from dualgaf.data.image_build import ImageBuild
from dualgaf.data.loader import PREFETCH
from dualgaf.plan.training import MeasuredTraining
from dualgaf.system.memory import private_bytes

WINDOWS = (2, 4)
"""What is measured on, to tell what each window takes from what a batch takes whatever its size.
One would not do for a normalisation over a batch."""


def measured_training(
    module: L.LightningModule | None,
    build: ImageBuild,
    batch_size: int,
    num_workers: int,
    ranks: int,
    networks: int = 0,
) -> MeasuredTraining | None:
    """The training of a module, for `dualgaf.plan`; None where its memory cannot be foretold.

    It is measured in the first rank, which sees the memory of the others.

    Args:
        module: called with gasf, gadf and series, as a `DualGAFClassifier` is; None = not known.
        build: of the windows that it is trained on.
        batch_size: windows per batch.
        num_workers: loader processes of each rank.
        ranks: processes of this machine that train together.
        networks: others of the same size that will be there, too.
    """
    if module is None or getattr(rank_zero_only, "rank", 0) != 0:
        return None
    trainer = module._trainer
    if any(weight.device.type != "cpu" for weight in module.parameters()):
        return None
    if trainer is not None and trainer.strategy.root_device.type != "cpu":
        return None  # gradients and what is kept for them are on the device
    windows, recipe = build.windows.windows, build.renderer().recipe
    shape = (windows.n_channels, recipe.image_size, windows.window_size)
    try:
        fewer, more = (_kept_blocks(module, n_windows, shape) for n_windows in WINDOWS)
        weights_bytes = sum(weight.nbytes for weight in module.parameters() if weight.requires_grad)
    except Exception:  # a module of somebody's own may want anything else; training it will tell
        return None
    window_bytes = max(0, sum(more) - sum(fewer)) // (WINDOWS[1] - WINDOWS[0])
    n_windows = len(build.windows.indices["train"])
    epochs = 0 if trainer is None else trainer.max_epochs or 0
    n_batches = epochs * max(1, n_windows // ranks // batch_size)
    callbacks = [] if trainer is None else getattr(trainer, "callbacks", [])
    net = getattr(module, "net", None)
    return MeasuredTraining(
        weights_bytes=weights_bytes,
        window_bytes=window_bytes,
        batch_bytes=max(0, sum(fewer) - WINDOWS[0] * window_bytes),
        blocks=tuple(block // WINDOWS[0] for block in fewer),
        n_windows=n_windows,
        n_batches=n_batches if epochs > 0 else None,
        ranks=ranks,
        rank_bytes=private_bytes() if ranks > 1 else 0,
        loaders=num_workers,
        shipped_bytes=num_workers * PREFETCH * batch_size * recipe.row_bytes(shape[0]),
        copies=networks + sum(isinstance(each, WeightAveraging) for each in callbacks),
        is_solved=bool(getattr(net, "apart", None)),
        is_sure=hasattr(module, "optimization"),  # another may have an optimiser without moments
    )


def _kept_blocks(
    module: L.LightningModule, n_windows: int, shape: tuple[int, int, int]
) -> list[int]:
    """Bytes of what a forward pass of so many windows keeps for the backward pass."""
    n_channels, side, steps = shape
    images = (torch.zeros(n_windows, n_channels, side, side) for _ in range(2))
    series = torch.zeros(n_windows, n_channels, steps)
    # Copies, so that a normalisation learns nothing from it.
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    own = {_place(tensor) for tensor in [*module.parameters(), *buffers.values()]}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _place(tensor) not in own:
            kept[_place(tensor)] = tensor
        return tensor

    trainer = module._trainer
    precision = nullcontext() if trainer is None else trainer.precision_plugin.forward_context()
    with (
        _training(module),
        torch.random.fork_rng(devices=[]),
        precision,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        out = torch.func.functional_call(module, buffers, (*images, series))
        sizes = [tensor.untyped_storage().nbytes() for tensor in kept.values()]
        del out
    return sizes


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


@contextmanager
def _training(module: nn.Module) -> Iterator[None]:
    """All of a module in training mode, then each part as it was."""
    modes: dict[Any, bool] = {part: part.training for part in module.modules()}
    module.train()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
