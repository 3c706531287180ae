"""What a preset's memory leaves for images, read at one moment.

It is a sum, not a fraction alone:

    memory of the preset - what is in use now      (never more than machine and cgroups leave)
    - pool workers - the copy of the series that they read
    - what training takes, at least 1 - store_fraction of the rest
    = budget of the images
"""

from dataclasses import dataclass

from dualgaf.plan.preset import HardwarePreset
from dualgaf.system.machine import format_bytes, memory_headroom, parse_bytes
from dualgaf.system.memory import memory_used


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


def memory_left(preset: HardwarePreset) -> MemoryLeft:
    """What this process and its descendants may still take, read now.

    Example:
        >>> memory_left(HardwarePreset.named("8gb")).memory_bytes == 8 << 30
        True
    """
    headroom, used, memory = memory_headroom(), 0, None
    if preset.memory != "auto":  # what is in use is not free, so auto need not ask
        used, memory = memory_used(), parse_bytes(preset.memory)
    return MemoryLeft(preset, used, memory, headroom.bytes, headroom.limited_by)
