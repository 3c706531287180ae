"""The classifier that a configuration asks for: a new one, or that of a checkpoint."""

from collections.abc import Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig
from torch import nn

from dualgaf.data.compatibility import check_images
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError, not_allowed
from dualgaf.inference.checkpoint import Checkpoint, check_sizes
from dualgaf.models.backbone import qualified_name
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.losses.class_weights import balanced_class_weights
from dualgaf.models.net import DualGAFNet


def make_classifier(
    cfg: DictConfig, data: DualGAFDataModule, checkpoint: Checkpoint | None
) -> DualGAFClassifier:
    """What ``task=fit`` trains, and what other tasks use.

    Args:
        cfg: of the run.
        data: they give the network its sizes; nothing is built for it.
        checkpoint: of ``ckpt_path``; None where a new training begins.

    Raises:
        ConfigError: an option is not allowed, or the checkpoint does not fit the data, or, for
            ``task=fit``, the options of the network and its optimiser.
    """
    if checkpoint is not None and checkpoint.imaging is not None:
        check_images(checkpoint.imaging, data)
    if checkpoint is not None and cfg.task != "fit":
        model = trained_model(cfg, checkpoint)
        check_sizes(model, data.n_channels, data.num_classes)
        return model
    known = {"image_size": data.image_size, "channel_names": data.channel_names}
    # A subclass of one's own need not take them.
    asked = {key: value for key, value in known.items() if cfg.model.get(key, "no") is None}
    net = instantiate(cfg.model)(n_channels=data.n_channels, num_classes=data.num_classes, **asked)
    classifier: DualGAFClassifier = instantiate(
        cfg.classifier,
        net=net,
        class_names=list(data.class_names),
        class_weights=_class_weights(cfg.classifier.class_weights, data),
    )
    if checkpoint is not None:
        checkpoint.check_resumable(classifier)
    return classifier


def trained_model(cfg: DictConfig, checkpoint: Checkpoint) -> DualGAFClassifier:
    """The classifier of a checkpoint; its extractor, if one of your own, is ``cfg.model``'s.

    Raises:
        ConfigError: it has another extractor of your own.
    """
    return checkpoint.classifier(_own_net(cfg, checkpoint))


def _own_net(cfg: DictConfig, checkpoint: Checkpoint) -> nn.Module | None:
    """The network of a checkpoint whose extractor is one of the user's own; None for others."""
    wanted = checkpoint.own_extractor
    if wanted is None:
        return None
    told = cfg.model.get("extractor")
    extractor = instantiate(told) if isinstance(told, DictConfig) else told
    if qualified_name(extractor) != {"path": wanted}:
        raise ConfigError(
            f"the extractor of the checkpoint is {wanted}, model.extractor is {told!r}; type the "
            "model options of its run (RUN/.hydra/overrides.yaml)"
        )
    return DualGAFNet(**{**checkpoint.settings["net"], "extractor": extractor})


def _class_weights(told: Any, data: DualGAFDataModule) -> Sequence[float] | None:
    if told is None or isinstance(told, ListConfig):
        return told
    if told != "balanced":
        raise ConfigError(
            not_allowed(
                "classifier.class_weights",
                told,
                "null, balanced, or a number for each class",
                "classifier.class_weights=balanced",
            )
        )
    windows = data.windows
    label = torch.from_numpy(windows.labels[windows.indices["train"]])
    return balanced_class_weights(label, data.num_classes)
