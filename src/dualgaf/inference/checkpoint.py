"""`Checkpoint`: what a training left in a file, read once.

It holds plain values and tensors; no code in it is run. Names of an earlier version are read as
today's (`dualgaf.renamed`). `dualgaf.data.compatibility` says whether data are those that its
network has learned.
"""

import pickle
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dualgaf import __version__
from dualgaf.data.compatibility import OF_ITS_RUN, other
from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError, OtherDataError
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.renamed import current_net

_DAMAGE = (RuntimeError, KeyError, TypeError, IndexError, EOFError, pickle.UnpicklingError)


class Checkpoint:
    """A file that a training wrote, such as ``RUN/checkpoints/best.ckpt``.

    Args:
        path: the file; it is read here, on the CPU.

    Raises:
        ConfigError: it is not there, or not a checkpoint of a `DualGAFClassifier`.

    Example:
        >>> Checkpoint(Path("no_such.ckpt"))
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: no_such.ckpt is not a checkpoint of DualGAFClassifier: [Errno 2] No such file or directory: 'no_such.ckpt'; type RUN/checkpoints/best.ckpt
    """  # noqa: E501

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: dict[str, Any] = {}
        """Everything in the file."""
        try:
            _check_whole(path)
            found = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can end in any
            raise self._no_checkpoint(error) from error
        if not isinstance(found, Mapping):
            raise self._no_checkpoint(TypeError(f"it holds a {type(found).__name__}"))
        self.content = dict(found)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Arguments of its `DualGAFClassifier`; ``net`` has those of its `DualGAFNet`.

        Raises:
            ConfigError: it is a checkpoint of something else.
        """
        try:
            found = self.content["hyper_parameters"]
            return {**found, "net": current_net(found["net"])}
        except _DAMAGE as error:
            raise self._no_checkpoint(error) from error

    @property
    def own_extractor(self) -> str | None:
        """Where an extractor of one's own is defined; None for one of the package's."""
        extractor = self.settings["net"]["extractor"]
        return str(extractor["path"]) if isinstance(extractor, Mapping) else None

    @property
    def learned_val(self) -> bool:
        """Whether the network has learned the val split, too (``refit=true``)."""
        return bool(self._data_state.get("with_val"))

    @cached_property
    def imaging(self) -> ImagingState | None:
        """How its windows became images; None where no `DualGAFDataModule` was trained with."""
        state = self._data_state
        try:
            return ImagingState.from_plain(state["imaging"]) if state else None
        except (*_DAMAGE, ValueError, AttributeError) as error:
            raise self._no_checkpoint(error) from error

    @property
    def draws_each_batch(self) -> bool:
        """Whether images were drawn for each batch (``images=on_device``), and never stored."""
        parts = (part for part in self.content.values() if isinstance(part, Mapping))
        return any(part.get("images") == "on_device" for part in parts)

    @property
    def needed_imaging(self) -> ImagingState:
        """`imaging`, where nothing can be done without.

        Raises:
            ConfigError: there is none.
        """
        if self.imaging is None:
            raise ConfigError(
                f"{self.path} does not say how its windows became images: it was written without "
                "a DualGAFDataModule, or by an earlier version; train anew with python train.py, "
                "or give trainer.fit a DualGAFDataModule"
            )
        return self.imaging

    def classifier(self, net: nn.Module | None = None) -> DualGAFClassifier:
        """The classifier, on the CPU, with its weights, class names and loss.

        Args:
            net: the network, where its extractor is one of your own (`own_extractor`): a
                checkpoint names it and runs no code but the package's.

        Raises:
            ConfigError: ``net`` is needed, or does not fit the weights.
        """
        try:
            model = DualGAFClassifier(**{**self.settings, **({} if net is None else {"net": net})})
            self.load_into(model)
        except _DAMAGE as error:
            raise self._no_checkpoint(error) from error
        return model

    def load_into(self, model: DualGAFClassifier) -> None:
        """Give a classifier of the same settings the weights."""
        model.on_load_checkpoint(self.content)
        model.load_state_dict(self.content["state_dict"])

    def check_resumable(self, model: DualGAFClassifier) -> None:
        """Refuse to resume with a network or an optimiser that is not its own.

        Args:
            model: what is to be trained; the checkpoint's weights and its optimiser's state take
                the place of its own, so another learning rate would change nothing.

        Raises:
            ConfigError: a setting is another.
        """
        kept = self.settings
        own = model.net.settings
        pairs = [("model", key, kept["net"].get(key), got) for key, got in own.items()]
        pairs += [
            ("classifier", key, kept.get(key), got) for key, got in vars(model.optimization).items()
        ]
        for group, option, trained, got in pairs:
            if trained != got:
                raise ConfigError(
                    f"{self.path} was trained with {group}.{option}={trained}, and a training that "
                    f"is resumed keeps it; got {got}; type the {group} {OF_ITS_RUN}, or train "
                    "anew without ckpt_path"
                )

    @cached_property
    def _data_state(self) -> Mapping[str, Any]:
        # Lightning files it under the name of the DataModule's class, which may be one of yours.
        parts = (part for part in self.content.values() if isinstance(part, Mapping))
        return next((part for part in parts if isinstance(part.get("imaging"), Mapping)), {})

    def _no_checkpoint(self, error: Exception) -> ConfigError:
        why = " ".join((str(error) or repr(error)).split())
        if isinstance(error, pickle.UnpicklingError):
            # torch tells how to load it without its guard, which would run what is in the file
            why = "it holds something else than weights and plain values, or is damaged"
        version = str(self._data_state.get("imaging", {}).get("version", __version__))
        if version != __version__:
            return ConfigError(
                f"{self.path} was written by dualgaf {version}, and this is {__version__}, which "
                f"cannot use it: {why}; type pip install dualgaf=={version}, or train anew"
            )
        return ConfigError(
            f"{self.path} is not a checkpoint of DualGAFClassifier: {why}; type "
            "RUN/checkpoints/best.ckpt"
        )


def _check_whole(path: Path) -> None:
    """Compare each part of the file with its checksum, which torch writes and does not read.

    Raises:
        BadZipFile: a part is not what was written.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as file:
        damaged = file.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"it is damaged: {damaged} is not what was written")


def check_sizes(model: DualGAFClassifier, n_channels: int, num_classes: int) -> None:
    """Refuse data of other sizes than those that a network was trained with.

    Args:
        model: from `Checkpoint.classifier`.
        n_channels: C of the data.
        num_classes: K of the data.

    Raises:
        ConfigError: one of the two is another.
    """
    wanted = model.net.settings
    for option, got in (("n_channels", n_channels), ("num_classes", num_classes)):
        if wanted[option] != got:
            trained = f"{option}={wanted[option]}"
            raise OtherDataError(other(trained, got, "data.*", "give data of that size"))
