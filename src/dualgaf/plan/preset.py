"""Hardware presets: how much memory a run may take, and the pool settings that go with it.

The numbers live in ``conf/hardware/NAME.yaml`` and nowhere else. Hydra reads those files for
``hardware=8gb`` on the command line; `HardwarePreset.named` reads the same files for
``DualGAFDataModule(hardware="8gb")``.

A preset is a promise for the whole process tree, shared memory included; `dualgaf.plan.budget` says
what it leaves for images.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from dualgaf.errors import ConfigError, not_allowed, unknown_choice
from dualgaf.system.machine import parse_bytes


@dataclass(frozen=True)
class HardwarePreset:
    """A promise about memory: the build and the training stay inside ``memory``.

    Raises:
        ConfigError: a field has a value that is not allowed.

    Example:
        >>> HardwarePreset.named("8gb").memory
        '8GiB'
    """

    name: str
    """What a user types: ``auto``, ``8gb``, ``16gb``, ``32gb``."""
    memory: str = "auto"
    """Bytes for the whole process tree, such as ``8GiB``; ``auto`` is what is free at the start."""
    store_fraction: float = 0.5
    """Fraction of what is left for images and training that images may take; above 0, at most 1."""
    n_jobs: int = -1
    """Pool workers where the user names none; -1 = all CPUs."""
    chunk_size: int | Literal["auto"] = "auto"
    """Windows per task where the user names none."""

    def __post_init__(self) -> None:
        if self.memory != "auto":
            parse_bytes(self.memory, "hardware.memory")
        if not 0.0 < self.store_fraction <= 1.0:
            raise ConfigError(
                not_allowed(
                    "hardware.store_fraction",
                    self.store_fraction,
                    "above 0, at most 1",
                    "hardware.store_fraction=0.5",
                )
            )

    @classmethod
    def named(cls, name: str) -> Self:
        """The preset of this name in ``conf/hardware``.

        Raises:
            ConfigError: there is no such preset; the text lists those that are.
        """
        folder = conf_folder() / "hardware"
        names = sorted(path.stem for path in folder.glob("*.yaml"))
        if name not in names:
            raise ConfigError(unknown_choice("hardware", name, names))
        fields: dict[str, Any] = yaml.safe_load((folder / f"{name}.yaml").read_text())
        del fields["_target_"]
        return cls(**fields)


def conf_folder() -> Path:
    """The ``conf`` folder: inside the package when installed from a wheel, else beside ``src``."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "conf"
    return installed if installed.is_dir() else here.parents[1] / "conf"
