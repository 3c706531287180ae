"""The key that somebody means who types one that is not there.

Its name may be the usual one of the field (`USUAL`), written nearly alike, that of another option
of its group, or one that the configuration does not list though its ``_target_`` takes it.
"""

import inspect
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from dualgaf.plan.preset import conf_folder

USUAL = {
    "trainer.max_epochs": ("epochs", "epoch", "n_epochs", "num_epochs", "train_epochs", "nb_epoch"),
    "classifier.learning_rate": ("lr", "rate", "base_lr", "max_lr", "alpha"),
    "classifier.weight_decay": ("wd", "decay", "l2"),
    "classifier.optimizer": ("optim", "opt"),
    "classifier.schedule": ("scheduler", "lr_scheduler", "lr_schedule"),
    "classifier.class_weights": ("weights", "class_weight", "balanced"),
    "datamodule.batch_size": ("bs", "batch", "batchsize", "train_batch_size"),
    "datamodule.num_workers": ("workers", "n_workers", "dataloader_workers"),
    "datamodule.image_size": ("img_size", "imsize", "size", "resolution"),
    "datamodule.scaling": ("normalize", "normalization", "scaler", "norm"),
    "data.root": ("folder", "path", "dir", "data_dir", "data_root", "data_path", "datadir", "file"),
    "data.uri": ("url", "dsn", "connection", "connection_string", "database", "db"),
    "data.query": ("sql",),
    "data.window_size": ("window", "window_length", "seq_len", "sequence_length", "length"),
    "data.stride": ("step_size", "hop", "shift"),
    "data.name": ("name", "dataset", "dataset_name"),
    "data.label_column": ("label", "labels", "class_column", "target", "target_column", "y"),
    "data.channels": ("columns", "features", "sensors"),
    "data.split.method": ("split",),
    "data.split.val_fraction": ("val_size", "validation_split", "val_split"),
    "data.split.test_fraction": ("test_size", "test_split"),
    "trainer.devices": ("gpus", "gpu", "n_gpus", "num_gpus", "n_devices", "ranks"),
    "trainer.accelerator": ("device", "cuda", "cpu"),
    "trainer.gradient_clip_val": ("clip", "grad_clip", "max_grad_norm"),
    "callbacks.early_stopping.patience": ("patience", "early_stopping"),
    "parallel.n_jobs": ("jobs", "n_jobs", "njobs", "cpus"),
    "parallel.chunk_size": ("chunk", "chunks"),
    "cache.dir": ("cache_dir", "cache_folder"),
    "ckpt_path": ("checkpoint", "ckpt", "checkpoint_path", "resume_from", "weights_path"),
    "hydra.run.dir": ("output", "out", "output_dir", "out_dir", "run_dir", "save_dir", "log_dir"),
    "quiet": ("silent", "verbose", "q"),
    "seed": ("random_state", "random_seed", "manual_seed", "rng"),
    "hardware": ("memory", "ram"),
}
"""Keys, and what the same is called elsewhere."""


def no_key(cfg: DictConfig, place: str, part: str, value: str, whole: str | None = None) -> str:
    """There is no such key; those beside it, and what is meant."""
    node = OmegaConf.select(cfg, place) if place else cfg
    allowed = [str(name) for name in node if not str(name).startswith("_")]
    key = f"{place}.{part}" if place else part
    told = f"there is no {key}; allowed after {f'{place}.' if place else 'the start'!r}: "
    taken = taken_by(node) or {}
    if part in taken and whole is None:
        typed = [f"+{key}={value}"]
        told, allowed = f"{key} is not in the configuration; {node['_target_']} takes it", []
    elif meant := _meant(cfg, place, part, allowed, list(taken)):
        typed = [*meant[:-1], f"{meant[-1]}={value}"]
    elif (option := _other_option(whole or key)) is not None:
        typed = [option, f"{whole or key}={value}"]
    else:
        return f"{told}{', '.join(allowed)}; type python train.py --cfg job to see every key"
    return f"{told}{', '.join(allowed)}; type {' '.join(map(in_shell, typed))}"


def _meant(
    cfg: DictConfig, place: str, part: str, allowed: Sequence[str], taken: Sequence[str]
) -> list[str]:
    """The key that somebody may mean, last, and what it needs before; empty where nobody knows."""
    word = part.lower()
    for key, words in USUAL.items():
        if word in words and key.rpartition(".")[0] == place and has_key(cfg, key):
            return [key]
    if place and (close := get_close_matches(part, allowed, n=1, cutoff=0.6)):
        return [f"{place}.{close[0]}"]
    for key, words in USUAL.items():
        if word not in (*words, key.rpartition(".")[2]):
            continue
        if has_key(cfg, key) or key.startswith("hydra."):
            return [key]
        if (option := _other_option(key)) is not None:
            return [option, key]
    if place and (close := get_close_matches(part, taken, n=1, cutoff=0.6)):
        return [f"+{place}.{close[0]}"]
    leaves: dict[str, str] = {}
    plain = OmegaConf.to_container(cfg, resolve=False)
    for path in sorted(_paths(plain), key=lambda path: path.count(".")):
        leaves.setdefault(path.rpartition(".")[2].lower(), path)
    if word in leaves:
        return [leaves[word]]
    if place:
        return []
    if close := get_close_matches(word, [str(name) for name in cfg], n=1, cutoff=0.75):
        return close
    return [leaves[name] for name in get_close_matches(word, list(leaves), n=1, cutoff=0.7)]


def _other_option(key: str) -> str | None:
    """``data=ahu`` where ``data.label_column`` is a key beside another option of its group."""
    group, _, rest = key.partition(".")
    for path in sorted((conf_folder() / group).glob("*.yaml")) if rest else []:
        node: Any = OmegaConf.load(path)
        for part in rest.split("."):
            node = node._get_node(part) if isinstance(node, DictConfig) else None
        if node is not None:
            return f"{group}={path.stem}"
    return None


def _paths(node: Any, above: str = "") -> Iterator[str]:
    for name, value in node.items():
        if str(name).startswith("_") or name in ("paths", "hydra"):
            continue
        yield f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{above}{name}.")


def has_key(cfg: DictConfig, key: str) -> bool:
    """Whether a configuration has a key, also where its value is missing."""
    place, _, part = key.rpartition(".")
    node = OmegaConf.select(cfg, place, throw_on_resolution_failure=False) if place else cfg
    return isinstance(node, DictConfig) and part in node.keys()  # noqa: SIM118


def taken_by(node: DictConfig) -> Mapping[str, Any] | None:
    """What the ``_target_`` of a node takes; None where it has none, or takes anything."""
    target = node.get("_target_")
    if target is None:
        return None
    found = inspect.signature(get_object(target)).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in found.values()):
        return None
    return {name: parameter for name, parameter in found.items() if name != "self"}


def in_shell(text: str) -> str:
    """A word as it is typed in a shell; brackets stay as they are, as in all pages."""
    return text if re.fullmatch(r"[\w@%+=:,./\[\]~-]+", text, re.ASCII) else shlex.quote(text)
