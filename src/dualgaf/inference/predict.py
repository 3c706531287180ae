"""`load` and `Predictor`: a trained network that judges data it has not seen, labels or none.

Its checkpoint is all that is needed: channels are found by name, tables are read and cut as those
of its training, and images are drawn and stored as they were then, so that a window of the test
split gets the probabilities that the run has given it.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn
from tqdm import tqdm

from dualgaf.given import is_frame
from dualgaf.inference.checkpoint import Checkpoint
from dualgaf.inference.new_data import NewWindows, read_array, read_frame, read_tables
from dualgaf.inference.predictions import Prediction
from dualgaf.inference.probabilities import WindowClassifier
from dualgaf.inference.unlike import compare
from dualgaf.models.classifier import DualGAFClassifier

Array = npt.NDArray[Any]

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
        model = model or checkpoint.classifier().eval()
        self._classify = WindowClassifier(model, self._imaging, checkpoint.draws_each_batch)

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
            >>> net = dualgaf.DualGAFNet(2, 2, width=8, use_minirocket=False, use_forest=False)
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
            probabilities = self._classify(new.windows, bar.update)
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
