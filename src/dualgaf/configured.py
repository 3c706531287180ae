"""The classifier that a configuration asks for: a new one, or that of ``ckpt_path``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig
from torch import nn

from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.errors import ConfigError
from dualgaf.models.backbone import described
from dualgaf.models.checkpoint import (
    check_fits,
    check_goes_on,
    load_classifier,
    net_settings,
    own_extractor,
)
from dualgaf.models.class_weights import balanced_class_weights
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.net import DualGAFNet
from dualgaf.trained import check_images, find_imaging


def make_classifier(cfg: DictConfig, data: DualGAFDataModule) -> DualGAFClassifier:
    """What ``task=fit`` trains, and what other tasks use.

    Args:
        cfg: of the run.
        data: they give the network its sizes; nothing is built for it.

    Raises:
        ConfigError: an option is not allowed, or ``ckpt_path`` does not fit the data, or, for
            ``task=fit``, the options of the network and its optimiser.
    """
    path = None if cfg.ckpt_path is None else Path(cfg.ckpt_path)
    if path is not None and (imaging := find_imaging(path)) is not None:
        check_images(imaging, data)
    if cfg.task != "fit":
        model = trained_model(cfg)
        check_fits(model, data.n_channels, data.num_classes)
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
    if path is not None:
        check_goes_on(classifier, path)
    return classifier


def _class_weights(told: Any, data: DualGAFDataModule) -> Sequence[float] | None:
    if told is None or isinstance(told, ListConfig):
        return told
    if told != "balanced":
        raise ConfigError(
            f"classifier.class_weights={told!r} is not allowed; allowed: null, balanced, or a "
            "number for each class; type classifier.class_weights=balanced"
        )
    label = torch.from_numpy(data.cases.labels[data.cases.rows["train"]])
    return balanced_class_weights(label, data.num_classes)


def trained_model(cfg: DictConfig) -> DualGAFClassifier:
    """The classifier of ``cfg.ckpt_path``; its extractor, if one of your own, is ``cfg.model``'s.

    Raises:
        ConfigError: it is not a checkpoint, or has another extractor of your own.
    """
    return load_classifier(Path(cfg.ckpt_path), _own_net(cfg))


def _own_net(cfg: DictConfig) -> nn.Module | None:
    """The network of a checkpoint whose extractor is one of the user's own; None for others."""
    settings = net_settings(Path(cfg.ckpt_path))
    wanted = own_extractor(settings)
    if wanted is None:
        return None
    told = cfg.model.get("extractor")
    extractor = instantiate(told) if isinstance(told, DictConfig) else told
    got = described(extractor)
    if got != {"path": wanted}:
        raise ConfigError(
            f"the extractor of the checkpoint is {wanted}, model.extractor is {told!r}; type the "
            "model options of its run (RUN/.hydra/overrides.yaml)"
        )
    return DualGAFNet(**{**settings, "extractor": extractor})
