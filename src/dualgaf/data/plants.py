"""Scaling of each plant by itself, with ``data.scale_by=plant``.

Each channel of a plant loses the mean of that plant's own training rows and is divided by their
deviation, before windows are cut: what stays is how far the plant is from its own usual state.
Everything after it, the bounds of ``scaling=train`` and the series beside the images, is fitted on
these values, over all plants.

The numbers are kept in the checkpoint. A plant that was in training is scaled by them wherever it
comes back: in val, in test, in files to predict; nothing is fitted on what is tested. A plant
without training rows has no such numbers, and is refused by name.
"""

from collections.abc import Mapping

import numpy as np

from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import SplitError
from dualgaf.series.series import SeriesSet

PlantScalers = Mapping[str, SeriesScaler]
"""What each plant was scaled by."""


def plant_scalers(train: SeriesSet) -> dict[str, SeriesScaler]:
    """Mean and deviation of each channel of each plant, over its training rows.

    Args:
        train: series of the training split, each of a plant.

    Raises:
        SeriesError: a channel has a range or a deviation that float64 does not hold.

    Example:
        >>> from dataclasses import replace
        >>> one = SeriesSet.from_arrays(np.array([[[1.0, 3.0]], [[10.0, 30.0]]]))
        >>> found = plant_scalers(replace(one, plants=("north", "south")))
        >>> {name: scaler.mean.tolist() for name, scaler in found.items()}
        {'north': [2.0], 'south': [20.0]}
    """
    values: dict[str, list[np.ndarray]] = {}
    for plant, series in zip(train.plants, train.values, strict=True):
        values.setdefault(f"{plant}", []).append(series)
    return {plant: SeriesScaler.fit(values[plant]) for plant in sorted(values)}


def scaled_by_plant(part: SeriesSet, scalers: PlantScalers, split: str) -> SeriesSet:
    """The same series, each standardised as its plant is.

    Args:
        part: series, each of a plant.
        scalers: by plant, of this training or of a checkpoint.
        split: what messages call them, such as ``test``.

    Raises:
        SplitError: there is nothing to scale a plant by, because it was not in training.

    Example:
        >>> from dataclasses import replace
        >>> part = replace(SeriesSet.from_arrays(np.array([[[3.0, 5.0]]])), plants=("north",))
        >>> scaler = SeriesScaler(np.array([1.0]), np.array([2.0]))
        >>> scaled_by_plant(part, {"north": scaler}, "test").values[0].tolist()
        [[1.0, 2.0]]
    """
    unknown = sorted({f"{plant}" for plant in part.plants} - set(scalers))
    if unknown:
        rows = sum(
            n for n, p in zip(part.lengths, part.plants, strict=True) if f"{p}" == unknown[0]
        )
        raise SplitError(
            f"plant {unknown[0]!r} has {rows} rows in {split} and none in train, so there is "
            "nothing that data.scale_by=plant could scale it by; type data.scale_by=all, or "
            "data.split.method=within for rows of each plant in train"
        )
    return part.replace_values(
        [
            np.ascontiguousarray(scalers[f"{plant}"].standardise(series).astype(series.dtype))
            for plant, series in zip(part.plants, part.values, strict=True)
        ]
    )
