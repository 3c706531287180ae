"""What a Trainer of a run gets so that it ends in order and leaves no half checkpoint.

Lightning's own handler of SIGTERM talks to the other ranks from wherever this one is. Where they
are in the middle of something else, all of them wait for ever. So the signal stays with
`dualgaf.system.termination`.
"""

import io
import signal
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.utils import instantiate
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.plugins.io import CheckpointIO
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
from omegaconf import DictConfig

from dualgaf.errors import CheckpointError
from dualgaf.system.termination import check_stopped, stop_on_signals
from dualgaf.system.whole_file import whole_file
from dualgaf.training.resume import typed_folder


def plugins(cfg: DictConfig) -> list[Any]:
    """``trainer.plugins``, and what writes whole checkpoints where none of them writes any."""
    typed = [instantiate(plugin) for plugin in cfg.trainer.get("plugins") or []]
    writes = any(isinstance(plugin, CheckpointIO) for plugin in typed)
    return typed if writes else [*typed, WholeCheckpointIO()]


def keep_sigterm(trainer: L.Trainer) -> None:
    """Let SIGTERM be whose it is while this Trainer runs."""
    setattr(trainer._signal_connector, "_register_signal", _register_others)  # noqa: B010
    environment = trainer._accelerator_connector.cluster_environment
    if isinstance(environment, SLURMEnvironment):
        # It would save a checkpoint of its own from wherever this rank is, and begin with that one.
        environment.auto_requeue = False


class StopCheck(L.Callback):
    """Between two batches, ends what a signal has stopped where its exception was lost."""

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave signals to the process that has started this rank (``ddp_spawn``)."""
        if parent_process() is not None:
            stop_on_signals()

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Look."""
        check_stopped()

    def on_validation_batch_end(self, *arguments: Any) -> None:
        """Look."""
        check_stopped()

    def on_test_batch_end(self, *arguments: Any) -> None:
        """Look."""
        check_stopped()

    def on_predict_batch_end(self, *arguments: Any) -> None:
        """Look."""
        check_stopped()


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it.

    Lightning writes it into the folder of temporary files and moves it. From another file system
    that is a copy, of which a full disk or a kill leaves the beginning under the final name.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Save it, whole or not at all.

        Raises:
            CheckpointError: it cannot be written; what was there before is as it was.
        """
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        try:
            with whole_file(Path(path)) as draft:
                draft.write_bytes(buffer.getbuffer())
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be written: {error.strerror or error}; earlier checkpoints are "
                "whole; make room, then go on from them: type "
                f"{typed_folder('resume', Path(path).parent.parent)}"
            ) from error


def _register_others(number: int, handler: Any) -> None:
    if number != signal.SIGTERM:
        register: Any = _SignalConnector._register_signal
        register(number, handler)
