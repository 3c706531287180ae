"""``about.json`` of a run: when, with what and where it was made, and what it understood.

It is what the page of a run (`dualgaf.report`) cannot find out later.
"""

import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from dualgaf import __version__
from dualgaf.data.datamodule import DualGAFDataModule
from dualgaf.data.inspection import windows_by_class, windows_summary
from dualgaf.system.machine import Machine, format_bytes
from dualgaf.system.versions import installed_versions
from dualgaf.system.whole_file import whole_file

ABOUT = "about.json"
"""Its name in the folder of a run."""
PACKAGES = (
    "torch", "lightning", "torchmetrics", "numpy", "numba", "polars", "scikit-learn", "hydra-core",
)  # fmt: skip
"""Whose versions may change a figure."""


def write_about(folder: Path, data: DualGAFDataModule) -> None:
    """Write it; it is there whole, or is the one before.

    Args:
        folder: of the run.
        data: its DataModule.

    Raises:
        OSError: it cannot be written.
    """
    machine = Machine.read()
    about: dict[str, Any] = {
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        **told_of(data),
        "versions": {
            "dualgaf": __version__,
            "Python": machine.python,
            **installed_versions(PACKAGES),
        },
        "machine": {
            "CPUs": f"{machine.cpus} of {machine.cpus_present}, {platform.machine()}",
            "memory": format_bytes(machine.memory_total),
            "kernel": machine.kernel,
            "accelerator": _accelerator(),
        },
    }
    with whole_file(folder / ABOUT) as draft:
        draft.write_text(json.dumps(about, indent=1) + "\n")


def told_of(data: DualGAFDataModule) -> dict[str, Any]:
    """What was understood of the data: a block of text, and windows by class and split."""
    return {
        "data": windows_summary(data.windows, classes=False),
        "windows": windows_by_class(data.windows),
    }


def read_about(folder: Path) -> dict[str, Any]:
    """What is there; empty in a run of an earlier version."""
    try:
        found: dict[str, Any] = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError):
        return {}
    return found


def _accelerator() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
