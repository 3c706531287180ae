"""What the recipe of the earlier system needs beside the package; see `networks`."""

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from dualgaf.data.windowed import read_windows
from dualgaf.models.net import DualGAFNet
from dualgaf.series.series import SeriesSet, join_sets
from dualgaf.series.source import Source
from dualgaf.series.splits import SplitSettings


class RawPixelNet(DualGAFNet):
    """`DualGAFNet` that sees the bytes of uint8 images as they are stored."""

    def forward(self, gasf: Tensor, gadf: Tensor, series: Tensor | None = None) -> Tensor:
        """Logits (B, K) of images in [-1, 1], which become 1 to 255."""
        return super().forward(127.0 * gasf + 128.0, 127.0 * gadf + 128.0, series)


@dataclass(frozen=True, eq=False)
class ShuffledWindows:
    """The windows of a source, each a series of its own: whichever are held out, others overlap."""

    inner: Source
    """Says which windows are tested; all others are for training and validation."""
    window_size: int | None = None
    stride: int | None = None
    ragged: str = "error"
    split: SplitSettings = field(default_factory=lambda: SplitSettings("official"))

    def load(self) -> SeriesSet:
        """All windows, marked train and test."""
        windowed = read_windows(self.inner, seed=0)
        names = np.array(windowed.class_names)
        parts = []
        for mark, splits in (("train", ("train", "val")), ("test", ("test",))):
            rows = np.concatenate(
                [windowed.indices[split] for split in splits if split in windowed.indices]
            )
            labels = names[windowed.labels[rows]].tolist()
            windows = windowed.windows.take(rows)
            parts.append(SeriesSet.from_arrays(windows, labels, official=mark, name=mark))
        return join_sets(parts, "shuffled windows")
