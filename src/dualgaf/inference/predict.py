"""`load` and `Predictor`: a trained network that judges data it has not seen, labels or none.

Its checkpoint is all that is needed: channels are found by name, tables are read and cut as those
of its training, and images are drawn and stored as they were then, so that a window of the test
split gets the probabilities that the run has given it.

A file that was exported does as well. An ``.onnx`` needs no torch, and nothing here loads it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.imaging_state import ImagingState
from dualgaf.errors import ConfigError, not_allowed
from dualgaf.given import is_frame
from dualgaf.imaging.windows import Windows
from dualgaf.inference.new_arrays import NewWindows, read_array
from dualgaf.inference.parts import AT_A_TIME
from dualgaf.inference.predictions import Prediction
from dualgaf.inference.sets import checked, set_texts
from dualgaf.inference.unlike import compare
from dualgaf.series.tables.databases.uri import is_uri

if TYPE_CHECKING:
    from torch import nn

    from dualgaf.inference.novelty import NoveltyReader
    from dualgaf.inference.stream import Watch

Array = npt.NDArray[Any]

SHORT_S = 0.5
"""What ends sooner shows no progress bar."""


class Predictor:
    """A trained network and what its file says of its data; `load` makes it.

    Args:
        imaging: what the file says.
        classify: windows -> (N, K) probabilities; it is given a function that is told how many
            windows were classified, again and again.
        reader: says how new windows are, in passing; None = nothing does.

    Example:
        >>> from dualgaf.data.series_scaler import SeriesScaler
        >>> from dualgaf.imaging.recipe import ImagingRecipe
        >>> scaler = SeriesScaler(np.zeros(1), np.ones(1))
        >>> state = ImagingState(ImagingRecipe(8), 24, None, scaler, ("sat",), ("a", "b"), "")
        >>> model = Predictor(state, lambda windows, _: np.full((len(windows), 2), 0.5))
        >>> model.class_names, model.window_size, model.predict(np.zeros((1, 24))).probabilities
        (('a', 'b'), 24, array([[0.5, 0.5]]))
    """

    def __init__(
        self,
        imaging: ImagingState,
        classify: Callable[[Windows, Callable[[int], object]], Array],
        reader: "NoveltyReader | None" = None,
    ) -> None:
        self._imaging = imaging
        self._classify = classify
        self._reader = reader

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

    def predict(
        self,
        x: Any,
        *,
        stride: int | None = None,
        coverage: float | None = None,
        **options: Any,
    ) -> Prediction:
        """Judge windows.

        Args:
            x: (N, C, T) array or tensor, (C, T) for one window, or a frame of pandas or polars,
                whose rows are times and whose columns are found by name.
            stride: of a frame: steps between the starts of two windows; None = as in training.
            coverage: of `Prediction.set`: what part of windows of new groups has its class there;
                None = 0.9, where so many groups were held out that it can be promised.
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
            from dualgaf.inference.new_data import read_frame  # reads tables, so it loads polars

            return self.judge(read_frame(x, self._imaging, stride, options), coverage)
        return self.judge(read_array(x, self._imaging, options), coverage)

    def predict_files(
        self,
        root: str | PathLike[str],
        *,
        stride: int | None = None,
        coverage: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Prediction:
        """Judge a file, all tables of a folder, or the rows of a query.

        Args:
            root: where they are; the URI of a database, as `SQLSource` has it, with the option
                ``query``.
            stride: steps between the starts of two windows; None = as in training.
            coverage: as for `predict`.
            options: of `TableSource` or `SQLSource`, that take the place of those of the training.

        Raises:
            OtherDataError: channels or the sampling step are not those of the training.
            ConfigError, SourceError, SeriesError: as `predict`.
        """
        from dualgaf.inference.new_data import read_query, read_tables

        if isinstance(root, str) and is_uri(root):
            return self.judge(read_query(root, self._imaging, stride, options or {}), coverage)
        return self.judge(read_tables(Path(root), self._imaging, stride, options or {}), coverage)

    def watch(
        self,
        window_size: int | None = None,
        stride: int | None = None,
        *,
        coverage: float | None = None,
        nan: str | None = None,
        plant: str | None = None,
    ) -> "Watch":
        """Judge rows as they come, see `Watch.push`.

        Args:
            window_size: T, which the network has learned; None = that.
            stride: rows between the starts of two windows; None = as in training.
            coverage: as for `predict`.
            nan: ``error`` or ``interpolate``, from the rows of a window, however many are missing;
                None = as in training, with its ``data.fill_limit``.
            plant: which plant the rows are of, where each was scaled by itself.

        Raises:
            ConfigError: an option is not allowed.

        Example:
            >>> from dualgaf.data.series_scaler import SeriesScaler
            >>> from dualgaf.imaging.recipe import ImagingRecipe
            >>> scaler = SeriesScaler(np.zeros(1), np.ones(1))
            >>> state = ImagingState(ImagingRecipe(8), 24, None, scaler, ("sat",), ("a", "b"), "")
            >>> model = Predictor(state, lambda windows, _: np.full((len(windows), 2), 0.5))
            >>> watch = model.watch(stride=12)
            >>> [len(watch.push([0.1 * k])) for k in range(48)].index(1)
            23
        """
        from dualgaf.inference.stream import Watch

        steps = self._imaging.window_size
        if window_size not in (None, steps):
            allowed = f"{steps}, the length of a window that the network has learned"
            raise ConfigError(
                not_allowed("window_size", window_size, allowed, f"window_size={steps}")
            )
        if coverage is not None:
            checked(self._imaging.calibration, coverage)
        judge = partial(self.judge, coverage=coverage)
        return Watch(judge, self._imaging, stride, nan, plant)

    def judge(self, new: NewWindows, coverage: float | None = None) -> Prediction:
        """Judge windows that are read.

        Args:
            new: of `dualgaf.inference.new_data`, or of `dualgaf.inference.new_arrays`.
            coverage: as for `predict`.

        Raises:
            ConfigError: the coverage cannot be given.
            SeriesError: a window cannot be drawn.
        """
        calibration, total = self._imaging.calibration, len(new.windows)
        if coverage is not None:
            checked(calibration, coverage)
        if total <= AT_A_TIME:  # they are one step
            probabilities, novelty = self._judged(new.windows, int)
        else:
            from tqdm import tqdm

            with tqdm(
                total=total, desc="predicting", unit=" windows", disable=None, delay=SHORT_S
            ) as bar:
                probabilities, novelty = self._judged(new.windows, bar.update)
        known = dict(new.known) | {"novelty": novelty}
        unlike = compare(
            new.windows,
            np.arange(total),
            self.channel_names,
            self._imaging.facts,
            source=known.get("source", ("x",) * total),
            start=None if new.is_part else known.get("start"),
            units=new.units,
        )
        if unlike is not None:
            known |= unlike.told(self.channel_names)
        known["set"] = set_texts(probabilities, self.class_names, calibration, coverage)
        return Prediction.of_arrays(self.class_names, probabilities, **known)

    def _judged(
        self, windows: Windows, progress: Callable[[int], object]
    ) -> tuple[Array, Array | None]:
        if self._reader is None:
            return self._classify(windows, progress), None
        return self._reader(self._classify, windows, progress)


def load(path: str | PathLike[str], net: "nn.Module | None" = None) -> Predictor:
    """A trained network, ready to judge data that it has not seen.

    Args:
        path: such as ``RUN/checkpoints/best.ckpt``, or what ``python -m dualgaf export`` has made
            of it: an ``.onnx``, for which no torch is loaded, or a ``.pt2``. No code of a
            checkpoint or an ``.onnx`` is run; a ``.pt2`` is a program.
        net: the network of a checkpoint, where its extractor is one of your own.

    Raises:
        ConfigError: it is none of them, is damaged, or does not say how its windows became images;
            or a package that it needs is not installed.

    Example:
        >>> load("no_such.ckpt")
        Traceback (most recent call last):
        ...
        dualgaf.errors.ConfigError: no_such.ckpt is not a checkpoint of DualGAFClassifier: ...
    """
    file = Path(path)
    if file.suffix in (".onnx", ".pt2"):
        from dualgaf.inference import exported

        if net is not None:
            raise ConfigError(f"{file} holds its network; leave net= out")
        kind = exported.OnnxClassifier if file.suffix == ".onnx" else exported.ProgramClassifier
        model = kind(file)
        return Predictor(model.imaging, model)
    from dualgaf.inference.checkpoint import Checkpoint
    from dualgaf.inference.novelty import NoveltyReader
    from dualgaf.inference.probabilities import WindowClassifier

    checkpoint = Checkpoint(file)
    imaging = checkpoint.needed_imaging
    own = checkpoint.classifier().eval() if net is None else checkpoint.classifier(net)
    classify = WindowClassifier(own, imaging, checkpoint.draws_each_batch)
    reader = None if imaging.novelty is None else NoveltyReader(own.net, imaging, own.device)
    return Predictor(imaging, classify, reader)
