"""What the estimators for scikit-learn and aeon have in common: parameters, training, checkpoint.

A fit is a run of ``train.py`` without a val split: the same DataModule, network and optimiser, the
same seed, and so the same probabilities. `dualgaf.sklearn` and `dualgaf.aeon` are skins of it.
"""

import logging
import os
import random
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import lightning as L
import numpy as np
import numpy.typing as npt
import torch

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import SeriesError, check_whole
from dualgaf.imaging.windows import Windows
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.probabilities import WindowClassifier
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.losses.class_weights import balanced_class_weights
from dualgaf.models.net import DualGAFNet
from dualgaf.plain import plain
from dualgaf.series.labels import is_missing
from dualgaf.training.epochs import epochs_for
from dualgaf.training.parameters import (
    OF_CLASSIFIER,
    OF_DATA,
    OF_NET,
    PARAMETERS,
    NetParameters,
)
from dualgaf.training.quiet import quiet

Array = npt.NDArray[Any]

KEY = "dualgaf_estimator"
"""Key of a checkpoint: parameters and classes of the estimator that wrote it."""


class NetEstimator(NetParameters):
    """An estimator without a package: its parameters, its training, its checkpoint."""

    classes_: Array
    classifier_: DualGAFClassifier

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint, which `load`, ``train.py ckpt_path=`` and every other door reads.

        Args:
            path: the file, say ``gaf.ckpt``.

        Raises:
            SeriesError: the estimator is not fitted.
        """
        if not hasattr(self, "classifier_"):
            name = type(self).__name__
            raise SeriesError(
                f"this {name} is not fitted; type {name}().fit(X, y).save({str(path)!r})"
            )
        own = {"params": _plain_params(self), "classes": self.classes_.tolist()}
        own |= {"dtype": str(self.classes_.dtype), "fitted": self._fitted()}
        state = self.classifier_.state_dict()
        torch.save({**self._rest, "state_dict": state, KEY: own}, Path(path))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The estimator of a checkpoint: one of `save`, or of a run of ``train.py``.

        Raises:
            ConfigError: it is no checkpoint of a `DualGAFClassifier` that was trained with a
                `DualGAFDataModule`.
        """
        checkpoint = Checkpoint(Path(path))
        state = checkpoint.needed_imaging
        content = checkpoint.content
        own = content.get(KEY)
        known: Mapping[str, Any] = own["params"] if own else _params_of(content)
        found = cls(**{name: known[name] for name in known if name in PARAMETERS})
        classes = own["classes"] if own else list(state.class_names)
        found.classes_ = np.array(classes, dtype=own["dtype"] if own else None)
        found._keep(checkpoint.classifier(), content)
        found.n_iter_ = int(content["global_step"])
        for name, value in (own["fitted"] if own else _fitted_of(state)).items():
            setattr(found, name, value)
        return found

    def _learn(self, x: Array, y: Array, names: Sequence[str] | None) -> None:
        """Train on (N, C, T) windows of the classes ``classes_[y]``."""
        check_whole("verbose", self.verbose, 0, 0)
        seed = _seed_of(self.random_state)
        texts = class_texts(self.classes_)
        labels = np.array(texts, dtype=object)[y]
        with own_random_numbers(), quiet(), _silent(not self.verbose):
            L.seed_everything(seed, workers=True, verbose=False)
            data = DualGAFDataModule.from_arrays(
                train=(x, labels), channel_names=names, seed=seed, **self._options(OF_DATA)
            )
            data.show_progress = bool(self.verbose)
            try:
                classifier = self._classifier(data)
                trainer = self._trainer(data)
                trainer.fit(classifier, datamodule=data)
                self.n_iter_ = int(trainer.global_step)
                with tempfile.TemporaryDirectory(prefix="dualgaf-") as folder:
                    path = Path(folder) / "fitted.ckpt"
                    trainer.save_checkpoint(path, weights_only=True)
                    content = Checkpoint(path).content
            finally:
                data.close()
        classifier._trainer = None  # it refers to all data
        self._keep(classifier.cpu(), content)

    def _probabilities(self, x: Array) -> Array:
        """(N, C, T) -> (N, K) float64, in the order of ``classes_``."""
        state = self._imaging
        with quiet():
            classify = WindowClassifier(self.classifier_, state, self._on_device)
            found = classify(Windows.stacked(x))
        texts = class_texts(self.classes_)
        return np.ascontiguousarray(found[:, [state.class_names.index(text) for text in texts]])

    def _classifier(self, data: DualGAFDataModule) -> DualGAFClassifier:
        known: dict[str, Any] = {
            "image_size": data.image_size,
            "channel_names": data.channel_names,
        }
        net = DualGAFNet(data.n_channels, data.num_classes, **self._options(OF_NET), **known)
        weights: Any = self.class_weights
        if isinstance(weights, str) and weights == "balanced":
            windows = data.windows
            label = torch.from_numpy(windows.labels[windows.indices["train"]])
            weights = balanced_class_weights(label, data.num_classes)
        elif weights is not None:  # in the order of classes_
            order = [class_texts(self.classes_).index(name) for name in data.class_names]
            weights = [plain(weights)[index] for index in order]
        return DualGAFClassifier(
            net,
            class_names=list(data.class_names),
            class_weights=weights,
            **self._options(OF_CLASSIFIER),
        )

    def _trainer(self, data: DualGAFDataModule) -> L.Trainer:
        epochs, steps = self.max_epochs, self.max_steps
        if steps != -1:
            check_whole("max_steps", steps, 1, 100)
        if epochs == "auto":
            epochs = epochs_for(len(data.windows.indices["train"]), data.batch_size)
        else:
            check_whole("max_epochs", epochs, 1, 100)
        return L.Trainer(
            max_epochs=int(epochs),
            max_steps=int(steps),
            accelerator=self.accelerator,
            devices=1,
            precision=self.precision,
            gradient_clip_val=1.0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=self.verbose > 0,
            enable_model_summary=self.verbose > 1,
            num_sanity_val_steps=0,
            limit_val_batches=0,
            log_every_n_steps=1,
        )

    def _options(self, names: Sequence[str]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def _keep(self, classifier: DualGAFClassifier, content: dict[str, Any]) -> None:
        self.classifier_ = classifier.eval()
        self._rest = {key: value for key, value in content.items() if key != "state_dict"}
        self._rest.pop(KEY, None)

    @property
    def _imaging(self) -> ImagingState:
        parts = (part for part in self._rest.values() if isinstance(part, Mapping))
        return ImagingState.from_plain(next(part for part in parts if "imaging" in part)["imaging"])

    @property
    def _on_device(self) -> bool:
        hparams = self._rest.get("datamodule_hyper_parameters", {})
        return bool(hparams.get("images") == "on_device")

    def _fitted(self) -> dict[str, Any]:
        return {
            name: plain(value)
            for name, value in vars(self).items()
            if name.endswith("_") and not name.startswith("_") and name not in _KEPT_APART
        }


_KEPT_APART = ("classes_", "classifier_", "n_iter_", "fit_time_millis_", "metadata_")


def class_texts(classes: Array) -> list[str]:
    """A text for each class, as it is in the checkpoint; ``class_0`` and so on where two are equal.

    Example:
        >>> class_texts(np.array([0.0, 1.0, 2.5])), class_texts(np.array([False, True]))
        (['0', '1', '2.5'], ['False', 'True'])
    """
    texts = []
    for value in classes.tolist():
        whole = isinstance(value, float) and value.is_integer()
        texts.append(str(int(value)) if whole else str(value))
    if len(set(texts)) < len(texts) or any(map(is_missing, texts)):
        return [f"class_{index}" for index in range(len(texts))]
    return texts


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """A block after which the random numbers of the program go on as if it had not been.

    Example:
        >>> before = random.getstate()
        >>> with own_random_numbers():
        ...     random.seed(3)
        >>> random.getstate() == before
        True
    """
    python, numbers, environment = random.getstate(), np.random.get_state(), dict(os.environ)  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)  # noqa: NPY002
            for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
                if name in environment:
                    os.environ[name] = environment[name]
                else:
                    os.environ.pop(name, None)


@contextmanager
def _silent(is_silent: bool) -> Iterator[None]:
    """A block in which Lightning says nothing of what it does."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    loggers = [logging.getLogger(name) for name in names if is_silent]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            if is_silent:  # what no parameter changes
                warnings.filterwarnings("ignore", module="lightning.*", category=UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _seed_of(random_state: Any) -> int:
    if random_state is None:
        random_state = np.random.mtrand._rand  # what np.random.seed seeds
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31 - 1))
    check_whole("random_state", random_state, 0, 0)
    return int(random_state)


def _plain_params(estimator: NetEstimator) -> dict[str, Any]:
    """Parameters that a checkpoint can hold; others have their default after `load`."""
    kept = {}
    for name in PARAMETERS:
        value = plain(getattr(estimator, name))
        if value is None or isinstance(value, bool | int | float | str | list | tuple | dict):
            kept[name] = value
    return kept


def _params_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, from what a training of one's own or of ``train.py`` has left."""
    data = content.get("datamodule_hyper_parameters", {})
    found = {name: data[name] for name in OF_DATA if name in data}
    settings = content["hyper_parameters"]
    found |= {name: settings[name] for name in OF_CLASSIFIER if name in settings}
    return found | {name: settings["net"][name] for name in OF_NET if name in settings["net"]}


def _fitted_of(state: ImagingState) -> dict[str, Any]:
    n_channels = len(state.channel_names)
    return {
        "n_channels_": n_channels,
        "n_steps_": state.window_size,
        "n_features_in_": n_channels,
        "n_dims_": 3,
        "channel_names_": None,
        "n_classes_": len(state.class_names),
    }
