"""What of a DataModule is in a checkpoint, and what is compared when it comes back."""

from inspect import signature
from typing import Any, Self

import lightning as L
import numpy as np
import numpy.typing as npt
import torch

from dualgaf.data.compatibility import check_images
from dualgaf.data.image_build import ImageBuild
from dualgaf.data.image_settings import need_source
from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError


class CheckpointedDataModule(L.LightningDataModule):
    """The part of `DualGAFDataModule` that Lightning calls for a checkpoint."""

    _build: ImageBuild

    def __init__(self) -> None:
        super().__init__()
        self.held_out: npt.NDArray[np.int64] | None = None
        """Rows of ``windows.windows`` that are not learned, whatever split they are of."""
        self.with_val = False
        """Whether the val split is learned too, in a last training when all choices are made. What
        is measured on that split tells nothing then."""

    def imaging_state(self) -> ImagingState:
        """How windows become images, and what was fitted on the training split for it."""
        return self._build.imaging_state()

    def state_dict(self) -> dict[str, Any]:
        """How windows become images, for the checkpoint, and whether the val split was learned."""
        if not self._build.has_read:
            return {}
        return {
            "imaging": with_tensors(self.imaging_state().to_plain()),
            "with_val": self.with_val,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse data that are not those of the training, where a Trainer restores a checkpoint.

        Raises:
            ConfigError: channels, classes, sampling step, length of the windows, the way images are
                drawn or the training split are others, so that the network would be judged wrongly;
                or a training would go on from one that has learned the val split.
        """
        if self.trainer is None:  # settings of a checkpoint with a source of one's own
            return
        is_fit = self.trainer.state.fn == "fit"
        learned = is_fit and state_dict.get("with_val") and not self.with_val
        if learned and "val" in self._build.windows.indices:
            raise ConfigError(
                "the checkpoint has learned the val split too (refit=true), so val/loss and "
                "val/acc would tell nothing; type ckpt_path=RUN/checkpoints/validated.ckpt"
            )
        if state_dict.get("imaging") is not None:
            check_images(ImagingState.from_plain(state_dict["imaging"]), self._build)

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        weights_only: bool | None = True,
        **settings: Any,
    ) -> Self:
        """A DataModule with the settings of a checkpoint, for a source that is given.

        Args:
            checkpoint_path: the file.
            map_location: as of Lightning.
            hparams_file: as of Lightning.
            weights_only: False runs code that the file may hold: only for files of your own.
            **settings: ``source``, and settings that take the place of stored ones.

        Raises:
            ConfigError: there is no ``source``: a checkpoint holds no data.
        """
        wanted = signature(cls).parameters.get("source")
        if wanted is not None and wanted.default is wanted.empty:
            need_source(checkpoint_path, settings)
        found: Self = super().load_from_checkpoint(
            checkpoint_path, map_location, hparams_file, weights_only, **settings
        )
        return found


def with_tensors(value: Any) -> Any:
    """Tensors for arrays, because ``weights_only=True`` reads no arrays."""
    if isinstance(value, dict):
        return {key: with_tensors(item) for key, item in value.items()}
    return torch.tensor(value) if isinstance(value, np.ndarray) else value
