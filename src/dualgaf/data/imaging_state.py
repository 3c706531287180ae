"""`ImagingState`: how windows became what a network was trained on, kept in its checkpoint.

With it a checkpoint alone turns raw windows into images: for an export, and for an explanation.
It loads no torch: a network that was exported is used without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy.typing as npt

from dualgaf import __version__
from dualgaf.data.calibration import Calibration
from dualgaf.data.novelty import Novelty
from dualgaf.data.plants import PlantScalers
from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.data.training_facts import TrainingFacts
from dualgaf.data.training_limits import as_array
from dualgaf.imaging.recipe import ImagingRecipe
from dualgaf.renamed import current_imaging

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ImagingState:
    """What was fitted on the training split, and what the windows were.

    Example:
        >>> import numpy as np
        >>> scaler = SeriesScaler(np.zeros(1), np.ones(1))
        >>> state = ImagingState(ImagingRecipe(8), 24, None, scaler, ("sat",), ("no", "yes"), "1f")
        >>> ImagingState.from_plain(state.to_plain()).class_names
        ('no', 'yes')
    """

    recipe: ImagingRecipe
    """How windows are drawn."""
    window_size: int
    """T, steps of a window."""
    bounds: Array | None
    """(2, C) low and high of each channel for ``scaling=train``."""
    scaler: SeriesScaler
    """Of the series that go beside the images."""
    channel_names: tuple[str, ...]
    """C names, in the order of the channels."""
    class_names: tuple[str, ...]
    """K names, in the order of the logits."""
    digest: str
    """`WindowedSplits.digest` of what was learned, and of what it was validated by."""
    dtype: str = "float64"
    """Type of the values that it was trained on: what counts as constant depends on it."""
    plants: PlantScalers | None = None
    """What each plant was scaled by before all of this (``data.scale_by=plant``); None = nothing
    was."""
    facts: TrainingFacts | None = None
    """What the network has seen; None in a checkpoint of an earlier version."""
    calibration: Calibration | None = None
    """How far its probabilities can be believed; None where that was not measured."""
    novelty: Novelty | None = None
    """What windows are compared with that may be new; None where nothing is."""

    @property
    def temperature(self) -> float:
        """What logits are divided by; 1 where no calibration was measured."""
        return 1.0 if self.calibration is None else self.calibration.temperature

    def to_plain(self) -> dict[str, Any]:
        """Plain values and arrays."""
        recipe = self.recipe.to_json()
        return {
            "version": __version__,
            "recipe": {**recipe, "feature_range": list(recipe["feature_range"])},
            "window_size": self.window_size,
            "bounds": self.bounds,
            "mean": self.scaler.mean,
            "std": self.scaler.std,
            "channel_names": list(self.channel_names),
            "class_names": list(self.class_names),
            "digest": self.digest,
            "dtype": self.dtype,
            "plants": None
            if self.plants is None
            else {name: {"mean": own.mean, "std": own.std} for name, own in self.plants.items()},
            "facts": None if self.facts is None else self.facts.to_plain(),
            "calibration": None if self.calibration is None else self.calibration.to_plain(),
            "novelty": None if self.novelty is None else self.novelty.to_plain(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`; arrays may be tensors on the CPU, or lists of numbers."""
        plain = current_imaging(plain)
        bounds, facts, plants = plain["bounds"], plain.get("facts"), plain.get("plants")
        calibration, novelty = plain.get("calibration"), plain.get("novelty")
        return cls(
            recipe=ImagingRecipe.from_json(plain["recipe"]),
            window_size=int(plain["window_size"]),
            bounds=None if bounds is None else as_array(bounds),
            scaler=SeriesScaler(as_array(plain["mean"]), as_array(plain["std"])),
            channel_names=tuple(plain["channel_names"]),
            class_names=tuple(plain["class_names"]),
            digest=str(plain.get("digest", "")),
            dtype=str(plain.get("dtype", "float64")),
            plants=None
            if plants is None
            else {
                name: SeriesScaler(as_array(own["mean"]), as_array(own["std"]))
                for name, own in plants.items()
            },
            facts=None if facts is None else TrainingFacts.from_plain(facts),
            calibration=None if calibration is None else Calibration.from_plain(calibration),
            novelty=None if novelty is None else Novelty.from_plain(novelty),
        )
