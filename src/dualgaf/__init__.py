"""dualgaf: dual Gramian angular fields of multivariate time series.

``import dualgaf`` loads no torch: a public name is imported when it is first used.
"""

import os
import sys
from importlib import import_module
from typing import Any

# Threads of a small network meet thousands of times a second. Where another program wants the same
# CPUs, waiting in a loop for one that sleeps makes an epoch seven times as long (97 s against 14 s
# for GunPoint beside one busy process). The setting counts only before torch is loaded, so it is
# the first thing here; after that there is `dualgaf.models.idle_threads`.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {
    "AdaptiveSmoothingLoss": "dualgaf.models.losses.classification",
    "ArchiveSource": "dualgaf.series.archive",
    "ArraySource": "dualgaf.series.source",
    "Batch": "dualgaf.data.batch",
    "ConfidencePenaltyLoss": "dualgaf.models.losses.classification",
    "CrossEntropyLoss": "dualgaf.models.losses.classification",
    "DualGAFClassifier": "dualgaf.models.classifier",
    "DualGAFDataModule": "dualgaf.data.datamodule",
    "DualGAFNet": "dualgaf.models.net",
    "EnergyPlusSource": "dualgaf.series.tables.energyplus",
    "EqualAveraging": "dualgaf.models.averaging",
    "ExponentialAveraging": "dualgaf.models.averaging",
    "FocalLoss": "dualgaf.models.losses.classification",
    "FrameSource": "dualgaf.series.tables.frames",
    "HardwarePreset": "dualgaf.plan.preset",
    "HybridFocalLoss": "dualgaf.models.losses.classification",
    "ImagingRecipe": "dualgaf.imaging.recipe",
    "LoggersReady": "dualgaf.training.loggers",
    "MLFlowLogger": "dualgaf.training.mlflow_logger",
    "PoolSettings": "dualgaf.pool.settings",
    "Prediction": "dualgaf.inference.predictions",
    "Predictor": "dualgaf.inference.predict",
    "RunFolderCheck": "dualgaf.training.run_folder",
    "SQLSource": "dualgaf.series.tables.sql",
    "SimulatedSource": "dualgaf.series.simulate",
    "SplitSettings": "dualgaf.series.splits",
    "SweepTable": "dualgaf.training.sweep",
    "TableSource": "dualgaf.series.tables.source",
    "TimmBackbone": "dualgaf.models.backbone",
    "WandbLogger": "dualgaf.training.wandb_logger",
    "dual_gaf": "dualgaf.imaging.gaf",
    "dual_gaf_inverse": "dualgaf.imaging.inverse",
    "inspect_frame": "dualgaf.data.from_memory",
    "inspect_source": "dualgaf.data.inspection",
    "load": "dualgaf.inference.predict",
}

__version__ = "0.1.0"
__all__ = [*_HOMES]  # names are strings, from the table above


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dualgaf' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
