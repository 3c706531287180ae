"""`load` and `Predictor`: a trained network that judges data it has not seen, labels or none.

Its checkpoint is all that is needed: channels are found by name, tables are read and cut as those
of its training, and images are drawn and stored as they were then, so that a window of the test
split gets the probabilities that the run has given it.
"""

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from dualgaf.data.batch import AnyBatch, PolarBatch, StoredBatch, to_images
from dualgaf.data.buffers import ImageBuffers
from dualgaf.given import is_frame
from dualgaf.imaging.gaf import Renderer
from dualgaf.imaging.gather import gather_series
from dualgaf.imaging.windows import Windows
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.new_data import NewWindows, read_array, read_frame, read_tables
from dualgaf.inference.predictions import Prediction
from dualgaf.inference.unlike import compare
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.models.eval_mode import eval_mode

Array = npt.NDArray[Any]

BATCH_BYTES = 32 << 20
"""Stored images that are drawn at a time."""
MOST_AT_A_TIME = 256
SHORT_S = 0.5
"""What ends sooner shows no progress bar."""


class Predictor:
    """A trained network and what its checkpoint says of its data.

    Args:
        checkpoint: what a training left.
        model: the classifier; None = that of the checkpoint.

    Raises:
        ConfigError: the checkpoint does not say how its windows became images, or is not whole.
    """

    def __init__(self, checkpoint: Checkpoint, model: DualGAFClassifier | None = None) -> None:
        self._imaging = checkpoint.needed_imaging
        self._model = model or checkpoint.classifier()
        state = self._imaging
        self._renderer = Renderer(state.recipe, state.window_size, state.bounds)
        self._draws_each_batch = checkpoint.draws_each_batch

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names, in the order of the probabilities."""
        return self._imaging.class_names

    @property
    def channel_names(self) -> tuple[str, ...]:
        """C names."""
        return self._imaging.channel_names

    @property
    def window_size(self) -> int:
        """T, steps of a window."""
        return self._imaging.window_size

    @property
    def flagged(self) -> float:
        """Fraction of good windows that are unlike, as the training has counted it; else NaN."""
        facts = self._imaging.facts
        return float("nan") if facts is None or facts.limits is None else facts.limits.flagged

    def predict(self, x: Any, *, stride: int | None = None, **options: Any) -> Prediction:
        """Judge windows.

        Args:
            x: (N, C, T) array or tensor, (C, T) for one window, or a frame of pandas or polars,
                whose rows are times and whose columns are found by name.
            stride: of a frame: steps between the starts of two windows; None = as in training.
            **options: of a frame: options of `TableSource`, such as ``nan="interpolate"``, that
                take the place of those of the training; of an array ``nan``.

        Raises:
            OtherDataError: channels, steps or the sampling step are not those of the training.
            ConfigError, SourceError, SeriesError: an option is not allowed, or the data cannot be
                read.

        Example:
            >>> import tempfile, dualgaf, lightning as L
            >>> x, y = np.random.default_rng(0).normal(size=(8, 2, 12)), ["cold", "hot"] * 4
            >>> dm = dualgaf.DualGAFDataModule.from_arrays(train=(x, y), val=(-x, y))
            >>> net = dualgaf.DualGAFNet(2, 2, width=8, use_minirocket=False)
            >>> off = dict.fromkeys(["logger", "enable_checkpointing"], False)
            >>> off |= dict.fromkeys(["enable_progress_bar", "enable_model_summary"], False)
            >>> trainer = L.Trainer(max_epochs=1, accelerator="cpu", **off)
            >>> trainer.fit(dualgaf.DualGAFClassifier(net), datamodule=dm)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     trainer.save_checkpoint(f"{folder}/own.ckpt")
            ...     model = dualgaf.load(f"{folder}/own.ckpt")
            >>> found = model.predict(x[:3])
            >>> found.probabilities.shape, found.classes.shape, model.class_names
            ((3, 2), (3,), ('cold', 'hot'))
        """
        if is_frame(x) or hasattr(x, "collect_schema"):
            return self.judge(read_frame(x, self._imaging, stride, options))
        return self.judge(read_array(x, self._imaging, options))

    def predict_files(
        self,
        root: str | PathLike[str],
        *,
        stride: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Prediction:
        """Judge a file, or all tables of a folder.

        Args:
            root: where they are.
            stride: steps between the starts of two windows; None = as in training.
            options: of `TableSource`, that take the place of those of the training.

        Raises:
            OtherDataError: channels or the sampling step are not those of the training.
            ConfigError, SourceError, SeriesError: as `predict`.
        """
        return self.judge(read_tables(Path(root), self._imaging, stride, options or {}))

    def judge(self, new: NewWindows) -> Prediction:
        """Judge windows that are read.

        Args:
            new: of `dualgaf.inference.new_data`.

        Raises:
            SeriesError: a window cannot be drawn.
        """
        total = len(new.windows)
        with tqdm(
            total=total, desc="predicting", unit=" windows", disable=None, delay=SHORT_S
        ) as bar:
            probabilities = self._probabilities(new.windows, bar.update)
        known = dict(new.known)
        unlike = compare(
            new.windows,
            np.arange(total),
            self.channel_names,
            self._imaging.facts,
            source=known.get("source", ("x",) * total),
            start=known.get("start"),
            units=new.units,
        )
        if unlike is not None:
            known |= unlike.told(self.channel_names)
        return Prediction.of_arrays(self.class_names, probabilities, **known)

    def _probabilities(self, windows: Windows, progress: Callable[[int], object]) -> Array:
        """(N, K) float64."""
        recipe, state = self._renderer.recipe, self._imaging
        row_bytes = 8 * recipe.row_bytes(windows.n_channels) // recipe.dtype.itemsize
        n = max(1, min(MOST_AT_A_TIME, BATCH_BYTES // row_bytes))
        buffers, parts = ImageBuffers(), []
        net: nn.Module = self._model.net
        with eval_mode(net), torch.inference_mode():
            for first in range(0, len(windows), n):
                rows = np.arange(first, min(first + n, len(windows)))
                series = gather_series(windows, rows, state.scaler.mean, state.scaler.std)
                batch = to_images(self._drawn(windows, rows, torch.from_numpy(series)), buffers)
                logits = net(batch.gasf, batch.gadf, batch.series)
                parts.append(torch.softmax(logits.double(), dim=1).numpy())
                progress(len(rows))
        return np.concatenate(parts)

    def _drawn(self, windows: Windows, rows: Array, series: torch.Tensor) -> AnyBatch:
        """Images as the network has learned them: with the digits that were stored."""
        label = torch.full((len(rows),), -1)
        if self._draws_each_batch:
            return PolarBatch(torch.from_numpy(self._renderer.polar(windows, rows)), series, label)
        recipe = self._renderer.recipe
        out = np.empty((len(rows), *recipe.row_shape(windows.n_channels)), dtype=recipe.dtype)
        self._renderer.render(windows, int(rows[0]), int(rows[-1]) + 1, out)
        return StoredBatch(torch.from_numpy(out), series, label)


def load(path: str | PathLike[str], net: nn.Module | None = None) -> Predictor:
    """The network of a checkpoint, ready to judge data that it has not seen.

    Args:
        path: such as ``RUN/checkpoints/best.ckpt``. No code of the file is run.
        net: the network, where its extractor is one of your own.

    Raises:
        ConfigError: it is no checkpoint of a `DualGAFClassifier`, is damaged, or does not say how
            its windows became images.

    Example:
        >>> load("no_such.ckpt")
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: no_such.ckpt is not a checkpoint of DualGAFClassifier: ...
    """
    checkpoint = Checkpoint(Path(path))
    return Predictor(checkpoint, None if net is None else checkpoint.classifier(net))
