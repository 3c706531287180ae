"""DualGAFNet, and the recipe of the earlier system, through the package's own training.

DualGAFNet is what ``python train.py experiment=NAME seed=SEED`` trains, nothing else.

The earlier recipe, as far as it bears on accuracy:

* every window is scaled by itself, so that its amplitude is lost;
* windows are shuffled before a fifth of them is held out for validation, so that overlapping ones
  are on both sides. Only the test split is not theirs: it is the same as in every row;
* the two branches see stored bytes, 1 to 255, instead of values in [-1, 1];
* no statistics, no mixup, no augmentation; cross-entropy, RAdam, half the rate on a plateau.

Two things are not as they were: the extractors keep a grid of cells, as all of this package but
`diagonal` do, where the earlier ones averaged over the image; and the earlier learning rate is not
known.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dualgaf.training.comparison.baselines import cpu_seconds
from dualgaf.training.comparison.scores import Predictions, read_predictions
from dualgaf.training.config import load_config
from dualgaf.training.run import train

SIDES = ("images", "kernels", "forest")
"""Members of the ensemble, as the metrics of a test name them."""
QUIET = ("logger=csv", "trainer.enable_progress_bar=false")

EARLIER_OPTIONS = (
    *("loss=cross_entropy", "callbacks=default", "trainer=default"),
    *("refit=false", "trainer.max_epochs=100", "data.split.val_fraction=0"),
)
"""Beside the parts below; validation windows are drawn from the shuffled ones instead."""

EARLIER_NODES: dict[str, Any] = {
    "model": {
        "_target_": "benchmarks.accuracy.earlier.RawPixelNet",
        "_partial_": True,
        "extractor": "large_kernel",
        "arrangement": "per_signal",
        "fields": "both",
        "fusion": "adaptive",
        "attention": "channel",
        "head": "mlp",
        "use_statistics": False,
        "use_minirocket": False,
        "use_forest": False,
        "width": 32,
        "dropout": 0.2,
    },
    "classifier": {
        "_target_": "dualgaf.DualGAFClassifier",
        "learning_rate": 0.001,
        "weight_decay": 0.0,
        "optimizer": "radam",
        "schedule": "plateau",
        "mixup": 0.0,
        "time_warp": 0.0,
        "crop": 0.0,
        "loss": "${loss}",
        "class_weights": None,
    },
    "datamodule": {
        "_target_": "dualgaf.DualGAFDataModule",
        "source": {
            "_target_": "benchmarks.accuracy.earlier.ShuffledWindows",
            "inner": "${data}",
        },
        "batch_size": 16,
        "scaling": "window",
        "storage": "uint8",
        "hardware": "${hardware}",
        "parallel": "${parallel}",
        "seed": "${seed}",
    },
}
"""What takes the place of these parts of ``conf/train.yaml``, whatever the default recipe is."""


@dataclass(frozen=True)
class Training:
    """What a training left in its run directory."""

    predictions: Predictions
    parameters: int
    alone: dict[str, float]
    """Accuracy of the images, the kernels and the forest, each without the others; empty where
    there are images alone."""


def run_network(method: str, overrides: Sequence[str], folder: Path) -> Training:
    """Train, and test what was learned.

    Args:
        method: a name in `results.NETWORKS`.
        overrides: what a user types after ``python train.py``.
        folder: the run directory.
    """
    cfg = network_config(method, [f"paths.run_dir={folder}", *overrides])
    before = cpu_seconds()
    train(cfg)
    cpu_s = cpu_seconds() - before
    metrics = json.loads((folder / "metrics.json").read_text())
    label, predicted = read_predictions(folder)
    sides = {side: metrics.get(f"test/{side}_acc") for side in SIDES}
    return Training(
        Predictions(label, predicted, metrics["fit/seconds"], cpu_s),
        metrics["model/parameters"],
        {side: accuracy for side, accuracy in sides.items() if accuracy is not None},
    )


def network_config(method: str, overrides: Sequence[str]) -> DictConfig:
    """The configuration of a training."""
    if method != "earlier_recipe":
        return load_config([*QUIET, *overrides])
    cfg = load_config([*QUIET, *EARLIER_OPTIONS, *overrides])
    for name, node in EARLIER_NODES.items():
        OmegaConf.update(cfg, name, node, merge=False)
    return cfg
