"""dualgaf: dual Gramian angular fields of multivariate time series.

``import dualgaf`` loads no torch: a public name is imported when it is first used.
"""

from importlib import import_module
from typing import Any

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
    "EqualAveraging": "dualgaf.models.averaging",
    "ExponentialAveraging": "dualgaf.models.averaging",
    "FocalLoss": "dualgaf.models.losses.classification",
    "HardwarePreset": "dualgaf.plan.preset",
    "HybridFocalLoss": "dualgaf.models.losses.classification",
    "ImagingRecipe": "dualgaf.imaging.recipe",
    "PoolSettings": "dualgaf.pool.settings",
    "RunFolderCheck": "dualgaf.training.run_folder",
    "SimulatedSource": "dualgaf.series.simulate",
    "SplitSettings": "dualgaf.series.splits",
    "SweepTable": "dualgaf.training.sweep",
    "TableSource": "dualgaf.series.tables.source",
    "TimmBackbone": "dualgaf.models.backbone",
    "dual_gaf": "dualgaf.imaging.gaf",
    "dual_gaf_inverse": "dualgaf.imaging.inverse",
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
