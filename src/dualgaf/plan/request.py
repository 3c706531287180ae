"""`BuildRequest`: what is to be built, and what a training with it takes."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from dualgaf.errors import ConfigError, unknown_choice
from dualgaf.imaging.recipe import ImagingRecipe, Layout

Images = Literal["precompute", "on_device", "auto"]

TRAINER_BYTES = 128 << 20
"""What the trainer and torch take from the plan on, beside the batches (measured: 90 MiB)."""
BATCH_COPIES = 4
"""A batch as float32 images: decoded, mixed, averaged, and the next one."""
NET_COPIES = 36
"""What DualGAFNet keeps of a batch for its gradients, in batches of at most `NET_SIDE` pixels a
side (measured: 29 to 36)."""
STEPS_A_PIXEL = 8
"""From this many steps a pixel on a build pays within about 6 epochs and saves a sixth of the data
side over 100; below it drawing per batch takes as long as loading (benchmarks/crossover.py)."""
NET_SIDE = 48
"""DualGAFNet averages larger images down to this side."""


@dataclass(frozen=True)
class BuildRequest:
    """What is to be built: the sizes, the recipe and the user's wish for ``images``."""

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
    """Windows a batch of the training that follows; 0 where none does, or where it has run and
    its memory is in use already."""
    input_bytes: int = 0
    """Bytes of the series; worker processes get a copy."""
    input_dtype: str = "float64"
    """NumPy type of the series."""

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
        return self._float32_bytes(self.recipe.image_size)

    @property
    def training_bytes(self) -> int:
        """What a training of DualGAFNet with these batches takes on the CPU, measured."""
        if not self.batch_size:
            return 0
        net = NET_COPIES * self._float32_bytes(min(self.recipe.image_size, NET_SIDE))
        return TRAINER_BYTES + BATCH_COPIES * self.batch_bytes + net

    @property
    def precompute_pays(self) -> bool:
        """Whether loading from a store beats drawing per batch over a usual number of epochs."""
        long_averages = self.window_size >= STEPS_A_PIXEL * self.recipe.image_size
        return long_averages and self.recipe.layout == "dual"

    def _float32_bytes(self, side: int) -> int:
        return self.batch_size * 2 * self.n_channels * side * side * 4

    def with_layout(self, layout: Layout) -> "BuildRequest":
        """The same images in another layout."""
        return replace(self, recipe=replace(self.recipe, layout=layout))
