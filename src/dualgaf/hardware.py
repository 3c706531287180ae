"""Hardware presets: how much memory a run may take, and the pool settings that go with it.

The numbers live in ``conf/hardware/NAME.yaml`` and nowhere else. Hydra reads those files for
``hardware=8gb`` on the command line; `HardwarePreset.named` reads the same files for
``DualGAFDataModule(hardware="8gb")``.

A preset is a promise for the whole process tree, shared memory included, so what is there for the
images is a sum, not a share alone:

    memory of the preset - what is in use now      (never more than machine and cgroups leave)
    - pool workers - the copy of the series that they read
    - what training takes, at least 1 - store_fraction of the rest
    = budget of the images
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import yaml

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.machine import format_bytes, memory_headroom, parse_bytes
from dualgaf.memory_use import memory_used


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
    """Share of what is left for images and training that the images may take, 0 < share <= 1."""
    n_jobs: int = -1
    """Pool workers where the user names none; -1 = all CPUs."""
    chunk_size: int | Literal["auto"] = "auto"
    """Windows a task where the user names none."""

    def __post_init__(self) -> None:
        if self.memory != "auto":
            parse_bytes(self.memory)
        if not 0.0 < self.store_fraction <= 1.0:
            raise ConfigError(
                f"hardware.store_fraction={self.store_fraction} is not allowed; allowed: above 0, "
                "at most 1; type hardware.store_fraction=0.5"
            )

    def memory_left(self) -> "MemoryLeft":
        """What this process and its descendants may still take, read now."""
        headroom, used, memory = memory_headroom(), 0, None
        if self.memory != "auto":  # what is in use is not free, so auto need not ask
            used, memory = memory_used(), parse_bytes(self.memory)
        return MemoryLeft(self, used, memory, headroom.bytes, headroom.limited_by)

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


@dataclass(frozen=True)
class MemoryLeft:
    """What a preset leaves at one moment.

    Example:
        >>> left = MemoryLeft(HardwarePreset("mine", "8GiB"), 1 << 29, 8 << 30, 16 << 30, "x")
        >>> left.bytes, str(left)
        (8053063680, '8.00 GiB - 512.00 MiB in use')
    """

    preset: HardwarePreset
    """Whose promise it is."""
    used_bytes: int
    """What the process tree takes already; not read for ``auto``, whose memory is what is free."""
    memory_bytes: int | None
    """What the preset allows in all; None for ``auto``."""
    headroom_bytes: int
    """What machine and cgroups leave."""
    limited_by: str
    """Which of them leaves the least."""

    @property
    def bytes(self) -> int:
        """What may still be taken, at least 0."""
        promised = self.headroom_bytes
        if self.memory_bytes is not None:
            promised = self.memory_bytes - self.used_bytes
        return max(0, min(promised, self.headroom_bytes))

    @property
    def is_short(self) -> bool:
        """Whether the machine leaves less than the preset allows."""
        return (
            self.memory_bytes is not None
            and self.headroom_bytes < self.memory_bytes - self.used_bytes
        )

    def __str__(self) -> str:
        if self.memory_bytes is None or self.is_short:
            return f"{format_bytes(self.headroom_bytes)} free ({self.limited_by})"
        return f"{format_bytes(self.memory_bytes)} - {format_bytes(self.used_bytes)} in use"


@dataclass(frozen=True)
class Budget:
    """What of the memory is left for the images; ``print`` shows the sum.

    Example:
        >>> left = MemoryLeft(HardwarePreset("mine", "8GiB"), 1 << 30, 8 << 30, 16 << 30, "x")
        >>> print(Budget(left, workers=0, workers_bytes=0, input_bytes=0, training_bytes=0))
        3.50 GiB for images (hardware=mine), 3.50 GiB for training,
        of 8.00 GiB - 1.00 GiB in use
    """

    left: MemoryLeft
    """What may still be taken."""
    workers: int
    """Pool workers that are processes."""
    workers_bytes: int
    """What they take of their own."""
    input_bytes: int
    """The copy of the series that they read; 0 without them."""
    training_bytes: int
    """What training is known to take at least."""

    @property
    def images_bytes(self) -> int:
        """What the images may take in memory, at least 0."""
        return max(0, self._rest - self._training)

    @property
    def is_short_of_training(self) -> bool:
        """Whether training is known to take more than there is, even without a store."""
        return self._rest < self.training_bytes

    @property
    def _rest(self) -> int:
        return max(0, self.left.bytes - self.workers_bytes - self.input_bytes)

    @property
    def _training(self) -> int:
        kept = self._rest - int(self._rest * self.left.preset.store_fraction)
        return max(kept, self.training_bytes)

    def __str__(self) -> str:
        parts = [str(self.left)]
        if self.workers:
            parts.append(f"{format_bytes(self.workers_bytes)} for {self.workers} worker processes")
            parts.append(f"{format_bytes(self.input_bytes)} for their copy of the series")
        return (
            f"{format_bytes(self.images_bytes)} for images (hardware={self.left.preset.name}), "
            f"{format_bytes(self._training)} for training,\n"
            f"of {' - '.join(parts)}"
        )


def conf_folder() -> Path:
    """The ``conf`` folder: inside the package when installed from a wheel, else beside ``src``."""
    here = Path(__file__).resolve().parent
    installed = here / "conf"
    return installed if installed.is_dir() else here.parents[1] / "conf"
