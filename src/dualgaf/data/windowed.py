"""From a source to windows: read, split, make lengths equal, lay end to end, cut.

Splits come before windows, so no row of a series is in two splits. Classes, the length of ragged
series, the series scaler and the bounds of ``scaling=train`` come from the training split alone.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from dualgaf.data.series_scaler import SeriesScaler
from dualgaf.errors import SplitError
from dualgaf.imaging.windows import Windows, window_starts
from dualgaf.series.lengths import equalise
from dualgaf.series.series import SeriesSet
from dualgaf.series.source import Source
from dualgaf.series.splits import split_series

Array = npt.NDArray[Any]

AT_A_TIME = 256
"""Windows that are hashed at a time."""


@dataclass(frozen=True, eq=False)
class WindowedSplits:
    """All windows of a source, split by split, and what belongs to each; made by `read_windows`.

    Example:
        >>> from dualgaf import SimulatedSource
        >>> found = read_windows(SimulatedSource(n_windows=40, window_size=24), seed=0)
        >>> sorted(found.indices), found.windows.take(found.indices["test"][:2]).shape
        (['test', 'train', 'val'], (2, 12, 24))
    """

    windows: Windows
    """Every window of every split."""
    indices: dict[str, Array]
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
    file: Path | None = None
    """Where they are kept in the cache, if they are."""

    @cached_property
    def digest(self) -> str:
        """A hash of the windows of the train split, and of those of the val split.

        Means will not do to tell two splits apart: those of a standardised archive are all 0.
        """
        found = xxhash.xxh3_128()
        for split in ("train", "val"):
            rows = self.indices.get(split, np.zeros(0, dtype=np.int64))
            found.update(f"{split} {len(rows)} ".encode())
            for first in range(0, len(rows), AT_A_TIME):
                windows = self.windows.take(rows[first : first + AT_A_TIME])
                # Not the last digits of float64: another processor may compute them otherwise.
                with np.errstate(over="ignore"):
                    found.update(windows.astype(np.float32, order="C").data)
        return found.hexdigest()

    def standardised(self, rows: Array) -> tuple[Array, Array, Array]:
        """Series, classes and groups of windows.

        Args:
            rows: (M,) indices into ``windows``.

        Returns:
            (M, C, T) float32, as in a batch; (M,) int64; and (M,) int64, a number for each group.
        """
        series = self.scaler.transform(self.windows.take(rows))
        _, group = np.unique([self.groups[row] for row in rows], return_inverse=True)
        return series, self.labels[rows], group


def read_windows(source: Source, seed: int) -> WindowedSplits:
    """Read ``source`` and cut its windows.

    Args:
        source: what comes in, how it is cut and how it is split.
        seed: of the split.

    Raises:
        SourceError, SeriesError, SplitError: the source, a series or a split is not usable.
    """
    splits = split_series(source.load(), source.split, seed)
    steps = source.window_size
    if steps is None:
        steps = max(splits["train"].lengths)
        splits = {name: equalise(part, source.ragged, steps) for name, part in splits.items()}
    # In the order of the source, whatever the split: a sweep over seeds finds equal images, unless
    # they are scaled by the training split.
    series = sorted(
        ((part.origins[k].source, part.origins[k].first_row, name, k))
        for name, part in splits.items()
        for k in range(len(part))
    )
    parts = [(splits[name], k) for *_, name, k in series]
    starts, of_series = _starts(parts, steps, source.stride or steps)
    split_of_window = np.array([name for *_, name, _ in series])[of_series]
    names = splits["train"].class_names
    index = {name: number for number, name in enumerate(names)}
    codes = [-1 if (label := part.labels[k]) is None else index[label] for part, k in parts]
    return WindowedSplits(
        windows=Windows(np.concatenate([p.values[k] for p, k in parts], axis=1), starts, steps),
        indices={name: _indices(name, split_of_window, part) for name, part in splits.items()},
        labels=np.array(codes, dtype=np.int64)[of_series],
        class_names=names,
        channel_names=splits["train"].channel_names,
        groups=tuple(parts[k][0].groups[parts[k][1]] for k in of_series),
        start_times=tuple(parts[k][0].start_times[parts[k][1]] for k in of_series),
        scaler=SeriesScaler.fit(splits["train"].values),
    )


def _starts(parts: list[tuple[SeriesSet, int]], steps: int, stride: int) -> tuple[Array, Array]:
    return window_starts([part.values[k].shape[1] for part, k in parts], steps, stride)


def _indices(name: str, split_of_window: Array, part: SeriesSet) -> Array:
    rows = np.flatnonzero(split_of_window == name)
    if not len(rows):
        raise SplitError(
            f"the {name} split has no window: its {len(part)} series have at most "
            f"{max(part.lengths)} steps; type data.window_size={max(2, max(part.lengths))} or less"
        )
    return rows
