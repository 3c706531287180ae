"""`Explained`: windows of a DataModule, their images, and what spoke for the class predicted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from dualgaf.data.calibration import tempered
from dualgaf.data.imaging_state import ImagingState
from dualgaf.data.training_facts import sampling_step
from dualgaf.data.window_imaging import WindowImaging
from dualgaf.data.windowed import WindowedSplits
from dualgaf.inference.attribution import Explanation, explain
from dualgaf.models.classifier import DualGAFClassifier
from dualgaf.plots.explanation import Row, TimeAxis, draw_explanation, whole_per_cents

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Explained:
    """N windows, drawn by the imaging of a network, and what it made of them."""

    windowed: WindowedSplits
    """Where they are from."""
    imaging: ImagingState
    """How the network has its windows drawn."""
    rows: Array
    """(N,) their numbers in ``windowed.windows``."""
    raw: Array
    """(N, C, T) values."""
    fields: Array
    """(N, 2, C, S, S): GASF, GADF."""
    found: Explanation
    """On the CPU."""

    @classmethod
    def of(
        cls,
        windowed: WindowedSplits,
        rows: Array,
        model: DualGAFClassifier,
        imaging: ImagingState,
        method: str = "integrated",
    ) -> Self:
        """Draw and explain windows.

        Args:
            windowed: where they are.
            rows: (N,) their numbers in ``windowed.windows``.
            model: the network; where it is, it is asked.
            imaging: that it was trained with.
            method: a name in `dualgaf.inference.attribution.METHODS`.
        """
        raw = windowed.windows.take(list(rows))
        given = WindowImaging(imaging)(torch.from_numpy(raw).double())
        gasf, gadf, series = (each.to(model.device) for each in given)
        told = explain(model.net, gasf, gadf, series, method=method)
        parts: dict[str, Any] = {
            name: value.cpu() if isinstance(value, torch.Tensor) else value
            for name, value in vars(told).items()
        }
        parts["members"] = {name: part.cpu() for name, part in told.members.items()}
        fields = np.stack([given[0].numpy(), given[1].numpy()], axis=1)
        return cls(windowed, imaging, np.asarray(rows), raw, fields, Explanation(**parts))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def axis(self) -> TimeAxis:
        """Times of a window, where they are dates."""
        step, clock = sampling_step(self.windowed)
        return TimeAxis.of_seconds(step if clock == "seconds" else None, self.raw.shape[-1])

    @property
    def steps(self) -> Array:
        """(N, C, T): what each step of the images is of all that spoke in its window, 0 to 1."""
        return np.asarray(self.found.steps.double().numpy() / self._total[:, None, None])

    @property
    def statistics(self) -> Array:
        """(N,): what the statistics of whole windows are of all that spoke, 0 to 1.

        Together with `steps` that is 1, or 0 where nothing spoke for the class.
        """
        return np.asarray(self._by_statistics / self._total)

    @property
    def members(self) -> dict[str, float]:
        """Mean part of the probability that each member of the ensemble gives; 1 together."""
        return {name: float(part.mean()) for name, part in self.found.members.items()}

    @property
    def _by_statistics(self) -> Array:
        return np.asarray(self.found.statistics.relu().sum(dim=1).double().numpy())

    @property
    def _total(self) -> Array:
        total = self.found.steps.double().sum(dim=(1, 2)).numpy() + self._by_statistics
        return np.where(total > 0, total, 1.0)

    def best(self, k: int, most: int) -> list[int]:
        """Numbers of the channels that spoke most in a window, the first of them first."""
        order = np.argsort(-self.steps[k].sum(axis=1), kind="stable")
        return [int(channel) for channel in order[:most]]

    def predicted(self, k: int) -> tuple[str, float]:
        """Class of a window and its probability, with the temperature of the network."""
        best = int(self.found.classes[k])
        judged = self.found.probabilities[k : k + 1].numpy()
        return self.imaging.class_names[best], float(
            tempered(judged, self.imaging.temperature)[0, best]
        )

    def figure(self, k: int, channels: Sequence[int], title: str) -> Figure:
        """The picture of a window.

        Args:
            k: which of these windows.
            channels: numbers of the signals that are drawn.
            title: lines above; one is added that says where the rest of what spoke is.
        """
        fractions = self.steps[k].sum(axis=1)
        others = [c for c in range(len(fractions)) if c not in channels]
        parts = [*fractions[[*channels]], float(self.statistics[k]), fractions[others].sum()]
        *shown, statistics, rest = whole_per_cents(parts)
        told = [f"statistics of whole windows: {statistics} % of what spoke"]
        if others:
            noun = "signals" if len(others) > 1 else "signal"
            told.append(f"{len(others)} other {noun}: {rest} %")
        rows = [
            Row(
                name=_short(self.windowed.channel_names[c]),
                series=self.raw[k, c],
                fields=self.fields[k, :, c],
                steps=self.steps[k, c],
                maps=self.found.maps[k, :, c].numpy(),
                fraction=float(fractions[c]),
            )
            for c in channels
        ]
        whole = f"{title}\n{'; '.join(told)}".replace("$", r"\$")
        return draw_explanation(rows, whole, self.axis, shown)


def _short(name: str) -> str:
    short = name if len(name) <= 24 else f"{name[:21]}..."
    return short.replace("$", r"\$")  # two of them would be read as a formula
