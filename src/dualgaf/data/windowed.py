"""From a source to windows: read, split, make lengths equal, lay end to end, cut.

Splits come before windows, so no row of a series is in two splits. Classes, the length of ragged
series, the series scaler and the bounds of ``scaling=train`` come from the training split alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import SplitError
from dualgaf.imaging.windows import Windows, window_starts
from dualgaf.series.lengths import equalise
from dualgaf.series.series import SeriesSet
from dualgaf.series.source import Source
from dualgaf.series.splits import split_series

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class WindowedSplits:
    """All windows of a source, split by split, and what belongs to each."""

    windows: Windows
    """Every window of every split."""
    rows: dict[str, Array]
    """Split -> (N_split,) int64 indices into ``windows``."""
    labels: Array
    """(N,) int64 class of each window; -1 without a label."""
    class_names: tuple[str, ...]
    """K names, in the order of the class indices."""
    channel_names: tuple[str, ...]
    """C names."""
    groups: tuple[str, ...]
    """Group of each window: its day, run or subject."""
    start_times: tuple[str | None, ...]
    """Start time of the series of each window, where known."""
    scaler: SeriesScaler
    """Fitted on the training split."""


def read_windows(source: Source, seed: int) -> WindowedSplits:
    """Read ``source`` and cut its windows.

    Args:
        source: what comes in, how it is cut and how it is split.
        seed: of the split.

    Raises:
        SourceError, SeriesError, SplitError: the source, a series or a split is not usable.
    """
    splits = split_series(source.load(), source.split, seed)
    train = splits["train"]
    steps = source.window_size
    if steps is None:
        steps = max(train.lengths)
        splits = {name: equalise(part, source.ragged, steps) for name, part in splits.items()}
    names = train.class_names
    flat: list[Array] = []
    starts: list[Array] = []
    labels: list[Array] = []
    rows: dict[str, Array] = {}
    groups: list[str] = []
    times: list[str | None] = []
    offset = count = 0
    for name, part in splits.items():
        own, of_series = _own_windows(name, part, steps, source.stride or steps)
        rows[name] = np.arange(count, count + len(own), dtype=np.int64)
        starts.append(own + offset)
        labels.append(_class_indices(part, names)[of_series])
        groups.extend(part.groups[index] for index in of_series)
        times.extend(part.start_times[index] for index in of_series)
        flat.extend(part.values)
        offset += sum(part.lengths)
        count += len(own)
    return WindowedSplits(
        windows=Windows(np.concatenate(flat, axis=1), np.concatenate(starts), steps),
        rows=rows,
        labels=np.concatenate(labels),
        class_names=names,
        channel_names=train.channel_names,
        groups=tuple(groups),
        start_times=tuple(times),
        scaler=SeriesScaler.fit(splits["train"].values),
    )


def _own_windows(name: str, part: SeriesSet, steps: int, stride: int) -> tuple[Array, Array]:
    try:
        return window_starts(part.lengths, steps, stride)
    except ValueError as error:
        raise SplitError(f"{name} split: {error}") from error


def _class_indices(part: SeriesSet, names: tuple[str, ...]) -> Array:
    index = {name: k for k, name in enumerate(names)}
    return np.array(
        [-1 if label is None else index[label] for label in part.labels], dtype=np.int64
    )
