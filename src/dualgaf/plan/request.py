"""`BuildRequest`: what is to be built, and what a training with it takes."""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.imaging.recipe import ImagingRecipe, Layout
from dualgaf.plan.training import BATCH_COPIES, MeasuredTraining

Images = Literal["precompute", "on_device", "auto"]

TRAINER_BYTES = 128 << 20
"""What the trainer and torch take from the plan on, beside the batches (measured: 90 MiB)."""
NET_BYTES = (2 << 10, 3 << 9)
"""What DualGAFNet keeps of a window for its gradients, for each pixel of the map that its first
convolution leaves: once, and for each channel. Measured for 1 to 52 channels of 24 to 200 steps and
both arrangements of signals, large kernels: a training took 0.3 to 1.0 of what is planned with
these. `DiagonalExtractor`, both fields together, kept 0.16 to 0.97 of what they did."""
KERNEL_ROWS, KERNEL_NUMBERS, KERNEL_PAIR_BYTES = 3072, (4032, 5), 4 * 8
"""The most rows, windows and copies, that the MiniRocket branch solves, five a window; numbers of
each, and how many more for each channel, kept four times; and what each pair of rows takes, four
numbers of the equations. (Measured with what a step takes: 0.8 to 0.9 of it for 200 to 3000
windows.)"""
KERNEL_WINDOWS, KERNEL_STEPS, KERNEL_STEP_BYTES = 200, 1 << 16, 7 * 84 * 4
"""The most windows and steps that its biases come from, and what it takes for a step, of those or
of a batch: seven responses of 84 kernels (measured: 6.5 when it is solved, 5 in a batch)."""
STEPS_A_PIXEL = 8
"""From this many steps a pixel on a build pays within about 6 epochs and saves a sixth of the data
side over 100; below it drawing per batch takes as long as loading (benchmarks/crossover.py)."""
NET_MAP, NET_READ = 16, 144
"""Side of that map, about, and of the largest image that is read pixel by pixel."""


@dataclass(frozen=True)
class Shares:
    """What each of several machines holds of the training windows (``shard=node``).

    Example:
        >>> print(Shares(1, (4, 4, 3)))
        nodes 0 to 1 hold 4 of 11 training windows each, node 2 holds 3; this is node 1
    """

    node: int
    """Number of this machine."""
    windows: tuple[int, ...]
    """Training windows of each."""

    def __str__(self) -> str:
        texts: list[str] = []
        for count in sorted(set(self.windows), reverse=True):
            nodes = [node for node, own in enumerate(self.windows) if own == count]
            of = "" if texts else f" of {sum(self.windows)} training windows"
            one = len(nodes) == 1
            who = f"node {nodes[0]} holds" if one else f"nodes {nodes[0]} to {nodes[-1]} hold"
            texts.append(f"{who} {count}{of}{'' if one else ' each'}")
        return f"{', '.join(texts)}; this is node {self.node}"


@dataclass(frozen=True)
class BuildRequest:
    """What is to be built: the sizes, the recipe and the user's wish for ``images``.

    Raises:
        ConfigError: ``images`` is not known.

    Example:
        >>> BuildRequest(100, 3, 48, ImagingRecipe(48)).store_bytes == 100 * 2 * 3 * 48 * 48
        True
    """

    n_windows: int
    """N, windows to draw."""
    n_channels: int
    """C, channels of a window."""
    window_size: int
    """T, steps of a window."""
    recipe: ImagingRecipe
    """How they are drawn and stored."""
    images: Images = "precompute"
    """``precompute``, ``on_device`` or ``auto``."""
    batch_size: int = 0
    """Windows per batch of the training that follows; 0 where none does, or where it has run and
    its memory is in use already."""
    input_bytes: int = 0
    """Bytes of the series; worker processes get a copy."""
    input_dtype: str = "float64"
    """NumPy type of the series."""
    training: MeasuredTraining | None = None
    """The training that follows, where its network is known; else `DualGAFNet` is planned for."""
    shares: Shares | None = None
    """How several machines share the training windows; None where each holds all."""

    def __post_init__(self) -> None:
        if self.images not in get_args(Images):
            raise ConfigError(unknown_choice("images", self.images, get_args(Images)))

    @property
    def store_bytes(self) -> int:
        """Bytes of all images."""
        return self.n_windows * self.recipe.row_bytes(self.n_channels)

    @property
    def batch_bytes(self) -> int:
        """Bytes of a batch as float32 images."""
        return self.batch_size * 2 * self.n_channels * self.recipe.image_size**2 * 4

    @property
    def training_bytes(self) -> int:
        """What the training with these batches takes on the CPU, in all its ranks."""
        if not self.batch_size:
            return 0
        if self.training is not None:
            return self.training_bytes_with(self.training, self.batch_size)
        # One is over before the other begins, but for validations: they keep nothing for gradients.
        return TRAINER_BYTES + max(self.learning_bytes, self.kernel_bytes)

    def training_bytes_with(self, training: MeasuredTraining, batch_size: int) -> int:
        """What such a training would take with other batches."""
        read = replace(self, n_windows=training.n_windows, batch_size=batch_size)
        image_bytes = 2 * self.n_channels * self.recipe.image_size**2 * 4
        return training.bytes(batch_size, image_bytes, read.kernel_bytes)

    @property
    def learning_bytes(self) -> int:
        """What of it are batches and what the network keeps of one for its gradients."""
        side = min(self.recipe.image_size, NET_READ)
        pixels = math.ceil(side / max(1, round(side / NET_MAP))) ** 2
        once, each = NET_BYTES
        net = self.batch_size * pixels * (once + self.n_channels * each)
        return BATCH_COPIES * self.batch_bytes + net

    @property
    def kernel_bytes(self) -> int:
        """What of it the MiniRocket branch takes: to be solved, and for a batch of a validation."""
        biases_from = min(self.n_windows, KERNEL_WINDOWS, KERNEL_STEPS // self.window_size)
        read = max(biases_from, self.batch_size)
        rows = min(KERNEL_ROWS, 5 * self.n_windows)
        numbers, each = KERNEL_NUMBERS
        row_bytes = 4 * 4 * (numbers + self.n_channels * each)
        solved = rows * row_bytes + rows**2 * KERNEL_PAIR_BYTES
        return solved + read * self.window_size * KERNEL_STEP_BYTES

    @property
    def precompute_pays(self) -> bool:
        """Whether loading from a store beats drawing per batch over a usual number of epochs."""
        long_averages = self.window_size >= STEPS_A_PIXEL * self.recipe.image_size
        return long_averages and self.recipe.layout == "dual"

    def with_layout(self, layout: Layout) -> "BuildRequest":
        """The same images in another layout."""
        return replace(self, recipe=replace(self.recipe, layout=layout))
