"""Networks of files that ``python -m dualgaf export`` has written, in the place of a checkpoint's.

`OnnxClassifier` runs an ``.onnx`` by onnxruntime, `ProgramClassifier` a ``.pt2`` by torch. Both
take windows and give probabilities, as `dualgaf.inference.probabilities.WindowClassifier` does.
Pixels are never rounded in such a file, so where training stored uint8, probabilities are those of
the network on images that differ by 3.9e-3 at most.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.imaging.windows import Windows
from dualgaf.inference.metadata import ABOUT, state_of
from dualgaf.inference.parts import in_parts

Array = npt.NDArray[Any]


class ExportedClassifier(ABC):
    """Windows -> probabilities, by a file that was exported.

    Args:
        path: the file; it is read here.

    Raises:
        ConfigError: it is not there, is damaged, or does not say what it takes.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigError(
                f"there is no file {path}; type python -m dualgaf export "
                f"RUN/checkpoints/best.ckpt --output {path}"
            )
        self.path = path
        self.imaging = state_of(self._read(), path)
        """What its windows were."""

    def __call__(self, windows: Windows, progress: Callable[[int], object] = int) -> Array:
        """Probabilities of each class for each window.

        Args:
            windows: N of them, of finite numbers; their type becomes that of the training.
            progress: is told how many windows were classified, again and again.

        Returns:
            (N, K) float64; each row adds up to 1.

        Raises:
            SeriesError: a window cannot be drawn, as in training.
        """
        found = np.empty((len(windows), len(self.imaging.class_names)))
        for rows in in_parts(windows):
            values = windows.take(rows).astype(self.imaging.dtype, copy=False)
            found[rows] = self._run(np.ascontiguousarray(values, dtype=np.float64))
            progress(len(rows))
        unusable = np.flatnonzero(np.isnan(found).any(axis=1))
        if len(unusable):
            limits = "outside of [-1, 1], " if self.imaging.recipe.scaling == "none" else ""
            raise SeriesError(
                f"window {unusable[0]} cannot be drawn: it has a NaN or an infinity, or its values "
                f"are {limits}below 2.2e-308, or too far from those of the training; leave it out"
            )
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    @abstractmethod
    def _read(self) -> str | None:
        """Read the file; returns what it says of itself."""

    @abstractmethod
    def _run(self, windows: Array) -> Array:
        """(B, C, T) float64 -> (B, K)."""

    def _damaged(self, error: Exception, kind: str) -> ConfigError:
        why = " ".join((str(error) or repr(error)).split())
        return ConfigError(
            f"{self.path} cannot be read as {kind}: {why[:300]}; type python -m dualgaf export "
            f"RUN/checkpoints/best.ckpt --output {self.path}"
        )


class OnnxClassifier(ExportedClassifier):
    """An ``.onnx``, by onnxruntime on the CPU; torch is not loaded."""

    def _read(self) -> str | None:
        runtime = installed("onnxruntime")
        options = runtime.SessionOptions()
        # Its threads would look for work in a loop, and take the CPU from all others.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        # What it would make of the graph takes 0.1 s of the start, and has saved nothing later.
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = runtime.InferenceSession(
                self.path, options, providers=["CPUExecutionProvider"]
            )
            told = self._session.get_modelmeta().custom_metadata_map.get(ABOUT)
        except Exception as error:  # its errors have no common ancestor of their own
            raise self._damaged(error, "ONNX") from error
        return None if told is None else str(told)

    def _run(self, windows: Array) -> Array:
        (name,) = (given.name for given in self._session.get_inputs())
        return np.asarray(self._session.run(None, {name: windows})[0])


class ProgramClassifier(ExportedClassifier):
    """A ``.pt2``, by torch on the CPU."""

    def _read(self) -> str | None:
        import torch

        about = {ABOUT: ""}
        try:
            with self.path.open("rb") as file:
                program = torch.export.load(file, extra_files=about)
            self._program: Any = program.module()
        except Exception as error:  # a damaged file can end in any
            raise self._damaged(error, "a program of torch") from error
        return about[ABOUT]

    def _run(self, windows: Array) -> Array:
        import torch

        with torch.inference_mode():
            return np.asarray(self._program(torch.from_numpy(windows)).numpy())


def installed(name: str) -> ModuleType:
    """A package of the extra ``onnx``.

    Args:
        name: of the package.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"an .onnx file needs {name}, which cannot be imported: {error}; type pip install "
            '"dualgaf[onnx]"'
        ) from error
