"""`load_classifier`: a trained classifier from its checkpoint."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dualgaf.errors import ConfigError
from dualgaf.models.classifier import DualGAFClassifier

_DAMAGE = (RuntimeError, KeyError, TypeError, IndexError, EOFError, pickle.UnpicklingError)


def load_classifier(path: Path, net: nn.Module | None = None) -> DualGAFClassifier:
    """The classifier of a checkpoint, on the CPU, with its weights, class names and loss.

    Args:
        path: a file that a training wrote, such as ``RUN/checkpoints/best.ckpt``.
        net: the network, where its extractor is one of your own (`own_extractor`): a checkpoint
            names it and runs no code but the package's.

    Raises:
        ConfigError: it is not such a file, or ``net`` is needed, or does not fit the weights.
    """
    given: dict[str, Any] = {} if net is None else {"net": net}
    try:
        return DualGAFClassifier.load_from_checkpoint(
            path, map_location="cpu", weights_only=True, **given
        )
    except _DAMAGE as error:
        raise _no_checkpoint(path, error) from error


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """What a checkpoint holds, in plain values and tensors; no code in it is run.

    Raises:
        ConfigError: it is not there, or not a checkpoint.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (*_DAMAGE, OSError) as error:
        raise _no_checkpoint(path, error) from error
    if not isinstance(found, Mapping):
        raise _no_checkpoint(path, TypeError(f"it holds a {type(found).__name__}"))
    return found


def net_settings(path: Path) -> dict[str, Any]:
    """`DualGAFNet.settings` of the network in a checkpoint.

    Raises:
        ConfigError: it is not a checkpoint of a `DualGAFClassifier`.
    """
    settings: dict[str, Any] = _hyper_parameters(path)["net"]
    return settings


def data_state(path: Path) -> Mapping[str, Any]:
    """What the `DualGAFDataModule` of a training left in its checkpoint; empty without one.

    Raises:
        ConfigError: it is not a checkpoint.
    """
    # Lightning files it under the name of the DataModule's class, which may be one of yours.
    parts = (part for part in read_checkpoint(path).values() if isinstance(part, Mapping))
    return next((part for part in parts if isinstance(part.get("imaging"), Mapping)), {})


def learned_val(path: Path) -> bool:
    """Whether the network in a checkpoint has learned the val split, too (``refit=true``).

    Raises:
        ConfigError: it is not a checkpoint.
    """
    return bool(data_state(path).get("with_val"))


def own_extractor(settings: Mapping[str, Any]) -> str | None:
    """Where the extractor of one's own in `net_settings` is defined; None for the package's.

    Example:
        >>> own_extractor({"extractor": {"path": "my_package.MyExtractor"}})
        'my_package.MyExtractor'
        >>> own_extractor({"extractor": "inception"})
    """
    extractor = settings["extractor"]
    return str(extractor["path"]) if isinstance(extractor, Mapping) else None


def check_fits(model: DualGAFClassifier, n_channels: int, num_classes: int) -> None:
    """Refuse data of other sizes than those that a checkpoint was trained with.

    Args:
        model: from `load_classifier`.
        n_channels: C of the data.
        num_classes: K of the data.

    Raises:
        ConfigError: one of the two is another.
    """
    wanted = model.net.settings
    for option, got in (("n_channels", n_channels), ("num_classes", num_classes)):
        if wanted[option] != got:
            raise ConfigError(
                f"the checkpoint was trained with {option}={wanted[option]}, the data have {got}; "
                "type the data.* options of its run (RUN/.hydra/overrides.yaml)"
            )


def check_goes_on(model: DualGAFClassifier, path: Path) -> None:
    """Refuse to go on from a checkpoint with a network or an optimiser that is not its own.

    Args:
        model: what is to be trained; the checkpoint's weights and its optimiser's state take the
            place of its own, so another learning rate would change nothing.
        path: the checkpoint.

    Raises:
        ConfigError: it is no checkpoint, or a setting is another.
    """
    kept = _hyper_parameters(path)
    pairs = [("model", key, kept["net"].get(key), got) for key, got in model.net.settings.items()]
    pairs += [
        ("classifier", key, kept.get(key), got) for key, got in vars(model.optimization).items()
    ]
    for group, option, trained, got in pairs:
        if trained != got:
            raise ConfigError(
                f"{path} was trained with {group}.{option}={trained}, and a training that goes on "
                f"keeps it; got {got}; type the {group} options of its run "
                "(RUN/.hydra/overrides.yaml), or train anew without ckpt_path"
            )


def _hyper_parameters(path: Path) -> dict[str, Any]:
    """What a `DualGAFClassifier` keeps of its arguments; its network's are ``net``."""
    try:
        found = read_checkpoint(path)["hyper_parameters"]
        return {**found, "net": dict(found["net"])}
    except _DAMAGE as error:
        raise _no_checkpoint(path, error) from error


def _no_checkpoint(path: Path, error: Exception) -> ConfigError:
    why = " ".join((str(error) or repr(error)).split())
    return ConfigError(
        f"{path} is not a checkpoint of DualGAFClassifier: {why}; type RUN/checkpoints/best.ckpt"
    )
